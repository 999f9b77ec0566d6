"""From a mix to shares of equity: bounds, the volatility promise, the no-trade band. Nothing here ever renormalises.

All functions take and return arrays over the same portfolios; a share is a fraction of managed equity, what is
missing to 1 is cash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Volatility = Callable[[FloatArray], float]

_TOLERANCE = 1e-12
#: Shares below this are nothing.
SNAP = 1e-9


def apply_bounds(
    shares: FloatArray,
    *,
    min_weight: float,
    max_weight: float,
    gross_cap: float,
    max_vol: float,
    volatility: Volatility,
) -> FloatArray:
    """Hold each share to [min_weight, max_weight] or 0, at the expense of cash.

    Above `max_weight` is cut to cash. A positive share below `min_weight` is raised to it if the gross cap and the
    highest volatility allow, else it becomes 0: all such shares are taken out first, then put back at the minimum,
    largest first, while there is room.

    Parameters
    ----------
    shares : ndarray of shape (n,)
        Shares before bounds.
    min_weight, max_weight, gross_cap : float
        Fractions of equity.
    max_vol : float
        Highest annual ex-ante volatility, fraction.
    volatility : callable
        Annual ex-ante volatility of shares; NaN means there is no estimate and does not bind.

    Returns
    -------
    ndarray of shape (n,)
        Shares within bounds.
    """
    result = np.minimum(shares, max_weight)
    small = (result > SNAP) & (result < min_weight - _TOLERANCE)
    order = sorted(np.flatnonzero(small), key=lambda i: (-result[i], i))
    result = np.where(small | (result <= SNAP), 0.0, result)
    for i in order:
        trial = result.copy()
        trial[i] = min_weight
        if trial.sum() <= gross_cap + _TOLERANCE and not volatility(trial) > max_vol + _TOLERANCE:
            result = trial
    return result


def hold_volatility(shares: FloatArray, *, min_weight: float, max_vol: float, volatility: Volatility) -> FloatArray:
    """Scale into cash until the volatility promise holds.

    Cutting a share that hedged the others may raise the volatility; this is the last word. Shares that fall below
    `min_weight` become 0.
    """
    result = shares
    for _ in range(len(shares) + 1):
        vol = volatility(result)
        if not vol > max_vol * (1.0 + 1e-9):
            break
        result = result * (max_vol / vol)
        result = np.where(result < min_weight - _TOLERANCE, 0.0, result)
    return result


@dataclass(frozen=True)
class Banded:
    """Shares after the band, who kept the current share, and why the band gave way (empty if it did not)."""

    shares: FloatArray
    kept: BoolArray
    note: str = ""


def band_shares(
    target: FloatArray,
    current: FloatArray,
    *,
    band: float,
    gross: float,
    caps: FloatArray,
    max_vol: float = np.inf,
    volatility: Volatility | None = None,
) -> Banded:
    """Keep the current share where the target is within the band of it.

    Not for an exit (target 0), not for a share above its cap. If the sum then exceeds `gross`, the kept shares
    above their target move to target; if the volatility then exceeds `max_vol`, first these and then all move.
    Each portfolio ends at its current share or at its target, so the band never adds turnover, and a second run
    changes nothing.

    Parameters
    ----------
    target, current : ndarray of shape (n,)
        Target shares and today's drifted shares.
    band : float
        Width in shares of equity (0.005 = half a percentage point).
    gross : float
        Largest sum of shares.
    caps : ndarray of shape (n,)
        Largest share of each portfolio.
    max_vol : float
        Highest annual volatility.
    volatility : callable, optional
        Annual volatility of shares.

    Returns
    -------
    Banded
        The final shares.
    """
    exits = target <= SNAP
    inside = np.abs(target - current) <= band + _TOLERANCE
    kept = inside & ~exits & (current <= caps + _TOLERANCE)
    shares = np.where(kept, current, target)
    note = ""

    def too_volatile(candidate: FloatArray) -> bool:
        return volatility is not None and bool(volatility(candidate) > max_vol * (1.0 + 1e-9))

    over_gross = bool(shares.sum() > gross + _TOLERANCE)
    if over_gross or too_volatile(shares):
        note = "gross" if over_gross else "volatility"
        kept = kept & (current <= target)
        shares = np.where(kept, current, target)
    if too_volatile(shares):
        note = "volatility, band dropped"
        kept = np.zeros_like(kept)
        shares = target.copy()
    return Banded(shares, kept, note)


def apply_band(
    target: pd.Series,
    current: pd.Series,
    *,
    band: float = 0.005,
    gross: float = 1.0,
    caps: pd.Series | None = None,
) -> pd.Series:
    """No-trade band on labelled shares (see :func:`band_shares`).

    Parameters
    ----------
    target, current : Series
        Shares of equity by portfolio; a portfolio missing from one side has share 0 there.
    band, gross : float
        As in :func:`band_shares`.
    caps : Series, optional
        Largest share by portfolio; missing ones are unlimited.

    Returns
    -------
    Series
        Final shares, in the order of `target`, then portfolios only held (exits, 0).
    """
    names = list(target.index) + [name for name in current.index if name not in target.index]
    limit = pd.Series(np.inf, index=names) if caps is None else caps.reindex(names).fillna(np.inf)
    result = band_shares(
        target.reindex(names).fillna(0.0).to_numpy(dtype=float),
        current.reindex(names).fillna(0.0).to_numpy(dtype=float),
        band=band,
        gross=gross,
        caps=np.asarray(limit, dtype=np.float64),
    )
    return pd.Series(result.shares, index=names, name=target.name)
