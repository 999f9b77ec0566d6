"""Model weights and returns: computed by hand, stored once, never changed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from pas_lib import clock as calendar
from pas_lib.pipeline.model import run_model, store_model, stored_weights
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, FIRST_SIGNAL, MartsWorld, security_id

NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)


def store(warehouse: Warehouse, session: date) -> tuple[int, int]:
    run = run_model(warehouse, session, cost_bps=10.0)
    with warehouse.connect() as conn:
        return store_model(conn, run, now=NOW, live=True)


@pytest.fixture
def warehouse(marts: Warehouse) -> Warehouse:
    return marts


def test_weights_of_every_rebalance_session_by_hand(warehouse: Warehouse) -> None:
    world = MartsWorld()
    run = run_model(warehouse, DECISION, cost_bps=10.0)

    weekly = [day for day in calendar.sessions(FIRST_SIGNAL, DECISION) if calendar.is_week_end(day)]
    assert [one.session for one in run.weights["congress_aggregate"]] == weekly
    assert len(run.weights["wiki_attention"]) == 3  # November 2025 to January 2026
    for day in (weekly[0], weekly[-1]):
        got = next(one for one in run.weights["congress_aggregate"] if one.session == day)
        assert sorted(got.symbols.values()) == world.expected_names("congress_aggregate", day, 20)
        np.testing.assert_allclose(got.weights.to_numpy(), 0.05)
    latest = run.latest("sector_risk_parity")
    assert latest is not None
    assert sorted(latest.symbols.values()) == world.expected_names("sector_risk_parity", DECISION, 3)
    assert latest.weights.sum() == pytest.approx(1.0)
    assert run.is_due("wiki_attention")


def test_returns_fill_at_the_next_open_and_pay_costs(warehouse: Warehouse) -> None:
    world = MartsWorld()
    opened, close = world.prices()
    run = run_model(warehouse, DECISION, cost_bps=10.0)

    returns = run.returns["congress_aggregate"]
    first = calendar.next_session(FIRST_SIGNAL)
    assert returns.first_valid_index() == pd.Timestamp(first)
    names = world.expected_names("congress_aggregate", FIRST_SIGNAL, 20)
    growth = (close.loc[pd.Timestamp(first), names] / opened.loc[pd.Timestamp(first), names]).mean()
    # The whole capital is bought once, and the cost of it comes out of it: 1 / (1 + c).
    assert returns.iloc[0] == pytest.approx(growth / 1.001 - 1.0, rel=1e-9)
    second = close.index[close.index.get_loc(pd.Timestamp(first)) + 1]
    value = (close.loc[second, names] / opened.loc[pd.Timestamp(first), names]).mean()
    assert returns.loc[second] == pytest.approx(value / growth - 1.0, rel=1e-9)
    assert returns.index[-1] == pd.Timestamp(DECISION)


def test_the_second_run_has_nothing_new(warehouse: Warehouse) -> None:
    weights, returns = store(warehouse, DECISION)
    assert weights > 400
    assert returns == sum(run_model(warehouse, DECISION, cost_bps=10.0, recompute=True).returns.notna().sum())
    assert store(warehouse, DECISION) == (0, 0)


def test_a_stored_decision_never_changes_when_late_rows_arrive(warehouse: Warehouse) -> None:
    store(warehouse, DECISION)
    before = stored_weights(warehouse, DECISION)["congress_aggregate"][-1].by_symbol()
    with warehouse.connect() as conn:
        conn.execute("update marts.signals set rank = 31 - rank, score = 1 + rank")
    after = run_model(warehouse, DECISION, cost_bps=10.0)
    assert after.new_weights == ()
    latest = after.latest("congress_aggregate")
    assert latest is not None
    pd.testing.assert_series_equal(latest.by_symbol(), before)
    changed = run_model(warehouse, DECISION, cost_bps=10.0, recompute=True).latest("congress_aggregate")
    assert changed is not None
    assert set(changed.symbols.values()) != set(before.index)


def test_the_next_session_adds_only_itself(warehouse: Warehouse) -> None:
    store(warehouse, DECISION)
    later = date(2026, 2, 2)
    MartsWorld(end=later).write(warehouse)
    assert store(warehouse, later) == (0, 4)  # a Monday: no rebalance, one return for each of four portfolios
    whole = run_model(warehouse, later, cost_bps=10.0, recompute=True)
    pieces = run_model(warehouse, later, cost_bps=10.0)
    pd.testing.assert_frame_equal(pieces.returns, whole.returns, check_like=True)
    for key, drifted in whole.drifted.items():
        pd.testing.assert_series_equal(pieces.drifted[key], drifted)


def test_rows_of_the_future_change_nothing(warehouse: Warehouse) -> None:
    plain = run_model(warehouse, DECISION, cost_bps=10.0)
    MartsWorld(end=date(2026, 2, 27)).write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("update marts.daily_returns set adj_close = 1e6, ret = 9 where session > %s", (DECISION,))
        conn.execute("update marts.signals set score = 1e9 where session > %s", (DECISION,))
    poisoned = run_model(warehouse, DECISION, cost_bps=10.0)
    pd.testing.assert_frame_equal(plain.returns, poisoned.returns)
    for key, items in plain.weights.items():
        assert [one.session for one in items] == [one.session for one in poisoned.weights[key]]
        if items:
            pd.testing.assert_series_equal(items[-1].weights, poisoned.weights[key][-1].weights, atol=1e-9)


def test_old_data_keeps_the_previous_weights_and_says_so(warehouse: Warehouse) -> None:
    store(warehouse, DECISION)
    stale = date(2026, 2, 6)
    MartsWorld(end=stale, fresh_until=DECISION).write(warehouse)
    run = run_model(warehouse, stale, cost_bps=10.0)
    momentum, congress = run.latest("volatility_momentum"), run.latest("congress_aggregate")
    assert momentum is not None
    assert momentum.is_stale
    assert momentum.note.startswith("stale: prices is 7.")
    before = next(one for one in run.weights["volatility_momentum"] if one.session == DECISION)
    pd.testing.assert_series_equal(momentum.weights, before.weights)
    assert congress is not None
    assert not congress.is_stale  # a week is within the tolerance of disclosures
    # Nobody trades on it, in the model as in the book: what is held drifts.
    monday = calendar.next_session(stale)
    MartsWorld(end=monday, fresh_until=DECISION).write(warehouse)
    turned = {
        key: frame["turnover"].loc[pd.Timestamp(monday)]
        for key, frame in run_model(warehouse, monday, cost_bps=10.0).new_returns.items()
    }
    assert turned["volatility_momentum"] == 0.0
    assert turned["congress_aggregate"] > 0.0


def test_a_session_in_cash_is_a_stored_decision_too(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        conn.execute("update marts.signals set score = -1 where strategy = 'wiki_attention'")
    store(warehouse, DECISION)
    rows = warehouse.rows(
        "select distinct symbol, weight, note from ops.model_weights where portfolio_id = 'wiki_attention'"
    )
    assert rows == [{"symbol": "CASH", "weight": 1.0, "note": "0 of 10 names; 100.0% held in cash"}]
    again = run_model(warehouse, DECISION, cost_bps=10.0)
    assert again.new_weights == ()
    assert float(again.returns["wiki_attention"].abs().max()) == 0.0
    assert security_id("S00") == "cik0000000000"
