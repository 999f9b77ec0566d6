"""Old payloads leave the landing; what is queued or referred to stays, and a replay says what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pas_lib.errors import PasError
from pas_lib.ingest import replay
from pas_lib.ingest.retention import prune_landing
from pas_lib.landing import Landing, Manifest
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
