"""The trading calendar and the decision times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pas_lib import clock
from pas_lib.errors import PasError


def test_decision_time_is_half_past_ten_in_new_york_in_winter_and_in_summer() -> None:
    assert clock.decision_time(date(2026, 1, 30)) == datetime(2026, 1, 31, 3, 30, tzinfo=UTC)
    assert clock.decision_time(date(2026, 7, 1)) == datetime(2026, 7, 2, 2, 30, tzinfo=UTC)


def test_a_date_without_time_is_known_at_midnight_of_the_next_session() -> None:
    friday = date(2026, 1, 30)
    assert clock.next_session_midnight(friday) == datetime(2026, 2, 2, 5, 0, tzinfo=UTC)
    # Saturday and Sunday lead to the same Monday; the day before a holiday leads past it.
    assert clock.next_session_midnight(friday + timedelta(days=1)) == clock.next_session_midnight(friday)
    assert clock.next_session_midnight(date(2026, 11, 25)) == datetime(2026, 11, 27, 5, 0, tzinfo=UTC)


def test_early_closes_and_holidays() -> None:
    assert clock.session_close(date(2026, 11, 27)) == datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    assert clock.session_close(date(2026, 11, 25)) == datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
    assert not clock.is_session(date(2026, 11, 26))
    assert clock.session_on_or_before(date(2026, 11, 26)) == date(2026, 11, 25)
    assert clock.next_session(date(2026, 11, 25)) == date(2026, 11, 27)
    assert clock.previous_session(date(2026, 11, 27)) == date(2026, 11, 25)


def test_a_week_ends_on_its_last_session_even_when_friday_is_a_holiday() -> None:
    good_friday = date(2026, 4, 3)
    assert not clock.is_session(good_friday)
    assert clock.is_week_end(date(2026, 4, 2))
    assert not clock.is_week_end(date(2026, 4, 1))


def test_month_and_quarter_ends() -> None:
    assert clock.is_month_end(date(2026, 1, 30))
    assert not clock.is_quarter_end(date(2026, 1, 30))
    assert clock.is_quarter_end(date(2026, 3, 31))


def test_a_day_without_trading_is_refused_with_the_session_before_it() -> None:
    with pytest.raises(PasError, match="2026-01-31 is not a session.*2026-01-30"):
        clock.session_open(date(2026, 1, 31))
    with pytest.raises(PasError, match="outside the trading calendar"):
        clock.next_session(date(2050, 1, 1))


def test_hours_of_new_york_hold_over_both_changes_of_the_clock() -> None:
    # The Fridays before and the Mondays after the nights of 8 March and 1 November 2026.
    hours = {
        day: tuple(f"{at(day):%d %H:%M}" for at in (clock.session_open, clock.session_close, clock.decision_time))
        for day in (date(2026, 3, 6), date(2026, 3, 9), date(2026, 10, 30), date(2026, 11, 2))
    }
    assert hours == {
        date(2026, 3, 6): ("06 14:30", "06 21:00", "07 03:30"),
        date(2026, 3, 9): ("09 13:30", "09 20:00", "10 02:30"),
        date(2026, 10, 30): ("30 13:30", "30 20:00", "31 02:30"),
        date(2026, 11, 2): ("02 14:30", "02 21:00", "03 03:30"),
    }
    for day, days in ((date(2026, 3, 6), 3), (date(2026, 10, 30), 3)):
        gap = clock.decision_time(clock.next_session(day)) - clock.decision_time(day)
        assert abs(gap.total_seconds() / 3600 - 24 * days) == 1


def test_the_packaged_table_agrees_with_the_exchange_calendar() -> None:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    calendar = exchange_calendars.get_calendar("XNYS", start="2024-01-02", end="2026-12-31")
    want = [day.date() for day in calendar.sessions]
    assert list(clock.sessions(date(2024, 1, 2), date(2026, 12, 31))) == want
    for day in want[::7] + [date(2024, 7, 3), date(2025, 12, 24)]:
        assert clock.session_open(day) == calendar.session_open(str(day)).to_pydatetime()
        assert clock.session_close(day) == calendar.session_close(str(day)).to_pydatetime()
