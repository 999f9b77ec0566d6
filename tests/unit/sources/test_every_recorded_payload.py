"""Every recorded payload through ``pas parse``: the rows of data, one line for an error, and nothing passed over."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pas_lib.cli.app import run
from pas_lib.datasets import catalogue
from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from tests.support.paths import WIRE, needs
from tests.support.recorded import DATA, ERRORS, NO_DATASET, SHOWN

Pair = tuple[str, str]
PAIRS: list[Pair] = [(path, dataset) for path, datasets in DATA.items() for dataset in datasets]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))


def test_every_payload_has_one_line() -> None:
    folder = needs(WIRE)
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".md" and path.name != "SOURCES.txt"
    }
    lines = Counter([*DATA, *ERRORS, *(path for paths in NO_DATASET.values() for path in paths)])
    assert found - set(lines) == set(), "say what these are"
    assert set(lines) - found == set()
    assert max(lines.values()) == 1


def test_every_dataset_whose_format_was_recorded_is_among_them() -> None:
    seen = {dataset for datasets in DATA.values() for dataset, (count, *_) in datasets.items() if count}
    # The pages of QuiverQuant that state scores were not recorded; their tests write them after the description.
    assert set(catalogue()) - seen == {"google_trends", "dc_insider_scores", "app_reviews"}


def shown(dataset: str, row: dict[str, Any]) -> str:
    return " | ".join("" if row[name] is None else str(row[name]) for name in SHOWN[dataset])


@pytest.mark.parametrize(("path", "dataset"), PAIRS, ids=[f"{dataset}-{Path(path).name}" for path, dataset in PAIRS])
def test_a_payload_gives_its_rows(path: str, dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["parse", dataset, str(needs(WIRE / path))]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ends = [rows[0], rows[-1]][: len(rows)] if rows else []
    assert (len(rows), *(shown(dataset, row) for row in ends)) == DATA[path][dataset]
    columns = {"event_date", *(column.name for column in catalogue()[dataset].columns)}
    assert all(set(row) == columns for row in rows)


@pytest.mark.parametrize("path", ERRORS)
def test_an_error_body_is_one_line_and_status_1(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, said = ERRORS[path]
    assert run(["parse", dataset, str(needs(WIRE / path))]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.splitlines() == [said]


def test_what_belongs_to_no_dataset_is_refused_by_all() -> None:
    folder = needs(WIRE)
    for path in (path for paths in NO_DATASET.values() for path in paths):
        for dataset in catalogue():
            with pytest.raises(PayloadError):
                parse_file(dataset, folder / path)
