"""What the account's activities do to the books: fees, mergers, spin-offs, deliveries, corrections, to the cent."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from pas_lib.clock import next_session
from pas_lib.execution import reconcile
from pas_lib.sandbox.broker_book import ZERO, Holding, stamp
from tests.integration.execution.conftest import E

F = next_session(E)


class Desk:
    """Something happens at the broker: the account changes, and the feed says so."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        # Two thirds of 294 AAA are alpha's, one third beta's.
        stage.run({"alpha": {"AAA": 0.2}, "beta": {"AAA": 0.1}})
        stage.at_evening(E)

    def happens(self, kind: str, *rows: dict[str, str], together: bool = True) -> None:
        book = self.stage.broker.book
        group = {"group_id": str(uuid.uuid4())} if together else {}
        for row in rows:
            symbol, qty, cash = row.get("symbol", ""), Decimal(row.get("qty", "0")), Decimal(row.get("net_amount", "0"))
            if qty and kind not in ("DIV", "FEE"):
                held = book.positions().get(symbol, Holding(symbol, ZERO, ZERO))
                book._hold(symbol, held.qty + qty, ZERO)
            book._move_cash(cash)
            now = book._moment()
            body = {"date": E.isoformat(), "created_at": stamp(now), "status": "executed", **group, **row}
            book._act(kind, now, {"net_amount": "0", **body})

    def books(self) -> Any:
        result = reconcile(self.stage.settings, self.stage.clock, self.stage.warehouse, gateway=self.stage.gateway())
        assert result.is_clean
        assert self.stage.state() == "ACTIVE"
        self.stage.assert_books_are_the_brokers()
        self.assert_nothing_is_earned_twice()
        return self.stage.holdings()

    def assert_nothing_is_earned_twice(self) -> None:
        """What trading and corporate actions brought in is what was realised, less the cost of what is still held."""
        names = ["alpha", "beta"]
        cash = self.stage.rows(
            "select coalesce(sum(amount), 0) as usd from ops.ledger_entries where asset = 'USD'"
            " and kind in ('fill', 'cross', 'split', 'removal') and book = any(%s)",
            (names,),
        )
        gain = self.stage.rows(
            "select coalesce(sum(realized_pnl), 0) as usd from ops.trades where portfolio_id = any(%s)", (names,)
        )
        cost = sum(c for (book, _), c in self.costs().items() if book in names)
        assert cash[0]["usd"] == gain[0]["usd"] - cost

    def removals(self) -> dict[tuple[str, str], tuple[Decimal, ...]]:
        rows = self.stage.rows("select * from ops.trades where kind = 'removal' order by portfolio_id")
        assert {r["side"] for r in rows} <= {"sell"}
        return {
            (r["portfolio_id"], r["symbol"]): (r["qty"], r["price"], r["notional"], r["realized_pnl"]) for r in rows
        }

    def costs(self) -> dict[tuple[str, str], Decimal]:
        rows = self.stage.rows("select book, symbol, cost_basis from ops.positions")
        return {(r["book"], r["symbol"]): r["cost_basis"] for r in rows}


@pytest.fixture
def desk(stage: Any) -> Desk:
    return Desk(stage)


def test_fees_and_interest_without_a_symbol_are_the_cash_books(desk: Desk) -> None:
    before = desk.stage.cash()
    desk.happens("FEE", {"net_amount": "-0.37"}, {"net_amount": "-0.05"}, together=False)
    desk.happens("INT", {"net_amount": "1.23"})
    desk.books()
    after = desk.stage.cash()
    assert after["CASH"] - before["CASH"] == Decimal("0.81")
    assert (after["alpha"], after["beta"]) == (before["alpha"], before["beta"])
    kinds = desk.stage.rows(
        "select kind, sum(amount) as usd from ops.ledger_entries where book = 'CASH' and asset = 'USD'"
        " and kind in ('fee', 'dividend') group by kind order by kind"
    )
    assert [(r["kind"], r["usd"]) for r in kinds] == [("dividend", Decimal("1.23")), ("fee", Decimal("-0.42"))]


def test_a_deposit_and_a_withdrawal_are_transfers_of_the_cash_book(desk: Desk) -> None:
    before = desk.stage.cash()["CASH"]
    desk.happens("CSD", {"net_amount": "2500"})
    desk.happens("CSW", {"net_amount": "-1000.5"})
    desk.books()
    assert desk.stage.cash()["CASH"] - before == Decimal("1499.5")


