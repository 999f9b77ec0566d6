"""The crisis indicator CCI and the exposure scale S.

``CCI = sum of weight x max(z, 0)`` over signed, transformed series as they were known that day; z over the last
504 daily observations (at least half of them). ``S = 1`` below 1, ``1 - 0.3 (CCI - 1)`` to 2, ``max(0.3, 0.7 - 0.4
(CCI - 2))`` from there.

Missing data never raises exposure: a series that stops keeps its last z until its maximum age; after that the
indicator is reweighted over the others and S may not exceed its last value until the series returns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.errors import SettingsError, UnknownName
from pas_lib.regime.series import SERIES, WEIGHTS, StressSeries

FloatArray = npt.NDArray[np.float64]

WINDOW = 504
FLOOR = 0.3
#: Scale when nothing at all is known: not a crisis, not an all-clear.
UNKNOWN_SCALE = 0.7
_DAYS_PER_ROW = 7.0 / 5.0
_DEFAULT_MAX_AGE_DAYS = 30


def exposure_scale(cci: float) -> float:
    """Return the exposure scale S of a crisis indicator.

    Parameters
    ----------
    cci : float
        Crisis indicator, 0 or more.

    Returns
    -------
    float
        Between 0.3 and 1; continuous and never rising in `cci`.

    Notes
    -----
    NaN policy: an unknown indicator gives 0.7, never 1.
    """
    if math.isnan(cci):
        return UNKNOWN_SCALE
    if cci <= 1.0:
        return 1.0
    if cci <= 2.0:
        return 1.0 - 0.3 * (cci - 1.0)
    return max(FLOOR, 0.7 - 0.4 * (cci - 2.0))


def rolling_z(stress: pd.DataFrame, window: int = WINDOW) -> pd.DataFrame:
    """Return z-scores of each column against its own last `window` rows, today's included (ddof 1).

    Notes
    -----
    NaN policy: NaN rows are no observations; a score needs at least half a window of them. A series that did not
    vary has z 0.
    """
    rolling = stress.rolling(window, min_periods=max(window // 2, 2))
    mean, deviation = rolling.mean(), rolling.std()
    size = rolling.max().abs().combine(rolling.min().abs(), np.maximum)
    z = (stress - mean) / deviation
    flat = deviation <= 1e-9 * size.clip(lower=1e-300)
    return z.mask(flat & stress.notna() & mean.notna(), 0.0)


def crisis_indicator(
    stress: pd.DataFrame,
    weights: Mapping[str, float] | pd.Series | None = None,
    window: int = WINDOW,
    *,
    max_age_days: Mapping[str, int] | None = None,
) -> pd.Series:
    """Return the crisis indicator of every row.

    Parameters
    ----------
    stress : DataFrame
        Daily observations x series: transformed, signed so that high means stress, forward-filled, each as known
        that day (see :func:`stress_frame`). A NaN after the first value says that the series is missing.
    weights : mapping of str to float, optional
        Non-negative weights by series, brought to the sum 1. Default: the table of :mod:`pas_lib.regime.series`.
    window : int
        Rows of the z-score; at least half of them must be there.
    max_age_days : mapping of str to int, optional
        Calendar days for which a missing series keeps its last z; default from the table, 30 for others.

    Returns
    -------
    Series
        CCI, 0 or more. NaN where no series has a score: unknown, not calm.

    Raises
    ------
    UnknownName
        A weight names a series that `stress` has no column for.
    SettingsError
        Negative or all-zero weights.
    """
    return regime_history(stress, weights, window, max_age_days=max_age_days)["cci"].rename("cci")


def regime_history(
    stress: pd.DataFrame,
    weights: Mapping[str, float] | pd.Series | None = None,
    window: int = WINDOW,
    *,
    max_age_days: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Return indicator, scale and the reasons behind them, row by row.

    Parameters
    ----------
    stress, weights, window, max_age_days
        As in :func:`crisis_indicator`.

    Returns
    -------
    DataFrame
        cci; scale (S with the rule for missing series); complete (every series that ever spoke still does); held
        and lost (comma list of series that keep their last z, and of those beyond their maximum age).
    """
    share = _weights(weights, stress)
    names = list(share.index)
    ages = {series.series_id: series.max_age_days for series in SERIES} | dict(max_age_days or {})
    z = rolling_z(stress[names].astype(float), window)
    limits = [max(round(ages.get(name, _DEFAULT_MAX_AGE_DAYS) / _DAYS_PER_ROW), 1) for name in names]
    spoken = z.notna().cummax()
    carried = pd.concat([z[name].ffill(limit=limit) for name, limit in zip(names, limits, strict=True)], axis=1)
    held = carried.notna() & z.isna()
    lost = spoken & carried.isna()

    weight = share.to_numpy()
    scores = carried.to_numpy()
    present = ~np.isnan(scores)
    total = present @ weight
    stressed = np.where(present, np.maximum(scores, 0.0), 0.0) @ weight
    with np.errstate(divide="ignore", invalid="ignore"):
        cci = np.where(total > 0.0, stressed / total, np.nan)

    missing = lost.to_numpy().any(axis=1)
    scale = np.empty(len(cci))
    last = math.nan
    for i, value in enumerate(cci):
        now = exposure_scale(float(value))
        scale[i] = now if not missing[i] or math.isnan(last) else min(now, last)
        last = scale[i] if not math.isnan(value) or missing[i] else last
    return pd.DataFrame(
        {
            "cci": cci,
            "scale": scale,
            "complete": ~missing,
            "held": _listed(held, names),
            "lost": _listed(lost, names),
        },
        index=stress.index,
    )


