"""Equal risk contribution, solved exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pas_lib.errors import PayloadError


def equal_risk_contribution(
    covariance: NDArray[np.float64], *, tolerance: float = 1e-14, max_sweeps: int = 10_000
) -> NDArray[np.float64]:
    """Return long-only weights that each contribute the same share of variance.

    Cyclical coordinate descent on ``1/2 w'Cw - (1/n) sum(log w)`` (Griveau-Billion, Richard and Roncalli,
    2013), whose only minimum is the solution up to scale; each coordinate has a closed form.

    Parameters
    ----------
    covariance
        n x n, symmetric, positive variances; any unit of time.
    tolerance
        Largest relative change of a weight at which the sweeps end.
    max_sweeps
        Sweeps after which the solver gives up.

    Returns
    -------
    ndarray
        n weights, positive, adding to 1.

    Raises
    ------
    PayloadError
        When the matrix is not square, holds NaN, has a variance that is not positive, or the sweeps do not
        converge.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise PayloadError(f"risk parity needs a square covariance, got shape {matrix.shape}")
    variance = np.diag(matrix)
    if not np.isfinite(matrix).all() or (variance <= 0.0).any():
        raise PayloadError("risk parity needs finite covariances and positive variances")
    n = matrix.shape[0]
    scale = float(variance.mean())
    matrix = matrix / scale
    variance = np.diag(matrix)
    weights = 1.0 / np.sqrt(variance * n)
    for _ in range(max_sweeps):
        change = 0.0
        for i in range(n):
            others = float(matrix[i] @ weights - variance[i] * weights[i])
            new = (-others + np.sqrt(others * others + 4.0 * variance[i] / n)) / (2.0 * variance[i])
            change = max(change, abs(new - weights[i]) / new)
            weights[i] = new
        if change <= tolerance:
            return np.asarray(weights / weights.sum(), dtype=np.float64)
    raise PayloadError(f"risk parity did not converge in {max_sweeps} sweeps")
