"""From targets to positions through the real client, the paper broker and the store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session, session_open
from pas_lib.errors import GuardError, OrderError

D = date(2026, 1, 30)
E = next_session(D)


def test_first_basket_fills_and_books_agree_with_the_broker(stage: Any) -> None:
    report = stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.2}})
    assert report.is_complete
    assert report.problems == ()
    assert report.sent == 3
    assert {(o.portfolio_id, o.symbol, o.side, o.qty, o.state) for o in report.orders} == {
        ("alpha", "AAA", "buy", Decimal(196), "filled"),
        ("alpha", "BBB", "buy", Decimal(196), "filled"),
        ("beta", "CCC", "buy", Decimal(980), "filled"),
    }
    assert stage.holdings() == {
        ("alpha", "AAA"): Decimal(196), ("alpha", "BBB"): Decimal(196), ("beta", "CCC"): Decimal(980),
    }  # fmt: skip
    # Funding brought each book to its share of 98,000; the fills then used it up.
    assert stage.cash() == {"CASH": Decimal(51_000), "alpha": Decimal(0), "beta": Decimal(0)}
    stage.assert_books_are_the_brokers()


def test_second_execute_sends_nothing(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    before = stage.broker_orders()
    again = stage.execute()
    assert again.sent == 0
    assert stage.broker_orders() == before
    assert len(stage.rows("select * from ops.trades")) == 1


def test_stored_intents_are_never_recomputed(stage: Any) -> None:
    first = stage.decide({"alpha": {"AAA": 0.2}})
    second = stage.decide({"alpha": {"BBB": 0.9}})
    assert first.is_new
    assert not second.is_new
    assert second.plan_hash == first.plan_hash
    assert [i.symbol for i in second.intents] == ["USD", "AAA"]


def test_orders_wait_for_the_open(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    with pytest.raises(GuardError, match="has not opened yet"):
        stage.execute()
    assert stage.broker_orders() == []


def test_without_a_plan_nothing_is_executed(stage: Any) -> None:
    stage.at_open(E)
    with pytest.raises(OrderError, match="nothing is planned"):
        stage.execute()


def test_after_the_close_intents_have_expired(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_evening(E)
    report = stage.execute()
    assert report.sent == 0
    assert stage.broker_orders() == []


def test_sells_go_before_buys_and_pay_for_them(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.2}})
    report = stage.run({"alpha": {"CCC": 0.2, "BBB": 0.1}}, E)
    sent = [(symbol, side) for _, symbol, side, _, _ in stage.broker_orders()[2:]]
    assert sent == [("AAA", "sell"), ("BBB", "sell"), ("CCC", "buy")]
    assert report.is_complete
    stage.assert_books_are_the_brokers()


def test_opposite_wishes_are_crossed_at_the_official_open(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}, "beta": {"BBB": 0.1}})
    stage.world.opens[("AAA", next_session(E))] = 104.0
    report = stage.run({"alpha": {"AAA": 0.1}, "beta": {"AAA": 0.05}}, E)
    crosses = stage.rows(
        "select portfolio_id, side, qty, price, executed_at from ops.trades where kind = 'cross' order by side"
    )
    assert [(c["portfolio_id"], c["side"], c["qty"], c["price"]) for c in crosses] == [
        ("beta", "buy", Decimal(49), Decimal(104)), ("alpha", "sell", Decimal(49), Decimal(104)),
    ]  # fmt: skip
    assert crosses[0]["executed_at"] == session_open(next_session(E))
    # What remains points one way: only sells of AAA reached the broker.
    assert [(s, d, q) for _, s, d, q, _ in stage.broker_orders()[2:]] == [("AAA", "sell", "49"), ("BBB", "sell", "196")]
    assert report.crosses == 2
    stage.assert_books_are_the_brokers()


def test_internal_crossing_avoids_a_wash_trade_rejection(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    report = stage.run({"alpha": {}, "beta": {"AAA": 0.2}}, E)
    assert report.problems == ()
    assert len(stage.broker_orders()) == 1
    assert stage.holdings() == {("beta", "AAA"): Decimal(196)}


def test_a_portfolio_that_does_not_trade_drifts(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}, "beta": {"BBB": 0.1}})
    stage.run({"beta": {"CCC": 0.1}}, E)
    assert stage.holdings()[("alpha", "AAA")] == Decimal(196)
