"""A book of portfolios: fills by hand, crossing, refused purchases, and equality with a single portfolio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pas_lib.backtest import (
    BookHoldings,
    BookOrder,
    deflated_sharpe,
    expected_best_sharpe,
    fill_book,
    simulate,
    write_off,
)

NO = np.zeros(2, dtype=bool)


def empty(portfolios: int, cash: float, symbols: int = 2) -> BookHoldings:
    return BookHoldings(np.zeros((portfolios, symbols)), np.zeros(portfolios), cash)


def test_a_first_fill_by_hand() -> None:
    """1,000 in cash; one portfolio wants 40 % in A at 10, 50 % with its own cash; 100 bp: E + 0.01 x 0.4 E = 1,000."""
    fill = fill_book(
        empty(1, 1000.0), [BookOrder(0, np.array([0.4, 0.0]), share=0.5)], np.array([10.0, 20.0]), NO, 0.01
    )
    after = 1000.0 / 1.004
    assert fill.cost == pytest.approx(1000.0 - after)
    assert_allclose(fill.holdings.shares, [[0.04 * after, 0.0]])
    assert_allclose(fill.holdings.cash, [0.1 * after])
    assert fill.holdings.idle == pytest.approx(0.5 * after)
    assert fill.holdings.equity(np.array([10.0, 20.0])) == pytest.approx(after)


def test_opposite_wishes_are_crossed_and_cost_nothing() -> None:
    held = BookHoldings(np.array([[50.0, 0.0], [0.0, 0.0]]), np.array([0.0, 500.0]), 0.0)
    orders = [BookOrder(0, np.array([0.2, 0.0]), share=0.5), BookOrder(1, np.array([0.3, 0.0]), share=0.5)]
    fill = fill_book(held, orders, np.array([10.0, 20.0]), NO, 0.01)
    assert (fill.cost, fill.traded) == (0.0, 0.0)
    assert fill.crossed == pytest.approx(300.0)
    assert_allclose(fill.holdings.shares[:, 0], [20.0, 30.0])
    assert_allclose(fill.holdings.cash, [300.0, 200.0])


def test_scaling_keeps_the_proportions_whatever_the_prices_did() -> None:
    held = BookHoldings(np.array([[10.0, 10.0]]), np.array([100.0]), 600.0)
    fill = fill_book(held, [BookOrder(0, ratios=np.array([0.5, 0.5]), factor=0.5)], np.array([10.0, 20.0]), NO, 0.0)
    assert_allclose(fill.holdings.shares, [[5.0, 5.0]])
    assert_allclose(fill.holdings.cash, [50.0])
    assert fill.holdings.idle == pytest.approx(600.0 + 150.0 + 50.0)
    # A limit that cuts one name leaves the money in the portfolio.
    cut = fill_book(held, [BookOrder(0, ratios=np.array([1.0, 0.25]), factor=1.0)], np.array([10.0, 20.0]), NO, 0.0)
    assert_allclose(cut.holdings.shares, [[10.0, 2.5]])
    assert_allclose(cut.holdings.cash, [250.0])
    assert cut.holdings.idle == pytest.approx(600.0)


def test_a_name_without_a_price_is_sold_at_the_last_one_and_never_bought() -> None:
    missing = np.array([True, False])
    held = BookHoldings(np.array([[10.0, 0.0], [0.0, 0.0]]), np.array([0.0, 0.0]), 900.0)
    orders = [BookOrder(0, np.zeros(2), share=0.0), BookOrder(1, np.array([0.5, 0.25]), share=0.8)]
    fill = fill_book(held, orders, np.array([10.0, 20.0]), missing, 0.0)
    assert_allclose(fill.holdings.shares, [[0.0, 0.0], [0.0, 12.5]])
    assert fill.refused.tolist() == [[False, False], [True, False]]
    assert_allclose(fill.holdings.cash, [0.0, 800.0 - 250.0])
    never = fill_book(empty(1, 100.0), [BookOrder(0, np.array([1.0, 0.0]), share=1.0)], np.array([np.nan, 1.0]), NO, 0)
    assert never.refused[0, 0]
    assert never.holdings.equity(np.array([np.nan, 1.0])) == pytest.approx(100.0)


def test_portfolios_that_do_not_trade_keep_what_they_have() -> None:
    held = BookHoldings(np.array([[10.0, 0.0], [0.0, 5.0]]), np.array([3.0, 4.0]), 93.0)
    fill = fill_book(held, [BookOrder(0, np.array([0.1, 0.1]), share=0.2)], np.array([10.0, 20.0]), NO, 0.002)
    assert_allclose(fill.holdings.shares[1], [0.0, 5.0])
    assert fill.holdings.cash[1] == 4.0
    after = fill.holdings.equity(np.array([10.0, 20.0]))
    assert after == pytest.approx(300.0 - fill.cost)
    assert_allclose(fill.holdings.shares[0] * [10.0, 20.0], [0.1 * after, 0.1 * after])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 10.0, 50.0]))
def test_one_portfolio_that_owns_everything_is_a_simulation(seed: int, cost_bps: float) -> None:
    rng = np.random.default_rng(seed)
    n, symbols = 12, 3
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.03, (n, symbols)), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, (n, symbols)))
    opened[rng.random((n, symbols)) < 0.1] = np.nan
    index = pd.bdate_range("2025-01-06", periods=n)
    names = list("ABC")
    rows = sorted(rng.choice(np.arange(1, n), 4, replace=False).tolist())
    targets = rng.dirichlet(np.ones(symbols + 1), 4)[:, :symbols]
    expected = simulate(
        pd.DataFrame(close, index, names),
        pd.DataFrame(targets, index[rows], names),
        cost_bps=cost_bps,
        capital=1000.0,
        fill_prices=pd.DataFrame(opened, index, names),
    )
    holdings, equity = empty(1, 1000.0, symbols), []
    for at in range(n):
        if at in rows:
            missing = np.isnan(opened[at])
            prices = np.where(missing, close[at - 1], opened[at])
            order = BookOrder(0, targets[rows.index(at)], share=1.0)
            # What no one held has no last price to be bought or sold at.
            holdings = fill_book(holdings, [order], prices, missing, cost_bps / 1e4).holdings
            assert abs(holdings.idle) < 1e-9
        equity.append(holdings.equity(close[at]))
    assert_allclose(equity, expected.equity, rtol=1e-12)


def test_a_name_that_is_gone_is_written_off_after_five_sessions() -> None:
    index = pd.bdate_range("2025-01-06", periods=9)
    close = pd.DataFrame({"A": [10.0, 12.0, *[np.nan] * 7], "B": [np.nan, np.nan, 5.0, *[np.nan] * 3, 6.0, 7.0, 8.0]},
                         index)  # fmt: skip
    got = write_off(close, -0.3)
    assert_allclose(got["A"], [10.0, 12.0, *[np.nan] * 4, 8.4, 8.4, 8.4])
    assert_allclose(got["B"], close["B"])  # a gap of three is no end, and before its first bar there is nothing
    # It is sold at what is left, and at nothing when nothing is left.
    weights = pd.DataFrame({"A": [1.0, 0.0]}, index[[1, 8]])
    for left, expected in ((-0.3, 70.0), (-1.0, 0.0), (0.0, 100.0)):
        frame = write_off(close[["A"]], left)
        run = simulate(frame, weights, cost_bps=0, capital=100.0, fill_prices=close[["A"]])
        assert_allclose(run.equity.iloc[[1, 5, 6, 8]], [100.0, 100.0, expected, expected], atol=1e-9)
        assert run.cash.iloc[-1] == pytest.approx(expected)


def test_the_best_of_many_trials_by_luck() -> None:
    # N = 2: Z(1/2) = 0 and Z(1 - 1/(2e)) = 0.90045; deviation of (0, 1) is sqrt(1/2).
    assert expected_best_sharpe([0.0, 1.0]) == pytest.approx(0.5**0.5 * 0.5772156649 * 0.9004530, rel=1e-4)
    # N = 10 of unit variance: known to be about 1.57 deviations.
    unit = (np.arange(10) - 4.5) / np.std(np.arange(10), ddof=1)
    assert expected_best_sharpe(unit.tolist()) == pytest.approx(1.5746, abs=2e-3)
    assert expected_best_sharpe([1.0]) == 0.0
    assert expected_best_sharpe([1.0, float("nan")]) == 0.0
    returns = pd.Series(np.random.default_rng(1).normal(0.001, 0.01, 500))
    one, many = deflated_sharpe(returns, [1.5]), deflated_sharpe(returns, [1.5, 0.1, -0.4, 0.9])
    assert 0.0 < many < one < 1.0