def stress_frame(
    known: pd.DataFrame,
    known_at: pd.DataFrame | None = None,
    year_before: pd.DataFrame | None = None,
    *,
    series: tuple[StressSeries, ...] = SERIES,
) -> pd.DataFrame:
    """Transform and sign daily as-known values.

    Parameters
    ----------
    known : DataFrame
        Sessions x series ids: the latest value known at each session's decision time, forward-filled.
    known_at : DataFrame, optional
        Same labels: when that value became known. With it a series whose value is overdue (`fresh_days`) is NaN
        from there on.
    year_before : DataFrame, optional
        Same labels: the observation twelve months before that value, as it was stated last by then. Where the source
        dates its revisions both come from the newest vintage, so that a new base year changes no rate. Without it the
        twelve-month transforms compare with the value that was known at the same date a year before.
    series : tuple of StressSeries
        The table.

    Returns
    -------
    DataFrame
        Weekdays x series of the table, from the first to the last session: macro series are published on weekdays,
        market holidays included, and a holiday shows what was known the session before. A series without a column
        in `known` is all NaN.

    Notes
    -----
    NaN policy: NaN before a transform has its history, and where `year_before` is.
    """
    days = pd.DatetimeIndex(pd.to_datetime(known.index))
    days = (days if days.tz is None else days.tz_localize(None)).normalize()
    index = pd.bdate_range(days[0], days[-1]) if len(known) else pd.DatetimeIndex([])
    known = known.set_axis(days).reindex(index, method="ffill")
    known_at = None if known_at is None else known_at.set_axis(days).reindex(index, method="ffill")
    year_before = None if year_before is None else year_before.set_axis(days).reindex(index, method="ffill")
    columns: dict[str, pd.Series] = {}
    for item in series:
        if item.series_id not in known.columns:
            columns[item.series_id] = pd.Series(np.nan, index=index)
            continue
        level = known[item.series_id].astype(float)
        earlier = None if year_before is None else year_before[item.series_id].astype(float)
        value = _transformed(level, earlier, item)
        if known_at is not None and item.series_id in known_at.columns:
            stamp = pd.DatetimeIndex(pd.to_datetime(known_at[item.series_id]))
            stamp = stamp if stamp.tz is None else stamp.tz_convert("UTC").tz_localize(None)
            age = (index - stamp.normalize()).days
            value = value.mask(np.asarray(age > item.fresh_days))
        columns[item.series_id] = item.sign * value
    return pd.DataFrame(columns, index=index)


def _transformed(level: pd.Series, earlier: pd.Series | None, item: StressSeries) -> pd.Series:
    if item.transform == "level":
        return level
    if item.transform == "change_63":
        return level - level.shift(63)
    year_ago = _year_before(level) if earlier is None else earlier
    return level / year_ago - 1.0 if item.transform == "change_12m" else level - year_ago


def _year_before(level: pd.Series) -> pd.Series:
    """Return the value that was known at the same date one year before."""
    index = pd.DatetimeIndex(level.index)
    position = index.searchsorted(index - pd.DateOffset(years=1), side="right") - 1
    values = level.to_numpy()
    return pd.Series(np.where(position >= 0, values[np.maximum(position, 0)], np.nan), index=level.index)


def _weights(weights: Mapping[str, float] | pd.Series | None, stress: pd.DataFrame) -> pd.Series:
    share = pd.Series(dict((WEIGHTS if weights is None else weights).items()), dtype=float)
    for name in share.index:
        if name not in stress.columns:
            raise UnknownName("stress series", str(name), [str(c) for c in stress.columns])
    if not np.isfinite(share).all() or (share < 0.0).any() or not share.sum() > 0.0:
        raise SettingsError("weights of the stress series must be at least 0 and not all 0")
    return share / share.sum()


def _listed(flags: pd.DataFrame, names: list[str]) -> list[str]:
    """Comma list of the flagged series per row."""
    matrix = flags.to_numpy()
    return [",".join(n for n, f in zip(names, row, strict=True) if f) if row.any() else "" for row in matrix]


@dataclass(frozen=True)
class Regime:
    """The regime of one session: indicator, scale, and which series were held or lost."""

    cci: float
    scale: float
    complete: bool
    held: tuple[str, ...]
    lost: tuple[str, ...]


def regime_at(history: pd.DataFrame) -> Regime:
    """Return the last row of :func:`regime_history` as a record."""
    row = history.iloc[-1]
    split = [tuple(str(row[name]).split(",")) if row[name] else () for name in ("held", "lost")]
    return Regime(float(row["cci"]), float(row["scale"]), bool(row["complete"]), split[0], split[1])
