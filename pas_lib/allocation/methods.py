"""The methods by name: each turns weekly moments into a mix that sums to 1, or says why it has none.

Adding a method is one function with the decorator; nothing else needs to know it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pas_lib.allocation import solvers
from pas_lib.allocation.errors import NoSolution
from pas_lib.errors import UnknownName

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32] | npt.NDArray[np.intp]


@dataclass(frozen=True)
class Moments:
    """What a method may look at; all per week.

    Attributes
    ----------
    returns : ndarray of shape (n_weeks, n)
        Cleaned weekly returns.
    mean : ndarray of shape (n,)
        Their mean.
    cov : ndarray of shape (n, n)
        Shrunk covariance over the same weeks.
    risk_free : float
        Weekly risk-free rate.
    lower, upper : float
        Bounds of a member's weight in the mix; only methods that optimise inside bounds use them.
    """

    returns: FloatArray
    mean: FloatArray
    cov: FloatArray
    risk_free: float = 0.0
    lower: float = 0.0
    upper: float = 1.0


Method = Callable[[Moments], FloatArray]
METHODS: dict[str, Method] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Register a method under its name."""

    def register(function: Method) -> Method:
        METHODS[name] = function
        return function

    return register


def get_method(name: str) -> Method:
    """Return the method with this name.

    Raises
    ------
    UnknownName
        No such method; the nearest names are suggested.
    """
    if name not in METHODS:
        raise UnknownName("allocation method", name, METHODS)
    return METHODS[name]


@method("max_sharpe")
def max_sharpe(moments: Moments) -> FloatArray:
    """Positive part of ``cov^-1 mean``."""
    return solvers.positive_part(moments.mean, moments.cov)


@method("tangency")
def tangency(moments: Moments) -> FloatArray:
    """Positive part of ``cov^-1 (mean - risk_free)``."""
    return solvers.positive_part(moments.mean - moments.risk_free, moments.cov)


@method("max_sharpe_exact")
def max_sharpe_exact(moments: Moments) -> FloatArray:
    """Long-only maximum Sharpe ratio over the risk-free rate, bounds inside the optimisation."""
    n = len(moments.mean)
    # Bounds that no mix of sum 1 can meet are met later by holding cash.
    return solvers.max_sharpe_long_only(
        moments.mean - moments.risk_free,
        moments.cov,
        lower=min(moments.lower, 1.0 / n),
        upper=max(moments.upper, 1.0 / n),
    )


@method("min_variance")
def min_variance(moments: Moments) -> FloatArray:
    """Long-only minimum variance."""
    return solvers.min_variance(moments.cov)


@method("risk_parity")
def risk_parity(moments: Moments) -> FloatArray:
    """Equal contributions to variance."""
    return solvers.risk_parity(moments.cov)


@method("equal")
def equal(moments: Moments) -> FloatArray:
    """Equal weights."""
    n = len(moments.mean)
    return np.full(n, 1.0 / n)


@method("hrp")
def hierarchical_risk_parity(moments: Moments) -> FloatArray:
    """Hierarchical risk parity (Lopez de Prado 2016): single linkage, quasi-diagonal order, recursive bisection."""
    # Imported here: clustering costs more to import than all the rest of this room.
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    cov = moments.cov
    n = len(cov)
    if n == 1:
        return np.ones(1)
    deviation = np.sqrt(np.diag(cov))
    if not (np.isfinite(cov).all() and (deviation > 0.0).all()):
        raise NoSolution("the covariance is not usable for hrp")
    correlation = np.clip(cov / np.outer(deviation, deviation), -1.0, 1.0)
    distance = np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    order = leaves_list(linkage(squareform(distance, checks=False), "single"))
    weights = np.ones(n)

    def cluster_variance(members: IntArray) -> float:
        block = cov[np.ix_(members, members)]
        inverse = 1.0 / np.diag(block)
        inverse = inverse / inverse.sum()
        return float(inverse @ block @ inverse)

    clusters = [order]
    while clusters:
        cluster = clusters.pop()
        if len(cluster) < 2:
            continue
        left, right = cluster[: len(cluster) // 2], cluster[len(cluster) // 2 :]
        left_variance, right_variance = cluster_variance(left), cluster_variance(right)
        share = 1.0 - left_variance / (left_variance + right_variance)
        weights[left] *= share
        weights[right] *= 1.0 - share
        clusters += [left, right]
    return solvers.normalised(weights)


@method("metric_tilt")
def metric_tilt(moments: Moments) -> FloatArray:
    """Weights in proportion to the mean rank by Sharpe, Sortino, information ratio and drawdown.

    Ranks run from 1 (worst) to n (best), ties by mean rank, an undefined figure ranks in the middle. The
    information ratio is taken against the equal-weight mix.
    """
    x = moments.returns
    n = x.shape[1]
    excess = x - moments.risk_free
    active = x - x.mean(axis=1, keepdims=True)
    wealth = np.vstack([np.ones(n), np.cumprod(1.0 + x, axis=0)])
    drawdown = (wealth / np.maximum.accumulate(wealth, axis=0) - 1.0).min(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sharpe = excess.mean(axis=0) / excess.std(axis=0, ddof=1)
        sortino = excess.mean(axis=0) / np.sqrt((np.minimum(excess, 0.0) ** 2).mean(axis=0))
        information = active.mean(axis=0) / active.std(axis=0, ddof=1)
    ranks = np.vstack([_mean_rank(figure) for figure in (sharpe, sortino, information, drawdown)]).mean(axis=0)
    return solvers.normalised(ranks)


def _mean_rank(figure: FloatArray) -> FloatArray:
    """Rank from 1 to n with mean ranks for ties; undefined values get the middle."""
    known = np.where(np.isfinite(figure), figure, np.nan)
    below = (known[:, None] > known[None, :]).sum(axis=1)
    same = (known[:, None] == known[None, :]).sum(axis=1)
    rank = below + (same + 1) / 2.0
    result: FloatArray = np.where(np.isnan(known), (len(figure) + 1) / 2.0, rank)
    return result
