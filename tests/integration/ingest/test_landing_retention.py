"""Old payloads leave the landing; what is queued or referred to stays, and a replay says what is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pas_lib.errors import PasError, PayloadError, QuarantineError, SourceError
from pas_lib.ingest import load_refused, replay
from pas_lib.ingest.retention import prune_landing
from pas_lib.landing import Landing, Manifest
from tests.support.loopback import Answer, Seen
from tests.support.road import Road


def payloads(road: Road) -> set[str]:
    root = Path(road.settings.landing_url)
    kept = {"queue", "loaded", "state"}
    return {
        str(path.relative_to(root))
        for path in road.landed()
        if path.relative_to(root).parts[0] not in kept and not path.name.startswith(".")
    }


def prune(road: Road, days: int) -> tuple[int, int]:
    settings = road.settings.model_copy(update={"landing_retention_days": days})
    removed = prune_landing(settings, road.clock, road.warehouse)
    return removed.runs, removed.payloads


@pytest.fixture
def old_and_new(road: Road) -> Road:
    """Prices of 31 January and of 2 March."""
    road.collect("universe")
    road.collect("prices")
    road.at(2026, 3, 2, 12)
    road.world.bars["AAA"] = [(date(2026, 2, 27), 60.0)]
    road.collect("prices", session=date(2026, 2, 27), start=date(2026, 2, 20))
    road.warehouse.execute("delete from ops.cache")
    return road


def test_without_the_setting_everything_stays(old_and_new: Road) -> None:
    before = payloads(old_and_new)
    assert prune(old_and_new, 0) == (0, 0)
    assert payloads(old_and_new) == before


def test_old_payloads_go_and_a_replay_says_so(old_and_new: Road) -> None:
    road = old_and_new
    before = payloads(road)
    old = {path for path in before if path.startswith(("prices/2026-01-30", "universe/"))}
    assert old
    assert before - old
    assert prune(road, 20) == (2, len(old))
    assert payloads(road) == before - old
    assert prune(road, 20) == (0, 0)

    rows = road.rows("select * from raw.prices order by row_id")
    with pytest.raises(PasError) as told:
        replay("prices", settings=road.settings, warehouse=road.warehouse)
    assert str(told.value) == (
        "prices: payloads of 1 of 2 runs, loaded up to 2026-01-31, were removed (PAS_LANDING_RETENTION_DAYS)"
        " (--since 2026-01-31 builds the rest; `pas restore` brings back all of it)"
    )
    assert road.rows("select * from raw.prices order by row_id") == rows
    rest = replay("prices", settings=road.settings, warehouse=road.warehouse, since=date(2026, 1, 31))
    assert (rest.runs, rest.tables["prices"].outcome) == (1, "identical")


def test_what_is_needed_stays(old_and_new: Road) -> None:
    road = old_and_new
    landing = Landing(road.settings.landing_url)
    first, second, third, fourth = sorted(path for path in payloads(road) if path.startswith("prices/2026-01-30"))[:4]
    by_path = {file.path: file for run in landing.loaded_runs("prices") for file in run.manifest.files}
    # A run that waits for PostgreSQL refers to the first.
    landing.enqueue(Manifest("later", "prices", None, road.clock.now(), None, (by_path[first],)))
    # The validators of the second are in use; records of the third and the fourth were refused, one was settled since.
    road.warehouse.execute(
        "insert into ops.cache (dataset, cache_key, source, url, etag, last_modified, path, sha256, bytes, run_id,"
        " stored_at, used_at) values ('prices', 'k', 's', 'u', '', '', %s, 'x', 1, 'r', now(), now())",
        (second,),
    )
    for path in (third, fourth):
        road.warehouse.execute(
            "insert into ops.quarantine (dataset, source, run_id, source_url, payload_path, reason, record,"
            " quarantined_at) values ('prices', 's', 'r', 'u', %s, 'odd', '{}', now())",
            (path,),
        )
    road.warehouse.execute(
        "insert into ops.quarantine_states (quarantine_id, state, run_id, decided_at)"
        " select quarantine_id, 'resolved', 'r', now() from ops.quarantine where payload_path = %s",
        (fourth,),
    )
    prune(road, 20)
    left = payloads(road)
    assert {first, second, third} <= left
    assert fourth not in left
    # Once nobody needs it any more it goes, too.
    landing.done("later")
    assert prune(road, 20) == (1, 1)
    assert first not in payloads(road)


def test_bytes_a_younger_run_refers_to_stay(road: Road) -> None:
    road.collect("universe")
    before = payloads(road)
    landing = Landing(road.settings.landing_url)
    (run,) = landing.loaded_runs("universe")
    road.at(2026, 3, 2, 12)
    same = tuple(replace(file, unchanged=True) for file in run.manifest.files)
    again = Manifest("again", "universe", date(2026, 2, 27), road.clock.now(), None, same)
    landing.enqueue(again)
    road.load("universe")
    assert not list(landing.queued())
    road.warehouse.execute("delete from ops.cache")
    assert prune(road, 20) == (0, 0)
    assert payloads(road) == before
    assert prune(road, 1) == (0, 0)
    road.at(2026, 5, 2, 12)
    assert prune(road, 20)[1] == len(before)


def refused_files(road: Road) -> list[str]:
    root = Path(road.settings.landing_url)
    return sorted(str(path.relative_to(root)) for path in road.landed() if path.relative_to(root).parts[0] == "refused")


def test_what_was_refused_goes_as_a_whole_and_only_when_it_is_old(road: Road):
    ranking = {"count": 1, "pages": 1, "current_page": 1}

    def site(request: Seen) -> Answer | None:
        if not request.path.startswith("/apewisdom"):
            return None
        return Answer(json.dumps({**ranking, "results": [row]})) if row else Answer("<html>challenge</html>")

    row: dict[str, Any] = {"rank": 0, "ticker": "AAA", "name": "A", "mentions": -5, "upvotes": 1}
    row |= {"rank_24h_ago": 1, "mentions_24h_ago": 5}
    road.world.instead = site
    # A run that could not be loaded, with its payload, and an answer that was no answer.
    with pytest.raises(QuarantineError):
        road.collect("reddit_mentions")
    row.clear()
    road.at(2026, 1, 31, 2)
    with pytest.raises(PayloadError):
        road.collect("reddit_mentions")
    waiting = refused_files(road)
    assert [path.count("/") for path in waiting] == [4, 2] or [path.count("/") for path in waiting] == [2, 4]
    landed = payloads(road)
    road.at(2026, 2, 20, 1)
    assert prune(road, 30) == (0, 0)
    assert (refused_files(road), payloads(road)) == (waiting, landed)
    road.at(2026, 3, 15, 1)
    runs, removed = prune(road, 30)
    assert (refused_files(road), payloads(road)) == ([], set())
    assert (runs, removed) == (2, 2)
    assert prune(road, 30) == (0, 0)


def test_within_the_time_a_refused_run_is_still_loaded_after_a_mend(road: Road, monkeypatch: pytest.MonkeyPatch):
    answer = {"count": 1, "pages": 1, "current_page": 1}
    row = {"rank": 1, "ticker": "AAA", "name": "A", "mentions": -5, "upvotes": 1}
    body = json.dumps({**answer, "results": [row | {"rank_24h_ago": 1, "mentions_24h_ago": 5}]})
    road.world.instead = lambda request: Answer(body) if request.path.startswith("/apewisdom") else None
    with pytest.raises(QuarantineError):
        road.collect("reddit_mentions")
    road.at(2026, 2, 20, 1)
    assert prune(road, 30) == (0, 0)
    mended = "pas_lib.ingest.validate.find_invalid"
    monkeypatch.setattr(mended, lambda dataset, table: (pa.repeat(False, table.num_rows), {}))
    loaded = load_refused("reddit_mentions", settings=road.settings, clock=road.clock, warehouse=road.warehouse)
    assert [result.new for result in loaded] == [1]
    assert refused_files(road) == []


def test_what_a_collection_left_that_broke_off_goes_too(road: Road):
    road.collect("universe")

    def site(request: Seen) -> Answer | None:
        return Answer("no", 500) if request.path.endswith("/SML") else None

    road.world.instead = site
    before = payloads(road)
    with pytest.raises(SourceError):
        road.collect("prices")
    left = payloads(road) - before
    assert left
    road.world.instead = lambda request: None
    road.warehouse.execute("delete from ops.cache")
    road.at(2026, 2, 10, 1)
    assert prune(road, 30) == (0, 0)
    road.at(2026, 3, 15, 1)
    assert prune(road, 60) == (0, 0)
    assert left <= payloads(road)
    assert prune(road, 30)[1] >= len(left)
    assert not left & payloads(road)
