"""Limit orders: the tick, the collar, and what becomes of one that does not fill.

A replacement is a cancellation that the broker has confirmed, and a new attempt for what is left: whatever happens on
the way, the shares bought are those that were meant, once.
"""

from __future__ import annotations

import signal
from decimal import Decimal
from typing import Any

import pytest
import requests

from pas_lib.clock import next_session
from tests.integration.execution.conftest import D, E, Stage
from tests.integration.execution.test_execution_kill import run_process


@pytest.fixture
def limits(stage: Stage) -> Stage:
    stage.settings = stage.settings.model_copy(update={"order_type": "limit", "limit_collar_bps": 50.0})
    stage.world.prices["PNY"] = 0.87
    return stage


def begin(stage: Stage, weights: dict[str, dict[str, float]] | None = None) -> None:
    stage.decide(weights or {"alpha": {"AAA": 0.2}})
    stage.at_open()


def sent(stage: Stage) -> list[tuple[str, str, str | None, str, str]]:
    return [(o["symbol"], o["qty"], o["limit_price"], o["filled_qty"], o["status"]) for o in stage.broker.book.orders()]


def stored(stage: Stage) -> list[tuple[int, str, Decimal, Decimal | None]]:
    rows = stage.rows("select attempt, state, filled_qty, limit_price from ops.orders order by symbol, attempt")
    return [(r["attempt"], r["state"], r["filled_qty"], r["limit_price"]) for r in rows]


def test_limits_lie_on_the_tick_and_fractions_go_out_for_the_day(limits: Stage) -> None:
    limits.world.opens[("AAA", E)] = 100.01
    begin(limits, {"alpha": {"AAA": 0.2, "PNY": 0.1}})
    report = limits.execute()
    assert report.problems == ()
    # 100.01 + 0.5 % = 100.51005, 0.87 + 0.5 % = 0.87435; 9,800 / 0.87 has no end.
    assert sent(limits) == [
        ("AAA", "196", "100.51", "196", "filled"),
        ("PNY", "11264.367816091", "0.8743", "11264.367816091", "filled"),
    ]
    assert {(o["type"], o["time_in_force"]) for o in limits.broker.book.orders()} == {("limit", "day")}
    assert [row[3] for row in stored(limits)] == [Decimal("100.51"), Decimal("0.8743")]
    limits.assert_books_are_the_brokers()


def test_what_does_not_fill_is_canceled_and_the_rest_sent_with_twice_the_collar(limits: Stage) -> None:
    begin(limits)
    limits.fault("partial_fill", symbol="AAA", fraction=0.25)
    report = limits.execute()
    assert report.is_complete
    assert sent(limits) == [("AAA", "196", "100.5", "49", "canceled"), ("AAA", "147", "101", "147", "filled")]
    assert [o.attempt for o in report.orders] == [1, 2]
    assert "STALE_LIMIT" in report.orders[0].reason
    assert report.fills == 2
    assert limits.holdings() == {("alpha", "AAA"): Decimal(196)}
    assert limits.execute().sent == 0
    limits.assert_books_are_the_brokers()


def test_after_the_last_replacement_it_rests_until_the_close(limits: Stage) -> None:
    begin(limits)
    limits.fault("no_fill", symbol="AAA", times=3)
    report = limits.execute()
    assert [row[2] for row in sent(limits)] == ["100.5", "101", "102"]
    assert [row[4] for row in sent(limits)] == ["canceled", "canceled", "new"]
    assert not report.is_complete
    assert limits.execute().sent == 0
    limits.at_evening(E)
    limits.execute()
    assert [row[1] for row in stored(limits)] == ["canceled", "canceled", "expired"]
    assert limits.state() == "ACTIVE"


def test_a_collar_never_reaches_beyond_the_largest_move(limits: Stage) -> None:
    limits.settings = limits.settings.model_copy(update={"limit_collar_bps": 1500.0})
    begin(limits)
    limits.fault("no_fill", symbol="AAA", times=2)
    limits.execute()
    assert [row[2] for row in sent(limits)] == ["115", "120", "120"]


def test_sells_are_replaced_to_the_end_before_anything_is_bought(limits: Stage) -> None:
    limits.run({"alpha": {"AAA": 0.2}})
    limits.at_evening(E)
    limits.decide({"alpha": {"BBB": 0.2}}, E)
    limits.at_open(next_session(E))
    limits.fault("no_fill", symbol="AAA")
    limits.execute(E)
    assert [(s, lim, st) for s, _, lim, _, st in sent(limits)[1:]] == [
        ("AAA", "99.5", "canceled"), ("AAA", "99", "filled"), ("BBB", "50.25", "filled"),
    ]  # fmt: skip
    limits.assert_books_are_the_brokers()


