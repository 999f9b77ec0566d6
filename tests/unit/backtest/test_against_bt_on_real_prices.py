"""One rotation through `simulate` and through bt, on real prices of decades: equal, or different for a known reason."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pas_lib.backtest import simulate
from tests.support.paths import REAL, needs

bt = pytest.importorskip("bt", reason="bt is not installed (pip install -r requirements-bench.in)")
pytestmark = [pytest.mark.slow, pytest.mark.needs_material]

CAPITAL = 1e6


def closes(*files: str) -> pd.DataFrame:
    tables = [pd.read_csv(needs(REAL / "prices" / file), parse_dates=["date"]) for file in files]
    return pd.concat(tables).pivot(index="date", columns="symbol", values="close")


def sectors() -> pd.DataFrame:
    """Adjusted closes of the eleven sector funds from 1998 to 2026; two begin later."""
    return closes("etf_us_sectors_daily_adjusted.csv.gz")


def markets() -> pd.DataFrame:
    """Adjusted closes of funds of shares, bonds, gold and goods from 1993 to 2026; most begin later."""
    return closes("etf_equity_daily_adjusted.csv.gz", "etf_bonds_commodities_daily_adjusted.csv.gz")


def rotation(prices: pd.DataFrame, take: int) -> pd.DataFrame:
    """Month-end weights in the names with the best twelve months but one, executed the session after."""
    days = prices.index
    ends = pd.Series(np.arange(len(days))).groupby([days.year, days.month]).last().to_numpy()
    ends = ends[(ends >= 252) & (ends < len(days) - 1)]
    momentum = (prices.shift(21) / prices.shift(252) - 1).iloc[ends]
    chosen = momentum.rank(axis=1, ascending=False, method="first") <= take
    return (chosen / take).set_axis(days[ends + 1])


def through_bt(prices: pd.DataFrame, target: pd.DataFrame, cost_bps: float) -> Any:
    test = bt.Backtest(
        bt.Strategy(
            "rotation",
            [bt.algos.RunOnDate(*target.index), bt.algos.WeighTarget(target.where(target > 0)), bt.algos.Rebalance()],
        ),
        prices.bfill(),  # bt takes no names that begin later; they are not chosen before they do
        initial_capital=CAPITAL,
        commissions=lambda quantity, price: abs(quantity) * price * cost_bps / 1e4,
        integer_positions=False,
        progress_bar=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bt.run(test)
    return test.strategy.values.reindex(prices.index)


def with_bts_costs(prices: pd.DataFrame, target: pd.DataFrame, cost_bps: float) -> pd.Series:
    """bt's accounting: each order pays its own cost out of the amount it is given.

    Of what is to be bought a little less is bought; to raise an amount a little more is sold; a position that is closed
    brings less. The targets are those of the equity before costs, so what is closed or cut is paid for by cash.
    """
    close = prices.ffill().fillna(0.0)
    shares, cash, rate = np.zeros(close.shape[1]), CAPITAL, cost_bps / 1e4
    equity = np.empty(len(close))
    rows = dict(zip(target.index, target.to_numpy(), strict=True))
    for i, (day, row) in enumerate(zip(close.index, close.to_numpy(), strict=True)):
        if day in rows:
            change = rows[day] * (cash + float(shares @ row)) - shares * row
            cut = np.where(rows[day] > 0, change / (1 - rate), change)
            change = np.where(change > 0, change / (1 + rate), cut)
            shares = shares + np.where(row > 0, change / np.where(row > 0, row, 1.0), 0.0)
            cash -= float(change.sum()) + rate * float(np.abs(change).sum())
        equity[i] = cash + float(shares @ row)
    return pd.Series(equity, index=close.index)


@pytest.mark.parametrize(("prices", "take"), [(markets, 4), (sectors, 3)])
def test_without_costs_every_day_is_equal(prices: Any, take: int) -> None:
    table = prices()
    target = rotation(table, take)
    ours = simulate(table, target, cost_bps=0.0, capital=CAPITAL).equity
    theirs = through_bt(table, target, 0.0)
    assert len(target) > 300
    assert ours.iloc[-1] > 3 * CAPITAL
    assert np.allclose(ours, theirs, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("prices", "take"), [(markets, 4), (sectors, 3)])
def test_with_costs_the_difference_is_who_pays_them(prices: Any, take: int) -> None:
    table = prices()
    target = rotation(table, take)
    result = simulate(table, target, cost_bps=10.0, capital=CAPITAL)
    theirs = through_bt(table, target, 10.0)
    explained = with_bts_costs(table, target, 10.0)
    assert np.allclose(theirs, explained, rtol=1e-9, atol=0)
    gap = result.equity.iloc[-1] / theirs.iloc[-1] - 1
    print(f"final wealth {result.equity.iloc[-1]:,.0f} and {theirs.iloc[-1]:,.0f}, {gap:+.4%}")
    assert abs(gap) <= 0.002
    assert result.cash.min() >= 0.0
