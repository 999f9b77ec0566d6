"""Ledoit-Wolf and bounded long-only maximum Sharpe on the same weekly matrix; and one whole allocation."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pandas as pd

from pas_lib.allocation import METHODS, allocate, ledoit_wolf
from pas_lib.allocation.solvers import max_sharpe_long_only
from tests.benchmarks.report import Result, best_ms, missing, peer

WEEKS = 36


def weekly(n: int, seed: int = 1) -> np.ndarray:
    """Correlated weekly returns with positive means."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.002, 0.02, (WEEKS, 1))
    return 0.6 * market + rng.normal(0.001, 0.02, (WEEKS, n))


def sharpe(w: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """Sharpe ratio per period."""
    return float(w @ mean / np.sqrt(w @ cov @ w))


def run() -> Iterator[Result]:
    """Yield the rows."""
    for n in (5, 18, 50):
        x = weekly(n)
        high = max(0.4, 2.0 / n)

        def ours(x: np.ndarray = x, high: float = high) -> np.ndarray:
            return max_sharpe_long_only(x.mean(axis=0), ledoit_wolf(x).matrix, upper=high)

        w, mean, cov = ours(), x.mean(axis=0), ledoit_wolf(x).matrix
        ms = best_ms(ours, cpu=True, repeat=50)
        work = f"Ledoit-Wolf + max Sharpe, bounds 0-{high:.0%}, {WEEKS} weeks x {n}"
        pypfopt = peer("pypfopt")
        if pypfopt is None:
            yield Result(work, ms, skipped=missing("PyPortfolioOpt"))
        else:
            from sklearn.covariance import LedoitWolf

            def theirs(x: np.ndarray = x, high: float = high, pypfopt: ModuleType = pypfopt) -> np.ndarray:
                frontier = pypfopt.EfficientFrontier(
                    pd.Series(x.mean(axis=0)), LedoitWolf().fit(x).covariance_, weight_bounds=(0, high)
                )
                frontier.max_sharpe(risk_free_rate=0.0)
                return frontier.weights

            gap = sharpe(w, mean, cov) - sharpe(theirs(), mean, cov)
            their_ms = best_ms(theirs, cpu=True)
            yield Result(
                work,
                ms,
                f"PyPortfolioOpt {pypfopt.__version__ if hasattr(pypfopt, '__version__') else ''}".strip(),
                their_ms,
                f"Sharpe ours - theirs = {gap:.1e}",
                "not worse than the peer by 1e-8, at least 5 times faster",
                gap > -1e-8 and their_ms >= 5 * ms,
            )
        skfolio = peer("skfolio.optimization")
        if skfolio is None:
            yield Result(work, ms, skipped=missing("skfolio"))
        else:
            from skfolio import RiskMeasure
            from skfolio.moments import LedoitWolf as PeerLedoitWolf
            from skfolio.prior import EmpiricalPrior

            def model(x: np.ndarray = x, high: float = high, skfolio: ModuleType = skfolio) -> np.ndarray:
                return (
                    skfolio.MeanRisk(
                        objective_function=skfolio.ObjectiveFunction.MAXIMIZE_RATIO,
                        risk_measure=RiskMeasure.VARIANCE,
                        prior_estimator=EmpiricalPrior(covariance_estimator=PeerLedoitWolf()),
                        min_weights=0.0,
                        max_weights=high,
                    )
                    .fit(x)
                    .weights_
                )

            gap = sharpe(w, mean, cov) - sharpe(model(), mean, cov)
            their_ms = best_ms(model, cpu=True)
            yield Result(
                work,
                ms,
                "skfolio",
                their_ms,
                f"Sharpe ours - theirs = {gap:.1e}",
                "not worse than the peer by 1e-8, at least 5 times faster",
                gap > -1e-8 and their_ms >= 5 * ms,
            )
    rng = np.random.default_rng(2)
    daily = pd.DataFrame(
        rng.normal(0.0006, 0.012, (200, 18)),
        index=pd.bdate_range("2025-01-06", periods=200),
        columns=[f"p{i}" for i in range(18)],
    )
    current = pd.Series(0.05, index=daily.columns)
    for method in sorted(METHODS):

        def whole(method: str = method) -> object:
            return allocate(daily, current=current, method=method)

        ms = best_ms(whole, repeat=30, cpu=True)
        yield Result(
            f"allocate({method}): all steps, 200 days x 18 portfolios", ms, gate="at most 2 ms", passed=ms <= 2.0
        )
