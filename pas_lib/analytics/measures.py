"""Performance measures of one portfolio: one pure function each.

Let r be simple returns per period, rf the risk-free return per period, P periods a year (252 daily), T
observations. Each docstring states the formula and where well-known libraries differ. `risk_free` is always an
**annual** rate as a fraction, turned into ``(1 + rate)^(1/P) - 1`` per period.

NaN policy of every function: NaN are dropped, pairwise with the benchmark; fewer than two observations give NaN; a
ratio over a deviation of zero (up to 1e-12 of the largest return) is NaN, never 0 and never infinite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
Returns = pd.Series | FloatArray | Sequence[float]

PERIODS = 252
_ZERO = 1e-12


def per_period(annual_rate: float, periods: int = PERIODS) -> float:
    """Return the rate per period that compounds to an annual rate: ``(1 + rate)^(1/P) - 1``."""
    return float((1.0 + annual_rate) ** (1.0 / periods) - 1.0)


def _clean(returns: Returns) -> FloatArray:
    """Return the valid observations."""
    values = np.asarray(returns, dtype=np.float64)
    return values[~np.isnan(values)]


def _paired(returns: Returns, benchmark: Returns) -> tuple[FloatArray, FloatArray]:
    """Return both series where both are valid; two Series are matched by label, anything else by position."""
    if isinstance(returns, pd.Series) and isinstance(benchmark, pd.Series):
        benchmark = benchmark.reindex(returns.index)
    x, b = np.asarray(returns, dtype=np.float64), np.asarray(benchmark, dtype=np.float64)
    if x.shape != b.shape:
        raise ValueError(f"returns and benchmark differ in length: {len(x)} and {len(b)}")
    both = ~np.isnan(x) & ~np.isnan(b)
    return x[both], b[both]


def _deviation(x: FloatArray) -> float:
    """Sample deviation (ddof 1), exactly 0 for constant input, NaN below two observations."""
    if len(x) < 2:
        return math.nan
    deviation = float(x.std(ddof=1))
    return deviation if deviation > _ZERO * float(np.abs(x).max()) else 0.0


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0.0 else math.nan


def annual_volatility(returns: Returns, periods: int = PERIODS) -> float:
    """Annual volatility ``std(r, ddof 1) sqrt(P)``, a fraction; 0 for constant returns."""
    return _deviation(_clean(returns)) * math.sqrt(periods)


def cagr(returns: Returns, periods: int = PERIODS) -> float:
    """Compound annual growth ``prod(1 + r)^(P / T) - 1``; -1 after a total loss.

    T counts valid observations (empyrical counts missing rows as well; Lean divides by calendar days).
    """
    x = _clean(returns)
    if len(x) < 2:
        return math.nan
    growth = float(np.prod(1.0 + x))
    return growth ** (periods / len(x)) - 1.0 if growth > 0.0 else -1.0


def sharpe(returns: Returns, risk_free: float = 0.0, periods: int = PERIODS) -> float:
    """Sharpe ratio ``mean(r - rf) / std(r - rf, ddof 1) sqrt(P)``, annualised."""
    x = _clean(returns) - per_period(risk_free, periods)
    deviation = _deviation(x)
    return _ratio(float(x.mean()), deviation) * math.sqrt(periods) if len(x) > 1 else math.nan


def downside_deviation(returns: Returns, risk_free: float = 0.0, periods: int = PERIODS) -> float:
    """Annual downside deviation ``sqrt(mean(min(r - rf, 0)^2)) sqrt(P)`` over all observations, not the losses only."""
    x = _clean(returns) - per_period(risk_free, periods)
    if len(x) < 2:
        return math.nan
    return float(np.sqrt(np.mean(np.minimum(x, 0.0) ** 2))) * math.sqrt(periods)


def sortino(returns: Returns, risk_free: float = 0.0, periods: int = PERIODS) -> float:
    """Sortino ratio ``mean(r - rf) P / downside deviation``, annualised; NaN without a loss."""
    x = _clean(returns) - per_period(risk_free, periods)
    if len(x) < 2:
        return math.nan
    return _ratio(float(x.mean()) * periods, downside_deviation(returns, risk_free, periods))


def max_drawdown(returns: Returns) -> float:
    """Largest drawdown ``min(wealth / max(1, running maximum) - 1)``, negative or 0.

    The starting capital counts as a high (measures on price series, such as ffn's, forget the first loss).
    """
    x = _clean(returns)
    if len(x) < 2:
        return math.nan
    wealth = np.cumprod(1.0 + x)
    return min(float((wealth / np.maximum(np.maximum.accumulate(wealth), 1.0)).min()) - 1.0, 0.0)


def calmar(returns: Returns, periods: int = PERIODS) -> float:
    """Calmar ratio ``CAGR / |max drawdown|``; NaN without a drawdown."""
    return _ratio(cagr(returns, periods), abs(max_drawdown(returns)))


def win_rate(returns: Returns) -> float:
    """Share of observations above 0, a fraction; a return of exactly 0 is not a win."""
    x = _clean(returns)
    return float((x > 0.0).mean()) if len(x) > 1 else math.nan


def beta(returns: Returns, benchmark: Returns, risk_free: float = 0.0, periods: int = PERIODS) -> float:
    """Beta ``cov(r - rf, b - rf) / var(b - rf)`` on the common observations; NaN for a constant benchmark."""
    del risk_free, periods  # a constant rate cancels; kept so that all benchmark measures share one signature
    x, b = _paired(returns, benchmark)
    if len(x) < 2 or _deviation(b) == 0.0:
        return math.nan
    gap = b - b.mean()
    return float(gap @ (x - x.mean())) / float(gap @ gap)


def alpha(
    returns: Returns,
    benchmark: Returns,
    risk_free: float = 0.0,
    periods: int = PERIODS,
    *,
    compounding: bool = False,
) -> float:
    """Annual alpha, arithmetic: ``(mean(r - rf) - beta mean(b - rf)) P``.

    ``compounding=True`` gives empyrical's ``(1 + a)^P - 1`` of the alpha a per period.
    """
    x, b = _paired(returns, benchmark)
    rate = per_period(risk_free, periods)
    slope = beta(x, b)
    if math.isnan(slope):
        return math.nan
    each = float(x.mean()) - rate - slope * (float(b.mean()) - rate)
    return (1.0 + each) ** periods - 1.0 if compounding else each * periods


def tracking_error(returns: Returns, benchmark: Returns, periods: int = PERIODS) -> float:
    """Annual tracking error ``std(r - b, ddof 1) sqrt(P)``."""
    x, b = _paired(returns, benchmark)
    return _deviation(x - b) * math.sqrt(periods)


def information_ratio(returns: Returns, benchmark: Returns, periods: int = PERIODS) -> float:
    """Information ratio ``mean(r - b) P / tracking error``, annual (empyrical, quantstats and ffn: per period)."""
    x, b = _paired(returns, benchmark)
    if len(x) < 2:
        return math.nan
    return _ratio(float((x - b).mean()) * periods, tracking_error(x, b, periods))


def sharpe_standard_error(returns: Returns, risk_free: float = 0.0, periods: int = PERIODS) -> float:
    """Return the standard error of the annual Sharpe ratio (Lo 2002, independent returns).

    ``sqrt((1 + S^2 / 2) / T) sqrt(P)`` with S per period.
    """
    x = _clean(returns)
    if len(x) < 2:
        return math.nan
    each = sharpe(x, risk_free, periods) / math.sqrt(periods)
    return math.sqrt((1.0 + each**2 / 2.0) / len(x) * periods)


def probabilistic_sharpe(
    returns: Returns, threshold: float = 0.0, risk_free: float = 0.0, periods: int = PERIODS
) -> float:
    """Probability that the true annual Sharpe ratio exceeds `threshold` (Bailey & Lopez de Prado 2012).

    ``Phi((S - S*) sqrt(T - 1) / sqrt(1 - g3 S + (g4 - 1) / 4 S^2))`` per period, with skewness g3 and kurtosis g4
    (3 for the normal) as population moments.
    """
    x = _clean(returns)
    each = sharpe(x, risk_free, periods) / math.sqrt(periods)
    if math.isnan(each):
        return math.nan
    gap = x - x.mean()
    spread = float(np.sqrt(np.mean(gap**2)))
    skewness, kurtosis = float(np.mean(gap**3)) / spread**3, float(np.mean(gap**4)) / spread**4
    variance = 1.0 - skewness * each + (kurtosis - 1.0) / 4.0 * each**2
    if variance <= 0.0:
        return math.nan
    score = (each - threshold / math.sqrt(periods)) * math.sqrt(len(x) - 1) / math.sqrt(variance)
    return 0.5 * math.erfc(-score / math.sqrt(2.0))
