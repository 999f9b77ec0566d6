"""All SQL of the execution room. Every function takes an open connection; the caller owns the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row

from pas_lib.errors import LedgerError, OrderError, WarehouseUnavailable
from pas_lib.execution.types import (
    EXTERNAL_BOOK,
    OUTSIDE_BOOK,
    USD,
    ZERO,
    Account,
    AccountKey,
    Activity,
    OrderPlan,
    Reconciliation,
    Refusal,
    Side,
    StoredIntent,
    StoredOrder,
    StoredPlan,
    text_of,
)
from pas_lib.warehouse import Warehouse

Conn = psycopg.Connection[tuple[Any, ...]]

#: Any number; whoever plans or executes holds this lock, so that two never run at once.
_LOCK = 0x9A5_0E8E


class HeldWarehouse(Warehouse):
    """The warehouse over one connection that stays open; every ``connect`` block is a transaction of its own.

    Parameters
    ----------
    url : str
        The address, for messages.
    conn : psycopg.Connection
        An open connection in autocommit mode.
    """

    def __init__(self, url: str, conn: Conn) -> None:
        super().__init__(url)
        self._conn = conn

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[Conn]:  # noqa: ARG002 - a transaction in any case
        """Commit when the block ends well, roll back when it raises."""
        with self._conn.transaction():
            yield self._conn


@contextmanager
def only_one(warehouse: Warehouse) -> Iterator[HeldWarehouse]:
    """Hold the execution lock, and the one connection to work with meanwhile.

    A process that dies loses the lock with its connection.

    Raises
    ------
    OrderError
        If another process plans or executes for longer than half a minute.
    WarehouseUnavailable
        If the connection breaks meanwhile.
    """
    with warehouse.connect(autocommit=True) as conn:
        conn.execute("set lock_timeout = '30s'")
        try:
            conn.execute("select pg_advisory_lock(%s)", (_LOCK,))
        except psycopg.errors.LockNotAvailable:
            raise OrderError("another execution is running on this warehouse", hint="wait for it to end") from None
        try:
            yield HeldWarehouse(warehouse.url, conn)
        except psycopg.OperationalError:
            if not conn.broken and not conn.closed:
                raise
            # Nothing goes on without the store: what was sent is found at the broker by the next call.
            raise WarehouseUnavailable(
                "the warehouse went away in the middle of an execution", hint="run it again when it is back"
            ) from None


def _rows(conn: Conn, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(cast("Any", statement), parameters).fetchall()


def _row(conn: Conn, statement: str, parameters: Sequence[Any] = ()) -> dict[str, Any] | None:
    found = _rows(conn, statement, parameters)
    return found[0] if found else None


# --------------------------------------------------------------------------------------------- whose books


def identity(conn: Conn) -> tuple[str, str]:
    """Return (warehouse id, origin)."""
    row = _row(conn, "select warehouse_id, origin from ops.warehouse_identity")
    if row is None:
        raise LedgerError("the warehouse has no identity", hint="it was not made by this system's migrations")
    return str(row["warehouse_id"]), str(row["origin"])


def active_binding(conn: Conn) -> AccountKey | None:
    """Return the account the ledger belongs to now."""
    row = _row(conn, "select broker, account_number from ops.ledger_bindings where is_active")
    return AccountKey(row["broker"], row["account_number"]) if row else None


def is_known_account(conn: Conn, key: AccountKey) -> bool:
    """Return whether books of this account were opened before."""
    return bool(
        _row(
            conn,
            "select 1 as x from ops.ledger_bindings where broker = %s and account_number = %s",
            (key.broker, key.account_number),
        )
    )


def bind(conn: Conn, key: AccountKey, warehouse_id: str, at: datetime, who: str, reason: str) -> None:
    """Make an account the one the ledger belongs to."""
    conn.execute("update ops.ledger_bindings set is_active = false where is_active")
    conn.execute(
        """insert into ops.ledger_bindings (broker, account_number, warehouse_id, bound_at, bound_by, reason, is_active)
           values (%s, %s, %s, %s, %s, %s, true)
           on conflict (broker, account_number) do update
           set is_active = true, bound_at = excluded.bound_at, bound_by = excluded.bound_by,
               reason = excluded.reason""",
        (key.broker, key.account_number, warehouse_id, at, who, reason),
    )


# -------------------------------------------------------------------------------------------------- ledger

#: (book, asset, amount, cost)
Line = tuple[str, str, Decimal, Decimal]


def has_txn(conn: Conn, key: AccountKey, txn_id: str) -> bool:
    """Return whether a ledger transaction was posted."""
    return bool(
        _row(
            conn,
            "select 1 as x from ops.ledger_entries where broker = %s and account_number = %s and txn_id = %s limit 1",
            (key.broker, key.account_number, txn_id),
        )
    )


def insert_entries(
    conn: Conn,
    key: AccountKey,
    txn_id: str,
    kind: str,
    lines: Iterable[Line],
    session: date,
    occurred_at: datetime,
    recorded_at: datetime,
    memo: str,
) -> None:
    """Append one balanced transaction."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount, cost,
                                               session, occurred_at, recorded_at, memo)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (key.broker, key.account_number, txn_id, n, kind, book, asset, amount, cost, session, occurred_at,
                 recorded_at, memo)
                for n, (book, asset, amount, cost) in enumerate(lines, start=1)
            ],
        )  # fmt: skip