def test_a_merger_into_other_shares_and_cash_moves_cost_and_shares_out_the_cash(desk: Desk) -> None:
    desk.happens("MA", {"symbol": "AAA", "qty": "-294"}, {"symbol": "BBB", "qty": "147", "net_amount": "441"})
    assert desk.books() == {("alpha", "BBB"): Decimal(98), ("beta", "BBB"): Decimal(49)}
    # The cost goes along, 196 x 100 and 98 x 100, less the cash that came with the shares.
    assert desk.costs() == {("alpha", "BBB"): Decimal(19_306), ("beta", "BBB"): Decimal(9_653)}
    assert (desk.stage.cash()["alpha"], desk.stage.cash()["beta"]) == (Decimal(294), Decimal(147))
    assert desk.removals() == {}


def test_a_merger_for_cash_is_a_sale_with_its_profit_to_the_cent(desk: Desk) -> None:
    desk.happens("MA", {"symbol": "AAA", "qty": "-294", "net_amount": "29841.01", "activity_sub_type": "CMA"})
    assert desk.books() == {}
    # Two thirds of 29,841.01 are 19,894.006666667 and cost 19,600; one third is 9,947.003333333 and cost 9,800.
    assert desk.removals() == {
        ("alpha", "AAA"): (
            Decimal(196), Decimal("101.500034014"), Decimal("19894.006666667"), Decimal("294.006666667"),
        ),
        ("beta", "AAA"): (Decimal(98), Decimal("101.500034014"), Decimal("9947.003333333"), Decimal("147.003333333")),
    }  # fmt: skip
    lines = desk.stage.rows("select book, asset, amount, cost from ops.ledger_entries where kind = 'removal'")
    of_alpha = {(r["asset"], r["amount"], r["cost"]) for r in lines if r["book"] == "alpha"}
    assert of_alpha == {("AAA", Decimal(-196), Decimal(-19600)), ("USD", Decimal("19894.006666667"), Decimal(0))}
    # Nothing is booked twice by asking again.
    desk.books()
    assert len(desk.removals()) == 2


def test_shares_removed_as_worthless_are_a_loss_of_their_cost(desk: Desk) -> None:
    desk.happens("REORG", {"symbol": "AAA", "qty": "-294", "activity_sub_type": "WRM"})
    assert desk.books() == {}
    assert desk.removals() == {
        ("alpha", "AAA"): (Decimal(196), Decimal(0), Decimal(0), Decimal(-19_600)),
        ("beta", "AAA"): (Decimal(98), Decimal(0), Decimal(0), Decimal(-9_800)),
    }


def test_cash_of_a_merger_that_comes_in_a_row_of_its_own_is_the_former_holders(desk: Desk) -> None:
    desk.happens("MA", {"symbol": "AAA", "qty": "-294", "date": F.isoformat()})
    desk.happens("MA", {"symbol": "AAA", "net_amount": "30000", "date": F.isoformat()})
    before = desk.stage.cash()
    desk.books()
    after = desk.stage.cash()
    assert (after["alpha"], after["beta"]) == (Decimal(20_000), Decimal(10_000))
    assert after["CASH"] == before["CASH"]
    gains = desk.stage.rows("select portfolio_id, sum(realized_pnl) as usd from ops.trades group by 1 order by 1")
    assert [(r["portfolio_id"], r["usd"]) for r in gains] == [("alpha", Decimal(400)), ("beta", Decimal(200))]


def test_a_fee_for_a_removal_is_its_former_holders_fee(desk: Desk) -> None:
    desk.happens("REORG", {"symbol": "AAA", "qty": "-294", "activity_sub_type": "WRM", "date": F.isoformat()})
    desk.happens("REORG", {"symbol": "AAA", "net_amount": "-38", "date": F.isoformat()})
    before = desk.stage.cash()
    desk.books()
    after = desk.stage.cash()
    assert after["alpha"] - before["alpha"] == Decimal("-25.333333333")
    assert after["beta"] - before["beta"] == Decimal("-12.666666667")
    fees = desk.stage.rows("select sum(amount) as usd from ops.ledger_entries where kind = 'fee' and book <> 'OUTSIDE'")
    assert fees[0]["usd"] == Decimal(-38)
    assert len(desk.removals()) == 2


