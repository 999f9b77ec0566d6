"""Simulation: hand-computed values, exact accounting, missing prices, no look-ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pas_lib.backtest import SimulationError, SimulationResult, simulate


def frame(rows: list[list[float]], start: str = "2025-01-06", columns: str = "AB") -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.bdate_range(start, periods=len(rows)), columns=list(columns), dtype=float)


def weights(prices: pd.DataFrame, rows: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows.values()), index=prices.index[list(rows)], columns=prices.columns, dtype=float)


def test_three_days_by_hand() -> None:
    """100 in cash; half in A at 10, half in B at 20, 100 bp; A doubles; back to half and half.

    Day 1: E + 0.01 E = 100, E = 99.00990099, 4.950495 A and 2.475248 B, cost 0.99009901.
    Day 2: A at 20: 99.00990099 + 49.50495050 = 148.51485149.
    Day 3: A 99.00990, B 49.50495; sell A, buy B: E + 0.01 |0.5 E - 99.00990| + 0.01 |0.5 E - 49.50495| = 148.51485;
    the two changes are 24.75 -+, together 49.50495 whatever E, so E = 148.51485149 - 0.49504950 = 148.01980198.
    """
    prices = frame([[10, 20], [20, 20], [20, 20]])
    result = simulate(prices, weights(prices, {0: [0.5, 0.5], 2: [0.5, 0.5]}), cost_bps=100, capital=100)
    first = 100 / 1.01
    assert_allclose(result.equity, [first, first * 1.5, first * 1.5 - 0.01 * first / 2], rtol=1e-14)
    assert_allclose(result.returns, [first / 100 - 1, 0.5, (1.5 - 0.005) / 1.5 - 1], rtol=1e-12)
    assert_allclose(result.costs, [100 - first, 0, 0.01 * first / 2], rtol=1e-12)
    assert_allclose(result.turnover, [first / 100, 0, 1 / 3], rtol=1e-12)
    ledger = result.ledger
    assert ledger["symbol"].tolist() == ["A", "B", "A", "B"]
    assert_allclose(ledger["shares"].iloc[:2], [first / 20, first / 40], rtol=1e-14)
    assert ledger["shares"].iloc[2] < 0 < ledger["shares"].iloc[3]
    assert_allclose(result.weights.iloc[1], [2 / 3, 1 / 3], rtol=1e-14)
    assert_allclose(result.weights.iloc[2], [0.5, 0.5], rtol=1e-14)


def test_fills_at_the_open_and_values_at_the_close() -> None:
    close = frame([[10, 20], [11, 20], [12, 20]])
    opens = frame([[9, 20], [10, 20], [11, 20]])
    result = simulate(close, weights(close, {1: [1.0, 0.0]}), cost_bps=0, capital=1000, fill_prices=opens)
    assert result.equity.tolist() == [1000.0, 1100.0, 1200.0]
    assert result.ledger["price"].tolist() == [10.0]
    assert result.returns.iloc[1] == pytest.approx(0.1)


def test_before_the_first_row_and_after_a_row_of_zeros_there_is_cash() -> None:
    prices = frame([[10, 20], [11, 20], [12, 20], [30, 20]])
    result = simulate(prices, weights(prices, {1: [0.5, 0.0], 2: [0.0, 0.0]}), cost_bps=0, capital=110)
    assert result.equity.tolist() == pytest.approx([110, 110, 115, 115])
    assert result.cash.tolist() == pytest.approx([110, 55, 115, 115])
    assert result.positions["A"].tolist() == pytest.approx([0, 5, 0, 0])


def test_no_rows_is_cash_throughout() -> None:
    prices = frame([[10, 20], [11, 20]])
    result = simulate(prices, weights(prices, {}), cost_bps=10, capital=5)
    assert result.equity.tolist() == [5.0, 5.0]
    assert result.ledger.empty
    assert result.weights.shape == (2, 0)


def random_run(seed: int, **options: object) -> tuple[pd.DataFrame, pd.DataFrame, SimulationResult]:
    rng = np.random.default_rng(seed)
    days, names = int(rng.integers(5, 60)), int(rng.integers(2, 9))
    prices = pd.DataFrame(
        50 * np.exp(np.cumsum(rng.normal(0, 0.03, (days, names)), axis=0)),
        index=pd.bdate_range("2024-01-01", periods=days),
        columns=[f"S{i}" for i in range(names)],
    )
    opens = prices.shift(1).fillna(50.0) * np.exp(rng.normal(0, 0.01, prices.shape))
    if rng.random() < 0.5:
        # Some names stop trading for ever, some pause.
        prices = prices.mask(rng.random(prices.shape) < 0.1)
        opens = opens.mask(rng.random(prices.shape) < 0.1)
        prices.iloc[days // 2 :, 0] = np.nan
        opens.iloc[days // 2 :, 0] = np.nan
    rows = np.sort(rng.choice(days, size=int(rng.integers(1, days)), replace=False))
    target = rng.dirichlet(np.ones(names), len(rows)) * rng.uniform(0, 1, (len(rows), 1))
    target[rng.random(target.shape) < 0.3] = 0
    w = pd.DataFrame(target, index=prices.index[rows], columns=prices.columns)
    fill = opens if rng.random() < 0.5 else None
    result = simulate(prices, w, cost_bps=float(rng.uniform(0, 50)), capital=1e6, fill_prices=fill)
    return prices, w, result


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_accounting_is_exact(seed: int) -> None:
    """Equity = cash + positions at every session; cash moves by the ledger only; cost is rate x traded value."""
    prices, w, result = random_run(seed)
    ledger = result.ledger
    flows = -(ledger["notional"] + ledger["cost"]).groupby(ledger["session"]).sum()
    cash = 1e6 + flows.reindex(prices.index).fillna(0).cumsum()
    assert_allclose(result.cash, cash, atol=1e-6)
    assert (result.cash >= 0).all()
    known = prices.ffill()
    held = result.positions
    # A name bought at an open before its first close is valued at the fill until then.
    valued = known[held.columns]
    fills = ledger.pivot(index="session", columns="symbol", values="price").reindex(prices.index)[held.columns]
    valued = prices[held.columns].fillna(fills).ffill()
    assert_allclose(result.equity, result.cash + (held * valued).fillna(0).sum(axis=1), rtol=1e-11)
    shares = ledger.pivot(index="session", columns="symbol", values="shares").reindex(prices.index).fillna(0).cumsum()
    assert_allclose(held, shares[held.columns], atol=1e-6)
    rate = ledger["cost"] / ledger["notional"].abs()
    assert_allclose(rate, rate.iloc[0] if len(rate) else 0, rtol=1e-12)
    assert result.costs.sum() == pytest.approx(ledger["cost"].sum())
    assert_allclose(result.equity.iloc[-1], 1e6 * (1 + result.returns).prod(), rtol=1e-10)
    del w


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_weights_after_a_fill_are_the_targets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = pd.DataFrame(
        np.exp(rng.normal(0, 0.1, (6, 4)).cumsum(axis=0)),
        index=pd.bdate_range("2024-01-01", periods=6),
        columns=list("ABCD"),
    )
    w = pd.DataFrame(rng.dirichlet(np.ones(4), 3), index=prices.index[[0, 2, 5]], columns=prices.columns)
    result = simulate(prices, w, cost_bps=30, capital=1000)
    assert_allclose(result.weights.loc[w.index], w, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
@example(699)
def test_prices_after_a_session_do_not_reach_it(seed: int) -> None:
    prices, w, _ = random_run(seed)
    cut = len(prices) // 2
    spoiled = prices.copy()
    spoiled.iloc[cut:] = np.random.default_rng(seed).uniform(1, 1e4, spoiled.iloc[cut:].shape)
    before = w[w.index < prices.index[cut]]
    whole, part = (simulate(p, before, cost_bps=5, capital=100) for p in (prices, spoiled))
    assert_allclose(whole.equity.iloc[:cut], part.equity.iloc[:cut], rtol=0, atol=0)
    pd.testing.assert_frame_equal(whole.ledger, part.ledger)


def test_returns_come_from_what_was_held_then() -> None:
    """Defect 16: the last weights applied to the whole past would show +50 % here."""
    prices = frame([[10, 20], [10, 20], [15, 20], [15, 20], [15, 20]])
    result = simulate(prices, weights(prices, {0: [0.0, 1.0], 3: [1.0, 0.0]}), cost_bps=0, capital=100)
    assert result.equity.tolist() == [100.0] * 5
    assert result.weights["A"].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_daily_constant_weights_without_cost_is_the_weighted_mean_return() -> None:
    rng = np.random.default_rng(1)
    prices = frame((100 * np.exp(rng.normal(0, 0.02, (50, 2)).cumsum(axis=0))).tolist())
    w = pd.DataFrame([[0.3, 0.5]] * 50, index=prices.index, columns=prices.columns)
    result = simulate(prices, w, cost_bps=0, capital=1)
    want = (prices.pct_change().iloc[1:] * [0.3, 0.5]).sum(axis=1)
    assert_allclose(result.returns.iloc[1:], want, atol=1e-14)


def test_single_purchase_is_buy_and_hold() -> None:
    rng = np.random.default_rng(2)
    prices = frame((100 * np.exp(rng.normal(0, 0.02, (50, 2)).cumsum(axis=0))).tolist())
    result = simulate(prices, weights(prices, {0: [1.0, 0.0]}), cost_bps=10, capital=500)
    assert_allclose(result.equity, 500 / 1.001 * prices["A"] / prices["A"].iloc[0], rtol=1e-13)
    assert len(result.ledger) == 1


def test_cost_lowers_equity_in_proportion_to_turnover() -> None:
    rng = np.random.default_rng(3)
    prices = frame((100 * np.exp(rng.normal(0, 0.02, (40, 2)).cumsum(axis=0))).tolist())
    w = pd.DataFrame(np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1)), index=prices.index, columns=prices.columns)
    free, dear = (simulate(prices, w, cost_bps=bps, capital=1) for bps in (0, 20))
    # First a purchase, then 39 full rotations: sells pay the rate, buys pay it on what is left.
    assert dear.equity.iloc[-1] / free.equity.iloc[-1] == pytest.approx((1 / 1.002) * (0.998 / 1.002) ** 39, rel=1e-12)


def test_delisted_name_is_sold_at_its_last_price() -> None:
    prices = frame([[10, 20], [8, 20], [np.nan, 20], [np.nan, 20], [np.nan, 20]])
    result = simulate(prices, weights(prices, {0: [0.5, 0.5], 3: [0.0, 1.0]}), cost_bps=0, capital=100)
    assert result.equity.tolist() == pytest.approx([100, 90, 90, 90, 90])
    sale = result.ledger[result.ledger["symbol"] == "A"].iloc[-1]
    assert (sale["price"], sale["shares_after"], bool(sale["stale_price"])) == (8.0, 0.0, True)
    assert result.unfilled.empty


def test_a_name_without_a_price_is_not_bought() -> None:
    prices = frame([[np.nan, 20], [np.nan, 22], [10, 22]])
    result = simulate(prices, weights(prices, {0: [0.5, 0.5]}), cost_bps=0, capital=100)
    assert result.cash.tolist() == [50.0, 50.0, 50.0]
    assert result.equity.tolist() == pytest.approx([100, 105, 105])
    assert result.unfilled.to_dict("records") == [{"session": prices.index[0], "symbol": "A", "weight": 0.5}]


def test_a_halted_name_is_not_added_to_at_a_stale_price() -> None:
    prices = frame([[10, 20], [5, 20], [np.nan, 20], [5, 20]])
    result = simulate(prices, weights(prices, {0: [0.5, 0.5], 2: [0.6, 0.4]}), cost_bps=0, capital=100)
    assert result.positions["A"].tolist() == [5.0] * 4
    assert result.unfilled["symbol"].tolist() == ["A"]
    assert result.weights["B"].iloc[2] == pytest.approx(0.4)
    assert result.cash.iloc[2] == pytest.approx(75 - 25 - 30)


def test_reused_target_of_zero_weight_symbols_without_prices_is_fine() -> None:
    prices = frame([[10, 20], [11, 20]])
    w = pd.DataFrame({"A": [1.0], "GONE": [np.nan]}, index=prices.index[:1])
    assert simulate(prices, w, cost_bps=0, capital=10).equity.tolist() == pytest.approx([10, 11])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": [0.7], "B": [0.4]}, "sums to 1.1"),
        ({"A": [-0.1], "B": [0.4]}, "'A' on 2025-01-06 .* is negative"),
        ({"A": [np.inf], "B": [0.4]}, "is not finite"),
        ({"A": [0.1], "C": [0.4]}, "no prices for 'C'"),
    ],
)
def test_wrong_weights_are_refused(change: dict[str, list[float]], message: str) -> None:
    prices = frame([[10, 20], [11, 20]])
    with pytest.raises(SimulationError, match=message):
        simulate(prices, pd.DataFrame(change, index=prices.index[:1]), cost_bps=0, capital=10)


def test_wrong_labels_and_numbers_are_refused() -> None:
    prices = frame([[10, 20], [11, 20]])
    w = weights(prices, {0: [0.5, 0.5]})
    with pytest.raises(SimulationError, match="is no session of the prices"):
        simulate(prices, w.set_axis([pd.Timestamp("2025-01-05")]), cost_bps=0, capital=10)
    with pytest.raises(SimulationError, match="ascending"):
        simulate(prices.iloc[::-1], w, cost_bps=0, capital=10)
    with pytest.raises(SimulationError, match="'A' occurs twice"):
        simulate(prices.set_axis(["A", "A"], axis=1), w, cost_bps=0, capital=10)
    with pytest.raises(SimulationError, match="capital"):
        simulate(prices, w, cost_bps=0, capital=0)
    with pytest.raises(SimulationError, match="cost_bps"):
        simulate(prices, w, cost_bps=-1, capital=1)
    with pytest.raises(SimulationError, match="fill_prices"):
        simulate(prices, w, cost_bps=0, capital=1, fill_prices=prices.iloc[1:])


def test_borrowing_only_when_asked_for() -> None:
    prices = frame([[10, 20], [11, 20]])
    result = simulate(prices, weights(prices, {0: [1.5, -0.2]}), cost_bps=0, capital=10, allow_borrowing=True)
    assert result.equity.tolist() == pytest.approx([10, 11.5])
    assert result.cash.iloc[0] == pytest.approx(-3)
