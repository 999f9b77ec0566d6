"""Exact long-only optima by non-negative least squares, and the iterative solvers without a closed form.

Long-only maximum Sharpe: minimise ``y'Sy / 2 - m'y`` over y >= 0 and normalise. With ``S = L L'`` that is ``min
|L'y - L^-1 m|``, one NNLS. With bounds and homogeneous caps the Charnes-Cooper substitution y = k w gives a
least-distance problem, which Lawson & Hanson (Solving Least Squares Problems, chapter 23) reduce to one NNLS as
well. Everything here works on plain arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from pas_lib.allocation.errors import NoSolution

FloatArray = npt.NDArray[np.float64]

_TINY = 1e-12
#: Above this condition number a covariance is not inverted.
MAX_CONDITION = 1e8
#: A result further from its optimality conditions than this (relative to the largest mean) is a failure.
MAX_KKT_VIOLATION = 1e-5


def factor(cov: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor of a covariance, or say why there is none.

    Raises
    ------
    NoSolution
        Not finite, not positive definite, or a condition number above 1e8.
    """
    if not np.isfinite(cov).all():
        raise NoSolution("the covariance is not finite")
    eigenvalues = np.linalg.eigvalsh(cov)
    if eigenvalues[0] <= 0.0 or eigenvalues[-1] > MAX_CONDITION * eigenvalues[0]:
        raise NoSolution(
            f"the covariance is not positive definite (eigenvalues {eigenvalues[0]:.3g} to {eigenvalues[-1]:.3g})"
        )
    lower: FloatArray = cholesky(cov, lower=True)
    return lower


def normalised(weights: FloatArray) -> FloatArray:
    """Scale non-negative weights to the sum 1, with weights below 1e-9 of the largest set to zero."""
    clean = np.where(weights > 1e-9 * weights.max(), weights, 0.0)
    result: FloatArray = clean / clean.sum()
    return result


def positive_part(mean: FloatArray, cov: FloatArray) -> FloatArray:
    """Return the positive part of ``cov^-1 mean``, summing to 1.

    Not the long-only optimum (clipping drops the names that hedged the rest), but what "max_sharpe" means in this
    system.

    Raises
    ------
    NoSolution
        No positive entry, or the clipped mix has no positive expected return.
    """
    lower = factor(cov)
    raw = solve_triangular(lower.T, solve_triangular(lower, mean, lower=True), lower=False)
    clipped = np.maximum(raw, 0.0)
    if clipped.sum() <= 0.0 or float(clipped @ mean) <= 0.0:
        raise NoSolution("no positive expected return")
    return normalised(clipped)


def min_variance(cov: FloatArray) -> FloatArray:
    """Return the long-only minimum-variance mix (sum 1): maximum Sharpe with equal means."""
    scale = float(np.mean(np.diag(cov)))
    lower = factor(cov / scale) if scale > 0.0 else factor(cov)
    ones = np.ones(len(cov))
    y, _ = nnls(lower.T, solve_triangular(lower, ones, lower=True))
    if y.sum() <= 0.0:
        raise NoSolution("minimum variance has no positive weight")
    return normalised(y)


