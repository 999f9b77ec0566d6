"""What the broker shows is brought into the books: activities once by their id, states of orders, then a comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pas_lib.clock import NY, Clock, ny_midnight, session_close
from pas_lib.errors import BrokerError, LedgerError
from pas_lib.execution import ledger, store
from pas_lib.execution.broker import AlpacaGateway, OrderMismatch, OutcomeUnknown, state_of
from pas_lib.execution.ids import client_order_id
from pas_lib.execution.state import lower_state
from pas_lib.execution.store import Conn
from pas_lib.execution.types import (
    CASH_BOOK,
    CENT,
    EXTERNAL_BOOK,
    OUTSIDE_BOOK,
    USD,
    ZERO,
    Account,
    AccountKey,
    Activity,
    BrokerOrder,
    Difference,
    Reconciliation,
    StoredOrder,
)

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

#: Shares up to this do not count as a difference; cash up to a cent.
SHARE_TOLERANCE = Decimal("1e-6")
#: How far back the feed is read again: rows without a time of day come late.
OVERLAP = timedelta(days=7)
#: Within one run the feed is read again from so long before the newest row seen.
MARGIN = timedelta(minutes=10)
#: How far back wishes are looked for that nothing became of.
LOOK_BACK = timedelta(days=60)
#: More unfinished orders than these are asked for by one question.
FEW = 5
#: Why an order expired that the broker never saw.
NEVER_SENT = "NEVER_SENT: its session is over"
#: Activities that take shares away in one row and give them back in another.
_PAIRED = frozenset({"SPLIT", "NC"})
#: Mergers that give shares for those they take: of these half a merger would be a total loss.
_STOCK_MERGERS = frozenset({"SMA", "SCMA"})


def pull_activities(
    gateway: AlpacaGateway, key: AccountKey, warehouse: Warehouse, clock: Clock, *, whole: bool = False
) -> int:
    """Apply every activity that was not applied yet, in the order of time. Return how many were new.

    The first time a gateway is asked, and with ``whole``, the last seven days are read, because rows without a time of
    day come late; afterwards only what happened from shortly before the newest row seen.

    A fill belongs to the portfolio whose order it is, found by the broker's order id or, where that was never noted
    because the process died, by the client id of the broker's order. A fill of nobody's order is a trade by hand:
    EXTERNAL.

    Each activity is applied in a transaction of its own together with the note that it was, so that dying in between
    neither loses nor doubles one. A split or rename waits until both of its halves are there: half of one leaves
    nobody who held the shares.
    """
    with warehouse.connect() as conn:
        since = store.last_activity_at(conn, key)
        opened = store.opened_at(conn, key)
    if since is None or opened is None:
        raise LedgerError("the ledger belongs to no account yet")
    is_first = whole or gateway.read_since is None
    rows = gateway.activities(max(opened, since) - OVERLAP if is_first else gateway.read_since or since)
    if rows:
        gateway.read_since = max(a.occurred_at for a in rows) - MARGIN
    with warehouse.connect() as conn:
        seen = store.seen_activities(conn, key, [a.activity_id for a in rows])
    new = [a for a in rows if a.activity_id not in seen]
    groups: dict[str, list[Activity]] = defaultdict(list)
    for activity in new:
        groups[str(activity.payload.get("group_id") or activity.activity_id)].append(activity)
    for group in groups.values():
        first = group[0]
        if _is_torn(group):
            continue
        order = _owner(gateway, key, warehouse, first) if first.activity_type == "FILL" else None
        parent = _parent(gateway, group)
        now = clock.now()
        with warehouse.connect() as conn:
            if first.activity_type == "FILL":
                outcome = f"booked: {ledger.apply_fill(conn, key, first, order, now)}"
            else:
                outcome = ledger.apply_other(conn, key, group, now, parent=parent)
            for activity in group:
                store.insert_activity(conn, key, activity, outcome, now)
    return len(new)


def _is_torn(group: Sequence[Activity]) -> bool:
    """Tell whether rows that say they have siblings came without them."""
    first = group[0]
    is_paired = first.activity_type in _PAIRED or any(
        str(a.payload.get("activity_sub_type")) in _STOCK_MERGERS for a in group
    )
    if not is_paired or not first.payload.get("group_id"):
        return False
    return len({(a.qty or ZERO) > 0 for a in group}) < 2


def _parent(gateway: AlpacaGateway, group: Sequence[Activity]) -> str:
    """Return whose shares a spin-off came from, where its rows do not say so themselves."""
    gained = [a for a in group if a.activity_type == "SPIN" and (a.qty or ZERO) > 0]
    if not gained or any((a.qty or ZERO) < 0 for a in group):
        return ""
    return gateway.spun_off_from(gained[0].symbol, gained[0].occurred_at.astimezone(NY).date())


def _owner(gateway: AlpacaGateway, key: AccountKey, warehouse: Warehouse, fill: Activity) -> StoredOrder | None:
    with warehouse.connect() as conn:
        order = store.order_by(conn, key, "broker_order_id", fill.order_id)
    if order is not None:
        return order
    found = gateway.order(fill.order_id)
    if found is None:
        return None
    with warehouse.connect() as conn:
        return store.order_by(conn, key, "client_order_id", found.client_order_id)


def record(
    warehouse: Warehouse, clock: Clock, order: StoredOrder, found: BrokerOrder, *, is_sent: bool = False
) -> None:
    """Note what the broker says about an order."""
    with warehouse.connect() as conn:
        store.set_order_state(
            conn, order.client_order_id, state_of(found.status), clock.now(),
            broker_order_id=found.broker_order_id, broker_status=found.status, filled_qty=found.filled_qty,
            filled_avg_price=found.filled_avg_price, is_sent=is_sent,
        )  # fmt: skip


def halt_for(warehouse: Warehouse, clock: Clock, order: StoredOrder, error: OrderMismatch) -> str:
    """Stop trading because of an order that is not ours, and note what it is, so that a person can start again.

    Its fills are booked as they are: the books follow the broker.
    """
    lower_state(warehouse, clock, "HALTED", str(error))
    found = error.found
    with warehouse.connect() as conn:
        store.set_order_state(
            conn, order.client_order_id, state_of(found.status), clock.now(), reason=f"MISMATCH: {error}",
            broker_order_id=found.broker_order_id, broker_status=found.status, filled_qty=found.filled_qty,
            filled_avg_price=found.filled_avg_price, is_sent=True,
        )  # fmt: skip
    return str(error)


def refresh_orders(
    gateway: AlpacaGateway, key: AccountKey, warehouse: Warehouse, clock: Clock, *, never_sent_is_over: bool = False
) -> list[str]:
    """Ask the broker about every order that is not final. Return problems, one line each.

    Orders that were stored but perhaps never sent are looked up; if the broker does not know them they stay as they
    are, or with ``never_sent_is_over`` become expired when their session is over.
    """
    problems: list[str] = []
    with warehouse.connect() as conn:
        waiting = store.unfinished_orders(conn, key)
    listed: Mapping[str, BrokerOrder] = {}
    if len(waiting) > FEW:
        with suppress(BrokerError):
            listed = gateway.orders_since(ny_midnight(min(o.execution_session for o in waiting)))
    for order in waiting:
        try:
            # Only what the list does not have is asked for by itself: absence is proved by the id alone.
            known = listed.get(order.client_order_id)
            found = gateway.matching(order, known) if known is not None else gateway.look_up(order)
        except OrderMismatch as error:
            problems.append(halt_for(warehouse, clock, order, error))
            continue
        except OutcomeUnknown as error:
            problems.append(str(error))
            continue
        if found is not None:
            record(warehouse, clock, order, found)
        elif never_sent_is_over and clock.now() >= order.expires_at:
            with warehouse.connect() as conn:
                store.set_order_state(conn, order.client_order_id, "expired", clock.now(), reason=NEVER_SENT)
    return problems


def expire_unsent(key: AccountKey, warehouse: Warehouse, clock: Clock) -> int:
    """Store an expired order for every intent whose session went by without one; return how many there were.

    A broker that was down all day, a trading state that held orders back: afterwards each wish has state and reason.
    """
    now = clock.now()
    with warehouse.connect() as conn:
        unsent = store.unsent_intents(conn, key, (now - LOOK_BACK).date())
        late = [i for i in unsent if now >= session_close(i.execution_session)]
        if not late:
            return 0
        warehouse_id, _ = store.identity(conn)
        for intent in late:
            side = intent.side or "buy"
            store.insert_order(conn, key, StoredOrder(
                client_order_id=client_order_id(
                    intent.portfolio_id, intent.session, intent.symbol, side, 1, key, warehouse_id, intent.qty
                ),
                intent_id=intent.intent_id, portfolio_id=intent.portfolio_id, session=intent.session,
                execution_session=intent.execution_session, symbol=intent.symbol, side=side, attempt=1,
                qty=intent.qty, state="expired", reason=NEVER_SENT, broker_order_id=None, filled_qty=ZERO,
                filled_avg_price=None, decision_close=intent.decision_close or ZERO, open_price=None,
                expires_at=session_close(intent.execution_session),
            ), now)  # fmt: skip
    return len(late)


def require_booked(warehouse: Warehouse, key: AccountKey) -> None:
    """Refuse to go on while orders are filled whose fills the feed does not show: the books lack them.

    Raises
    ------
    BrokerError
        Naming how many; they are booked by a later call.
    """
    with warehouse.connect() as conn:
        missing = store.unapplied_fills(conn, key)
    if missing:
        fills = "1 fill is" if len(missing) == 1 else f"{len(missing)} fills are"
        raise BrokerError(
            f"{fills} not in the broker's activities yet ({missing[0][1]} {missing[0][0]}): the books are not complete",
            hint="try again later",
        )


# -------------------------------------------------------------------------------------------- reconciliation


def compare(
    conn: Conn, key: AccountKey, account: Account, positions: Mapping[str, Decimal], clock: Clock
) -> Reconciliation:
    """Compare the sum of all books with the broker over the union of symbols, cash included.

    Shares that our orders report as filled while the activity feed does not show them yet explain a difference.
    """
    books = ledger.total_holdings(conn, key)
    cash = ledger.total_cash(conn, key)
    tolerance = CENT
    for symbol, side, qty, price in store.unapplied_fills(conn, key):
        sign = 1 if side == "buy" else -1
        value = qty * (price or ZERO)
        books[symbol] = books.get(symbol, ZERO) + sign * qty
        cash -= sign * value
        # The order's average price is not the missing fill's own price.
        tolerance += value * Decimal("0.02")
    differences = [
        Difference(symbol, books.get(symbol, ZERO), positions.get(symbol, ZERO))
        for symbol in sorted(set(books) | set(positions))
        if abs(books.get(symbol, ZERO) - positions.get(symbol, ZERO)) > SHARE_TOLERANCE
    ]
    if abs(cash - account.cash) > tolerance:
        differences.append(Difference(USD, cash, account.cash))
    return Reconciliation(clock.now(), tuple(differences), cash, account.cash)


def _book_rounding(conn: Conn, key: AccountKey, result: Reconciliation, clock: Clock) -> bool:
    """Book what the broker's rounding to the cent adds up to: at most half a cent per fill since the last time."""
    if [d.asset for d in result.differences] != [USD]:
        return False
    missing = result.cash_broker - result.cash_ledger
    if abs(missing) > CENT / 2 * store.fills_since_rounding(conn, key):
        return False
    postings = ledger.Postings()
    postings.move(USD, missing, OUTSIDE_BOOK, CASH_BOOK)
    now = clock.now()
    fills = store.count_fills(conn, key)
    return ledger.post(conn, key, f"rounding-{fills}", "rounding", postings, occurred_at=now, recorded_at=now)


