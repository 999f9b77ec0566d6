"""The circuit breaker: losses stop buying, a deep fall stops everything, deposits are no gains, a person resets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pas_lib import clock as calendar
from pas_lib.execution import set_state, snapshot_account
from tests.integration.execution.conftest import D, E


def evening(stage: Any, session: date, prices: dict[str, float] | None = None) -> str:
    stage.world.prices |= prices or {}
    stage.at_evening(session)
    snapshot_account(session, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    return stage.state()


def reason(stage: Any) -> str:
    return stage.rows("select reason from ops.trading_state order by state_id desc limit 1")[0]["reason"]


def invested(stage: Any) -> date:
    """Half of the account in AAA; returns the next session."""
    stage.settings = stage.settings.model_copy(update={"max_order_notional": 60_000.0})
    evening(stage, D)
    stage.run({"p": {"AAA": 0.5}}, D)
    assert evening(stage, E) == "ACTIVE"
    return calendar.next_session(E)


def test_a_bad_day_stops_buying_until_a_person_has_looked(stage: Any) -> None:
    day = invested(stage)
    assert evening(stage, day, {"AAA": 89.0}) == "REDUCING"  # 490 shares x 11 of 100,000
    assert reason(stage) == "circuit breaker: daily loss 5.39% has reached 5.00%"
    stage.decide({"p": {"AAA": 0.3, "BBB": 0.2}}, day)
    day = calendar.next_session(day)
    stage.at_open(day)
    report = stage.execute(calendar.previous_session(day))
    assert {(o.symbol, o.side) for o in report.orders} == {("AAA", "sell")}
    assert [(r.symbol, r.code) for r in report.refusals] == [("BBB", "TRADING_STATE")]
    # A quiet day does not raise it; a person does, and is not overruled for the loss that was seen.
    assert evening(stage, day) == "REDUCING"
    day = calendar.next_session(day)
    stage.at_open(day)
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="seen")
    assert evening(stage, day) == "ACTIVE"


def test_a_fall_in_small_steps_halts(stage: Any) -> None:
    day = invested(stage)
    price, state = 100.0, "ACTIVE"
    while state == "ACTIVE":
        price *= 0.93
        state = evening(stage, day, {"AAA": price})
        day = calendar.next_session(day)
    assert state == "HALTED"
    equity = stage.rows("select managed_equity from ops.account_metrics order by session")
    assert equity[-1]["managed_equity"] <= Decimal(80_000) < equity[-2]["managed_equity"]
    # After a person's word the peak is what that person saw.
    stage.at_open(day)
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="seen")
    assert evening(stage, day, {"AAA": price * 0.97}) == "ACTIVE"


def test_money_that_comes_and_goes_is_neither_gain_nor_loss(stage: Any) -> None:
    day = invested(stage)
    stage.clock.at = calendar.session_close(day)
    stage.broker.book.move_cash(Decimal(-40_000))
    assert evening(stage, day) == "ACTIVE"
    # A deposit of the week-end counts when it is seen.
    day = calendar.next_session(day)
    stage.at_evening(day)
    stage.broker.book.move_cash(Decimal(90_000))
    assert evening(stage, day, {"AAA": 92.0}) == "REDUCING"  # 490 x 8 of 60,000 is 6.5 %


def test_what_people_trade_by_hand_is_not_the_systems_loss(stage: Any) -> None:
    day = invested(stage)
    stage.at_open(day)
    stage.by_hand("CCC", "buy", "1000")
    stage.at_evening(day)
    assert evening(stage, day) == "ACTIVE"
    assert evening(stage, calendar.next_session(day), {"CCC": 10.0}) == "ACTIVE"
