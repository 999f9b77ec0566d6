"""A symbol that has not traded yet is waited for; a book that paid more than planned is settled from CASH."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from pas_lib.clock import next_session, session_close, session_open
from pas_lib.execution import snapshot_account
from tests.integration.execution.conftest import E

F = next_session(E)


def test_a_symbol_that_trades_minutes_after_the_open_is_waited_for_while_the_rest_goes_out(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.world.late["AAA", E] = 4
    stage.clock.at = session_open(E)
    report = stage.execute(gateway=stage.gateway_that_passes_time())
    assert report.refusals == ()
    assert {o.symbol: (o.state, o.attempt) for o in report.orders} == {"AAA": ("filled", 1), "BBB": ("filled", 1)}
    orders = stage.broker.book.orders()
    assert [o["symbol"] for o in orders] == ["BBB", "AAA"]
    # BBB went out at once, AAA when it had a price: 24 looks, ten seconds apart.
    assert stage.clock.at == session_open(E) + timedelta(minutes=4)
    assert stage.naps.count(10.0) == 24
    stage.assert_books_are_the_brokers()


def test_waiting_ends_with_a_denial_and_a_later_call_tries_again_until_the_close(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.world.late["AAA", E] = 100
    stage.clock.at = session_open(E)
    report = stage.execute(gateway=stage.gateway_that_passes_time())
    assert stage.clock.at == session_open(E) + timedelta(minutes=15)
    assert {o.symbol: o.state for o in report.orders} == {"AAA": "denied", "BBB": "filled"}
    assert [(r.symbol, r.code) for r in report.refusals] == [("AAA", "NO_PRICE_TODAY")]
    # Once more without a price: nothing new is stored, the reason is told again.
    again = stage.execute()
    assert [(r.symbol, r.code) for r in again.refusals] == [("AAA", "NO_PRICE_TODAY")]
    assert len(again.orders) == 2
    stage.clock.at = session_open(E) + timedelta(minutes=101)
    late = stage.execute()
    assert [(o.symbol, o.attempt, o.state) for o in late.orders] == [
        ("AAA", 1, "denied"), ("AAA", 2, "filled"), ("BBB", 1, "filled"),
    ]  # fmt: skip
    assert stage.execute().sent == 0
    stage.assert_books_are_the_brokers()


def test_after_the_close_a_missing_price_is_final(stage: Any) -> None:
    stage.world.halted.add(("AAA", E))
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.clock.at = session_close(E) - timedelta(seconds=25)
    report = stage.execute(gateway=stage.gateway_that_passes_time())
    assert [(o.state, o.reason.split(":")[0]) for o in report.orders] == [("denied", "NO_PRICE_TODAY")]
    stage.world.halted.clear()
    stage.clock.at = session_close(E) + timedelta(minutes=1)
    assert [o.state for o in stage.execute().orders] == ["denied"]
    assert stage.broker_orders() == []


def test_a_crossing_waits_for_its_price_too(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.at_evening(E)
    stage.decide({"alpha": {}, "beta": {"AAA": 0.2}}, E)
    stage.world.late["AAA", F] = 2
    stage.clock.at = session_open(F)
    report = stage.execute(E, gateway=stage.gateway_that_passes_time())
    assert (report.crosses, report.refusals) == (2, ())
    assert stage.holdings() == {("beta", "AAA"): Decimal(196)}


def test_a_sell_whose_price_comes_late_does_not_hold_up_what_the_cash_allows(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.at_evening(E)
    stage.decide({"alpha": {"BBB": 0.2}}, E)
    stage.world.late["AAA", F] = 2
    stage.clock.at = session_open(F)
    report = stage.execute(E, gateway=stage.gateway_that_passes_time())
    assert [(s, d) for _, s, d, *_ in stage.broker_orders()[1:]] == [("BBB", "buy"), ("AAA", "sell")]
    assert {o.symbol: o.filled_qty for o in report.orders} == {"AAA": Decimal(196), "BBB": Decimal(392)}
    stage.assert_books_are_the_brokers()


def test_what_fills_cost_above_the_decision_close_comes_from_the_cash_book(stage: Any) -> None:
    stage.world.opens["AAA", E] = 101.0
    stage.run({"alpha": {"AAA": 0.2}, "beta": {"BBB": 0.1}})
    # 196 shares at 101 instead of 100: 196 USD more than alpha was given.
    assert stage.cash() == {"CASH": Decimal(100_000 - 19_600 - 9_800 - 196), "alpha": Decimal(0), "beta": Decimal(0)}
    rows = stage.rows(
        "select txn_id, book, amount, session from ops.ledger_entries where memo = 'fills above the decision close'"
        " order by amount"
    )
    assert [(r["book"], r["amount"], r["session"]) for r in rows] == [
        ("CASH", Decimal(-196), E), ("alpha", Decimal(196), E),
    ]  # fmt: skip
    assert stage.execute().sent == 0
    assert stage.cash()["alpha"] == 0
    stage.assert_books_are_the_brokers()


def test_a_book_is_settled_in_the_evening_when_its_orders_expire(stage: Any) -> None:
    stage.world.opens["AAA", E] = 101.0
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_open()
    stage.fault("no_fill", symbol="BBB")
    stage.execute()
    # BBB is still open: alpha keeps the money it was given for it.
    assert stage.cash()["alpha"] == Decimal(9_800 - 196)
    stage.at_evening(E)
    snapshot_account(E, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    assert stage.cash()["alpha"] == Decimal(9_800 - 196)
    stage.assert_books_are_the_brokers()


def test_cash_that_is_not_there_is_not_given(stage: Any) -> None:
    stage.settings = stage.settings.model_copy(update={"cash_buffer": 0.0})
    stage.world.opens["AAA", E] = 105.0
    stage.decide({"alpha": {"AAA": 0.9}})
    stage.by_hand("CCC", "buy", "250")  # 5,000 USD of CASH go to EXTERNAL
    stage.at_open()
    stage.execute()
    cash = stage.cash()
    # 900 shares at 105 cost 94,500; 90,000 were given, CASH has 5,000 left; a half per cent of the cash stays unspent.
    assert cash["alpha"] + cash["CASH"] == stage.broker.book.cash
    assert min(cash.values()) >= 0
    stage.assert_books_are_the_brokers()
