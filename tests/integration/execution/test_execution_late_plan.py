"""A plan that is made late, on the morning of the execution session: it still is a plan of the evening before."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pas_lib import clock as calendar
from tests.integration.execution.conftest import D, E

E2 = date(2026, 2, 3)


def next_morning(stage: Any) -> None:
    """Two hours before the open: what happens at midnight is in the books already."""
    stage.clock.at = calendar.session_open(E2) - timedelta(hours=2)


def orders(stage: Any) -> dict[tuple[str, str, str], Decimal]:
    found = stage.rows("select portfolio_id, symbol, side, filled_qty from ops.orders where session = %s", (E,))
    return {(r["portfolio_id"], r["symbol"], r["side"]): r["filled_qty"] for r in found}


@pytest.mark.parametrize("late", [False, True])
def test_a_split_of_the_morning_does_not_count_in_a_plan_of_the_evening(stage: Any, late: bool) -> None:
    stage.run({"p": {"AAA": 0.2, "BBB": 0.2}}, D)
    stage.at_evening(E)
    stage.action("AAA", "split", E2, ratio=2.0)
    if late:
        next_morning(stage)
    plan = stage.decide({"p": {"AAA": 0.1, "BBB": 0.3}}, E)
    stage.world.prices["AAA"] = 50.0
    assert plan.managed_equity == Decimal(100_000)
    stage.at_open(E2)
    report = stage.execute(E)
    assert report.reconciliation is not None
    assert report.reconciliation.is_clean
    assert orders(stage) == {("p", "AAA", "sell"): Decimal(196), ("p", "BBB", "buy"): Decimal(196)}
    assert stage.holdings() == {("p", "AAA"): Decimal(196), ("p", "BBB"): Decimal(588)}


@pytest.mark.parametrize("late", [False, True])
def test_a_rename_of_the_morning_leaves_the_plan_as_it_was(stage: Any, late: bool) -> None:
    stage.run({"p": {"AAA": 0.2, "BBB": 0.2}}, D)
    stage.at_evening(E)
    stage.action("AAA", "rename", E2, new_symbol="NEW")
    if late:
        next_morning(stage)
        stage.world.gone.add("AAA")
        stage.world.prices["NEW"] = stage.world.prices["AAA"]
    plan = stage.decide({"p": {"AAA": 0.1, "BBB": 0.3}}, E, closes={"AAA": 100.0})
    assert plan.refusals == ()
    stage.world.prices["NEW"] = stage.world.prices["AAA"]
    stage.at_open(E2)
    report = stage.execute(E)
    assert report.reconciliation is not None
    assert report.reconciliation.is_clean
    assert orders(stage) == {("p", "NEW", "sell"): Decimal(98), ("p", "BBB", "buy"): Decimal(196)}
    assert stage.holdings() == {("p", "NEW"): Decimal(98), ("p", "BBB"): Decimal(588)}


def test_a_dividend_of_the_morning_is_not_counted_beside_the_close_that_contains_it(stage: Any) -> None:
    stage.run({"p": {"AAA": 0.2}}, D)
    stage.action("AAA", "dividend", E2, amount=2.0)
    next_morning(stage)
    plan = stage.decide({"p": {"AAA": 0.2}}, E)
    assert plan.managed_equity == Decimal(100_000)
    stage.assert_books_are_the_brokers()
    stage.at_evening(E2)
    assert stage.decide({"p": {"AAA": 0.2}}, E2).managed_equity == Decimal(100_392)


def test_books_opened_in_the_morning_are_sized_on(stage: Any) -> None:
    stage.clock.at = calendar.session_open(E) - timedelta(hours=2)
    plan = stage.decide({"p": {"AAA": 0.2}}, D)
    assert plan.managed_equity == Decimal(100_000)
    stage.at_open()
    assert stage.execute(D).fills == 1
