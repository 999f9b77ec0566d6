"""A network and a broker on their worst day: no order twice, no fill lost, books equal to the broker's."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session, session_close
from pas_lib.errors import BrokerError, GuardError
from pas_lib.execution import adopt, execute, set_state, snapshot_account
from pas_lib.execution.steps import Steps

D = date(2026, 1, 30)
E = next_session(D)
BASKET = {"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.2}}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("accept_then_timeout", {"seconds": 1.5}),
        ("accept_then_error", {"status": 504}),
        ("accept_then_garbage", {}),
        ("rate_limit", {}),
        pytest.param("accept_then_error", {"status": 500}, marks=pytest.mark.slow),
        pytest.param("accept_then_cut", {}, marks=pytest.mark.slow),
        pytest.param("error", {"status": 504}, marks=pytest.mark.slow),
        pytest.param("error", {"status": 503}, marks=pytest.mark.slow),
        pytest.param("cut", {}, marks=pytest.mark.slow),
        pytest.param("garbage", {}, marks=pytest.mark.slow),
    ],
)
def test_a_lost_answer_never_makes_a_second_order(stage: Any, kind: str, options: dict[str, Any]) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault(kind, symbol="BBB", **options)
    report = stage.execute(timeout=0.4)
    assert report.is_complete
    assert sorted((s, d, q, st) for _, s, d, q, st in stage.broker_orders()) == [
        ("AAA", "buy", "196", "filled"), ("BBB", "buy", "196", "filled"), ("CCC", "buy", "980", "filled"),
    ]  # fmt: skip
    assert len(stage.rows("select * from ops.trades")) == 3
    stage.assert_books_are_the_brokers()
    assert stage.execute().sent == 0


def test_a_504_whose_order_exists_is_found_and_its_duplicate_422_is_no_rejection(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("accept_then_error", status=504)
    # The first look-up fails as well, so that the order is posted again under the same id: the broker says 422.
    stage.fault("error", status=404, on="GET /v2/orders:by_client_order_id")
    report = stage.execute()
    assert [o.state for o in report.orders] == ["filled"]
    assert len(stage.broker_orders()) == 1
    stage.assert_books_are_the_brokers()


def test_a_duplicate_that_the_list_does_not_show_yet_is_unknown_and_never_ordered_again(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("accept_then_error", status=504)
    # The door says "must be unique", the list says "not found", for as long as this run goes on.
    stage.fault(
        "reject", status=404, code=40410000, message="order not found", times=50,
        on="GET /v2/orders:by_client_order_id",
    )  # fmt: skip
    report = stage.execute()
    assert [o.state for o in report.orders] == ["unknown"]
    # A person who asks for a second try gets none while the first one's fate is open.
    assert stage.execute().sent == 0
    stage.broker.faults.clear()
    after = execute(D, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), retry=True)
    assert [(o.attempt, o.state) for o in after.orders] == [(1, "filled")]
    assert len(stage.broker_orders()) == 1
    stage.assert_books_are_the_brokers()


def test_buys_that_were_stored_are_not_sent_when_the_trading_state_forbids_them_by_now(stage: Any) -> None:
    stage.run({"alpha": {"BBB": 0.2}})
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.2}}, E)
    stage.at_open(next_session(E))

    class Dies(Exception):
        pass

    class Last(Steps):
        def reach(self, step: str) -> None:
            super().reach(step)
            if step == "buys_stored":
                raise Dies

    with pytest.raises(Dies):
        stage.execute(E, steps=Last({}))
    set_state(stage.warehouse, stage.clock, "REDUCING", who="ann", reason="looks wrong")
    report = stage.execute(E)
    assert [(s, d) for _, s, d, _, _ in stage.broker_orders()[1:]] == [("BBB", "sell")]
    assert {(r.symbol, r.code) for r in report.refusals} == {("AAA", "TRADING_STATE")}
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="looked at")
    stage.execute(E)
    assert [(s, d) for _, s, d, _, _ in stage.broker_orders()[1:]] == [("BBB", "sell"), ("AAA", "buy")]
    stage.assert_books_are_the_brokers()


def test_when_nothing_can_be_learned_the_order_is_unknown_and_the_next_run_settles_it(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}, "beta": {"CCC": 0.1}})
    stage.at_open()
    stage.fault("accept_then_error", symbol="AAA")
    stage.fault("error", status=502, times=200, on="GET /v2/orders:by_client_order_id")
    report = stage.execute()
    states = {o.symbol: o.state for o in report.orders}
    assert states["AAA"] == "unknown"
    assert not report.is_complete
    assert any("cannot be asked" in p for p in report.problems)
    stage.broker.faults.clear()
    again = stage.execute()
    assert {o.symbol: o.state for o in again.orders} == {"AAA": "filled", "CCC": "filled"}
    assert len(stage.broker_orders()) == 2
    stage.assert_books_are_the_brokers()


def test_a_found_order_that_is_not_ours_halts(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_open()
    stage.fault("wrong_order", symbol="AAA")
    report = stage.execute()
    assert report.state == "HALTED"
    assert stage.state() == "HALTED"
    # Nothing is sent any more after it; the books follow what really happened.
    assert [s for _, s, *_ in stage.broker_orders()] == ["AAA"]
    assert stage.holdings() == {("alpha", "AAA"): Decimal(392)}
    stage.assert_books_are_the_brokers()
    # Once a person has looked, the rest goes out.
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="known, kept")
    again = stage.execute()
    assert again.state == "ACTIVE"
    assert [s for _, s, *_ in stage.broker_orders()] == ["AAA", "BBB"]


def test_a_partial_fill_is_booked_as_far_as_it_went_and_expires_at_the_close(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("partial_fill", fraction=0.25)
    report = stage.execute()
    assert [(o.state, o.filled_qty) for o in report.orders] == [("partially_filled", Decimal(49))]
    assert stage.holdings() == {("alpha", "AAA"): Decimal(49)}
    stage.assert_books_are_the_brokers()
    stage.clock.at = session_close(E) + timedelta(minutes=1)
    after = stage.execute()
    assert [(o.state, o.filled_qty) for o in after.orders] == [("expired", Decimal(49))]
    assert len(stage.broker_orders()) == 1
    stage.assert_books_are_the_brokers()


def test_buys_after_a_sell_that_did_not_fill_use_the_cash_that_is_there(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.25, "BBB": 0.25, "CCC": 0.25, "BRK.B": 0.2}})
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.25, "BBB": 0.25, "WHL": 0.25, "BRK.B": 0.2}}, E)
    stage.at_open(next_session(E))
    stage.fault("no_fill", symbol="CCC")
    report = stage.execute(E)
    cash = stage.broker.book.cash
    assert cash >= 0
    whl = next(o for o in report.orders if o.symbol == "WHL")
    # 6,900 USD were there, 24,500 were wanted: whole shares at 10 USD for at most 99.5 % of the cash.
    assert whl.qty == Decimal(686)
    assert "INSUFFICIENT_CASH" in {r.code for r in report.refusals}
    stage.assert_books_are_the_brokers()


def test_a_fill_shown_twice_is_booked_once(stage: Any) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault("duplicate_rows", times=50)
    stage.execute()
    assert len(stage.rows("select * from ops.trades")) == 3
    stage.assert_books_are_the_brokers()
    assert stage.state() == "ACTIVE"


def test_a_lagging_feed_is_no_unexplained_difference(stage: Any) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault("hidden_rows", times=100)
    report = stage.execute()
    assert report.fills == 0
    assert stage.state() == "ACTIVE"
    stage.broker.faults.clear()
    assert stage.execute().fills == 3
    stage.assert_books_are_the_brokers()


def test_an_unknown_position_sets_reducing_and_stops_buys(stage: Any) -> None:
    stage.run(BASKET)
    stage.by_hand("BRK.B", "buy", "3", silent=True)
    stage.at_evening(E)
    stage.decide({"alpha": {"AAA": 0.1, "WHL": 0.1}}, E)
    assert stage.state() == "REDUCING"
    stage.at_open(next_session(E))
    report = stage.execute(E)
    assert [(s, d) for _, s, d, *_ in stage.broker_orders()[3:]] == [("AAA", "sell"), ("BBB", "sell")]
    assert {(r.symbol, r.code) for r in report.refusals} == {("WHL", "TRADING_STATE")}
    assert report.reconciliation is not None
    assert [d.asset for d in report.reconciliation.differences] == ["BRK.B", "USD"]


def test_a_trade_by_hand_goes_to_the_external_book(stage: Any) -> None:
    stage.run(BASKET)
    stage.by_hand("BRK.B", "buy", "3")
    stage.at_evening(E)
    stage.decide({"beta": {"CCC": 0.2}}, E)
    assert stage.state() == "ACTIVE"
    assert stage.holdings()[("EXTERNAL", "BRK.B")] == Decimal(3)
    assert "EXTERNAL" not in stage.cash()
    # Managed equity is without EXTERNAL, whose shares were paid from CASH.
    plan = stage.rows("select managed_equity from ops.order_plans where session = %s", (E,))
    assert plan[0]["managed_equity"] == Decimal(100_000) - 3 * Decimal(480)
    stage.assert_books_are_the_brokers()


def test_selling_by_hand_what_a_portfolio_holds_sets_reducing(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.by_hand("AAA", "sell", "10")
    stage.at_evening(E)
    stage.decide({"beta": {"CCC": 0.2}}, E)
    assert stage.state() == "REDUCING"
    stage.assert_books_are_the_brokers()


def test_a_halted_symbol_is_not_ordered_blind(stage: Any) -> None:
    stage.world.halted.add(("HLT", E))
    report = stage.run({"alpha": {"HLT": 0.1, "AAA": 0.1}})
    assert [s for _, s, *_ in stage.broker_orders()] == ["AAA"]
    assert [(r.symbol, r.code) for r in report.refusals] == [("HLT", "NO_PRICE_TODAY")]


def test_a_price_far_from_the_close_is_not_traded(stage: Any) -> None:
    stage.world.opens[("AAA", E)] = 121.0
    report = stage.run({"alpha": {"AAA": 0.1, "BBB": 0.1}})
    assert [s for _, s, *_ in stage.broker_orders()] == ["BBB"]
    assert [(r.symbol, r.code) for r in report.refusals] == [("AAA", "PRICE_MOVED")]


def test_a_rejection_stops_one_order_and_not_the_basket(stage: Any) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault("reject", symbol="AAA", message='asset "AAA" is not fractionable')
    report = stage.execute()
    assert {o.symbol: o.state for o in report.orders} == {"AAA": "rejected", "BBB": "filled", "CCC": "filled"}
    assert next(o for o in report.orders if o.symbol == "AAA").reason.startswith("NOT_FRACTIONABLE")
    assert stage.execute().sent == 0


def test_stale_open_orders_are_cancelled_before_anything_is_sent(stage: Any) -> None:
    stage.world.prices["AAA"] = 100.0
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("no_fill", symbol="AAA")
    stage.execute()
    # The broker forgot to expire it.
    body = stage.broker.book.orders()[0]
    body["expires_at"] = "2027-01-01T00:00:00Z"
    stage.broker.book._save_order(body)
    stage.run({"alpha": {"BBB": 0.2}}, E)
    assert [(s, st) for _, s, _, _, st in stage.broker_orders()] == [("AAA", "canceled"), ("BBB", "filled")]


def test_a_wrong_key_is_one_line(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pas_lib.execution.broker.SANDBOX_SECRET", "wrong")
    with pytest.raises(BrokerError, match=r"refuses the key \(403\)"):
        stage.decide({"alpha": {"AAA": 0.2}})


def test_another_account_does_not_trade_until_it_is_adopted(stage: Any, tmp_path: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.broker.book._set_meta("account_number", "PASB99999999")
    stage.at_evening(E)
    with pytest.raises(GuardError, match="the ledger belongs to sandbox account"):
        stage.decide({"alpha": {"AAA": 0.2}}, E)
    done = adopt(
        stage.settings, stage.clock, stage.warehouse, who="ann", reason="new paper account", gateway=stage.gateway()
    )
    assert done == "opened books for sandbox account PASB99999999"
    assert stage.holdings() == {("EXTERNAL", "AAA"): Decimal(196)}
    stage.decide({"alpha": {"BBB": 0.2}}, E)
    stage.assert_books_are_the_brokers()


def test_adopting_books_what_is_unexplained(stage: Any) -> None:
    stage.run({"alpha": {"AAA": 0.2}})
    stage.by_hand("BRK.B", "buy", "2", silent=True)
    stage.execute()
    assert stage.state() == "REDUCING"
    adopt(stage.settings, stage.clock, stage.warehouse, who="ann", reason="my own", gateway=stage.gateway())
    stage.assert_books_are_the_brokers()
    with pytest.raises(GuardError, match="a reason"):
        set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason=" ")
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="booked as mine")
    assert stage.execute().state == "ACTIVE"


def test_a_storm_of_429_is_waited_out_as_the_broker_asks(stage: Any) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault("rate_limit", times=6)
    report = stage.execute()
    assert report.is_complete
    assert len(stage.broker_orders()) == 3
    assert stage.naps.count(1.0) >= 6  # Retry-After: 1


def test_the_evening_settles_what_the_close_has_ended(stage: Any) -> None:
    stage.decide(BASKET)
    stage.at_open()
    stage.fault("no_fill", symbol="AAA")
    stage.execute()
    stage.world.closes[("CCC", E)] = 22.0
    stage.at_evening(E)
    result = snapshot_account(E, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    assert result.is_clean
    states = stage.rows("select symbol, state from ops.orders order by symbol")
    assert [(r["symbol"], r["state"]) for r in states] == [("AAA", "expired"), ("BBB", "filled"), ("CCC", "filled")]
    figures = stage.rows("select equity, cash, managed_equity from ops.account_metrics where session = %s", (E,))
    assert figures == [
        {"equity": Decimal(101_960), "cash": Decimal(70_600), "managed_equity": Decimal(101_960)},
    ]
