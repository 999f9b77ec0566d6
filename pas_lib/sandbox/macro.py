"""Macro series with publication dates and true vintages.

A series is a list of rows: observation date, first and last day on which the value was the current one, value as text.
Unrevised series have one row per observation; revised ones have one per vintage in which the value changed.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pas_lib import clock as calendar
from pas_lib.sandbox.sessions import SessionGrid, nth_weekday
from pas_lib.sandbox.vol import MACRO_END, MACRO_START

FOREVER: Final = date(9999, 12, 31).toordinal()


@dataclass(frozen=True)
class About:
    """What a series is: title, frequency, units, adjustment, hour of publication (New York), release."""

    title: str
    frequency: str
    units: str
    units_short: str
    adjusted: bool
    hour: time
    release: int
    popularity: int
    decimals: int


ABOUT: Final[dict[str, About]] = {
    "VIXCLS": About("CBOE Volatility Index: VIX", "Daily, Close", "Index", "Index", False, time(9, 36), 200, 95, 2),
    "DEXUSEU": About(
        "U.S. Dollars to Euro Spot Exchange Rate",
        "Daily",
        "U.S. Dollars to One Euro",
        "U.S. $ to 1 Euro",
        False,
        time(16, 17),
        17,
        82,
        4,
    ),
    "DGS1MO": About(
        "Market Yield on U.S. Treasury Securities at 1-Month Constant Maturity, Quoted on an Investment Basis",
        "Daily",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        67,
        2,
    ),
    "DGS5": About(
        "Market Yield on U.S. Treasury Securities at 5-Year Constant Maturity, Quoted on an Investment Basis",
        "Daily",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        79,
        2,
    ),
    "DGS10": About(
        "Market Yield on U.S. Treasury Securities at 10-Year Constant Maturity, Quoted on an Investment Basis",
        "Daily",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        97,
        2,
    ),
    "DGS30": About(
        "Market Yield on U.S. Treasury Securities at 30-Year Constant Maturity, Quoted on an Investment Basis",
        "Daily",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        80,
        2,
    ),
    "DTB3": About(
        "3-Month Treasury Bill Secondary Market Rate, Discount Basis",
        "Daily",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        73,
        2,
    ),
    "TB3MS": About(
        "3-Month Treasury Bill Secondary Market Rate, Discount Basis",
        "Monthly",
        "Percent",
        "%",
        False,
        time(16, 19),
        18,
        76,
        2,
    ),
    "FEDFUNDS": About("Federal Funds Effective Rate", "Monthly", "Percent", "%", False, time(16, 19), 18, 98, 2),
    "CPIAUCSL": About(
        "Consumer Price Index for All Urban Consumers: All Items in U.S. City Average",
        "Monthly",
        "Index 1982-1984=100",
        "Index 1982-1984=100",
        True,
        time(8, 42),
        10,
        95,
        3,
    ),
    "UNRATE": About("Unemployment Rate", "Monthly", "Percent", "%", True, time(8, 45), 50, 94, 1),
    "GDPC1": About(
        "Real Gross Domestic Product",
        "Quarterly",
        "Billions of Chained 2017 Dollars",
        "Bil. of Chn. 2017 $",
        True,
        time(8, 55),
        53,
        92,
        3,
    ),
    "INDPRO": About(
        "Industrial Production: Total Index",
        "Monthly",
        "Index 2017=100",
        "Index 2017=100",
        True,
        time(9, 28),
        13,
        79,
        4,
    ),
    "UMCSENT": About(
        "University of Michigan: Consumer Sentiment",
        "Monthly",
        "Index 1966:Q1=100",
        "Index 1966:Q1=100",
        False,
        time(11, 1),
        91,
        85,
        1,
    ),
}


@dataclass(frozen=True)
class Series:
    """One series; arrays are parallel, ordered by observation date and first day."""

    id: str
    dates: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.str_]

    @property
    def about(self) -> About:
        """Title, frequency, units and the like."""
        return ABOUT[self.id]


Row = tuple[int, int, str]


def _series(name: str, rows: list[Row]) -> Series:
    """Rows (observation day, first day known, value) in any order; unchanged vintages are folded."""
    kept: list[tuple[int, int, int, str]] = []
    by_date: dict[int, list[tuple[int, str]]] = {}
    for day, start, value in rows:
        by_date.setdefault(day, []).append((start, value))
    for day in sorted(by_date):
        versions: list[tuple[int, str]] = []
        for start, value in sorted(by_date[day]):
            if versions and versions[-1][0] == start:
                versions.pop()  # two releases on one day: the later one counts
            if not versions or versions[-1][1] != value:
                versions.append((start, value))
        for i, (start, value) in enumerate(versions):
            kept.append((day, start, versions[i + 1][0] - 1 if i + 1 < len(versions) else FOREVER, value))
    days, starts, ends = (np.array([row[i] for row in kept], dtype=np.int64) for i in range(3))
    return Series(name, days, starts, ends, np.array([row[3] for row in kept], dtype="U12"))


def _next_business(day: date, holidays: set[date], steps: int = 1) -> date:
    while steps:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in holidays:
            steps -= 1
    return day


def _month(day: date, ahead: int) -> date:
    index = day.year * 12 + day.month - 1 + ahead
    return date(index // 12, index % 12 + 1, 1)


def build_series(seed: int, grid: SessionGrid, vix: NDArray[np.float64]) -> dict[str, Series]:
    """Generate all series from `MACRO_START` to `MACRO_END`."""
    rng = np.random.default_rng([seed, 6])
    known = set(calendar.sessions(MACRO_START, MACRO_END))
    weekdays = [
        d for i in range((MACRO_END - MACRO_START).days + 1) if (d := MACRO_START + timedelta(days=i)).weekday() < 5
    ]
    closed = {d for d in weekdays if d not in known}
    banks = (
        closed | {nth_weekday(y, 10, 0, 2) for y in range(2018, 2028)} | {date(y, 11, 11) for y in range(2018, 2028)}
    )
    result: dict[str, Series] = {}

    def pull(
        level: float, vol: float, half_life: float, count: int, common: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        decay = 0.5 ** (1 / half_life)
        shocks = rng.normal(0, vol, count) if common is None else common
        path, state = np.empty(count), 0.0
        for t in range(count):
            state = decay * state + shocks[t]
            path[t] = level + state
        return path

    n = len(weekdays)
    shared = rng.normal(0, 0.035, n)
    daily = {"VIXCLS": vix[[(d - MACRO_START).days for d in weekdays]], "DEXUSEU": pull(1.10, 0.0042, 90, n)}
    for name, level, load, own in (
        ("DGS1MO", 4.25, 0.4, 0.02),
        ("DTB3", 4.2, 0.5, 0.02),
        ("DGS5", 4.0, 1.1, 0.02),
        ("DGS10", 4.25, 1.0, 0.015),
        ("DGS30", 4.55, 0.9, 0.015),
    ):
        daily[name] = pull(level, 0.0, 70, n, shared * load + rng.normal(0, own, n))
    for name, path in daily.items():
        off = closed if name == "VIXCLS" else banks
        rows: list[Row] = []
        for day, value in zip(weekdays, path, strict=True):
            if name == "DEXUSEU":  # weekly: on the Monday after, or the next day when that is a holiday
                out = day + timedelta(days=7 - day.weekday())
                out = out if out not in banks else _next_business(out, banks)
            else:
                out = _next_business(day, off)
            rows.append((day.toordinal(), out.toordinal(), "." if day in off else f"{value:.{ABOUT[name].decimals}f}"))
        result[name] = _series(name, rows)

    firsts = [_month(MACRO_START, i) for i in range(120)]
    funds = np.round(np.cumsum(np.where(rng.random(120) < 0.05, rng.choice([-0.25, 0.25], 120), 0.0)), 2)
    funds = 4.3 + np.clip(funds, -1.5, 1.5) + rng.normal(0, 0.008, 120)
    monthly: dict[str, tuple[NDArray[np.float64], Callable[[date], date]]] = {
        "FEDFUNDS": (funds, lambda d: _next_business(_month(d, 1) - timedelta(days=1), banks)),
        "UMCSENT": (pull(78, 2.6, 3, 120), lambda d: _next_business(_month(d, 2) - timedelta(days=4), banks)),
    }
    bills = daily["DTB3"]
    mean = np.array(
        [
            np.mean([v for d, v in zip(weekdays, bills, strict=True) if (d.year, d.month) == (f.year, f.month)])
            for f in firsts
        ]
    )
    monthly["TB3MS"] = (mean, lambda d: _next_business(_month(d, 1) - timedelta(days=1), banks))
    for name, (path, out_of) in monthly.items():
        result[name] = _series(
            name,
            [
                (f.toordinal(), out_of(f).toordinal(), f"{v:.{ABOUT[name].decimals}f}")
                for f, v in zip(firsts, path, strict=True)
            ],
        )

    def workday(day: date) -> date:
        return day if day.weekday() < 5 and day not in banks else _next_business(day, banks)

    result["CPIAUCSL"] = _revised_each_year(
        "CPIAUCSL",
        firsts,
        _grow(248.0, pull(0.0020, 0.0004, 3, 120)),
        0.00025,
        2,
        rng,
        lambda d: workday(date(_month(d, 1).year, _month(d, 1).month, 11)),
    )
    result["UNRATE"] = _revised_each_year(
        "UNRATE",
        firsts,
        pull(4.0, 0.06, 4, 120),
        0.012,
        1,
        rng,
        lambda d: workday(nth_weekday(_month(d, 1).year, _month(d, 1).month, 4, 1)),
    )

    path = _grow(101.0, pull(0.0009, 0.0022, 1, 120))
    rows = []
    for f, v in zip(firsts, path, strict=True):
        for late in range(6):  # five monthly revisions, each smaller
            m = _month(f, 1 + late)
            rows.append(
                (
                    f.toordinal(),
                    workday(date(m.year, m.month, 16)).toordinal(),
                    f"{v * (1 + rng.normal(0, 0.0025 * (1 - late / 5) + 0.0002)):.4f}",
                )
            )
    result["INDPRO"] = _series("INDPRO", rows)

    quarters = [f for f in firsts if f.month % 3 == 1]
    gdp = _grow(18400.0, pull(0.0055, 0.0016, 2, len(quarters)))
    rows = []
    for q, v in zip(quarters, gdp, strict=True):
        end = _month(q, 3) - timedelta(days=1)
        for days, wrong in ((29, 0.0014), (59, 0.0007), (88, 0.0004)):  # advance, second, third
            rows.append(
                (
                    q.toordinal(),
                    workday(end + timedelta(days=days)).toordinal(),
                    f"{v * (1 + rng.normal(0, wrong)):.3f}",
                )
            )
        for late in range(1, 4):  # annual updates at the end of September
            year = q.year + late - (1 if q.month == 1 else 0)
            out = date(year, 9, months.monthrange(year, 9)[1] - 4)
            if out > end + timedelta(days=95):
                rows.append((q.toordinal(), workday(out).toordinal(), f"{v * (1 + rng.normal(0, 0.0006)):.3f}"))
    result["GDPC1"] = _series("GDPC1", rows)
    del grid
    return result


def _grow(start: float, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(start * np.cumprod(1 + rates), dtype=np.float64)


def _revised_each_year(
    name: str,
    firsts: list[date],
    path: NDArray[np.float64],
    wrong: float,
    month: int,
    rng: np.random.Generator,
    out_of: Callable[[date], date],
) -> Series:
    """Seasonal factors are revised once a year, with the release of `month`, for the five years before."""
    rows: list[Row] = []
    decimals = ABOUT[name].decimals
    for f, v in zip(firsts, path, strict=True):
        first = out_of(f)
        rows.append((f.toordinal(), first.toordinal(), f"{v * (1 + rng.normal(0, wrong)):.{decimals}f}"))
        for year in range(f.year + 1, f.year + 6):
            out = out_of(_month(date(year, month, 1), -1))
            if out > first:
                rows.append((f.toordinal(), out.toordinal(), f"{v * (1 + rng.normal(0, wrong)):.{decimals}f}"))
    return _series(name, rows)


def series_to_arrays(series: dict[str, Series]) -> dict[str, NDArray[Any]]:
    """Arrays to store, by name."""
    found: dict[str, NDArray[Any]] = {}
    for name, item in series.items():
        for part in ("dates", "starts", "ends", "values"):
            found[f"macro_{name}_{part}"] = getattr(item, part)
    return found


def series_from_arrays(data: dict[str, NDArray[Any]]) -> dict[str, Series]:
    """Undo `series_to_arrays`."""
    return {
        name: Series(name, *(data[f"macro_{name}_{part}"] for part in ("dates", "starts", "ends", "values")))
        for name in ABOUT
    }
