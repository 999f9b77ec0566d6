"""What the system before this one got wrong in risk and execution, defect by defect; 24 and 26 have unit tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pas_lib.clock import next_session
from pas_lib.execution import set_state

D = date(2026, 1, 30)
E = next_session(D)


def test_20_limits_and_states_reach_every_order(stage: Any) -> None:
    stage.settings = stage.settings.model_copy(update={"max_order_notional": 5_000.0, "max_session_turnover": 0.11})
    report = stage.run({"alpha": {"AAA": 0.2, "BBB": 0.2, "CCC": 0.2}})
    values = [o.qty * o.open_price for o in report.orders if o.state == "filled"]
    assert values == [Decimal(5_000), Decimal(5_000)]
    assert {r.code for r in report.refusals} == {"MAX_ORDER_NOTIONAL", "MAX_SESSION_TURNOVER"}
    set_state(stage.warehouse, stage.clock, "HALTED", who="ann", reason="drill")
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.1}}, E)
    stage.at_open(next_session(E))
    halted = stage.execute(E)
    assert halted.sent == 0
    assert halted.orders == ()
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="drill over")
    assert stage.execute(E).sent > 0


def test_20_a_halt_cancels_what_is_open(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("no_fill")
    assert stage.execute().orders[0].state == "accepted"
    set_state(stage.warehouse, stage.clock, "HALTED", who="ann", reason="drill")
    assert stage.execute().orders[0].state == "canceled"
    assert [st for *_, st in stage.broker_orders()] == ["canceled"]


def test_21_what_was_bought_can_be_sold(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.02}})
    report = stage.run({"alpha": {"AAA": 0.01}}, E)
    assert [(o.side, o.qty, o.state) for o in report.orders] == [("sell", Decimal("9.8"), "filled")]


def test_22_a_submission_without_a_price_is_no_crash_and_no_fill(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("no_fill")
    report = stage.execute()
    assert [(o.state, o.filled_avg_price) for o in report.orders] == [("accepted", None)]
    assert stage.rows("select * from ops.trades") == []
    assert stage.holdings() == {}


def test_22_shortfall_is_measured_from_close_open_and_fill(stage: Any) -> None:
    stage.world.opens[("AAA", E)] = 103.0
    stage.run({"alpha": {"AAA": 0.2}})
    row = stage.rows("select decision_close, open_price, price, activity_id from ops.trades")[0]
    assert (row["decision_close"], row["open_price"], row["price"]) == (Decimal(100), Decimal(103), Decimal(103))
    assert "::" in row["activity_id"]


def test_23_the_same_day_again_sends_the_same_ids(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    first = stage.broker_orders()
    # Everything we know about sending is lost, the intents are not.
    stage.warehouse.execute("update ops.orders set state = 'planned', broker_order_id = null, filled_qty = 0")
    again = stage.execute()
    assert stage.broker_orders() == first
    assert [o.state for o in again.orders] == ["filled"]
    assert len(stage.rows("select * from ops.trades")) == 1


def test_25_many_portfolios_share_one_account(stage: Any) -> None:
    stage.run({f"p{i}": {"AAA": 0.1, "CCC": 0.05} for i in range(6)})
    assert stage.broker.book.cash > 0
    equity, held = stage.broker.book.equity()
    assert held <= Decimal("0.98") * equity
    assert sum(stage.cash().values()) == stage.broker.book.cash


def test_25_cash_is_not_bought_after_a_restart(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    report = stage.run({"alpha": {"AAA": 0.2}}, E)
    assert report.orders == ()
    assert {s for _, s in stage.holdings()} == {"AAA"}
