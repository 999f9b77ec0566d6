"""Historical value at risk and expected shortfall, as positive losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
Returns = pd.Series | FloatArray | Sequence[float]


def _losses(returns: Returns, level: float) -> FloatArray:
    """Return the losses, largest first, without NaN."""
    if not 0.0 < level < 1.0:
        raise SettingsError(f"confidence level {level} must lie between 0 and 1, e.g. 0.95")
    values = np.asarray(returns, dtype=np.float64)
    return -np.sort(values[~np.isnan(values)])


def historical_var(returns: Returns, level: float = 0.95) -> float:
    """Return the value at risk: the k-th worst return as a positive loss, k = ceil(round((1 - level) T, 9)).

    An order statistic, no interpolation; the rounding keeps (1 - 0.95) x 100 from becoming 6 by floating point.

    Parameters
    ----------
    returns : Series or array of shape (T,)
        Simple returns as fractions.
    level : float
        Confidence level, 0.95 or 0.99.

    Returns
    -------
    float
        Loss as a fraction; negative when even the k-th worst return was a gain.

    Notes
    -----
    NaN policy: NaN are dropped; fewer than two observations give NaN.
    """
    losses = _losses(returns, level)
    if len(losses) < 2:
        return math.nan
    k = max(math.ceil(round((1.0 - level) * len(losses), 9)), 1)
    return float(losses[k - 1])


def cvar(returns: Returns, level: float = 0.95) -> float:
    """Return the expected shortfall of the worst 1 - level of returns, a positive loss (Rockafellar-Uryasev 2000).

    ``(sum of the worst floor(a) losses + (a - floor(a)) x next loss) / a`` with a = (1 - level) T.

    Parameters
    ----------
    returns : Series or array of shape (T,)
        Simple returns as fractions.
    level : float
        Confidence level.

    Returns
    -------
    float
        Mean loss as a fraction, at least :func:`historical_var`.

    Notes
    -----
    NaN policy: NaN are dropped; fewer than two observations give NaN.
    """
    losses = _losses(returns, level)
    if len(losses) < 2:
        return math.nan
    tail = round((1.0 - level) * len(losses), 9)
    whole = math.floor(tail)
    if whole == 0:
        return float(losses[0])
    total = float(losses[:whole].sum())
    if tail > whole:
        total += (tail - whole) * float(losses[whole])
    return total / tail
