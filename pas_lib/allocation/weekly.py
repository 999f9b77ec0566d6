"""From daily model returns to the weekly matrix that is optimised: compounding, eligibility, outliers.

Weekly return of a portfolio: ``prod(1 + r_d) - 1`` over the sessions of the week. A week counts for a portfolio
only when each session of it has a value; a missing week stays missing, it is never filled.
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

#: Leave-one-out |z| beyond which a weekly return is pulled back to the limit.
OUTLIER_Z = 5.0
#: Fewer weeks than this cannot tell an outlier from a return.
OUTLIER_MIN_WEEKS = 8


@dataclass(frozen=True)
class ClippedCell:
    """One winsorised weekly return: portfolio, last session of the week, value before and after (fractions)."""

    portfolio: str
    week_end: str
    before: float
    after: float


def checked_returns(daily_returns: pd.DataFrame) -> pd.DataFrame:
    """Return the daily returns as a sorted float frame on a naive midnight index, or refuse them.

    Parameters
    ----------
    daily_returns : DataFrame
        Sessions x portfolios, simple returns as fractions (0.01 = 1 %).

    Returns
    -------
    DataFrame
        The same numbers, sorted by session.

    Raises
    ------
    AllocationError
        Not a frame, duplicated sessions or portfolios, infinite values, or a return below -1 (a long-only
        portfolio cannot lose more than everything: most likely percent were passed). The portfolio and the session
        are named.

    Notes
    -----
    NaN policy: NaN means "no model return that session" and is kept.
    """
    if not isinstance(daily_returns, pd.DataFrame):
        raise AllocationError(f"daily_returns must be a DataFrame, not {type(daily_returns).__name__}")
    index = pd.DatetimeIndex(pd.to_datetime(daily_returns.index))
    if index.tz is not None:
        index = index.tz_localize(None)
    index = index.normalize()
    if not index.is_unique:
        raise AllocationError(f"daily_returns: session {index[index.duplicated()][0]:%Y-%m-%d} occurs twice")
    columns = daily_returns.columns.map(str)
    if not columns.is_unique:
        raise AllocationError(f"daily_returns: portfolio {columns[columns.duplicated()][0]!r} occurs twice")
    try:
        values = daily_returns.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise AllocationError(f"daily_returns holds something that is not a number: {error}") from None
    for wrong, what in ((np.isinf(values), "is infinite"), (values < -1.0, "is below -1")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise AllocationError(
                f"daily_returns: {columns[column]} on {index[row]:%Y-%m-%d} {what} ({values[row, column]:g})",
                hint="returns are fractions, 0.01 is 1 %",
            )
    return pd.DataFrame(values, index=index, columns=columns).sort_index()


def weekly_returns(daily_returns: pd.DataFrame, week_ends: Iterable[Any] | None = None) -> pd.DataFrame:
    """Compound daily returns to weekly ones; incomplete weeks are dropped.

    Parameters
    ----------
    daily_returns : DataFrame
        As returned by :func:`checked_returns`.
    week_ends : iterable of dates, optional
        The last session of each week, from the trading calendar. A week is complete once its last session has a row.
        ``None`` infers the weeks from the index: sessions of one Monday-to-Sunday week belong together and the last
        week counts only when it reaches Friday (so a week that ends on a Thursday before a holiday is
        only recognised with `week_ends`).

    Returns
    -------
    DataFrame
        Weeks x portfolios, indexed by the last session of the week.

    Notes
    -----
    NaN policy: a week with a missing session for a portfolio is NaN for that portfolio, the other portfolios keep it.
    The first week is dropped when the data begin after its Tuesday, since its start was not seen.
    """
    empty = pd.DataFrame(columns=daily_returns.columns, index=pd.DatetimeIndex([]), dtype=float)
    index = pd.DatetimeIndex(daily_returns.index)
    if len(index) == 0:
        return empty
    first, last = index[0], index[-1]
    monday = index - pd.to_timedelta(index.day_of_week, unit="D")
    if week_ends is None:
        ending = np.flatnonzero(np.r_[np.asarray(monday[1:] != monday[:-1]), True])
        labels = index[ending[np.searchsorted(ending, np.arange(len(index)))]]
        usable = np.ones(len(index), dtype=bool)
        if last.isoweekday() < 5:
            usable &= labels != last
    else:
        ends = pd.DatetimeIndex(pd.to_datetime(list(week_ends)))
        if ends.tz is not None:
            ends = ends.tz_localize(None)
        ends = ends.normalize().unique().sort_values()
        ends = ends[(ends >= first) & (ends <= last)]
        if len(ends) == 0:
            return empty
        slot = ends.searchsorted(index)
        usable = slot < len(ends)
        labels = ends[np.minimum(slot, len(ends) - 1)]
        # Rows more than a week before their week end belong to weeks that were not asked for.
        usable &= np.asarray(labels - index) < np.timedelta64(7, "D")
    if first.isoweekday() > 2:
        usable &= monday != monday[0]
    if not usable.any():
        return empty
    kept = daily_returns.to_numpy()[usable]
    names = labels[usable]
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    # NaN propagates through the product: a week with a hole is a missing week.
    values = np.multiply.reduceat(1.0 + kept, starts, axis=0) - 1.0
    return pd.DataFrame(values, index=names[starts], columns=daily_returns.columns)


def winsorise(
    weekly: pd.DataFrame, *, limit: float = OUTLIER_Z, min_weeks: int = OUTLIER_MIN_WEEKS
) -> tuple[pd.DataFrame, tuple[ClippedCell, ...]]:
    """Pull outliers back to ``mean + - limit * std`` of the portfolio's *other* weeks.

    The tested week is left out of mean and deviation (ddof 1): with it inside, |z| could never exceed (n - 1) /
    sqrt(n) and no outlier would be found in short windows. All weeks are judged on the uncleaned series, then
    clipped together.

    Parameters
    ----------
    weekly : DataFrame
        Weeks x portfolios.
    limit : float
        Largest |z| that is left alone.
    min_weeks : int
        Portfolios with fewer valid weeks are left alone.

    Returns
    -------
    (DataFrame, tuple of ClippedCell)
        The cleaned frame (a copy) and what was changed. For estimation only, never for performance figures.

    Notes
    -----
    NaN policy: NaN cells are ignored and stay. When the other weeks do not vary at all there is no scale to judge
    by, and nothing is clipped.
    """
    values = weekly.to_numpy(dtype=np.float64).copy()
    clipped: list[ClippedCell] = []
    for column in range(values.shape[1]):
        rows = np.flatnonzero(~np.isnan(values[:, column]))
        n = len(rows)
        if n < min_weeks:
            continue
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
            clipped.append(
                ClippedCell(str(weekly.columns[column]), f"{weekly.index[rows[i]]:%Y-%m-%d}", float(series[i]), after)
            )
            values[rows[i], column] = after
    return pd.DataFrame(values, index=weekly.index, columns=weekly.columns), tuple(clipped)
