"""The performance figures of a portfolio, and of many portfolios in one pass."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.analytics import measures
from pas_lib.risk import cvar, historical_var

FloatArray = npt.NDArray[np.float64]

#: The figures, in the order in which they are reported.
KEYS: tuple[str, ...] = (
    "sharpe",
    "sortino",
    "alpha",
    "beta",
    "tracking_error",
    "information_ratio",
    "max_drawdown",
    "cagr",
    "annual_volatility",
    "calmar",
    "win_rate",
    "var_95",
    "cvar_95",
    "sharpe_se",
    "probabilistic_sharpe",
)

#: Portfolios per block of the vectorised pass.
_BLOCK = 16


def performance_summary(
    returns: pd.Series, benchmark: pd.Series | None = None, risk_free: float = 0.0
) -> dict[str, float]:
    """Return the performance figures of daily returns.

    Parameters
    ----------
    returns : Series
        Daily simple returns as fractions.
    benchmark : Series, optional
        Daily returns of the benchmark, matched by label. Without it alpha, beta, tracking_error and
        information_ratio are NaN.
    risk_free : float
        Annual risk-free rate as a fraction.

    Returns
    -------
    dict
        One float for each of :data:`KEYS`, as defined in :mod:`pas_lib.analytics.measures`; 252 days a year,
        max_drawdown negative, VaR and CVaR positive losses per day, sharpe_se the standard error of the annual Sharpe
        ratio, probabilistic_sharpe the probability that the true one is above 0.

    Notes
    -----
    NaN policy: NaN are dropped, pairwise for benchmark figures; fewer than two observations or a zero deviation
    give NaN.
    """
    result = {
        "sharpe": measures.sharpe(returns, risk_free),
        "sortino": measures.sortino(returns, risk_free),
        "alpha": math.nan,
        "beta": math.nan,
        "tracking_error": math.nan,
        "information_ratio": math.nan,
        "max_drawdown": measures.max_drawdown(returns),
        "cagr": measures.cagr(returns),
        "annual_volatility": measures.annual_volatility(returns),
        "calmar": measures.calmar(returns),
        "win_rate": measures.win_rate(returns),
        "var_95": historical_var(returns, 0.95),
        "cvar_95": cvar(returns, 0.95),
        "sharpe_se": measures.sharpe_standard_error(returns, risk_free),
        "probabilistic_sharpe": measures.probabilistic_sharpe(returns, 0.0, risk_free),
    }
    if benchmark is not None:
        result["alpha"] = measures.alpha(returns, benchmark, risk_free)
        result["beta"] = measures.beta(returns, benchmark)
        result["tracking_error"] = measures.tracking_error(returns, benchmark)
        result["information_ratio"] = measures.information_ratio(returns, benchmark)
    return result


def performance_table(
    returns: pd.DataFrame, benchmark: pd.Series | None = None, risk_free: float = 0.0
) -> pd.DataFrame:
    """Return the figures of :func:`performance_summary` for many portfolios, vectorised.

    Parameters
    ----------
    returns : DataFrame
        Sessions x portfolios, daily simple returns as fractions.
    benchmark : Series, optional
        As in :func:`performance_summary`.
    risk_free : float
        Annual rate as a fraction.

    Returns
    -------
    DataFrame
        Portfolios x :data:`KEYS`; equal to the single summaries up to rounding.

    Notes
    -----
    NaN policy: as for one portfolio. Complete portfolios go through one vectorised pass, those with gaps one by one.
    """
    base = None if benchmark is None else benchmark.reindex(returns.index)
    values = np.ascontiguousarray(returns.to_numpy(dtype=np.float64).T)
    complete = ~np.isnan(values).any(axis=1)
    if base is not None and bool(base.isna().any()):
        complete[:] = False
    if values.shape[1] < 2:
        complete[:] = False
    table = np.full((len(values), len(KEYS)), np.nan)
    if complete.any():
        dense = values if complete.all() else values[complete]
        against = None if base is None else base.to_numpy(dtype=np.float64)
        # A few rows at a time, so that what is computed from them stays in the processor's cache.
        blocks = [_dense(dense[i : i + _BLOCK], against, risk_free) for i in range(0, len(dense), _BLOCK)]
        table[complete] = np.vstack(blocks)
    for i in np.flatnonzero(~complete):
        table[i] = list(performance_summary(pd.Series(values[i], index=returns.index), base, risk_free).values())
    return pd.DataFrame(table, index=returns.columns, columns=list(KEYS))


def _dense(x: FloatArray, benchmark: FloatArray | None, risk_free: float) -> FloatArray:
    """Return all figures of complete return rows, shape (N, T), N x len(KEYS)."""
    n, t = x.shape
    periods = measures.PERIODS
    root = math.sqrt(periods)
    rate = measures.per_period(risk_free)
    mean = x.mean(axis=1)
    largest = np.maximum(x.max(axis=1), -x.min(axis=1))
    gap = x - mean[:, None]
    squares = gap * gap
    deviation = np.sqrt(squares.sum(axis=1) / (t - 1))
    # The excess series decides what counts as zero for the Sharpe ratio, the raw one for volatility.
    flat = deviation <= 1e-12 * largest
    flat_excess = deviation <= 1e-12 * np.maximum(np.abs(x.max(axis=1) - rate), np.abs(x.min(axis=1) - rate))
    volatility = np.where(flat, 0.0, deviation) * root
    downside = np.sqrt(_square_sum(np.minimum(x - rate, 0.0)) / t) * root
    growth, drawdown = _growth_and_drawdown(x)
    tail = round(0.05 * t, 9)
    worst = max(math.ceil(tail), 1)
    losses = -np.sort(np.partition(x, worst - 1, axis=1)[:, :worst], axis=1)
    whole = math.floor(tail)
    if whole == 0:
        shortfall = losses[:, 0]
    else:
        shortfall = losses[:, :whole].sum(axis=1)
        if tail > whole:
            shortfall = shortfall + (tail - whole) * losses[:, whole]
        shortfall = shortfall / tail
    spread = np.sqrt(squares.mean(axis=1))
    third, fourth = np.einsum("ij,ij->i", squares, gap) / t, _square_sum(squares) / t
    result = np.full((n, len(KEYS)), np.nan)
    put = {key: i for i, key in enumerate(KEYS)}
    with np.errstate(divide="ignore", invalid="ignore"):
        annual = np.where(growth > 0.0, np.maximum(growth, 0.0) ** (periods / t) - 1.0, -1.0)
        each = np.where(flat_excess, np.nan, (mean - rate) / deviation)
        result[:, put["sharpe"]] = each * root
        result[:, put["sharpe_se"]] = np.sqrt((1.0 + each**2 / 2.0) / t * periods)
        variance = 1.0 - third / spread**3 * each + (fourth / spread**4 - 1.0) / 4.0 * each**2
        score = each * math.sqrt(t - 1) / np.sqrt(np.where(variance > 0.0, variance, np.nan))
        result[:, put["probabilistic_sharpe"]] = [0.5 * math.erfc(-z / math.sqrt(2.0)) for z in score]
        result[:, put["sortino"]] = np.where(downside == 0.0, np.nan, (mean - rate) * periods / downside)
        result[:, put["calmar"]] = np.where(drawdown == 0.0, np.nan, annual / np.abs(drawdown))
        if benchmark is not None:
            away = benchmark - benchmark.mean()
            base_deviation = math.sqrt(float(away @ away) / (t - 1))
            if base_deviation > 1e-12 * float(np.abs(benchmark).max()):
                slope = (np.einsum("ij,j->i", x, away) - mean * float(away.sum())) / float(away @ away)
                result[:, put["beta"]] = slope
                result[:, put["alpha"]] = ((mean - rate) - slope * (float(benchmark.mean()) - rate)) * periods
            active = x - benchmark
            active_mean = active.mean(axis=1)
            active_largest = np.maximum(active.max(axis=1), -active.min(axis=1))
            active -= active_mean[:, None]
            error = np.sqrt(_square_sum(active) / (t - 1))
            error = np.where(error <= 1e-12 * active_largest, 0.0, error) * root
            result[:, put["tracking_error"]] = error
            result[:, put["information_ratio"]] = np.where(error == 0.0, np.nan, active_mean * periods / error)
    result[:, put["max_drawdown"]] = drawdown
    result[:, put["cagr"]] = annual
    result[:, put["annual_volatility"]] = volatility
    result[:, put["win_rate"]] = (x > 0.0).mean(axis=1)
    result[:, put["var_95"]] = losses[:, worst - 1]
    result[:, put["cvar_95"]] = shortfall
    return result


def _growth_and_drawdown(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return final wealth and largest drawdown per row."""
    wealth = 1.0 + x
    np.cumprod(wealth, axis=1, out=wealth)
    growth = wealth[:, -1].copy()
    peak = np.maximum.accumulate(wealth, axis=1)
    np.maximum(peak, 1.0, out=peak)
    np.divide(wealth, peak, out=wealth)
    return growth, np.minimum(wealth.min(axis=1) - 1.0, 0.0)