def max_sharpe_long_only(
    excess: FloatArray,
    cov: FloatArray,
    *,
    lower: float | FloatArray = 0.0,
    upper: float | FloatArray = 1.0,
    caps: FloatArray | None = None,
    cap_limits: FloatArray | None = None,
) -> FloatArray:
    """Return the long-only maximum-Sharpe mix under bounds and caps, exactly.

    Parameters
    ----------
    excess : ndarray of shape (n,)
        Expected excess returns per period.
    cov : ndarray of shape (n, n)
        Positive-definite covariance per period.
    lower, upper : float or ndarray of shape (n,)
        Bounds of each weight of the mix (which sums to 1).
    caps, cap_limits : ndarray of shape (m, n) and (m,), optional
        Further caps ``caps @ w <= cap_limits``, e.g. one row of ones per sector.

    Returns
    -------
    ndarray of shape (n,)
        Weights, sum 1.

    Raises
    ------
    NoSolution
        No portfolio within the bounds has a positive expected excess return, or the bounds admit none.
    """
    excess = np.asarray(excess, dtype=np.float64)
    n = len(excess)
    if not np.isfinite(excess).all():
        raise NoSolution("the expected returns are not finite")
    low = np.broadcast_to(np.asarray(lower, dtype=np.float64), (n,))
    high = np.broadcast_to(np.asarray(upper, dtype=np.float64), (n,))
    if low.sum() > 1.0 + 1e-9 or high.sum() < 1.0 - 1e-9 or (low > high).any():
        raise NoSolution(f"bounds admit no mix: lower sum {low.sum():.4g}, upper sum {high.sum():.4g}, need 1")
    # Sharpe is invariant to units: work at variance 1 and largest |mean| 1.
    cov_scale, mean_scale = float(np.mean(np.diag(cov))), float(np.abs(excess).max())
    if not mean_scale > 0.0 or not cov_scale > 0.0:
        raise NoSolution("no positive expected return")
    chol = factor(cov / cov_scale)
    mean = excess / mean_scale
    if not (low > 0.0).any() and (high >= 1.0).all() and caps is None:
        y, _ = nnls(chol.T, solve_triangular(chol, mean, lower=True))
        if y.sum() <= 0.0:
            raise NoSolution("no positive expected return")
        weights = normalised(y)
        if (violation := kkt_violation(weights, excess, cov)) > MAX_KKT_VIOLATION:
            raise NoSolution(f"the solver stopped {violation:.1e} away from the optimum")
        return weights
    # Least distance: z = L'y, minimise |z| subject to G z >= h.
    rows = [mean[None, :], np.eye(n) - low[:, None] * np.ones(n), high[:, None] * np.ones(n) - np.eye(n)]
    if caps is not None and cap_limits is not None:
        rows.append(np.asarray(cap_limits)[:, None] * np.ones(n) - np.asarray(caps))
    stacked = np.vstack(rows)
    g = solve_triangular(chol, stacked.T, lower=True).T
    h = np.zeros(len(g))
    h[0] = 1.0
    norms = np.linalg.norm(g, axis=1)
    keep = norms > _TINY
    g, h = g[keep] / norms[keep, None], h[keep] / norms[keep]
    target = np.zeros(n + 1)
    target[n] = 1.0
    dual, _ = nnls(np.vstack([g.T, h[None, :]]), target, maxiter=30 * (len(g) + n))
    residual = np.vstack([g.T, h[None, :]]) @ dual - target
    if -residual[n] <= 1e-10:
        raise NoSolution("no mix within the bounds has a positive expected return")
    z = -residual[:n] / residual[n]
    y = solve_triangular(chol.T, z, lower=False)
    total = float(y.sum())
    if not total > 0.0:
        raise NoSolution("no mix within the bounds has a positive expected return")
    if (violation := _distance_violation(g, h, z, dual / -residual[n])) > MAX_KKT_VIOLATION:
        raise NoSolution(f"the solver stopped {violation:.1e} away from the optimum")
    weights = np.clip(y / total, low, high)
    if float(excess @ weights) <= 0.0:
        raise NoSolution("no mix within the bounds has a positive expected return")
    return weights


def _distance_violation(g: FloatArray, h: FloatArray, z: FloatArray, multipliers: FloatArray) -> float:
    """Return how far a point is from the conditions of the least distance ``min |z|, G z >= h``; 0 at the optimum.

    At the optimum z = G'm with m >= 0, every row is met, and m is 0 where a row is not tight. Relative to |z|.
    """
    size = float(np.linalg.norm(z))
    slack = g @ z - h
    stationary = float(np.linalg.norm(z - g.T @ multipliers)) / size
    missed = max(-float(slack.min()), 0.0) / size
    loose = abs(float(multipliers @ slack)) / size**2
    negative = max(-float(multipliers.min()), 0.0) / size
    return max(stationary, missed, loose, negative)


def kkt_violation(weights: FloatArray, excess: FloatArray, cov: FloatArray) -> float:
    """Return how far a long-only mix is from the maximum-Sharpe conditions, 0 at the optimum.

    At the optimum ``excess - k cov w`` is 0 where w > 0 and <= 0 elsewhere, with k = (excess'w) / (w'cov w).
    Relative to max |excess|.
    """
    k = float(excess @ weights) / float(weights @ cov @ weights)
    gradient = excess - k * (cov @ weights)
    worst = np.where(weights > 0.0, np.abs(gradient), np.maximum(gradient, 0.0)).max()
    return float(worst / np.abs(excess).max())


def risk_parity(cov: FloatArray, *, budget: FloatArray | None = None, tolerance: float = 1e-12) -> FloatArray:
    """Return the mix in which each member contributes its budget of the variance (equal by default).

    Minimises ``x'Sx / 2 - sum b_i ln x_i`` by cyclical coordinate descent (Griveau-Billion, Richard & Roncalli
    2013): the positive root of one quadratic per coordinate.

    Raises
    ------
    NoSolution
        The covariance cannot be factored, or 1,000 sweeps did not converge.
    """
    factor(cov)
    n = len(cov)
    b = np.full(n, 1.0 / n) if budget is None else np.asarray(budget, dtype=np.float64)
    deviation = np.sqrt(np.diag(cov))
    correlation = cov / np.outer(deviation, deviation)
    x = np.full(n, 1.0) / np.sqrt(max(float(correlation.sum()), _TINY))
    for _ in range(1000):
        previous = x.copy()
        for i in range(n):
            rest = float(correlation[i] @ x) - x[i]
            x[i] = (-rest + np.sqrt(rest * rest + 4.0 * b[i])) / 2.0
        if np.abs(x - previous).max() <= tolerance * np.abs(x).max():
            return normalised(x / deviation)
    raise NoSolution("risk parity did not converge")
