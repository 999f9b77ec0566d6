"""From daily model returns to the weekly matrix that is optimised: compounding, eligibility, outliers.

Weekly return of a portfolio: ``prod(1 + r_d) - 1`` over the sessions of the week. A week counts for a portfolio
only when each session of it has a value; a missing week stays missing, it is never filled.

The work is done on arrays (days since 1970 x portfolios); the functions over frames are the same steps for callers who
hold frames. Building frames costs ten times what the arithmetic does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.allocation.errors import AllocationError

FloatArray = npt.NDArray[np.float64]
DayArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: Leave-one-out |z| beyond which a weekly return is pulled back to the limit.
OUTLIER_Z = 5.0
#: Fewer weeks than this cannot tell an outlier from a return.
OUTLIER_MIN_WEEKS = 8


#: 1970-01-01, day 0, was a Thursday: (day + 3) % 7 is 0 on Mondays.
_EPOCH_DAY_OF_WEEK = 3
_FRIDAY = 4
_TUESDAY = 1
_DAYS_OF_WEEK = 7
#: The quick test for outliers rounds; what comes this near to the limit, or hardly varies, is judged exactly.
_SUSPECT = 0.9
_FLAT = 1e-6


@dataclass(frozen=True)
class ClippedCell:
    """One winsorised weekly return: portfolio, last session of the week, value before and after (fractions)."""

    portfolio: str
    week_end: str
    before: float
    after: float


@dataclass(frozen=True)
class DailyReturns:
    """Checked daily returns: names of the portfolios, sessions as days since 1970 (rising), values (NaN: none)."""

    names: tuple[str, ...]
    days: DayArray
    values: FloatArray


@dataclass(frozen=True)
class WeeklyReturns:
    """Weekly returns: the last session of each week as days since 1970 (rising), values (NaN: a missing week)."""

    week_ends: DayArray
    values: FloatArray


def day_text(day: int | np.int64) -> str:
    """Return a day since 1970 as ISO text."""
    return str(np.datetime64(int(day), "D"))


def _days(labels: Any) -> DayArray:
    """Session labels as days since 1970 in their own calendar (a zone is dropped, a time of day cut off)."""
    index = labels if isinstance(labels, pd.DatetimeIndex) else pd.DatetimeIndex(pd.to_datetime(labels))
    if index.tz is not None:
        index = index.tz_localize(None)
    values = index.to_numpy()
    if np.isnat(values).any():
        raise AllocationError("a session or week end has no date")
    return np.asarray(values.astype("datetime64[D]").astype(np.int64))


def _stamps(days: DayArray, like: pd.Index) -> pd.DatetimeIndex:
    """Days as an index in the resolution of another one."""
    unit = like.unit if isinstance(like, pd.DatetimeIndex) else "us"
    return pd.DatetimeIndex(days.astype("datetime64[D]").astype(f"datetime64[{unit}]"))


def read_returns(daily_returns: pd.DataFrame) -> DailyReturns:
    """Return the daily returns sorted by session, or refuse them.

    Parameters
    ----------
    daily_returns : DataFrame
        Sessions x portfolios, simple returns as fractions (0.01 = 1 %).

    Returns
    -------
    DailyReturns
        The same numbers, sorted by session.

    Raises
    ------
    AllocationError
        Not a frame, undated or duplicated sessions, duplicated portfolios, infinite values, or a return below -1 (a
        long-only portfolio cannot lose more than everything: most likely percent were passed). The portfolio and the
        session are named.

    Notes
    -----
    NaN policy: NaN means "no model return that session" and is kept.
    """
    if not isinstance(daily_returns, pd.DataFrame):
        raise AllocationError(f"daily_returns must be a DataFrame, not {type(daily_returns).__name__}")
    days = _days(daily_returns.index)
    names = tuple(str(name) for name in daily_returns.columns)
    order = np.argsort(days, kind="stable")
    in_order = days[order]
    if (twice := np.flatnonzero(in_order[1:] == in_order[:-1])).size:
        raise AllocationError(f"daily_returns: session {day_text(in_order[twice[0]])} occurs twice")
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise AllocationError(f"daily_returns: portfolio {repeated!r} occurs twice")
    try:
        values = daily_returns.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise AllocationError(f"daily_returns holds something that is not a number: {error}") from None
    for wrong, what in ((np.isinf(values), "is infinite"), (values < -1.0, "is below -1")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise AllocationError(
                f"daily_returns: {names[column]} on {day_text(days[row])} {what} ({values[row, column]:g})",
                hint="returns are fractions, 0.01 is 1 %",
            )
    return DailyReturns(names, in_order, values[order])


def checked_returns(daily_returns: pd.DataFrame) -> pd.DataFrame:
    """Return the daily returns as a sorted float frame on a naive midnight index, or refuse them.

    See :func:`read_returns` for what is refused.
    """
    daily = read_returns(daily_returns)
    return pd.DataFrame(daily.values, index=_stamps(daily.days, daily_returns.index), columns=list(daily.names))


def compound_weeks(daily: DailyReturns, week_ends: Iterable[Any] | None = None) -> WeeklyReturns:
    """Compound daily returns to weekly ones; incomplete weeks are dropped.

    Parameters
    ----------
    daily : DailyReturns
        As returned by :func:`read_returns`.
    week_ends : iterable of dates, optional
        The last session of each week, from the trading calendar. A week is complete once its last session has a row.
        ``None`` infers the weeks from the sessions: those of one Monday-to-Sunday week belong together and the last
        week counts only when it reaches Friday (so a week that ends on a Thursday before a holiday is
        only recognised with `week_ends`).

    Returns
    -------
    WeeklyReturns
        One row per complete week.

    Raises
    ------
    AllocationError
        A week end without a date.

    Notes
    -----
    NaN policy: a week with a missing session for a portfolio is NaN for that portfolio, the other portfolios keep it.
    The first week is dropped when the data begin after its Tuesday, since its start was not seen.
    """
    empty = WeeklyReturns(np.empty(0, dtype=np.int64), np.empty((0, len(daily.names))))
    days = daily.days
    if not days.size:
        return empty
    first, last = days[0], days[-1]
    day_of_week = (days + _EPOCH_DAY_OF_WEEK) % _DAYS_OF_WEEK
    monday = days - day_of_week
    if week_ends is None:
        ending = np.flatnonzero(np.r_[monday[1:] != monday[:-1], True])
        labels = days[ending[np.searchsorted(ending, np.arange(len(days)))]]
        usable = np.ones(len(days), dtype=bool)
        if day_of_week[-1] < _FRIDAY:
            usable &= labels != last
    else:
        ends = np.unique(_days(week_ends if isinstance(week_ends, pd.Index) else list(week_ends)))
        ends = ends[(ends >= first) & (ends <= last)]
        if not ends.size:
            return empty
        slot = np.searchsorted(ends, days)
        usable = slot < len(ends)
        labels = ends[np.minimum(slot, len(ends) - 1)]
        # Rows more than a week before their week end belong to weeks that were not asked for.
        usable &= labels - days < _DAYS_OF_WEEK
    if day_of_week[0] > _TUESDAY:
        usable &= monday != monday[0]
    if not usable.any():
        return empty
    kept = labels[usable]
    starts = np.flatnonzero(np.r_[True, kept[1:] != kept[:-1]])
    # NaN propagates through the product: a week with a hole is a missing week.
    values = np.multiply.reduceat(1.0 + daily.values[usable], starts, axis=0) - 1.0
    return WeeklyReturns(kept[starts], values)


def weekly_returns(daily_returns: pd.DataFrame, week_ends: Iterable[Any] | None = None) -> pd.DataFrame:
    """Return the weekly returns of a frame of daily ones, weeks x portfolios, indexed by the last session of the week.

    See :func:`compound_weeks`; the frame is checked as by :func:`read_returns`.
    """
    weekly = compound_weeks(read_returns(daily_returns), week_ends)
    index = _stamps(weekly.week_ends, daily_returns.index)
    return pd.DataFrame(weekly.values, index=index, columns=daily_returns.columns)


def _suspects(values: FloatArray, valid: BoolArray, limit: float, min_weeks: int) -> list[int]:
    """Columns that may hold an outlier, by the closed form of leave-one-out mean and deviation.

    Never misses one that the exact test finds: near the limit, and where the deviation is small against its own
    rounding, a column counts as suspect.
    """
    n = valid.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.where(valid, values, 0.0)
        centred = np.where(valid, values - filled.sum(axis=0) / n, 0.0)
        squares = centred**2
        total = squares.sum(axis=0)
        # Leaving one out: its gap to the others' mean grows by n / (n - 1), their squares lose gap x centred.
        gap = np.abs(centred) * (n / (n - 1.0))
        rest = total - squares * (n / (n - 1.0))
        deviation = np.sqrt(np.maximum(rest, 0.0) / (n - 2.0))
        near = gap > limit * _SUSPECT * deviation
        flat = rest <= _FLAT * total
    return [int(i) for i in np.flatnonzero((n >= min_weeks) & (valid & (near | flat)).any(axis=0))]


def clip_outliers(
    values: FloatArray, *, limit: float = OUTLIER_Z, min_weeks: int = OUTLIER_MIN_WEEKS
) -> tuple[FloatArray, tuple[tuple[int, int, float, float], ...]]:
    """Pull outliers back to ``mean + - limit * std`` of the portfolio's *other* weeks.

    The tested week is left out of mean and deviation (ddof 1): with it inside, |z| could never exceed (n - 1) /
    sqrt(n) and no outlier would be found in short windows. All weeks are judged on the uncleaned series, then
    clipped together.

    Parameters
    ----------
    values : ndarray of shape (n_weeks, n_portfolios)
        Weekly returns, fractions.
    limit : float
        Largest |z| that is left alone.
    min_weeks : int
        Portfolios with fewer valid weeks are left alone.

    Returns
    -------
    (ndarray, tuple of (row, column, before, after))
        The cleaned values (a copy) and what was changed. For estimation only, never for performance figures.

    Notes
    -----
    NaN policy: NaN cells are ignored and stay. When the other weeks do not vary at all there is no scale to judge
    by, and nothing is clipped.
    """
    cleaned = values.copy()
    clipped: list[tuple[int, int, float, float]] = []
    if not values.size:
        return cleaned, ()
    valid = ~np.isnan(values)
    for column in _suspects(values, valid, limit, min_weeks):
        rows = np.flatnonzero(valid[:, column])
        n = len(rows)
        series = values[rows, column]
        # One matrix of "all but week i" per portfolio: exact, and at most a few dozen weeks wide.
        others = np.broadcast_to(series, (n, n))[~np.eye(n, dtype=bool)].reshape(n, n - 1)
        mean = others.mean(axis=1)
        deviation = others.std(axis=1, ddof=1)
        scale = np.abs(others).max(axis=1)
        judged = deviation > 1e-12 * scale
        gap = series - mean
        out = judged & (np.abs(gap) > limit * deviation)
        for i in np.flatnonzero(out):
            after = float(mean[i] + np.sign(gap[i]) * limit * deviation[i])
            clipped.append((int(rows[i]), column, float(series[i]), after))
            cleaned[rows[i], column] = after
    return cleaned, tuple(clipped)


def winsorise(
    weekly: pd.DataFrame, *, limit: float = OUTLIER_Z, min_weeks: int = OUTLIER_MIN_WEEKS
) -> tuple[pd.DataFrame, tuple[ClippedCell, ...]]:
    """Return a frame of weekly returns with its outliers pulled back, and the cells that changed.

    See :func:`clip_outliers`.
    """
    values, clipped = clip_outliers(weekly.to_numpy(dtype=np.float64), limit=limit, min_weeks=min_weeks)
    cells = tuple(
        ClippedCell(str(weekly.columns[column]), f"{weekly.index[row]:%Y-%m-%d}", before, after)
        for row, column, before, after in clipped
    )
    return pd.DataFrame(values, index=weekly.index, columns=weekly.columns), cells
