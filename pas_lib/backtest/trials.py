"""How good the best of many trials looks by luck alone: what a Sharpe ratio has to be measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, variance

import pandas as pd

from pas_lib.analytics import probabilistic_sharpe

_EULER = 0.5772156649015329


def expected_best_sharpe(sharpes: Sequence[float]) -> float:
    """Return the annual Sharpe ratio that the best of so many trials is expected to show when none has any skill.

    ``sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)))`` with V the variance (ddof 1) of the trials' Sharpe ratios, N
    their number, g Euler's constant and Z the normal quantile (Bailey and Lopez de Prado, The Deflated Sharpe Ratio,
    2014).

    Parameters
    ----------
    sharpes
        Annual Sharpe ratios of all trials. NaN are left out; fewer than two give 0.
    """
    known = [float(one) for one in sharpes if math.isfinite(one)]
    if len(known) < 2:
        return 0.0
    quantile = NormalDist().inv_cdf
    n = len(known)
    return math.sqrt(variance(known)) * (
        (1.0 - _EULER) * quantile(1.0 - 1.0 / n) + _EULER * quantile(1.0 - 1.0 / (n * math.e))
    )


def deflated_sharpe(returns: pd.Series, sharpes: Sequence[float]) -> float:
    """Return the probability that the true Sharpe ratio is above what the best of all trials shows by luck.

    Parameters
    ----------
    returns
        Daily returns as fractions.
    sharpes
        Annual Sharpe ratios of all trials, this one included.

    Notes
    -----
    NaN policy: that of `pas_lib.analytics.probabilistic_sharpe`.
    """
    return probabilistic_sharpe(returns, expected_best_sharpe(sharpes))