def balances(
    conn: Conn, key: AccountKey, *, before: date | None = None
) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Return (book, asset) -> (amount, cost), without the outside world and without empty lines.

    Parameters
    ----------
    before : date, optional
        Count only entries of earlier sessions; opening balances and adjustments count in any case.
    """
    rows = _rows(
        conn,
        """select book, asset, sum(amount) as amount, sum(cost) as cost from ops.ledger_entries
           where broker = %s and account_number = %s and book <> %s
             and (%s::date is null or session < %s or kind in ('opening', 'adjustment'))
           group by book, asset having sum(amount) <> 0 order by book, asset""",
        (key.broker, key.account_number, OUTSIDE_BOOK, before, before),
    )
    return {(r["book"], r["asset"]): (r["amount"], r["cost"]) for r in rows}


def cash_by_book(conn: Conn, key: AccountKey, *, before: date | None = None) -> dict[str, Decimal]:
    """Return USD by book."""
    lines = balances(conn, key, before=before)
    return {book: amount for (book, asset), (amount, _) in lines.items() if asset == USD}


def holdings(conn: Conn, key: AccountKey, *, before: date | None = None) -> dict[tuple[str, str], Decimal]:
    """Return shares by (book, symbol)."""
    lines = balances(conn, key, before=before)
    return {(book, asset): amount for (book, asset), (amount, _) in lines.items() if asset != USD}


# -------------------------------------------------------------------------------------------------- plans


def insert_plan(conn: Conn, key: AccountKey, plan: OrderPlan, intents: Sequence[StoredIntent], at: datetime) -> None:
    """Store a plan and its intents."""
    refusals = [
        {"portfolio_id": r.portfolio_id, "symbol": r.symbol, "side": r.side, "qty": text_of(r.qty), "code": r.code,
         "message": r.message}
        for r in plan.refusals
    ]  # fmt: skip
    conn.execute(
        """insert into ops.order_plans (broker, account_number, session, execution_session, plan_hash, inputs_hash,
                                        managed_equity, sizing_equity, refusals, created_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (key.broker, key.account_number, plan.session, plan.execution_session, plan.plan_hash, plan.inputs_hash,
         plan.managed_equity, plan.sizing_equity, json.dumps(refusals), at),
    )  # fmt: skip
    with conn.cursor() as cursor:
        cursor.executemany(
            """insert into ops.intents (intent_id, broker, account_number, session, execution_session, plan_hash,
                                        seq, kind,
                                        portfolio_id, symbol, side, qty, decision_close, created_at)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (i.intent_id, key.broker, key.account_number, i.session, i.execution_session, i.plan_hash,
                 i.seq, i.kind,
                 i.portfolio_id, i.symbol, i.side, i.qty, i.decision_close, at)
                for i in intents
            ],
        )  # fmt: skip


def _intent(r: Mapping[str, Any]) -> StoredIntent:
    return StoredIntent(
        intent_id=r["intent_id"], session=r["session"], execution_session=r["execution_session"],
        plan_hash=r["plan_hash"], seq=r["seq"], kind=r["kind"], portfolio_id=r["portfolio_id"], symbol=r["symbol"],
        side=r["side"], qty=r["qty"], decision_close=r["decision_close"],
    )  # fmt: skip


def load_plan(conn: Conn, key: AccountKey, session: date) -> StoredPlan | None:
    """Return the stored plan of a session."""
    where = (key.broker, key.account_number, session)
    head = _row(
        conn,
        "select * from ops.order_plans where broker = %s and account_number = %s and session = %s",
        where,
    )
    if head is None:
        return None
    rows = _rows(
        conn,
        "select * from ops.intents where broker = %s and account_number = %s and session = %s order by seq",
        where,
    )
    intents = tuple(_intent(r) for r in rows)
    refusals = tuple(
        Refusal(r["portfolio_id"], r["symbol"], cast("Side", r["side"]), Decimal(r["qty"]), r["code"], r["message"])
        for r in head["refusals"]
    )
    return StoredPlan(
        key=key, session=session, execution_session=head["execution_session"], plan_hash=head["plan_hash"],
        managed_equity=head["managed_equity"], sizing_equity=head["sizing_equity"], intents=intents, refusals=refusals,
    )  # fmt: skip


def finish_plan(conn: Conn, key: AccountKey, session: date, at: datetime) -> None:
    """Note that nothing of a plan is left to do."""
    conn.execute(
        """update ops.order_plans set finished_at = %s
           where broker = %s and account_number = %s and session = %s and finished_at is null""",
        (at, key.broker, key.account_number, session),
    )


# -------------------------------------------------------------------------------------------------- orders


def _order(r: Mapping[str, Any]) -> StoredOrder:
    return StoredOrder(
        client_order_id=r["client_order_id"], intent_id=r["intent_id"], portfolio_id=r["portfolio_id"],
        session=r["session"], execution_session=r["execution_session"], symbol=r["symbol"], side=r["side"],
        attempt=r["attempt"], qty=r["qty"], state=r["state"], reason=r["reason"], broker_order_id=r["broker_order_id"],
        filled_qty=r["filled_qty"], filled_avg_price=r["filled_avg_price"], decision_close=r["decision_close"],
        open_price=r["open_price"], expires_at=r["expires_at"], limit_price=r["limit_price"],
    )  # fmt: skip


def orders(conn: Conn, key: AccountKey, session: date | None = None) -> list[StoredOrder]:
    """Return an account's orders, of one decision session or of all, in the order in which they go out."""
    rows = _rows(
        conn,
        """select o.* from ops.orders o join ops.intents i using (intent_id)
           where o.broker = %s and o.account_number = %s and (%s::date is null or o.session = %s)
           order by o.session, i.seq, o.attempt""",
        (key.broker, key.account_number, session, session),
    )
    return [_order(r) for r in rows]


def unsent_intents(conn: Conn, key: AccountKey, since: date) -> list[StoredIntent]:
    """Return an account's intents to order, of execution sessions from a day on, that no order was made of."""
    rows = _rows(
        conn,
        """select i.* from ops.intents i
           where i.broker = %s and i.account_number = %s and i.kind = 'order' and i.execution_session >= %s
             and not exists (select 1 from ops.orders o where o.intent_id = i.intent_id)
           order by i.session, i.seq""",
        (key.broker, key.account_number, since),
    )
    return [_intent(r) for r in rows]


def unfinished_orders(conn: Conn, key: AccountKey) -> list[StoredOrder]:
    """Return an account's orders that were stored and are not final."""
    return [o for o in orders(conn, key) if not o.is_final]


def order_by(conn: Conn, key: AccountKey, column: str, value: str) -> StoredOrder | None:
    """Return an order by ``client_order_id`` or ``broker_order_id``."""
    if column not in ("client_order_id", "broker_order_id"):
        raise ValueError(column)
    row = _row(
        conn,
        f"select * from ops.orders where broker = %s and account_number = %s and {column} = %s",  # noqa: S608
        (key.broker, key.account_number, value),
    )
    return _order(row) if row else None


def insert_order(conn: Conn, key: AccountKey, order: StoredOrder, at: datetime) -> None:
    """Store a new order."""
    conn.execute(
        """insert into ops.orders (client_order_id, intent_id, broker, account_number, portfolio_id, session,
                                   execution_session, symbol, side, attempt, qty, state, reason,
                                   decision_close, open_price, limit_price,
                                   created_at, updated_at, expires_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (order.client_order_id, order.intent_id, key.broker, key.account_number, order.portfolio_id, order.session,
         order.execution_session, order.symbol, order.side, order.attempt, order.qty, order.state, order.reason,
         order.decision_close, order.open_price, order.limit_price, at, at, order.expires_at),
    )  # fmt: skip
    add_event(conn, order.client_order_id, order.state, order.reason, at)


def set_order_state(
    conn: Conn,
    client_order_id: str,
    state: str,
    at: datetime,
    *,
    reason: str = "",
    broker_order_id: str | None = None,
    broker_status: str | None = None,
    filled_qty: Decimal | None = None,
    filled_avg_price: Decimal | None = None,
    is_sent: bool = False,
) -> None:
    """Move an order to a state and note the event; a repeated identical state is no event."""
    before = _row(
        conn, "select state, filled_qty from ops.orders where client_order_id = %s for update", (client_order_id,)
    )
    conn.execute(
        """update ops.orders set state = %s, updated_at = %s,
               reason = case when %s <> '' then %s else reason end,
               broker_order_id = coalesce(%s, broker_order_id), broker_status = coalesce(%s, broker_status),
               filled_qty = greatest(filled_qty, coalesce(%s, filled_qty)),
               filled_avg_price = coalesce(%s, filled_avg_price),
               sent_at = case when %s then coalesce(sent_at, %s) else sent_at end
           where client_order_id = %s""",
        (state, at, reason, reason, broker_order_id, broker_status, filled_qty, filled_avg_price, is_sent, at,
         client_order_id),
    )  # fmt: skip
    if before is None or before["state"] != state or (filled_qty is not None and before["filled_qty"] != filled_qty):
        detail = reason or (f"filled {text_of(filled_qty)}" if filled_qty else "")
        add_event(conn, client_order_id, state, detail, at)


def add_event(conn: Conn, client_order_id: str, state: str, detail: str, at: datetime) -> None:
    """Note an event of an order."""
    conn.execute(
        "insert into ops.order_events (client_order_id, at, state, detail) values (%s, %s, %s, %s)",
        (client_order_id, at, state, detail[:500]),
    )


# ------------------------------------------------------------------------------------- activities and trades


def seen_activities(conn: Conn, key: AccountKey, ids: Sequence[str]) -> set[str]:
    """Return which of these activities were applied."""
    rows = _rows(
        conn,
        """select activity_id from ops.broker_activities
           where broker = %s and account_number = %s and activity_id = any(%s)""",
        (key.broker, key.account_number, list(ids)),
    )
    return {r["activity_id"] for r in rows}


def insert_activity(conn: Conn, key: AccountKey, activity: Activity, outcome: str, at: datetime) -> None:
    """Note that an activity was applied."""
    conn.execute(
        """insert into ops.broker_activities (broker, account_number, activity_id, activity_type, occurred_at, outcome,
                                              payload, applied_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (key.broker, key.account_number, activity.activity_id, activity.activity_type, activity.occurred_at, outcome,
         json.dumps(dict(activity.payload)), at),
    )  # fmt: skip


def last_activity_at(conn: Conn, key: AccountKey) -> datetime | None:
    """Return when the newest applied activity happened, or when the books were opened."""
    row = _row(
        conn,
        """select coalesce((select max(occurred_at) from ops.broker_activities
                            where broker = %s and account_number = %s),
                           (select bound_at from ops.ledger_bindings
                            where broker = %s and account_number = %s)) as at""",
        (key.broker, key.account_number) * 2,
    )
    return row["at"] if row else None


def opened_at(conn: Conn, key: AccountKey) -> datetime | None:
    """Return when an account's books were opened."""
    row = _row(
        conn,
        """select min(occurred_at) as at from ops.ledger_entries
           where broker = %s and account_number = %s and txn_id = 'opening'""",
        (key.broker, key.account_number),
    )
    return row["at"] if row else None


def insert_trade(conn: Conn, key: AccountKey, row: Mapping[str, Any]) -> None:
    """Store a trade; keys are the columns of ``ops.trades``."""
    names = ["broker", "account_number", *row]
    marks = ", ".join(["%s"] * len(names))
    conn.execute(
        cast("Any", f"insert into ops.trades ({', '.join(names)}) values ({marks})"),  # noqa: S608
        (key.broker, key.account_number, *row.values()),
    )


def count_trades(conn: Conn, key: AccountKey, session: date, kind: str) -> int:
    """Return how many trades of a kind a decision session led to."""
    row = _row(
        conn,
        "select count(*) as n from ops.trades where broker = %s and account_number = %s and session = %s and kind = %s",
        (key.broker, key.account_number, session, kind),
    )
    return int(row["n"]) if row else 0


def count_book_trades(conn: Conn, key: AccountKey, book: str) -> int:
    """Return how many trades a book has seen so far."""
    row = _row(
        conn,
        "select count(*) as n from ops.trades where broker = %s and account_number = %s and portfolio_id = %s",
        (key.broker, key.account_number, book),
    )
    return int(row["n"]) if row else 0


def count_fills(conn: Conn, key: AccountKey) -> int:
    """Return how many trades at the broker were booked so far, by hand or not."""
    row = _row(
        conn,
        """select count(*) as n from ops.trades
           where broker = %s and account_number = %s and kind in ('fill', 'external')""",
        (key.broker, key.account_number),
    )
    return int(row["n"]) if row else 0


def fills_since_rounding(conn: Conn, key: AccountKey) -> int:
    """Return how many of them were booked after the last rounding difference was."""
    row = _row(
        conn,
        """select coalesce(max(split_part(txn_id, '-', 2)::int), 0) as n from ops.ledger_entries
           where broker = %s and account_number = %s and kind = 'rounding'""",
        (key.broker, key.account_number),
    )
    return count_fills(conn, key) - (int(row["n"]) if row else 0)


def unapplied_fills(conn: Conn, key: AccountKey) -> list[tuple[str, Side, Decimal, Decimal | None]]:
    """Return (symbol, side, shares, average price) that orders report as filled but no activity has shown yet."""
    rows = _rows(
        conn,
        """select o.symbol, o.side, o.filled_qty - coalesce(sum(t.qty), 0) as qty, o.filled_avg_price
           from ops.orders o left join ops.trades t using (client_order_id)
           where o.broker = %s and o.account_number = %s and o.filled_qty > 0
           group by o.client_order_id, o.symbol, o.side, o.filled_qty, o.filled_avg_price
           having o.filled_qty > coalesce(sum(t.qty), 0)""",
        (key.broker, key.account_number),
    )
    return [(r["symbol"], r["side"], r["qty"], r["filled_avg_price"]) for r in rows]


# --------------------------------------------------------------------------- reconciliation, state, approvals


def insert_reconciliation(conn: Conn, key: AccountKey, result: Reconciliation) -> None:
    """Store the result of a reconciliation."""
    differences = [
        {"asset": d.asset, "ledger": text_of(d.ledger), "broker": text_of(d.broker)} for d in result.differences
    ]
    conn.execute(
        """insert into ops.reconciliations (broker, account_number, at, is_clean, cash_ledger, cash_broker, differences)
           values (%s, %s, %s, %s, %s, %s, %s)""",
        (key.broker, key.account_number, result.at, result.is_clean, result.cash_ledger, result.cash_broker,
         json.dumps(differences)),
    )  # fmt: skip


def trading_state(conn: Conn) -> dict[str, Any] | None:
    """Return the newest trading state: state, set_at, set_by, reason."""
    return _row(conn, "select state, set_at, set_by, reason from ops.trading_state order by state_id desc limit 1")


def insert_trading_state(conn: Conn, state: str, at: datetime, who: str, reason: str) -> None:
    """Append a trading state."""
    conn.execute(
        "insert into ops.trading_state (state, set_at, set_by, reason) values (%s, %s, %s, %s)",
        (state, at, who, reason),
    )


def insert_approval(
    conn: Conn,
    key: AccountKey,
    session: date,
    plan_hash: str,
    decision: str,
    who: str,
    at: datetime,
    expires_at: datetime,
    note: str,
) -> None:
    """Store what a person decided about a plan."""
    conn.execute(
        """insert into ops.approvals (broker, account_number, session, plan_hash, decision, decided_by, decided_at,
                                      expires_at, note)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (key.broker, key.account_number, session, plan_hash, decision, who, at, expires_at, note),
    )


def last_approval(conn: Conn, key: AccountKey, plan_hash: str) -> dict[str, Any] | None:
    """Return the newest decision about a plan."""
    return _row(
        conn,
        """select decision, decided_by, decided_at, expires_at from ops.approvals
           where broker = %s and account_number = %s and plan_hash = %s order by approval_id desc limit 1""",
        (key.broker, key.account_number, plan_hash),
    )


def upsert_account_metrics(
    conn: Conn, account: Account, session: date, at: datetime, managed_equity: Decimal, external_value: Decimal
) -> None:
    """Store an account's figures of a session; a later snapshot of the same session replaces the earlier one."""
    conn.execute(
        """insert into ops.account_metrics (broker, account_number, session, taken_at, equity, cash, long_market_value,
                                            buying_power, managed_equity, external_value)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (broker, account_number, session) do update set
               taken_at = excluded.taken_at, equity = excluded.equity, cash = excluded.cash,
               long_market_value = excluded.long_market_value, buying_power = excluded.buying_power,
               managed_equity = excluded.managed_equity, external_value = excluded.external_value""",
        (account.key.broker, account.key.account_number, session, at, account.equity, account.cash,
         account.long_market_value, account.buying_power, managed_equity, external_value),
    )  # fmt: skip


def managed_path(conn: Conn, key: AccountKey, *, not_by: str) -> list[tuple[Decimal, Decimal]]:
    """Return (managed equity, money that came in since the snapshot before) by session, oldest first, in USD.

    It begins with the last snapshot before somebody other than ``not_by`` set the trading state to ACTIVE; with the
    first one when nobody ever did.
    """
    rows = _rows(
        conn,
        """with figures as (
               select session, taken_at, managed_equity, lag(taken_at) over (order by session) as before
               from ops.account_metrics where broker = %s and account_number = %s),
           reset as (
               select max(f.session) as session from figures f
               where f.taken_at <= (select max(set_at) from ops.trading_state where state = 'ACTIVE' and set_by <> %s))
           select f.managed_equity, coalesce(sum(l.amount), 0) as flow
           from figures f cross join reset r
           left join ops.ledger_entries l
               on l.broker = %s and l.account_number = %s and l.asset = 'USD' and l.book not in (%s, %s)
               and l.kind in ('opening', 'transfer', 'adjustment', 'external')
               and l.recorded_at <= f.taken_at and l.recorded_at > f.before
           where r.session is null or f.session >= r.session
           group by f.session, f.managed_equity order by f.session""",
        (key.broker, key.account_number, not_by, key.broker, key.account_number, OUTSIDE_BOOK, EXTERNAL_BOOK),
    )
    return [(r["managed_equity"], r["flow"]) for r in rows]


def closes(conn: Conn, symbols: Sequence[str], session: date, known_by: datetime) -> dict[str, Decimal]:
    """Return the last unadjusted closes up to a session, as known at a time; at most ten days old."""
    rows = _rows(
        conn,
        """select distinct on (symbol) symbol, close from (
               select distinct on (symbol, event_date, source) symbol, event_date, close, is_deleted, known_at
               from raw.prices
               where symbol = any(%s) and event_date between %s::date - 10 and %s and known_at <= %s
               order by symbol, event_date, source, known_at desc, row_id desc) versions
           where not is_deleted and close > 0 order by symbol, event_date desc, known_at desc""",
        (list(symbols), session, session, known_by),
    )
    return {r["symbol"]: Decimal(str(r["close"])) for r in rows}


def total(values: Iterable[Decimal]) -> Decimal:
    """Sum decimals exactly."""
    return sum(values, ZERO)
