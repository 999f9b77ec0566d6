"""Whatever happens to an account: the sum of the books is what the broker holds."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pas_lib.clock import FixedClock
from pas_lib.errors import LedgerError
from pas_lib.execution import ledger, store
from pas_lib.execution.types import (
    NANO,
    OUTSIDE_BOOK,
    USD,
    Account,
    AccountKey,
    Activity,
    CrossLeg,
    StoredIntent,
    StoredOrder,
)
from pas_lib.warehouse import Warehouse

START = datetime(2026, 2, 2, 14, 0, tzinfo=UTC)
numbers = itertools.count(1)
quantities = st.integers(1, 40 * 10**9).map(lambda n: Decimal(n) * NANO)
prices = st.integers(10_000, 5_000_000).map(lambda n: Decimal(n) / 10_000)
symbols = st.sampled_from(["AAA", "BBB"])
books = st.sampled_from(["a", "b", "c"])

events = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), books, symbols, quantities, prices),
        st.tuples(st.just("sell"), books, symbols, st.integers(1, 100), prices),
        st.tuples(st.just("hand"), symbols, quantities, prices),
        st.tuples(st.just("split"), symbols, st.sampled_from(["2", "1.5", "0.1", "0.333333333"])),
        st.tuples(st.just("dividend"), symbols, st.integers(1, 5000).map(lambda n: Decimal(n) / 1000)),
        st.tuples(st.just("rename"), symbols),
        st.tuples(st.just("fund"), books, st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 100)),
        st.tuples(st.just("cross"), symbols, st.integers(1, 100), prices),
        st.tuples(st.just("cash"), st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 100)),
    ),
    max_size=14,
)


class Model:
    """An independent account: shares by symbol and cash, nothing else."""

    def __init__(self) -> None:
        self.cash = Decimal(100_000)
        self.held: dict[str, Decimal] = {}

    def add(self, symbol: str, qty: Decimal) -> None:
        self.held[symbol] = self.held.get(symbol, Decimal(0)) + qty


class Player:
    """Plays events into the ledger and into the model."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.key = AccountKey("sandbox", f"P{next(numbers)}")
        self.model = Model()
        self.at = START
        self.n = 0
        account = Account(self.key, self.model.cash, self.model.cash, Decimal(0), Decimal(0), False)
        ledger._open_books(conn, account, {}, {}, [], FixedClock(START), "test", "test")

    def activity(self, kind: str, symbol: str = "", **more: Any) -> Activity:
        self.n += 1
        base = {"side": "", "qty": None, "price": None, "net_amount": None, "order_id": "", "payload": {}}
        return Activity(f"{self.key.account_number}-{self.n}", kind, self.at, symbol, **{**base, **more})

    def order(self, book: str, symbol: str, side: str, qty: Decimal) -> StoredOrder:
        order = StoredOrder(
            f"{self.key.account_number}-o{self.n}", f"{self.key.account_number}-i{self.n}", book, date(2026, 1, 30),
            date(2026, 2, 2), symbol, side, 1, qty,
            "filled", "", None, qty, None, Decimal(1), None, START,
        )  # fmt: skip
        with self.conn.transaction():
            self.conn.execute("set local session_replication_role = replica")
            store.insert_order(self.conn, self.key, order, START)
        return order

    def play(self, event: Any) -> None:
        self.at += timedelta(days=1)
        kind, *rest = event
        getattr(self, f"on_{kind}")(*rest)

    def holding(self, book: str, symbol: str) -> Decimal:
        return store.holdings(self.conn, self.key).get((book, symbol), Decimal(0))

    def on_buy(self, book: str, symbol: str, qty: Decimal, price: Decimal) -> None:
        fill = self.activity("FILL", symbol, side="buy", qty=qty, price=price)
        ledger.apply_fill(self.conn, self.key, fill, self.order(book, symbol, "buy", qty), self.at)
        self.model.add(symbol, qty)
        self.model.cash -= (qty * price).quantize(NANO)

    def on_sell(self, book: str, symbol: str, percent: int, price: Decimal) -> None:
        qty = (self.holding(book, symbol) * percent / 100).quantize(NANO, rounding=ROUND_DOWN)
        if qty <= 0:
            return
        fill = self.activity("FILL", symbol, side="sell", qty=qty, price=price)
        ledger.apply_fill(self.conn, self.key, fill, self.order(book, symbol, "sell", qty), self.at)
        self.model.add(symbol, -qty)
        self.model.cash += (qty * price).quantize(NANO)

    def on_hand(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        fill = self.activity("FILL", symbol, side="buy", qty=qty, price=price)
        ledger.apply_fill(self.conn, self.key, fill, None, self.at)
        self.model.add(symbol, qty)
        self.model.cash -= (qty * price).quantize(NANO)

    def on_split(self, symbol: str, ratio: str) -> None:
        qty = self.model.held.get(symbol, Decimal(0))
        after = (qty * Decimal(ratio)).quantize(NANO, rounding=ROUND_DOWN)
        if qty <= 0 or after <= 0:
            return
        pair = [self.activity("SPLIT", symbol, qty=-qty), self.activity("SPLIT", symbol, qty=after)]
        ledger.apply_other(self.conn, self.key, pair, self.at)
        self.model.held[symbol] = after

    def on_dividend(self, symbol: str, rate: Decimal) -> None:
        paid = (self.model.held.get(symbol, Decimal(0)) * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        if paid:
            ledger.apply_other(self.conn, self.key, [self.activity("DIV", symbol, net_amount=paid)], self.at)
            self.model.cash += paid

    def on_rename(self, symbol: str) -> None:
        qty, other = self.model.held.pop(symbol, Decimal(0)), f"{symbol}.X"
        if qty > 0:
            pair = [self.activity("NC", symbol, qty=-qty), self.activity("NC", other, qty=qty)]
            ledger.apply_other(self.conn, self.key, pair, self.at)
            self.model.add(other, qty)

    def on_fund(self, book: str, amount: Decimal) -> None:
        self.n += 1
        intent = StoredIntent(
            f"{self.key.account_number}-f{self.n}", date(2026, 1, 30), date(2026, 2, 2), "h", 1, "funding", book, USD,
            None,
            amount, None,
        )  # fmt: skip
        ledger.post_funding(self.conn, self.key, intent, self.at)

    def on_cross(self, symbol: str, percent: int, price: Decimal) -> None:
        qty = (self.holding("a", symbol) * percent / 100).quantize(NANO, rounding=ROUND_DOWN)
        if qty < 2 * NANO:
            return
        self.n += 1
        half = (qty / 3).quantize(NANO, rounding=ROUND_DOWN) or NANO
        legs = [("a", "sell", qty), ("b", "buy", half), ("c", "buy", qty - half)]
        ledger.post_cross(
            self.conn, self.key,
            [(f"{self.key.account_number}-x{self.n}-{b}", CrossLeg(b, symbol, s, q, price)) for b, s, q in legs],
            price, session=self.at.date(), execution_session=self.at.date(), occurred_at=self.at, recorded_at=self.at,
        )  # fmt: skip

    def on_cash(self, amount: Decimal) -> None:
        if amount:
            ledger.apply_other(self.conn, self.key, [self.activity("CSD", net_amount=amount)], self.at)
            self.model.cash += amount

    def check(self) -> None:
        held = ledger.total_holdings(self.conn, self.key)
        for symbol in set(held) | set(self.model.held):
            assert abs(held.get(symbol, Decimal(0)) - self.model.held.get(symbol, Decimal(0))) <= Decimal("1e-6")
        assert abs(ledger.total_cash(self.conn, self.key) - self.model.cash) <= Decimal("0.01")
        # Cost disappears with the shares, and never lingers on an empty line.
        for (book, asset), (amount, cost) in store.balances(self.conn, self.key).items():
            if asset != USD:
                assert amount > 0, (book, asset)
                assert cost >= 0


@given(events)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_sum_of_the_books_is_the_broker(warehouse: Warehouse, happened: list[Any]) -> None:
    with warehouse.connect() as conn:
        player = Player(conn)
        for event in happened:
            player.play(event)
            player.check()


def test_a_fill_is_booked_once_by_its_id(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        player = Player(conn)
        fill = player.activity("FILL", "AAA", side="buy", qty=Decimal(2), price=Decimal(10))
        for _ in range(3):
            ledger.apply_fill(conn, player.key, fill, None, START)
        assert ledger.total_holdings(conn, player.key) == {"AAA": Decimal(2)}
        assert store.cash_by_book(conn, player.key) == {"CASH": Decimal(99_980)}


def test_average_cost_and_realised_gain(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        player = Player(conn)
        player.on_buy("a", "AAA", Decimal(10), Decimal(100))
        player.on_buy("a", "AAA", Decimal(30), Decimal(120))
        player.on_sell("a", "AAA", 50, Decimal(130))
        rows = conn.execute("select qty, avg_cost from ops.positions where book = 'a'").fetchall()
        assert rows == [(Decimal(20), Decimal(115))]
        gain = conn.execute("select realized_pnl from ops.trades where side = 'sell'").fetchone()
        assert gain == (20 * Decimal(15),)


def test_an_unbalanced_transaction_is_refused_by_code_and_by_the_database(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        key = Player(conn).key
        crooked = ledger.Postings()
        crooked.add("a", USD, Decimal(1))
        with pytest.raises(LedgerError, match="does not balance in USD"):
            ledger.post(conn, key, "t", "transfer", crooked, occurred_at=START, recorded_at=START)
    with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"), warehouse.connect() as conn:
        store.insert_entries(
            conn, key, "t", "transfer", [("a", USD, Decimal(1), Decimal(0))], START.date(), START, START, ""
        )


def test_the_ledger_is_append_only(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        Player(conn)
    for statement in ("update ops.ledger_entries set amount = 0", "delete from ops.ledger_entries"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            warehouse.execute(statement)


def test_the_outside_world_is_no_position(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        player = Player(conn)
        player.on_buy("a", "AAA", Decimal(1), Decimal(10))
        assert OUTSIDE_BOOK not in {b for b, _ in store.balances(conn, player.key)}
        assert conn.execute("select distinct book from ops.positions").fetchall() == [("a",)]


def test_a_book_cannot_give_what_it_does_not_hold(warehouse: Warehouse) -> None:
    with warehouse.connect() as conn:
        player = Player(conn)
        legs = [
            ("x1", CrossLeg("a", "AAA", "sell", Decimal(1), Decimal(1))),
            ("x2", CrossLeg("b", "AAA", "buy", Decimal(1), Decimal(1))),
        ]
        with pytest.raises(LedgerError, match="holds 0 AAA and cannot give 1"):
            ledger.post_cross(
                conn, player.key, legs, Decimal(1), session=START.date(), execution_session=START.date(),
                occurred_at=START, recorded_at=START,
            )  # fmt: skip