def _square_sum(x: FloatArray) -> FloatArray:
    """Row sums of squares without a temporary."""
    total: FloatArray = np.einsum("ij,ij->i", x, x)
    return total


#: Figures of :func:`rolling_table`, in the order of its columns.
ROLLING: tuple[str, ...] = ("n_obs", "total_return", "annual_volatility", "sharpe", "beta")


def rolling_table(
    returns: pd.Series, window: int, benchmark: pd.Series | None = None, risk_free: float = 0.0
) -> pd.DataFrame:
    """Return figures over a moving window of sessions.

    Parameters
    ----------
    returns : Series
        Daily simple returns as fractions.
    window : int
        Sessions in the window; rows before the first whole window are left out.
    benchmark : Series, optional
        Matched by label; without it beta is NaN.
    risk_free : float
        Annual rate as a fraction.

    Returns
    -------
    DataFrame
        Index of `returns` from the end of the first window on; columns :data:`ROLLING`: number of returns, compounded
        return, and annual volatility, Sharpe ratio and beta as in :mod:`pas_lib.analytics.measures`.

    Raises
    ------
    ValueError
        If the window is shorter than two sessions.

    Notes
    -----
    NaN policy: as for the whole series, inside each window; a missing return makes the window smaller, never 0.
    """
    if window < 2:
        raise ValueError(f"a window has at least two sessions, not {window}")
    index = returns.index[window - 1 :]
    base = None if benchmark is None else benchmark.reindex(returns.index).to_numpy(dtype=np.float64)
    values = returns.to_numpy(dtype=np.float64)
    rows = []
    for end in range(window, len(values) + 1):
        x = values[end - window : end]
        valid = x[~np.isnan(x)]
        rows.append(
            (
                float(len(valid)),
                float(np.prod(1.0 + valid) - 1.0) if len(valid) else math.nan,
                measures.annual_volatility(x),
                measures.sharpe(x, risk_free),
                math.nan if base is None else measures.beta(x, base[end - window : end]),
            )
        )
    return pd.DataFrame(rows, index=index, columns=list(ROLLING), dtype=float)