def reconcile(gateway: AlpacaGateway, key: AccountKey, warehouse: Warehouse, clock: Clock) -> Reconciliation:
    """Bring in what is new, compare, and lower the trading state to REDUCING if something stays unexplained.

    The broker's positions may lag behind its fills by seconds: a difference is looked at again before it counts.
    """
    result: Reconciliation | None = None
    for n in range(gateway.options.lookups):
        if n:
            gateway.sleep(gateway.options.pause * 2 ** (n - 1))
        pull_activities(gateway, key, warehouse, clock, whole=n > 0)
        refresh_orders(gateway, key, warehouse, clock)
        account, (positions, _) = gateway.account(), gateway.positions()
        if account.key != key:
            raise BrokerError("the broker's account changed while it was compared")
        with warehouse.connect() as conn:
            result = compare(conn, key, account, positions, clock)
            if _book_rounding(conn, key, result, clock):
                result = compare(conn, key, account, positions, clock)
        if result.is_clean:
            break
    assert result is not None  # noqa: S101 - lookups is at least one
    with warehouse.connect() as conn:
        store.insert_reconciliation(conn, key, result)
        short = [
            f"{symbol} {amount}"
            for (book, symbol), amount in store.holdings(conn, key).items()
            if amount < -SHARE_TOLERANCE
        ]
    if not result.is_clean:
        first = result.differences[0]
        more = f" and {len(result.differences) - 1} more" if len(result.differences) > 1 else ""
        lower_state(
            warehouse, clock, "REDUCING",
            f"books and broker disagree: {first.asset} books {first.ledger} broker {first.broker}{more}",
        )  # fmt: skip
    elif short:
        # The sum is right, but someone sold by hand what a portfolio still counts on.
        lower_state(warehouse, clock, "REDUCING", f"a book holds less than nothing (see {EXTERNAL_BOOK}): {short[0]}")
    return result
