"""Splits, dividends, renames and delistings: the books follow the broker, the intents follow the books."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pas_lib.clock import next_session

D = date(2026, 1, 30)
E = next_session(D)
F = next_session(E)


def test_a_split_between_decision_and_open_scales_holdings_intents_and_guards(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.1}, "beta": {"AAA": 0.05}}, E)
    stage.action("AAA", "split", F, ratio=4.0)
    stage.world.opens[("AAA", F)] = 25.0
    stage.at_open(F)
    report = stage.execute(E)
    assert report.problems == ()
    # 196 shares became 784; half was to be sold, half of that crossed to beta.
    assert stage.holdings() == {("alpha", "AAA"): Decimal(392), ("beta", "AAA"): Decimal(196)}
    assert [(s, d, q) for _, s, d, q, _ in stage.broker_orders()[1:]] == [("AAA", "sell", "196")]
    costs = {r["book"]: r["cost_basis"] for r in stage.rows("select * from ops.positions")}
    assert costs == {"alpha": Decimal(9800), "beta": Decimal(4900)}
    stage.assert_books_are_the_brokers()


def test_a_dividend_goes_to_the_books_that_held_the_stock_to_the_cent(stage: Any) -> None:
    stage.run({"alpha": {"CCC": 0.1}, "beta": {"CCC": 0.05}})
    before = stage.cash()
    stage.action("CCC", "dividend", F, amount=0.137)
    stage.at_evening(F)
    stage.decide({"gamma": {"AAA": 0.1}}, F)
    after = stage.cash()
    # 735 shares x 0.137 = 100.695, paid as 100.70 (half up), two thirds of it to alpha.
    assert after["alpha"] - before["alpha"] == Decimal("67.133333333")
    assert after["beta"] - before["beta"] == Decimal("33.566666667")
    assert after["CASH"] == before["CASH"]
    stage.assert_books_are_the_brokers()


def test_a_rename_moves_the_holding_and_its_cost(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.action("AAA", "rename", F, new_symbol="NEW")
    stage.world.prices["NEW"] = 100.0
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.1}}, E)
    stage.at_open(F)
    report = stage.execute(E)
    assert report.problems == ()
    assert stage.holdings() == {("alpha", "NEW"): Decimal(98)}
    assert [(s, d, q) for _, s, d, q, _ in stage.broker_orders()[1:]] == [("NEW", "sell", "98")]
    stage.assert_books_are_the_brokers()


def test_a_delisting_pays_out_and_a_bankruptcy_does_not(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.action("AAA", "delisting", F, amount=101.5)
    stage.action("BBB", "delisting", F, amount=0.0)
    stage.at_evening(F)
    stage.decide({"beta": {"CCC": 0.1}}, F)
    assert stage.holdings() == {}
    assert stage.cash()["alpha"] == 196 * Decimal("101.5")
    gone = stage.rows("select symbol, qty, notional, realized_pnl from ops.trades where kind = 'removal' order by 1")
    assert [tuple(r.values()) for r in gone] == [
        ("AAA", Decimal(196), Decimal(19_894), Decimal(294)), ("BBB", Decimal(196), Decimal(0), Decimal(-9_800)),
    ]  # fmt: skip
    assert stage.state() == "ACTIVE"
    stage.assert_books_are_the_brokers()


def test_a_deposit_goes_to_cash_and_into_the_next_sizing(stage: Any) -> None:
    import requests

    stage.run({"alpha": {"AAA": 0.2}})
    requests.post(f"{stage.url}/sandbox/broker-cash", json={"amount": "10000"}, timeout=5)
    stage.at_evening(E)
    plan = stage.decide({"alpha": {"AAA": 0.2}}, E)
    assert plan.managed_equity == Decimal(110_000)
    stage.assert_books_are_the_brokers()


def test_a_restarted_broker_knows_its_account(stage: Any) -> None:
    from pas_lib.sandbox.broker_book import Book

    stage.run({"alpha": {"AAA": 0.2}})
    again = Book(stage.world, stage.clock, stage.state_dir)
    assert again.meta("account_number") == stage.broker.book.meta("account_number")
    assert again.cash == Decimal("80400")
    assert {s: h.qty for s, h in again.positions().items()} == {"AAA": Decimal(196)}
    assert again.activities() == stage.broker.book.activities()
    again.close()
