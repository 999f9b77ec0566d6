"""When a macroeconomic value may first be used, where no vintage says so.

Conservative days, per series: the value of a period is usable from 16:30 New York of the day given here. Business days
are weekdays that are not US federal holidays, because the publishers keep those and not the exchange's calendar.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np

from pas_lib.clock import NY

_USABLE_FROM = time(16, 30)


def lag_known_at(day: date) -> datetime:
    """Return 16:30 New York of a lag day, in UTC."""
    return datetime.combine(day, _USABLE_FROM, NY).astimezone(UTC)


@lru_cache(maxsize=1)
def _federal() -> np.busdaycalendar:
    from pandas.tseries.holiday import USFederalHolidayCalendar

    holidays = USFederalHolidayCalendar().holidays("1950-01-01", "2041-01-01")
    return np.busdaycalendar(holidays=holidays.values.astype("datetime64[D]"))


def _business_days_after(day: date, count: int) -> date:
    moved = np.busday_offset(np.datetime64(day), count, roll="backward", busdaycal=_federal())
    return date.fromisoformat(str(moved))


def _first_business_day(day: date) -> date:
    moved = np.busday_offset(np.datetime64(day), 0, roll="forward", busdaycal=_federal())
    return date.fromisoformat(str(moved))


def _next_month(day: date, day_of_month: int) -> date:
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day_of_month, monthrange(year, month)[1]))


def _next_business_day(day: date) -> date:
    return _business_days_after(day, 1)


def _day_and_next_business_day(day: date) -> date:
    """Series that carry weekends: the business day after the first business day from ``day`` on."""
    return _business_days_after(_first_business_day(day), 1)


def _week_release(day: date) -> date:
    """H.10: Monday after the week, and one business day more."""
    monday = day + timedelta(days=7 - day.weekday())
    return _business_days_after(_first_business_day(monday), 1)


def _cpi(day: date) -> date:
    return _next_month(day, 16) if day.year >= 2020 else _next_month(day, 31)


def _quarter(day: date) -> date:
    last_month = day.month + 2 - (day.month - 1) % 3
    return date(day.year, last_month, monthrange(day.year, last_month)[1]) + timedelta(days=31)


LAGS: dict[str, Callable[[date], date]] = {
    **dict.fromkeys(
        ("VIXCLS", "DGS1MO", "DGS5", "DGS10", "DGS30", "DTB3", "T10Y2Y", "BAMLH0A0HYM2"), _next_business_day
    ),
    "DFF": _day_and_next_business_day,
    **dict.fromkeys(("FEDFUNDS", "TB3MS"), lambda day: _first_business_day(_next_month(day, 1))),
    "DEXUSEU": _week_release,
    "CPIAUCSL": _cpi,
    **dict.fromkeys(("UNRATE", "PAYEMS"), lambda day: _next_month(day, 10)),
    **dict.fromkeys(("GDPC1", "GDP"), _quarter),
    "INDPRO": lambda day: _next_month(day, 18),
    "UMCSENT": lambda day: _next_month(day, 31),
    "STLFSI4": lambda day: day + timedelta(days=7),
    "NFCI": lambda day: day + timedelta(days=6),
}


def lag_day(series_id: str, day: date) -> date | None:
    """Return the day on which the value of period ``day`` may first be used, or None for a series without a rule."""
    rule = LAGS.get(series_id)
    return rule(day) if rule else None
