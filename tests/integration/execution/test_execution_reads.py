"""What other rooms read: values of the books, one portfolio's view, early closes, the data plan's limits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session, session_close
from pas_lib.execution import (
    Decision,
    EquityPortfolio,
    Target,
    cancel_open,
    create_plan,
    current_shares,
    current_weights,
    managed_equity,
)

D = date(2026, 1, 30)
E = next_session(D)


def add_price(stage: Any, symbol: str, session: date, close: float, known_at: datetime | None = None) -> None:
    stage.warehouse.execute(
        """insert into raw.prices (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,
                                   is_deleted, symbol, open, high, low, close, volume, currency, split_factor)
           values ('test', %s, %s, %s, '', 'test', %s, false, %s, %s, %s, %s, %s, 1, 'USD', 1)""",
        (session, known_at or session_close(session), datetime.now(UTC), f"{symbol}{session}{close}", symbol,
         close, close, close, close),
    )  # fmt: skip


def test_books_are_worth_what_the_closes_say_as_known_at_the_decision(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.2}})
    add_price(stage, "AAA", E, 110.0)
    add_price(stage, "BBB", D, 50.0)
    add_price(stage, "CCC", E, 20.0)
    # A later correction was not known at the decision time of E.
    add_price(stage, "AAA", E, 999.0, session_close(next_session(E)))
    worth = 196 * Decimal(110) + 196 * Decimal(50) + 980 * Decimal(20) + stage.broker.book.cash
    assert managed_equity(stage.warehouse, E) == worth
    sizing = worth * Decimal("0.98")
    shares = current_shares(stage.warehouse, E)
    assert shares == pytest.approx({"alpha": float(196 * 160 / sizing), "beta": float(980 * 20 / sizing)})
    weights = current_weights(stage.warehouse, E)
    assert weights == pytest.approx(
        {
            ("alpha", "AAA"): float(196 * 110 / sizing),
            ("alpha", "BBB"): float(196 * 50 / sizing),
            ("beta", "CCC"): float(980 * 20 / sizing),
        }
    )


def test_before_anything_was_traded_nothing_is_held(stage: Any) -> None:
    assert current_shares(stage.warehouse, D) == {}
    assert current_weights(stage.warehouse, D) == {}
    assert EquityPortfolio.load("alpha", stage.warehouse).positions == {}


def test_exits_are_priced_from_the_warehouse_when_the_decision_does_not(stage: Any) -> None:
    from pas_lib.execution import Decision, create_plan

    stage.run({"alpha": {"AAA": 0.2}})
    add_price(stage, "AAA", E, 101.0)
    stage.at_evening(E)
    plan = create_plan(
        Decision(E, (), frozenset({"alpha"})), stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway()
    )
    sells = [i for i in plan.intents if i.kind == "order"]
    assert [(i.symbol, i.side, i.qty, i.decision_close) for i in sells] == [("AAA", "sell", Decimal(196), Decimal(101))]


def test_one_portfolio_as_its_owner_sees_it(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}}, shares={"alpha": 0.4})
    book = EquityPortfolio.load("alpha", stage.warehouse)
    prices = {"AAA": Decimal(100), "BBB": Decimal(50)}
    assert book.cash == Decimal(9_800)
    assert book.equity(prices) == Decimal(39_200)
    assert book.weights(prices) == pytest.approx({"AAA": 0.5, "BBB": 0.25})


def test_an_early_close_ends_the_session_early(stage: Any) -> None:
    wednesday, friday = date(2026, 11, 25), date(2026, 11, 27)
    stage.at_evening(wednesday)
    stage.decide({"alpha": {"AAA": 0.2}}, wednesday)
    stage.at_open(friday, minutes=211)  # 13:01 in New York
    assert stage.execute(wednesday).sent == 0
    assert stage.broker_orders() == []


def test_cancelling_by_hand(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_open()
    stage.fault("no_fill", times=2)
    stage.execute()
    assert cancel_open(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway()) == 2
    assert {st for *_, st in stage.broker_orders()} == {"canceled"}
    assert {r["state"] for r in stage.rows("select state from ops.orders")} == {"canceled"}


def test_a_dry_run_stores_no_intent(stage: Any) -> None:
    from pas_lib.execution import Decision, Target, create_plan

    decision = Decision(D, (Target("alpha", "AAA", 0.2, 100.0),), frozenset({"alpha"}))
    draft = create_plan(decision, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), dry_run=True)
    assert not draft.is_new
    assert [i.symbol for i in draft.intents] == ["USD", "AAA"]
    assert stage.rows("select * from ops.intents") == []


def test_a_target_without_a_close_is_refused_and_the_rest_is_planned(stage: Any) -> None:
    decision = Decision(
        session=D, targets=(Target("p", "AAA", 0.1, 100.0), Target("p", "BBB", 0.1, float("nan"))),
        trading=frozenset({"p"}),
    )  # fmt: skip
    plan = create_plan(decision, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    assert plan.managed_equity == Decimal(100_000)
    assert [(i.kind, i.symbol) for i in plan.intents] == [("funding", "USD"), ("order", "AAA")]
    assert [(r.symbol, r.code) for r in plan.refusals] == [("BBB", "NO_PRICE")]
