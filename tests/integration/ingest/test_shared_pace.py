"""Two processes at one site keep to its rate together; so do two machines, while PostgreSQL is there."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pyrate_limiter import GCRA, Rate

from pas_lib.sources.pace import SharedPace, limiter
from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer, Seen, serve

NOWHERE = Warehouse("postgresql://nobody@127.0.0.1:9/none")
HOUR = [Rate(1, 3_600_000 // 2)]
PROCESSES, REQUESTS, PER_SECOND = 3, 6, 5.0

ASKING = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
home, url, database, rate, times = sys.argv[1:]
values = {"PAS_HOME": home, "PAS_SOURCES": "subscribed", "QUIVER_API_KEY": "k" * 20, "QUIVER_RATE_SEC": rate}
settings = load_settings(values, root=Path(home))
now = datetime(2026, 1, 31, 1, tzinfo=UTC)
site = source("quiver_api")
request = next(iter(site.requests(Ask("politician_trades", settings, now, now.date()))))
shared = Warehouse(database) if database else None
with Client(site, settings, now, shared=shared) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(times)):
        client.look_up(replace(request, url=f"{url}/{number}"))
"""


def trades(request: Seen) -> Answer:
    row = '"Representative":"J","ReportDate":"2026-01-20","TransactionDate":"2026-01-05","Transaction":"Sale"'
    return Answer(f'[{{"Ticker":"X",{row},"Range":"$1,001 - $15,000"}}]')


@pytest.fixture
def elsewhere(tmp_path: Path) -> list[Path]:
    """Homes of machines that share nothing but the warehouse."""
    return [tmp_path / f"machine{number}" for number in range(PROCESSES)]


def busiest_second(homes: list[Path], database: str) -> int:
    """Let processes ask one site as fast as they may; return the most requests that came within a second."""
    arrivals: list[float] = []
    lock = threading.Lock()

    def answer(request: Seen) -> Answer:
        with lock:
            arrivals.append(time.monotonic())
        return trades(request)

    with serve(answer) as site:
        command = [sys.executable, "-c", ASKING]
        asking = [
            subprocess.Popen(
                [*command, str(home), site.url, database, str(1 / PER_SECOND), str(REQUESTS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for home in homes
        ]
        for one in asking:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in asking:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in asking:
            one.communicate(timeout=120)
            assert one.returncode == 0
    assert len(arrivals) == PROCESSES * REQUESTS
    return max(sum(start <= at < start + 1.0 for at in arrivals) for start in arrivals)


#: Evenly spaced, so many may leave within a second; each process has at most one more on its way.
AT_MOST = int(PER_SECOND) + PROCESSES


def test_the_processes_of_a_machine_keep_to_the_rate_together(tmp_path: Path) -> None:
    assert busiest_second([tmp_path] * PROCESSES, "") <= AT_MOST


@pytest.mark.slow
def test_the_workers_of_many_machines_keep_to_the_rate_together(elsewhere: list[Path], warehouse: Warehouse) -> None:
    assert busiest_second(elsewhere, warehouse.url) <= AT_MOST


def allowed(pace: SharedPace) -> bool:
    return pace.check(GCRA(), HOUR, pace.default_clock.now(), 1).allowed


def test_what_one_machine_took_the_other_does_not_get(tmp_path: Path, warehouse: Warehouse) -> None:
    one, two = SharedPace("sec", tmp_path / "a", warehouse), SharedPace("sec", tmp_path / "b", warehouse)
    assert allowed(one)
    assert not allowed(two)
    assert allowed(SharedPace("fred", tmp_path / "b", warehouse))
    for pace in (one, two):
        pace.close()


def test_without_postgresql_the_processes_of_a_machine_still_share(tmp_path: Path, warehouse: Warehouse) -> None:
    first = SharedPace("sec", tmp_path, warehouse)
    assert allowed(first)
    # Now it is away: what was taken while it was there counts, and what is taken without it counts too.
    assert not allowed(SharedPace("sec", tmp_path, NOWHERE))
    assert not allowed(SharedPace("sec", tmp_path))
    assert allowed(SharedPace("fred", tmp_path, NOWHERE))
    assert not allowed(SharedPace("fred", tmp_path, warehouse))
    first.close()


def test_a_warehouse_without_the_table_is_as_if_away(tmp_path: Path, empty_database: Warehouse) -> None:
    pace = SharedPace("sec", tmp_path, empty_database)
    assert allowed(pace)
    assert not allowed(pace)


def test_a_number_from_a_wrong_clock_blocks_nobody(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "sec").write_text("9" * 18)
    warehouse.execute("insert into ops.site_pace values ('sec', 999999999999999999)")
    pace = SharedPace("sec", tmp_path, warehouse)
    assert allowed(pace)
    assert not allowed(pace)
    pace.close()


def test_a_thread_waits_until_it_is_its_turn(tmp_path: Path) -> None:
    granted: list[int] = []
    before = SharedPace.default_clock.now()
    with limiter("site", 50.0, tmp_path) as one:
        threads = [threading.Thread(target=lambda: granted.append(one.try_acquire("site"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert granted == [True] * 6
    # Six were granted, twenty milliseconds apart: the next one's place is after all of them.
    assert int((tmp_path / "site").read_text()) >= 1000 * before + 6 * 20_000
