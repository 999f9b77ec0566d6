"""The landing: whole files, a queue, any fsspec address."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pas_lib.errors import PasError
from pas_lib.landing import Landing, Manifest, is_landed, split
from pas_lib.sources import Payload

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)


@pytest.fixture(params=["folder", "fsspec"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    if request.param == "folder":
        return Landing(str(tmp_path / "landing"))
    return Landing(f"memory://{tmp_path.name}")


def payload(body: bytes = b'{"a":\n1}\n') -> Payload:
    return Payload(
        "yahoo_chart", "prices", "^GSPC", "http://h/x?a=1", 200, "text/plain", NOW, {"symbol": "^GSPC"}, body
    )


def test_a_payload_comes_back_byte_for_byte(landing: Landing):
    folder = landing.new_folder("prices", date(2026, 1, 30), NOW)
    for number, body in enumerate((b"", b"\n\n", b"\x00\xff\r\n", '{"pas_landing":1,"é":2}\n'.encode())):
        landed = landing.write(folder, number, payload(body))
        assert landing.read(landed.path) == payload(body)
        assert landed.size == len(body)
        assert landed.path.startswith(f"{folder}/0000{number}-yahoo_chart-")
    content = landing.get(landed.path)
    assert is_landed(content)
    assert content.count(b'"url":"http://h/x?a=1"') == 1


def test_runs_of_one_moment_have_folders_of_their_own(landing: Landing):
    first = landing.new_folder("prices", date(2026, 1, 30), NOW)
    second = landing.new_folder("prices", date(2026, 1, 30), NOW)
    assert first == "prices/2026-01-30/prices-2026-01-30-20260131T010000Z-1"
    assert second.endswith("-2")
    assert landing.new_folder("prices", None, NOW).startswith("prices/unscheduled/")


def test_the_queue_is_in_the_order_of_fetching(landing: Landing):
    def manifest(run_id: str, dataset: str, hour: int) -> Manifest:
        landed = landing.write(f"{dataset}/{run_id}", 0, payload())
        return Manifest(run_id, dataset, date(2026, 1, 30), NOW.replace(hour=hour), None, (landed,), ("note",))

    late, early = manifest("a", "prices", 9), manifest("b", "universe", 3)
    landing.enqueue(late)
    landing.enqueue(early)
    assert list(landing.queued()) == [early, late]
    assert list(landing.queued("prices")) == [late]
    landing.done("b")
    landing.done("b")
    assert list(landing.queued()) == [late]


def test_what_is_missing_or_foreign_is_named(landing: Landing):
    with pytest.raises(PasError, match="prices/none is missing in the landing"):
        landing.read("prices/none")
    with pytest.raises(PasError, match="was not written by the landing"):
        split(b"{}", "x")
    assert landing.load_state("ask-prices") is None
    landing.save_state("ask-prices", {"items": ["A"]})
    assert landing.load_state("ask-prices") == {"items": ["A"]}


def test_an_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = Landing(str(tmp_path))
    place.put("queue/a.json", b"old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pas_lib.landing.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        place.put("queue/a.json", b"new")
    assert place.get("queue/a.json") == b"old"
    assert place.list("queue") == ["a.json"]
