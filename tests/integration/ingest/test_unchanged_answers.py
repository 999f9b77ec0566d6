"""What a site says has not changed: neither landed nor loaded again, and never remembered wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pas_lib.clock import clock_for
from pas_lib.errors import PayloadError
from pas_lib.ingest import ingest
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.warehouse import Warehouse
from tests.support.captures import FRIDAY, MONDAY, Collector
from tests.support.road import settings_at


@pytest.fixture
def here(warehouse: Warehouse, tmp_path: Path) -> Iterator[Collector]:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        yield Collector(sandbox, settings, warehouse, clock_for(settings))


def statuses(sandbox: RunningSandbox, site: str) -> dict[str, int]:
    found = {key.split(" ")[1]: n for key, n in sandbox.faults.statuses.items() if key.split(" ")[0] == site}
    sandbox.faults.statuses.clear()
    return found


def landed(here: Collector, name: str) -> list[Path]:
    return sorted(Path(here.settings.landing_url, name).rglob("0*"))


def test_a_collection_in_which_nothing_changed_lands_and_loads_nothing(here: Collector) -> None:
    here.collect("universe")
    first = here.collect("wiki_views", start=FRIDAY.replace(day=5), end=FRIDAY.replace(day=20))
    assert first.new > 0
    assert set(statuses(here.sandbox, "wikimedia")) <= {"200", "404"}
    files, rows = landed(here, "wiki_views"), here.rows("select * from raw.wiki_views order by row_id")
    stored = here.rows("select * from ops.cache where dataset = 'wiki_views' order by cache_key")
    # Articles without counts answer 404: those have no validators.
    missing = len([path for path in files if b'"status":404' in path.read_bytes()[:2000]])
    assert len(stored) == first.payloads - missing
    assert {row["source"] for row in stored} == {"wikimedia"}
    assert {row["run_id"] for row in stored} == {first.run_id}
    assert all(row["etag"].startswith('W/"') and here.sandbox.url in row["url"] for row in stored)

    second = here.collect("wiki_views", start=FRIDAY.replace(day=5), end=FRIDAY.replace(day=20))
    assert statuses(here.sandbox, "wikimedia")["304"] == len(stored)
    assert second.new == second.changed == second.deleted == 0
    assert (second.status, second.payloads) == ("unchanged", first.payloads)
    assert f"{len(stored)} of {first.payloads} answers have not changed" in second.notes[0]
    assert len(landed(here, "wiki_views")) == len(files) + missing
    assert here.rows("select * from raw.wiki_views order by row_id") == rows
    run = here.rows(f"select status, rows_parsed, payloads from ops.ingest_runs where run_id = '{second.run_id}'")
    assert run[0]["status"] == "unchanged"


def test_an_answer_that_changed_is_read_together_with_those_that_did_not(here: Collector) -> None:
    here.collect("universe")
    assert "304" not in statuses(here.sandbox, "wikipedia")
    again = here.collect("universe")
    assert statuses(here.sandbox, "wikipedia") == {"304": 2}
    assert any("2 of 4 answers have not changed" in note for note in again.notes)
    assert (again.status, again.new, again.changed, again.deleted) == ("unchanged", 0, 0, 0)
    assert again.parsed > 0  # iShares sends no validator: its file was read, and the lists beside it


def test_with_postgresql_away_everything_is_asked_plainly(here: Collector) -> None:
    here.collect("universe")
    statuses(here.sandbox, "wikipedia")
    away = replace(here, warehouse=Warehouse("postgresql://nobody@127.0.0.1:9/none"))
    assert away.collect("universe", MONDAY).status == "landed"
    assert "304" not in statuses(here.sandbox, "wikipedia")
    # Back again, the queue is loaded first, and with it what the answers said of themselves.
    before = here.rows("select max(stored_at) as at from ops.cache")
    here.sandbox.clock.advance("2026-02-02T20:00")
    assert here.collect("universe", MONDAY).status == "unchanged"
    assert here.rows("select max(stored_at) as at from ops.cache")[0]["at"] > before[0]["at"]


def test_spoiled_answers_are_never_remembered(here: Collector) -> None:
    here.collect("universe")
    before = here.rows("select * from ops.cache order by cache_key")
    for kind in ("challenge", "truncated", "columns", "500"):
        here.sandbox.faults.put(Fault("wikipedia", kind))
        with pytest.raises(Exception, match="wikipedia"):
            here.collect("universe", MONDAY)
        here.sandbox.faults.clear()
    assert here.rows("select * from ops.cache order by cache_key") == before


def test_a_run_that_could_not_be_loaded_leaves_no_validator(here: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    from pas_lib.ingest.validate import Intake

    def refuse(self: Intake) -> None:
        raise PayloadError("nothing was loaded")

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "finish", refuse)
        with pytest.raises(PayloadError):
            here.collect("universe")
    assert here.rows("select 1 from ops.cache") == []
    assert here.collect("universe").new > 0


def test_each_capture_of_a_site_without_history_is_a_datum(here: Collector) -> None:
    here.collect("reddit_mentions")
    assert here.rows("select 1 from ops.cache where dataset = 'reddit_mentions'") == []


def test_workers_share_what_is_known(here: Collector) -> None:
    """Another process with a home of its own, but the same landing and warehouse, asks conditionally too."""
    here.collect("universe")
    statuses(here.sandbox, "wikipedia")
    other = here.settings.model_copy(update={"home": here.settings.home / "other"})
    ingest("universe", FRIDAY, settings=other, clock=here.clock, warehouse=here.warehouse)
    assert statuses(here.sandbox, "wikipedia").get("304", 0) >= 1
