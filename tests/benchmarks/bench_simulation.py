"""Monthly rotation into 20 of 3,000 names over 20 years, 10 basis points, with a ledger of every trade; against bt."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from pas_lib.backtest import simulate
from tests.benchmarks.report import Result, best_ms, missing, peer

COST_BPS = 10.0
CAPITAL = 1e6


def market(names: int, days: int, top: int = 20) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random prices, and month-end weights in the names with the best twelve months but one."""
    rng = np.random.default_rng(5)
    steps = rng.normal(0.0003, 0.02, (days, names)).cumsum(axis=0)
    index = pd.bdate_range("2004-01-01", periods=days)
    prices = pd.DataFrame(100 * np.exp(steps), index=index, columns=[f"S{i:04d}" for i in range(names)])
    months = pd.Series(np.arange(days), index=index).groupby([index.year, index.month]).last().to_numpy()
    months = months[(months >= 252) & (months < days - 1)]
    score = steps[months - 21] - steps[months - 252]
    best = np.argsort(-score, axis=1)[:, :top]
    target = np.zeros((len(months), names))
    np.put_along_axis(target, best, 1.0 / top, axis=1)
    # Decided at the month's last close, executed the session after.
    return prices, pd.DataFrame(target, index=index[months + 1], columns=prices.columns)


def megabytes(work: Callable[[], object]) -> float:
    """Most memory that a call takes beyond what is there before it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def run() -> Iterator[Result]:
    """Yield the rows."""
    bt = peer("bt")
    for names, days in ((500, 2520), (3000, 5040)):
        prices, target = market(names, days)

        def ours(prices: pd.DataFrame = prices, target: pd.DataFrame = target) -> float:
            result = simulate(prices, target, cost_bps=COST_BPS, capital=CAPITAL)
            assert len(result.ledger) > 20 * len(target) / 2
            return float(result.equity.iloc[-1])

        large = names == 3000
        ms = best_ms(ours, cpu=True)
        memory = megabytes(ours)
        work = f"monthly top 20 of {names:,} x {days:,} days, {len(target)} rebalances"
        gate = "at most 500 ms and 1,024 MB above the prices" if large else ""
        fast = not large or (ms <= 500 and memory <= 1024)
        if bt is None:
            told = f"{memory:,.0f} MB above the prices"
            yield Result(work, ms, parity=told, gate=gate, passed=fast, skipped=missing("bt"))
            continue

        def theirs(prices: pd.DataFrame = prices, target: pd.DataFrame = target) -> float:
            strategy = bt.Strategy(
                "rotation",
                [
                    bt.algos.RunOnDate(*target.index),
                    bt.algos.WeighTarget(target.where(target > 0)),
                    bt.algos.Rebalance(),
                ],
            )
            test = bt.Backtest(
                strategy,
                prices,
                initial_capital=CAPITAL,
                commissions=lambda q, p: abs(q) * p * COST_BPS / 1e4,
                integer_positions=False,
                progress_bar=False,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                bt.run(test)
            return float(test.strategy.values.iloc[-1])

        mine, other = ours(), theirs()
        gap = abs(mine / other - 1)
        peer_ms = best_ms(theirs, cpu=True, repeat=1)
        checks = [gate, "final equity within 0.2 %", "at least 10 times faster"]
        yield Result(
            work,
            ms,
            f"bt {bt.__version__}",
            peer_ms,
            f"final equity {mine:,.0f} and {other:,.0f}, {gap:.4%} apart; {memory:,.0f} MB above the prices",
            " and ".join(filter(None, checks)),
            fast and gap <= 0.002 and peer_ms >= 10 * ms,
        )
