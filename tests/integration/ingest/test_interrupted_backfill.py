"""A backfill that is killed goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer, Seen
from tests.support.road import ETFS, EVENING, FRIDAY, Road

SYMBOLS = ETFS + 4
START = date(2026, 1, 5)

KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from pas_lib.clock import FixedClock
from pas_lib.ingest import ingest, road
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.bitemporal import VersionedLoad
from tests.support.road import EVENING
home, url, database, name, when = sys.argv[1:]
settings = load_settings({"PAS_HOME": home, "PAS_SANDBOX_URL": url, "PAS_DATABASE_URL": database}, root=Path(home))
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if when == "queued":
    road._load_queue = die
elif when == "merged":
    VersionedLoad.merge = die
elif when == "committed":
    road._loaded_run = die
def progress(done, total, label):
    if when.isdigit() and done == int(when):
        die()
ingest(name, date(2026, 1, 30), settings=settings, clock=FixedClock(EVENING), warehouse=Warehouse(database),
       start=date(2026, 1, 5), progress=progress)
"""


def killed(road: Road, name: str, when: str) -> None:
    argv = [str(road.settings.home), road.site.url, road.warehouse.url, name, when]
    done = subprocess.run([sys.executable, "-c", KILLED, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def content(warehouse: Warehouse, table: str) -> list[dict[str, Any]]:
    return warehouse.rows(
        f"select to_jsonb(t) - 'row_id' - 'run_id' - 'source_url' as row from raw.{table} t order by row_id"
    )


def symbols(seen: list[Seen]) -> list[str]:
    return [request.path.rpartition("/")[2] for request in seen if "/chart/" in request.path]


@pytest.mark.parametrize("when", ["1", "9", "21", "queued", "merged", "committed"])
def test_prices_go_on_where_they_stopped(road: Road, when: str, tmp_path: Path) -> None:
    road.collect("universe")
    road.site.seen.clear()
    killed(road, "prices", when)
    first = symbols(road.site.seen)
    road.site.seen.clear()
    result = road.collect("prices", start=START)
    again = symbols(road.site.seen)
    # What had been landed is not asked again; what was under way when the process died may be.
    assert len(set(first) | set(again)) == SYMBOLS
    done = int(when) if when.isdigit() else SYMBOLS
    assert len(again) == SYMBOLS - done
    if when.isdigit():
        assert "went on with a collection that was interrupted" in " ".join(result.notes)
    interrupted = content(road.warehouse, "prices")
    assert len(interrupted) == 3 * SYMBOLS
    assert len(road.rows("select 1 from ops.ingest_runs where dataset = 'prices' and status = 'loaded'")) == 1
    assert road.rows("select max(watermark) as day from ops.ingest_runs where dataset = 'prices'") == [{"day": FRIDAY}]
    # The same without being disturbed.
    road.warehouse.execute("truncate raw.prices, raw.corporate_actions, ops.ingest_runs, ops.landing_files")
    whole = road.collect("prices", start=START)
    assert whole.new == 3 * SYMBOLS
    assert content(road.warehouse, "prices") == interrupted


def test_pages_that_have_come_are_not_asked_again(road: Road) -> None:
    """Three pages of a hundred trades; killed after the second."""

    def trade(number: int) -> dict[str, Any]:
        return {
            "Representative": "Jane Doe", "BioGuideID": "D000001", "ReportDate": "2026-01-20",
            "TransactionDate": "2026-01-05", "Ticker": f"T{number}", "Transaction": "Purchase",
            "Range": "$1,001 - $15,000", "House": "Representatives", "Party": "D", "last_modified": "2026-01-21",
            "TickerType": "ST", "Description": None, "ExcessReturn": 0.0, "PriceChange": 0.0, "SPYChange": 0.0,
        }  # fmt: skip

    def pages(request: Seen) -> Answer | None:
        if not request.path.endswith("congresstrading"):
            return None
        number = int(request.query.get("page", "1"))
        return Answer(json.dumps([trade(100 * number + n) for n in range(100)] if number <= 3 else []))

    road.world.instead = pages
    road.collect("universe")
    undisturbed = road.collect("politician_trades", start=START)
    asked = [seen.query.get("page") for seen in road.site.seen if seen.path.endswith("congresstrading")]
    assert undisturbed.new >= 300 or len(asked) == 1
    whole = content(road.warehouse, "politician_trades")
    road.warehouse.execute("truncate raw.politician_trades, ops.ingest_runs, ops.landing_files")
    killed(road, "politician_trades", "1")
    road.site.seen.clear()
    road.collect("politician_trades", start=START)
    assert content(road.warehouse, "politician_trades") == whole


def test_answers_of_another_day_are_not_used(road: Road) -> None:
    road.collect("universe")
    killed(road, "prices", "9")
    road.clock.at = EVENING + timedelta(days=3)
    road.site.seen.clear()
    road.collect("prices", date(2026, 2, 2), start=START)
    # The last question of the process that was killed may still arrive: each symbol counts once.
    assert len(set(symbols(road.site.seen))) == SYMBOLS


def test_another_window_is_another_backfill(road: Road) -> None:
    road.collect("universe")
    killed(road, "prices", "9")
    road.site.seen.clear()
    road.collect("prices", start=date(2026, 1, 6))
    assert len(symbols(road.site.seen)) == SYMBOLS


def test_an_answer_that_came_after_the_interruption_bears_its_own_time(road: Road) -> None:
    road.collect("universe")
    killed(road, "prices", "9")
    later = EVENING + timedelta(hours=2)
    road.clock.at = later
    road.collect("prices", start=START)
    times = sorted({path.read_bytes().split(b'"fetched_at":"')[1][:25].decode() for path in road.landed()
                    if "/prices/" in str(path) and path.name[0] == "0"})  # fmt: skip
    assert times == [EVENING.isoformat(), later.isoformat()]


def test_a_window_that_ends_in_the_future_is_known_up_to_today(road: Road) -> None:
    road.collect("universe")
    road.collect("prices", start=START, end=date(2030, 1, 1))
    assert road.rows("select max(watermark) as day from ops.ingest_runs where dataset = 'prices'") == [{"day": FRIDAY}]


def test_progress_is_told(road: Road) -> None:
    road.collect("universe")
    told: list[tuple[int, int, str]] = []
    road.collect("prices", progress=lambda *now: told.append(now))
    assert [done for done, _, _ in told] == list(range(1, SYMBOLS + 1))
    assert {total for _, total, _ in told} == {SYMBOLS}
    assert told[0][2] == "AAA"
