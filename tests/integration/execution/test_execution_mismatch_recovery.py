"""An order at the broker that is not what was meant: once a person has looked, trading goes on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pas_lib import clock as calendar
from pas_lib.execution import set_state
from tests.integration.execution.conftest import D, E


def test_a_reset_after_a_foreign_order_lasts(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}}, D)
    stage.at_open()
    stage.fault("wrong_order", symbol="AAA")
    assert stage.execute(D).state == "HALTED"
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="known, kept")
    stage.at_evening(E)
    plan = stage.decide({"alpha": {"AAA": 0.2}}, E)
    assert stage.state() == "ACTIVE"
    assert [(i.side, i.qty) for i in plan.intents if i.kind == "order"] == [("sell", Decimal(196))]
    stage.at_open(calendar.next_session(E))
    assert stage.execute(E).state == "ACTIVE"
    assert stage.holdings() == {("alpha", "AAA"): Decimal(196)}
    stage.assert_books_are_the_brokers()
