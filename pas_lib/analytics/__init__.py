"""Performance statistics: pure functions of returns. Formulas in :mod:`pas_lib.analytics.measures`."""

from pas_lib.analytics.measures import (
    alpha,
    annual_volatility,
    beta,
    cagr,
    calmar,
    downside_deviation,
    information_ratio,
    max_drawdown,
    per_period,
    probabilistic_sharpe,
    sharpe,
    sharpe_standard_error,
    sortino,
    tracking_error,
    win_rate,
)
from pas_lib.analytics.summary import KEYS, ROLLING, performance_summary, performance_table, rolling_table

__all__ = [
    "KEYS",
    "ROLLING",
    "alpha",
    "annual_volatility",
    "beta",
    "cagr",
    "calmar",
    "downside_deviation",
    "information_ratio",
    "max_drawdown",
    "per_period",
    "performance_summary",
    "performance_table",
    "probabilistic_sharpe",
    "rolling_table",
    "sharpe",
    "sharpe_standard_error",
    "sortino",
    "tracking_error",
    "win_rate",
]
