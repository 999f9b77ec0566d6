"""A second attempt, a store that is away, rounding, and what a denied order leaves behind."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session
from pas_lib.errors import WarehouseUnavailable
from pas_lib.execution import execute
from pas_lib.execution.steps import Steps
from pas_lib.warehouse import Warehouse

D = date(2026, 1, 30)
E = next_session(D)


def test_the_attempt_number_rises_only_after_a_final_state_and_only_when_asked(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_open()
    stage.fault("reject", symbol="AAA", message="potential wash trade detected. use complex orders")
    stage.fault("no_fill", symbol="BBB")
    first = stage.execute()
    assert {o.symbol: o.state for o in first.orders} == {"AAA": "rejected", "BBB": "accepted"}
    assert stage.execute().sent == 0
    again = execute(
        D, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), steps=Steps({}), retry=True
    )
    assert [(o.symbol, o.attempt, o.state) for o in again.orders] == [
        ("AAA", 1, "rejected"), ("AAA", 2, "filled"), ("BBB", 1, "accepted"),
    ]  # fmt: skip
    ids = [i for i, *_ in stage.broker_orders()]
    assert [i.split("-")[4] for i in ids] == ["1", "2"]
    stage.assert_books_are_the_brokers()


def test_a_denied_order_is_stored_with_its_reason(stage: Any) -> None:
    stage.world.opens[("AAA", E)] = 79.0
    report = stage.run({"alpha": {"AAA": 0.1}})
    assert report.is_complete
    row = stage.rows("select state, reason, sent_at, broker_order_id from ops.orders")
    assert row == [
        {
            "state": "denied", "sent_at": None, "broker_order_id": None,
            "reason": "PRICE_MOVED: the price is further from the last close than PAS_MAX_PRICE_MOVE allows",
        }
    ]  # fmt: skip
    assert stage.broker_orders() == []


def test_without_its_store_nothing_is_planned_or_sent(stage: Any, tmp_path: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    away = Warehouse(f"postgresql:///pas?host={tmp_path}")
    with pytest.raises(WarehouseUnavailable):
        execute(D, stage.settings, stage.clock, away, gateway=stage.gateway(), steps=Steps({}))
    assert stage.broker_orders() == []


def test_cents_lost_to_the_brokers_rounding_are_booked_not_feared(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.05, "BBB": 0.05, "CCC": 0.05, "BRK.B": 0.05}})
    stage.broker.book._set_meta("cash", str(stage.broker.book.cash - Decimal("0.015")))
    report = stage.execute()
    assert report.state == "ACTIVE"
    assert report.reconciliation is not None
    assert report.reconciliation.is_clean
    booked = stage.rows("select amount from ops.ledger_entries where kind = 'rounding' and book = 'CASH'")
    assert len(booked) == 1
    assert Decimal("-0.02") <= booked[0]["amount"] < 0
    # The same again without a further fill is a difference.
    stage.broker.book._set_meta("cash", str(stage.broker.book.cash - Decimal("0.03")))
    assert stage.execute().state == "REDUCING"


def test_two_executions_at_once_are_one(stage: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.1}})
    stage.at_open()
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: stage.execute(), range(2)))
    assert sorted(r.sent for r in reports) == [0, 3]
    assert len(stage.broker_orders()) == 3
    stage.assert_books_are_the_brokers()


def test_no_secret_reaches_the_store(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("error", times=50)
    stage.execute()
    for table in ("orders", "order_events", "trading_state", "reconciliations"):
        assert "sandbox-secret" not in str(stage.rows(f"select * from ops.{table}"))