def test_a_fill_that_wins_the_race_is_not_bought_again(limits: Stage) -> None:
    begin(limits)
    limits.fault("partial_fill", symbol="AAA", fraction=0.25)
    limits.fault("fill_wins")
    report = limits.execute()
    assert sent(limits) == [("AAA", "196", "100.5", "196", "filled")]
    assert report.is_complete
    assert limits.holdings() == {("alpha", "AAA"): Decimal(196)}
    limits.assert_books_are_the_brokers()


@pytest.mark.parametrize("fault", [{"kind": "cancel_ignored"}, {"kind": "error", "status": 503}])
def test_a_lost_cancellation_replaces_nothing_until_it_is_confirmed(limits: Stage, fault: dict[str, Any]) -> None:
    begin(limits)
    limits.fault("no_fill", symbol="AAA")
    limits.fault(**fault, times=100, on="DELETE /v2/orders")
    report = limits.execute()
    assert [row[4] for row in sent(limits)] == ["new"]
    assert any("is not replaced" in problem for problem in report.problems)
    assert limits.state() == "ACTIVE"
    limits.broker.faults.clear()
    report = limits.execute()
    assert [row[4] for row in sent(limits)] == ["canceled", "filled"]
    assert limits.holdings() == {("alpha", "AAA"): Decimal(196)}
    limits.assert_books_are_the_brokers()


@pytest.mark.parametrize(
    "kind",
    [
        "accept_then_error",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("accept_then_cut", "accept_then_garbage")),
    ],
)
def test_a_cancellation_whose_answer_is_lost_is_done_once(limits: Stage, kind: str) -> None:
    begin(limits)
    limits.fault("no_fill", symbol="AAA")
    limits.fault(kind, on="DELETE /v2/orders")
    limits.execute()
    assert [row[4] for row in sent(limits)] == ["canceled", "filled"]
    limits.assert_books_are_the_brokers()


def test_what_a_person_canceled_is_not_sent_again(limits: Stage) -> None:
    limits.settings = limits.settings.model_copy(update={"limit_replacements": 0})
    begin(limits)
    limits.fault("no_fill", symbol="AAA")
    limits.execute()
    requests.post(f"{limits.url}/sandbox/broker-finish", json={"symbol": "AAA", "how": "cancel"}, timeout=5)
    limits.settings = limits.settings.model_copy(update={"limit_replacements": 2})
    assert limits.execute().sent == 0
    assert [row[1] for row in stored(limits)] == ["canceled"]


def test_buys_fit_into_the_cash_at_their_limits(limits: Stage) -> None:
    """98,000 USD are wanted at the close; at limits 4 % higher they would be 101,920 of 100,000."""
    limits.settings = limits.settings.model_copy(update={"limit_collar_bps": 400.0, "max_order_notional": 1e6})
    begin(limits, {"alpha": {"AAA": 0.6, "BBB": 0.4}})
    report = limits.execute()
    worst = sum(o.qty * (o.limit_price or 0) for o in report.orders)
    assert Decimal("99499.99") < worst <= Decimal("99500")
    assert all("INSUFFICIENT_CASH" in o.reason for o in report.orders)


def test_another_limit_under_our_id_halts(limits: Stage) -> None:
    limits.settings = limits.settings.model_copy(update={"limit_replacements": 0})
    begin(limits)
    limits.fault("no_fill", symbol="AAA")
    limits.execute()
    body = limits.broker.book.orders()[0]
    body["limit_price"] = "150"
    limits.broker.book._save_order(body)
    report = limits.execute()
    assert report.state == "HALTED"
    assert any("limit 150" in problem and "limit 100.5" in problem for problem in report.problems)


@pytest.mark.parametrize(
    "point",
    ["buy_cancel_asked", *(pytest.param(p, marks=pytest.mark.slow) for p in ("buy_stale", "buy_posted:2"))],
)
def test_killed_while_it_replaces_it_goes_on_where_it_was(limits: Stage, point: str) -> None:
    begin(limits)
    limits.fault("partial_fill", symbol="AAA", fraction=0.25)
    assert run_process(limits, D, point, PAS_ORDER_TYPE="limit") == -signal.SIGKILL
    report = limits.execute()
    assert report.is_complete
    assert sent(limits) == [("AAA", "196", "100.5", "49", "canceled"), ("AAA", "147", "101", "147", "filled")]
    assert limits.holdings() == {("alpha", "AAA"): Decimal(196)}
    assert limits.execute().sent == 0
    limits.assert_books_are_the_brokers()
