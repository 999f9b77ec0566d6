"""All figures of many portfolios against empyrical-reloaded, portfolio by portfolio."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pandas as pd

from pas_lib.analytics import KEYS, performance_table
from tests.benchmarks.report import Result, best_ms, missing, peer


def run() -> Iterator[Result]:
    """Yield the rows."""
    for n, t in ((18, 252), (200, 2520)):
        rng = np.random.default_rng(3)
        index = pd.bdate_range("2015-01-01", periods=t)
        benchmark = pd.Series(rng.normal(0.0004, 0.01, t), index=index)
        returns = pd.DataFrame(0.7 * benchmark.to_numpy()[:, None] + rng.normal(0.0002, 0.01, (t, n)), index=index)

        def ours(returns: pd.DataFrame = returns, benchmark: pd.Series = benchmark) -> pd.DataFrame:
            return performance_table(returns, benchmark)

        ms = best_ms(ours, cpu=True, repeat=9)
        work = f"{len(KEYS)} figures of {n} portfolios x {t} days"
        gate = "at most 50 ms" if n == 200 else ""
        fast = n != 200 or ms <= 50
        empyrical = peer("empyrical")
        if empyrical is None:
            yield Result(work, ms, gate=gate, passed=fast, skipped=missing("empyrical-reloaded"))
            continue

        def theirs(
            returns: pd.DataFrame = returns, benchmark: pd.Series = benchmark, empyrical: ModuleType = empyrical
        ) -> pd.DataFrame:
            base = benchmark.to_numpy()
            rows = []
            for column in returns.to_numpy().T:
                x = np.ascontiguousarray(column)
                rows.append(
                    {
                        "sharpe": empyrical.sharpe_ratio(x),
                        "sortino": empyrical.sortino_ratio(x),
                        "beta": empyrical.beta(x, base),
                        "alpha_compounded": empyrical.alpha(x, base),
                        "information_ratio": empyrical.excess_sharpe(x, base) * np.sqrt(252),
                        "max_drawdown": empyrical.max_drawdown(x),
                        "cagr": empyrical.cagr(x),
                        "annual_volatility": empyrical.annual_volatility(x),
                        "calmar": empyrical.calmar_ratio(x),
                    }
                )
            return pd.DataFrame(rows)

        mine, other = ours(), theirs()
        common = [c for c in other.columns if c in mine.columns]
        gap = float(np.abs(mine[common].to_numpy() / other[common].to_numpy() - 1).max())
        # Their alpha compounds ours per day: the same number after conversion.
        alpha = (1 + mine["alpha"].to_numpy() / 252) ** 252 - 1
        gap = max(gap, float(np.abs(alpha - other["alpha_compounded"].to_numpy()).max()))
        yield Result(
            work,
            ms,
            "empyrical-reloaded",
            best_ms(theirs, cpu=True, repeat=3),
            f"largest relative difference {gap:.1e}",
            " and ".join(filter(None, [gate, "parity 1e-10"])),
            fast and gap <= 1e-10,
        )
