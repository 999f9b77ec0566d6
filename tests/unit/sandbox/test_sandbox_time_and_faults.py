"""The sandbox's clock and its switchboard of faults."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pas_lib.errors import PasError
from pas_lib.sandbox.clock import SandboxTime, central_today
from pas_lib.sandbox.faults import Fault, Faults

START = datetime(2026, 1, 31, 1, tzinfo=UTC)  # Friday 30 January, 20:00 New York


def test_open_close_and_evening_are_the_next_ones(tmp_path: Path) -> None:
    clock = SandboxTime(START, tmp_path)
    assert clock.session().isoformat() == "2026-01-30"
    assert clock.advance("open") == datetime(2026, 2, 2, 14, 30, tzinfo=UTC)
    assert clock.advance("close") == datetime(2026, 2, 2, 21, tzinfo=UTC)
    assert clock.advance("evening") == datetime(2026, 2, 3, 1, tzinfo=UTC)
    assert clock.session().isoformat() == "2026-02-02"
    assert clock.advance("evening") == datetime(2026, 2, 4, 1, tzinfo=UTC)


def test_summer_time_and_early_closes() -> None:
    clock = SandboxTime(datetime(2026, 3, 7, 1, tzinfo=UTC))
    assert clock.advance("open") == datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    clock.advance("2026-11-27T00:00")
    assert clock.now() == datetime(2026, 11, 27, 5, tzinfo=UTC)  # a time without zone is New York's
    assert clock.advance("close") == datetime(2026, 11, 27, 18, tzinfo=UTC)


def test_the_clock_survives_a_restart_and_never_goes_back(tmp_path: Path) -> None:
    SandboxTime(START, tmp_path).advance("open")
    again = SandboxTime(START, tmp_path)
    assert again.now() == datetime(2026, 2, 2, 14, 30, tzinfo=UTC)
    with pytest.raises(PasError, match="cannot go back"):
        again.advance("2026-01-01")
    with pytest.raises(PasError, match="neither open"):
        again.advance("tomorrow")
    assert again.now() == datetime(2026, 2, 2, 14, 30, tzinfo=UTC)
    (tmp_path / "clock.json").write_text("{}")
    with pytest.raises(PasError, match=r"clock\.json"):
        SandboxTime(START, tmp_path)


def test_central_time_is_an_hour_behind() -> None:
    assert central_today(datetime(2026, 2, 2, 5, 30, tzinfo=UTC)).isoformat() == "2026-02-01"
    assert central_today(datetime(2026, 2, 2, 6, 30, tzinfo=UTC)).isoformat() == "2026-02-02"


def test_faults_count_down_skip_and_match() -> None:
    faults = Faults()
    faults.put(Fault("yahoo", "500", times=2, path="SPY", skip=1))
    assert faults.take("yahoo", "/yahoo/v8/finance/chart/XLK", "GET") is None
    hits = [faults.take("yahoo", "/yahoo/v8/finance/chart/SPY", "GET") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert faults.active == []
    faults.put(Fault("alpaca", "timeout", method="POST"))
    assert faults.take("alpaca", "/alpaca/v2/orders", "GET") is None
    assert faults.take("alpaca", "/alpaca/v2/orders", "POST") is not None
    assert faults.take("yahoo", "/yahoo/x", "POST") is None
    assert faults.clear("alpaca") == 1
    assert faults.hits == {"yahoo 500": 2, "alpaca timeout": 1}


def test_a_fault_replaces_its_like_and_names_are_checked() -> None:
    faults = Faults()
    faults.put(Fault("fred", "429", times=1))
    faults.put(Fault("fred", "rate_limit", times=5))
    assert [f.times for f in faults.active] == [5]
    with pytest.raises(PasError, match="unknown site"):
        Fault("nowhere", "500")
    with pytest.raises(PasError, match="unknown kind"):
        Fault("fred", "flood")
    with pytest.raises(PasError, match="at least 1"):
        Fault("fred", "500", times=0)
