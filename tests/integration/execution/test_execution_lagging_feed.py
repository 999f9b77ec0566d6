"""Fills the broker has made and its feed does not show yet: nothing is planned on books that lack them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pas_lib.errors import BrokerError
from pas_lib.execution import adopt
from tests.integration.execution.conftest import D, E


def test_a_fill_that_is_not_booked_yet_is_not_bought_again(stage: Any) -> None:
    stage.decide({"p": {"AAA": 0.2}}, D)
    stage.at_open()
    stage.fault("hidden_rows", times=1000)
    report = stage.execute(D)
    assert [o.state for o in report.orders] == ["filled"]
    assert stage.holdings() == {}
    stage.at_evening(E)
    with pytest.raises(BrokerError, match="1 fill is not in the broker's activities yet"):
        stage.decide({"p": {"AAA": 0.2}}, E)
    assert stage.rows("select session from ops.order_plans") == [{"session": D}]
    # Once the feed shows it the plan is made, and there is nothing to buy.
    stage.broker.faults.clear()
    plan = stage.decide({"p": {"AAA": 0.2}}, E)
    assert plan.managed_equity == Decimal(100_000)
    assert [i.kind for i in plan.intents] == []
    assert stage.holdings() == {("p", "AAA"): Decimal(196)}


def test_a_fill_that_is_not_booked_yet_is_not_adopted_as_somebody_elses(stage: Any) -> None:
    stage.decide({"p": {"AAA": 0.2}}, D)
    stage.at_open()
    stage.fault("hidden_rows", times=1000)
    stage.execute(D)
    words = {"who": "ann", "reason": "tidy up"}
    with pytest.raises(BrokerError, match="the books are not complete"):
        adopt(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), **words)
    stage.broker.faults.clear()
    answer = adopt(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), **words)
    assert answer == "books and broker agree already"
    assert stage.holdings() == {("p", "AAA"): Decimal(196)}
    stage.assert_books_are_the_brokers()
