"""Rows of the feed that belong together and arrive one after the other."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.execution.conftest import D, E

E2 = date(2026, 2, 3)


@pytest.mark.parametrize(
    ("kind", "more", "symbol", "qty"),
    [("split", {"ratio": 2.0}, "AAA", Decimal(392)), ("rename", {"new_symbol": "NEW"}, "NEW", Decimal(196))],
)
def test_half_a_split_is_not_booked_before_its_other_half_is_there(
    stage: Any, monkeypatch: pytest.MonkeyPatch, kind: str, more: dict[str, Any], symbol: str, qty: Decimal
) -> None:
    stage.run({"p": {"AAA": 0.2}}, D)
    stage.action("AAA", kind, E2, **more)
    if symbol == "NEW":
        stage.world.prices["NEW"] = stage.world.prices["AAA"]
    whole = stage.broker.book.activities

    def first_half() -> list[dict[str, Any]]:
        rows = whole()
        return rows[:-1] if len(rows) > 2 else rows

    stage.at_evening(E2)
    with monkeypatch.context() as patched:
        patched.setattr(stage.broker.book, "activities", first_half)
        stage.decide({"p": {symbol: 0.2}}, E)
    stage.decide({"p": {symbol: 0.2}}, E2)
    assert stage.holdings() == {("p", symbol): qty}
    costs = stage.rows("select book, cost_basis from ops.positions")
    assert costs == [{"book": "p", "cost_basis": Decimal(19_600)}]
    stage.assert_books_are_the_brokers()
