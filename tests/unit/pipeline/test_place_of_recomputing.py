"""Where the store is made again as it was: one place, in which one works at a time."""

from __future__ import annotations

from pathlib import Path

from pas_lib.pipeline.recompute import _place
from pas_lib.settings import load_settings


def test_two_at_once_have_a_place_each_and_a_copy_that_was_left_is_gone(tmp_path: Path) -> None:
    settings = load_settings({"PAS_HOME": str(tmp_path / "home")}, root=tmp_path)
    with _place(settings) as first:
        copy = first / "recompute.duckdb"
        copy.write_bytes(b"copy")
        with _place(settings) as second:
            (second / "recompute.duckdb").write_bytes(b"another")
            assert copy.read_bytes() == b"copy"
        assert second != first
        assert not second.exists()
        assert copy.exists()
    assert not copy.exists()

    copy.write_bytes(b"of a run that was killed")
    with _place(settings) as again:
        assert again == first
        assert not copy.exists()


def test_where_nothing_can_be_written_it_is_a_passing_one(tmp_path: Path) -> None:
    settings = load_settings({"PAS_HOME": str(tmp_path / "home")}, root=tmp_path)
    (tmp_path / "home").write_bytes(b"a file, no folder")
    with _place(settings) as passing:
        assert passing.is_dir()
    assert not passing.exists()