def test_half_of_a_stock_merger_is_no_total_loss_but_waited_for(desk: Desk) -> None:
    stage, book = desk.stage, desk.stage.broker.book
    desk.happens("MA", {"symbol": "AAA", "qty": "-294", "activity_sub_type": "SMA"})
    reconcile(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    assert stage.holdings()[("alpha", "AAA")] == Decimal(196)
    assert desk.removals() == {}
    assert stage.state() == "REDUCING"
    # The other half comes under the same number.
    group = book.activities()[-1]["group_id"]
    book._hold("BBB", Decimal(147), ZERO)
    body = {"date": E.isoformat(), "created_at": stamp(book._moment()), "status": "executed", "group_id": group}
    book._act("MA", book._moment(), {"net_amount": "0", "symbol": "BBB", "qty": "147", **body})
    assert reconcile(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway()).is_clean
    assert stage.holdings() == {("alpha", "BBB"): Decimal(98), ("beta", "BBB"): Decimal(49)}
    assert desk.costs() == {("alpha", "BBB"): Decimal(19_600), ("beta", "BBB"): Decimal(9_800)}


def test_what_external_is_paid_is_money_from_outside(desk: Desk) -> None:
    desk.happens("ACATS", {"symbol": "CCC", "qty": "50", "price": "19.5"})
    before = desk.stage.cash()["CASH"]
    desk.happens("MA", {"symbol": "CCC", "qty": "-50", "net_amount": "1100"})
    assert ("EXTERNAL", "CCC") not in desk.books()
    assert desk.stage.cash()["CASH"] - before == Decimal(1100)
    assert desk.removals() == {("EXTERNAL", "CCC"): (Decimal(50), Decimal(22), Decimal(1100), Decimal(125))}
    # Like a deposit it is no return of anybody.
    flows = desk.stage.rows("select kind from ops.ledger_entries where asset = 'USD' and amount = 1100")
    assert flows == [{"kind": "external"}]


def test_a_spin_off_gives_every_holder_its_part_and_leaves_the_cost_with_the_parent(desk: Desk) -> None:
    desk.happens(
        "SPIN", {"symbol": "AAA", "qty": "-294"}, {"symbol": "AAA", "qty": "294"}, {"symbol": "CCC", "qty": "29.4"}
    )
    assert desk.books() == {
        ("alpha", "AAA"): Decimal(196), ("alpha", "CCC"): Decimal("19.6"),
        ("beta", "AAA"): Decimal(98), ("beta", "CCC"): Decimal("9.8"),
    }  # fmt: skip
    assert desk.costs()[("alpha", "AAA")] == Decimal(19_600)
    assert desk.costs()[("alpha", "CCC")] == 0


def test_the_parent_keeps_its_cost_whichever_row_comes_first(desk: Desk) -> None:
    desk.happens(
        "SPIN", {"symbol": "CCC", "qty": "29.4"}, {"symbol": "AAA", "qty": "-294"}, {"symbol": "AAA", "qty": "294"}
    )
    desk.books()
    assert desk.costs()[("alpha", "AAA")] == Decimal(19_600)


def test_a_spin_off_that_shows_the_new_shares_only_goes_to_the_holders_of_its_parent(desk: Desk) -> None:
    desk.stage.action("AAA", "spin_off", E, new_symbol="CCC")
    desk.happens("SPIN", {"symbol": "CCC", "qty": "29.4"}, together=False)
    assert desk.books() == {
        ("alpha", "AAA"): Decimal(196), ("alpha", "CCC"): Decimal("19.6"),
        ("beta", "AAA"): Decimal(98), ("beta", "CCC"): Decimal("9.8"),
    }  # fmt: skip
    assert desk.costs()[("alpha", "CCC")] == 0


def test_a_spin_off_of_nobody_known_is_external(desk: Desk) -> None:
    desk.happens("SPIN", {"symbol": "CCC", "qty": "29.4"}, together=False)
    assert desk.books()[("EXTERNAL", "CCC")] == Decimal("29.4")


def test_a_reverse_split_with_cash_for_fractions(desk: Desk) -> None:
    desk.happens("SPLIT", {"symbol": "AAA", "qty": "-294"}, {"symbol": "AAA", "qty": "29", "net_amount": "400"})
    holdings = desk.books()
    assert holdings == {("alpha", "AAA"): Decimal("19.333333333"), ("beta", "AAA"): Decimal("9.666666667")}
    assert sum(holdings.values()) == Decimal(29)
    # 400 of the 29,400 paid came back.
    assert sum(desk.costs().values()) == Decimal(29_000)
    assert desk.stage.cash()["alpha"] == Decimal("266.666666667")


def test_securities_delivered_from_outside_are_external_at_their_price(desk: Desk) -> None:
    desk.happens("ACATS", {"symbol": "CCC", "qty": "50", "price": "19.5"})
    holdings = desk.books()
    assert holdings[("EXTERNAL", "CCC")] == Decimal(50)
    assert desk.costs()[("EXTERNAL", "CCC")] == Decimal(975)
    # They are no capital of the portfolios.
    desk.stage.at_evening(E)
    plan = desk.stage.decide({"alpha": {"AAA": 0.2}}, E)
    assert plan.managed_equity == Decimal(100_000)


def test_a_short_sale_by_hand_is_externals_and_stops_no_booking(desk: Desk) -> None:
    book = desk.stage.broker.book
    now = book._moment()
    book._hold("CCC", Decimal(-10), Decimal(-200))
    book._move_cash(Decimal(200))
    book._act("FILL", now, {
        "cum_qty": "10", "leaves_qty": "0", "order_id": str(uuid.uuid4()), "order_status": "filled", "price": "20",
        "qty": "10", "side": "sell_short", "symbol": "CCC", "transaction_time": stamp(now), "type": "fill",
    })  # fmt: skip
    stage = desk.stage
    result = reconcile(stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    assert result.is_clean
    assert stage.holdings()[("EXTERNAL", "CCC")] == Decimal(-10)
    # Nobody here sells short: a person is to look.
    assert stage.state() == "REDUCING"


def test_a_canceled_activity_is_noted_and_booked_not_at_all(desk: Desk) -> None:
    before = desk.stage.cash()
    book = desk.stage.broker.book
    now = book._moment()
    body = {"date": E.isoformat(), "created_at": stamp(now), "net_amount": "500", "status": "canceled"}
    book._act("CSD", now, body)
    desk.books()
    assert desk.stage.cash() == before
    assert desk.stage.rows("select outcome from ops.broker_activities where activity_type = 'CSD'") == [
        {"outcome": "ignored: canceled"}
    ]


def test_entries_are_corrected_by_further_entries_and_never_changed(desk: Desk) -> None:
    """The broker takes a dividend back and pays the right one: three rows, the first as it was."""
    for paid in ("294", "-294", "147"):
        desk.happens("DIV", {"symbol": "AAA", "qty": "294", "net_amount": paid, "date": F.isoformat()})
    desk.books()
    rows = desk.stage.rows(
        "select amount from ops.ledger_entries where kind = 'dividend' and book = 'alpha' order by entry_id"
    )
    assert [r["amount"] for r in rows] == [Decimal(196), Decimal(-196), Decimal(98)]
    cash = desk.stage.rows(
        "select sum(amount) as usd from ops.ledger_entries where kind = 'dividend' and book <> 'OUTSIDE'"
    )
    assert cash[0]["usd"] == Decimal(147)
    for statement in ("update ops.ledger_entries set amount = 0", "delete from ops.ledger_entries"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            desk.stage.warehouse.execute(statement)


def test_average_cost_and_realised_profit_over_buys_sells_and_a_split(desk: Desk) -> None:
    stage = desk.stage
    stage.world.prices["AAA"] = 110.0
    stage.run({"alpha": {"AAA": 0.22}}, E, closes={"AAA": 110.0})
    held = stage.holdings()[("alpha", "AAA")]
    cost = desk.costs()[("alpha", "AAA")]
    assert cost == (Decimal(19_600) + (held - 196) * 110).quantize(Decimal("1e-9"))
    stage.world.prices["AAA"] = 120.0
    stage.run({"alpha": {}}, F, closes={"AAA": 120.0})
    sold = stage.rows("select qty, price, realized_pnl from ops.trades where portfolio_id = 'alpha' and side = 'sell'")
    assert [(r["qty"], r["price"]) for r in sold] == [(held, Decimal(120))]
    assert sold[0]["realized_pnl"] == (held * 120).quantize(Decimal("1e-9")) - cost
    assert ("alpha", "AAA") not in stage.holdings()


def test_buying_power_binds_where_it_is_less_than_the_cash(stage: Any) -> None:
    """A hand-made order that rests takes buying power away: buys are cut to what is left of it."""
    stage.decide({"alpha": {"BBB": 0.2, "WHL": 0.1}})
    stage.at_open()
    stage.broker.book.submit(
        {"symbol": "AAA", "side": "buy", "type": "limit", "time_in_force": "day", "qty": "3900", "limit_price": "98"}
    )
    assert stage.broker.book.buying_power() == Decimal(400_000 - 382_200)
    report = stage.execute()
    # 29,400 USD are wanted, 17,800 less half a per cent can be bought: whole shares of WHL, billionths of BBB.
    there = Decimal("17800") * Decimal("0.995")
    orders = {o.symbol: o for o in report.orders}
    share = there / Decimal(29_400)
    assert orders["WHL"].qty == (Decimal(980) * share).to_integral_value(rounding="ROUND_DOWN") == Decimal(590)
    assert orders["BBB"].qty == (Decimal(392) * share).quantize(Decimal("1e-9"), rounding="ROUND_DOWN")
    assert {o.state for o in report.orders} == {"filled"}
    assert all("INSUFFICIENT_CASH" in o.reason for o in report.orders)
    stage.assert_books_are_the_brokers()
