from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pas_lib.clock import FixedClock
from pas_lib.errors import PasError
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.system_log import SystemLog, prune

NOW = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
QUERY = "select logged_at, level, program, event, session, run_id, fields from ops.system_logs order by log_id"


def test_a_step_that_ends_well_is_kept_with_what_it_did(warehouse: Warehouse) -> None:
    clock = FixedClock(NOW)
    log = SystemLog(warehouse, clock, "collect.prices", session=date(2026, 1, 30), run_id="run-1")
    with log.step("prices") as told:
        told["result"] = {"rows": 3, "share": float("nan")}
        clock.at = NOW + timedelta(minutes=2)
    assert warehouse.rows(QUERY) == [
        {
            "logged_at": NOW + timedelta(minutes=2),
            "level": "info",
            "program": "collect.prices",
            "event": "prices finished",
            "session": date(2026, 1, 30),
            "run_id": "run-1",
            "fields": {"result": {"rows": 3, "share": "nan"}, "began_at": NOW.isoformat()},
        }
    ]


def test_a_failure_is_kept_and_raised_on(warehouse: Warehouse) -> None:
    log = SystemLog(warehouse, FixedClock(NOW), "decide.decide")
    with pytest.raises(PasError, match="no prices"), log.step("decide"):
        raise PasError("no prices\nof today")
    (row,) = warehouse.rows(QUERY)
    assert (row["level"], row["event"]) == ("error", "decide failed")
    assert row["fields"] == {"error": "no prices of today", "error_type": "PasError"}


def test_a_skip_is_no_failure(warehouse: Warehouse) -> None:
    log = SystemLog(warehouse, FixedClock(NOW), "collect.lobbying")
    with pytest.raises(LookupError), log.step("lobbying", skips=LookupError):
        raise LookupError("not due")
    (row,) = warehouse.rows(QUERY)
    assert (row["level"], row["event"], row["fields"]) == ("info", "lobbying skipped", {"reason": "not due"})


def test_it_never_gets_in_the_way_of_the_work(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Warehouse("postgresql://nobody@/nowhere?host=/nonexistent")
    log = SystemLog(nowhere, FixedClock(NOW), "execute.execute")
    with log.step("execute") as told:
        told["result"] = 1
    assert "could not be kept in system_logs" in caplog.text


def test_what_is_older_than_the_retention_goes(warehouse: Warehouse) -> None:
    for days in (0, 29, 31):
        SystemLog(warehouse, FixedClock(NOW - timedelta(days=days)), "api").write("warning", f"{days} days ago")
    assert prune(warehouse, FixedClock(NOW), 30) == 1
    assert [row["event"] for row in warehouse.rows(QUERY)] == ["0 days ago", "29 days ago"]


def test_a_long_text_is_cut(warehouse: Warehouse) -> None:
    SystemLog(warehouse, FixedClock(NOW), "api").write("info", "long", text="x" * 5_000)
    (row,) = warehouse.rows(QUERY)
    assert len(row["fields"]["text"]) == 2_003
