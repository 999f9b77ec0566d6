"""PostgreSQL dies in the middle of a load: counts before, during and after; everything once, nothing half."""

from __future__ import annotations

import itertools
import os
import select
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pas_lib.clock import FixedClock
from pas_lib.errors import WarehouseUnavailable
from pas_lib.ingest import road as loading
from pas_lib.landing import Landing
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.bitemporal import VersionedLoad
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.support.loopback import serve
from tests.support.road import ETFS, EVENING, Road, World, settings_at

SYMBOLS = ETFS + 4
MONDAY = date(2026, 2, 2)
_NUMBERS = itertools.count(1)
TABLES = ("raw.prices", "raw.corporate_actions", "ops.ingest_runs", "ops.landing_files", "ops.cache", "ops.quarantine")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of these tests' own, which may die."""
    with tempfile.TemporaryDirectory(prefix="pas-pg-") as folder:
        one = EmbeddedPostgres(Path(folder) / "data")
        one.start()
        yield one
        one.stop()


@pytest.fixture
def stocked(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Road]:
    server.start()
    name = f"pas_{next(_NUMBERS)}"
    create_database(Warehouse(server.url()), name)
    warehouse = Warehouse(server.url(name))
    migrate(warehouse, "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)))
    world = World()
    with serve(world) as site:
        road = Road(world, site, settings_at(site.url, warehouse.url, tmp_path), FixedClock(EVENING), warehouse)
        road.collect("universe")
        road.collect("prices")
        yield road


def counts(road: Road) -> dict[str, int]:
    return {table: road.rows(f"select count(*) as n from {table}")[0]["n"] for table in TABLES}


def kill(server: EmbeddedPostgres) -> None:
    """End the server and all its processes, as at a power cut, and wait until they are gone."""
    pid = server.pid
    assert pid is not None
    gone = os.pidfd_open(pid)
    os.kill(pid, signal.SIGQUIT)
    assert select.select([gone], [], [], 60)[0]
    os.close(gone)


def dying(server: EmbeddedPostgres, then: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Return a function that lets the server die, as at a power cut, before or after its work."""

    def instead(*args: Any, **given: Any) -> Any:
        done = then(*args, **given) if after else None
        kill(server)
        return done if after else then(*args, **given)

    return instead


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("rows are staged", marks=pytest.mark.slow),
        "rows are merged",
        pytest.param("the run is recorded", marks=pytest.mark.slow),
    ],
)
def test_a_server_that_dies_in_a_load_leaves_nothing_half_and_gets_everything_once(
    moment: str, server: EmbeddedPostgres, stocked: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(stocked)
    assert before["raw.prices"] == 3 * SYMBOLS
    stocked.world.usual = [*stocked.world.usual, (MONDAY, 60.0)]
    stocked.at(2026, 2, 3, 1)
    with monkeypatch.context() as patch:
        if moment == "the run is recorded":
            patch.setattr(loading, "record", dying(server, loading.record, after=True))
        else:
            patch.setattr(VersionedLoad, "merge", dying(server, VersionedLoad.merge, after=moment == "rows are merged"))
        result = stocked.collect("prices", MONDAY)
    assert (result.status, result.queued, result.payloads, result.new) == ("landed", True, SYMBOLS, 0)
    assert result.notes == ("PostgreSQL is away: landed, to be loaded when it is back",)
    # During: the run waits in the landing, and nobody can load it.
    landing = Landing(stocked.settings.landing_url)
    assert [manifest.run_id for manifest in landing.queued()] == [result.run_id]
    with pytest.raises(WarehouseUnavailable):
        stocked.load()
    with pytest.raises(WarehouseUnavailable):
        counts(stocked)
    assert [manifest.run_id for manifest in landing.queued()] == [result.run_id]
    server.start()
    assert counts(stocked) == before
    # After: once.
    (loaded,) = stocked.load()
    assert (loaded.run_id, loaded.new, loaded.changed, loaded.deleted) == (result.run_id, SYMBOLS, 0, 0)
    after = counts(stocked)
    gained = {table: after[table] - before[table] for table in TABLES}
    assert gained == {
        "raw.prices": SYMBOLS,
        "raw.corporate_actions": 0,
        "ops.ingest_runs": 2,
        "ops.landing_files": SYMBOLS,
        "ops.cache": 0,
        "ops.quarantine": 0,
    }
    assert stocked.load() == []
    assert list(landing.queued()) == []
    assert stocked.collect("prices", MONDAY).status == "unchanged"
    assert counts(stocked)["raw.prices"] == after["raw.prices"]
    print(f"{moment}: raw.prices {before['raw.prices']} before, away during, {after['raw.prices']} after")


def test_a_server_that_dies_right_after_the_commit_gets_nothing_twice(
    server: EmbeddedPostgres, stocked: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(stocked)
    stocked.world.usual = [*stocked.world.usual, (MONDAY, 60.0)]
    stocked.at(2026, 2, 3, 1)
    with monkeypatch.context() as patch:
        patch.setattr(loading, "_loaded_run", dying(server, loading._loaded_run, after=False))
        result = stocked.collect("prices", MONDAY)
    # Nobody could say whether it was loaded: it is told as waiting.
    assert (result.status, result.new) == ("landed", 0)
    server.start()
    after = counts(stocked)
    assert after["raw.prices"] - before["raw.prices"] == SYMBOLS
    assert stocked.load() == []
    assert list(Landing(stocked.settings.landing_url).queued()) == []
    assert counts(stocked) == after
