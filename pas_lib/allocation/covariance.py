"""Ledoit-Wolf covariance (2004, "A well-conditioned estimator for large-dimensional covariance matrices").

``shrunk = (1 - d) S + d (tr S / n) I`` with S the centred sample covariance, **ddof 0** (divided by T), and d
chosen to minimise the expected Frobenius error. The same numbers as ``sklearn.covariance.LedoitWolf`` without its
import (over one second).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Shrinkage = Literal["covariance", "correlation", "none"]


@dataclass(frozen=True)
class Covariance:
    """A covariance estimate per period, and how strongly it was shrunk (0 to 1)."""

    matrix: FloatArray
    shrinkage: float


def ledoit_wolf(returns: FloatArray) -> Covariance:
    """Shrink the sample covariance toward a multiple of the identity.

    Parameters
    ----------
    returns : ndarray of shape (n_weeks, n_portfolios)
        Period returns.

    Returns
    -------
    Covariance
        In squared units of `returns` per period, ddof 0. Volatility from it is low by the factor sqrt((T - 1) /
        T), 1.4 % at 36 weeks.

    Notes
    -----
    NaN policy: NaN propagates; callers pass complete rows.
    """
    x = np.asarray(returns, dtype=np.float64)
    t, n = x.shape
    x = x - x.mean(axis=0)
    sample = x.T @ x / t
    if n == 1:
        return Covariance(sample, 0.0)
    mu = float(np.trace(sample)) / n
    squares = x**2
    beta_sum = float((squares.sum(axis=1) ** 2).sum())
    delta_sum = float((sample**2).sum())
    beta = (beta_sum / t - delta_sum) / (n * t)
    delta = (delta_sum - 2.0 * mu * float(np.trace(sample)) + n * mu**2) / n
    beta = min(beta, delta)
    shrinkage = 0.0 if beta <= 0.0 or delta <= 0.0 else beta / delta
    matrix = (1.0 - shrinkage) * sample
    matrix[np.diag_indices(n)] += shrinkage * mu
    return Covariance(matrix, shrinkage)


def estimate(returns: FloatArray, shrink: Shrinkage = "covariance", *, ddof: int = 0) -> Covariance:
    """Estimate the covariance of period returns.

    Parameters
    ----------
    returns : ndarray of shape (n_weeks, n_portfolios)
        Complete rows, no constant column.
    shrink : {"covariance", "correlation", "none"}
        ``"covariance"`` is plain Ledoit-Wolf, whose identity target assumes equal variances. ``"correlation"``
        standardises, shrinks and scales back: variances stay the sample's, so a calm portfolio beside a wild one
        keeps its own volatility.
    ddof : int
        0 as scikit-learn; 1 multiplies by T / (T - 1).

    Returns
    -------
    Covariance
        Per period.
    """
    x = np.asarray(returns, dtype=np.float64)
    t = len(x)
    if shrink == "covariance":
        result = ledoit_wolf(x)
    elif shrink == "correlation":
        deviation = x.std(axis=0)
        inner = ledoit_wolf((x - x.mean(axis=0)) / deviation)
        result = Covariance(inner.matrix * np.outer(deviation, deviation), inner.shrinkage)
    else:
        centred = x - x.mean(axis=0)
        result = Covariance(centred.T @ centred / t, 0.0)
    if ddof:
        return Covariance(result.matrix * t / (t - ddof), result.shrinkage)
    return result
