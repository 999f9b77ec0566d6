"""The books: double entry, one book per portfolio, bound to one account of one broker.

A transaction's lines add up to zero for every asset; what comes from or goes to the world outside the account has its
counterpart in the book ``OUTSIDE``. So the sum of all other books is, by construction, what the broker holds.

Cost is kept at average: a buy adds its value, a sale takes off its part of the cost, a split moves shares at no cost.
At any time what was realised is what came in, less what was paid, plus the cost of what is still held.
Nothing is ever changed; a mistake is corrected by a further transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from pas_lib.clock import NY, Clock, session_on_or_before
from pas_lib.errors import GuardError, LedgerError
from pas_lib.execution import store
from pas_lib.execution.plan import split_pro_rata
from pas_lib.execution.store import Conn
from pas_lib.execution.types import (
    CASH_BOOK,
    CENT,
    EXTERNAL_BOOK,
    NANO,
    OUTSIDE_BOOK,
    USD,
    ZERO,
    Account,
    AccountKey,
    Activity,
    CrossLeg,
    Side,
    StoredIntent,
    StoredOrder,
)

#: Activities that move cash only, and the ledger's name for them. Everything else that moves cash is a transfer.
_CASH_KINDS: Mapping[str, str] = {
    "DIV": "dividend", "DIVCGL": "dividend", "DIVCGS": "dividend", "DIVFT": "dividend", "DIVNRA": "dividend",
    "DIVROC": "dividend", "DIVTW": "dividend", "DIVTXEX": "dividend", "CGD": "dividend", "DIVFEE": "fee", "FEE": "fee",
    "CFEE": "fee", "PTC": "fee", "INT": "dividend", "INTNRA": "dividend", "INTTW": "dividend",
}  # fmt: skip
#: Activities that change shares without a trade.
_SHARE_TYPES = frozenset({"SPLIT", "NC", "MA", "REORG", "SPIN", "VOF"})
#: Sides of fills; a person may sell short by hand, which leaves EXTERNAL with less than nothing.
_SIDES: Mapping[str, Side] = {"buy": "buy", "sell": "sell", "sell_short": "sell"}
#: Securities that arrive or leave from outside.
_DELIVERIES = frozenset({"ACATS", "JNLS", "FOPT"})


class Postings:
    """Lines of one transaction, kept in balance."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}

    def move(self, asset: str, amount: Decimal, source: str, target: str, *, cost: Decimal = ZERO) -> None:
        """Move an amount from one book to another; ``cost`` is added at the target only."""
        self.add(source, asset, -amount)
        self.add(target, asset, amount, cost)

    def add(self, book: str, asset: str, amount: Decimal, cost: Decimal = ZERO) -> None:
        """Add to one line."""
        before, before_cost = self._lines.get((book, asset), (ZERO, ZERO))
        self._lines[(book, asset)] = (before + amount, before_cost + cost)

    def lines(self) -> list[store.Line]:
        """Return the lines that are not empty, sorted."""
        return [
            (book, asset, amount, cost)
            for (book, asset), (amount, cost) in sorted(self._lines.items())
            if amount != 0 or cost != 0
        ]


def post(
    conn: Conn,
    key: AccountKey,
    txn_id: str,
    kind: str,
    postings: Postings,
    *,
    occurred_at: datetime,
    recorded_at: datetime,
    memo: str = "",
    session: date | None = None,
) -> bool:
    """Append a transaction unless it is there already.

    Returns
    -------
    bool
        Whether it was appended.

    Raises
    ------
    LedgerError
        If its lines do not add up to zero.
    """
    if store.has_txn(conn, key, txn_id):
        return False
    lines = postings.lines()
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, asset, amount, _ in lines:
        sums[asset] += amount
    wrong = sorted(asset for asset, amount in sums.items() if amount != 0)
    if wrong:
        raise LedgerError(f"ledger transaction {txn_id} does not balance in {', '.join(wrong)}")
    day = session or session_on_or_before(occurred_at.astimezone(NY).date())
    store.insert_entries(conn, key, txn_id, kind, lines, day, occurred_at, recorded_at, memo)
    return True


# --------------------------------------------------------------------------------------------------- binding


def ensure_bound(
    conn: Conn,
    account: Account,
    positions: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    past: Sequence[Activity],
    clock: Clock,
) -> None:
    """Open the books at the first contact with an account; refuse another one.

    Parameters
    ----------
    positions, prices : mapping
        What the account holds already (shares) and the average prices paid (USD): it goes to the EXTERNAL book.
    past : sequence of Activity
        What the feed shows already; it is in the opening balance and will not be applied.

    Raises
    ------
    GuardError
        If the ledger belongs to another account.
    """
    bound = store.active_binding(conn)
    if bound == account.key:
        return
    if bound is not None:
        raise GuardError(
            f"the ledger belongs to {bound.broker} account {bound.account_number}, the broker shows "
            f"{account.key.broker} account {account.key.account_number}",
            hint="open books for it with `pas adopt`",
        )
    _open_books(conn, account, positions, prices, past, clock, "system", "first contact")


def adopt(
    conn: Conn,
    account: Account,
    positions: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    past: Sequence[Activity],
    clock: Clock,
    *,
    who: str,
    reason: str,
) -> str:
    """Make the broker's account the one the ledger belongs to.

    Another account gets books of its own (or those it had before). For the account that is bound already, what books
    and broker disagree about is booked to EXTERNAL and CASH, so that they agree again.

    Returns
    -------
    str
        One line that says what was done.

    Raises
    ------
    LedgerError
        If nobody or no reason is named.
    """
    if not who.strip() or not reason.strip():
        raise LedgerError("adopting needs a name and a reason")
    if store.active_binding(conn) != account.key:
        if not store.is_known_account(conn, account.key):
            _open_books(conn, account, positions, prices, past, clock, who, reason)
            return f"opened books for {account.key.broker} account {account.key.account_number}"
        warehouse_id, _ = store.identity(conn)
        store.bind(conn, account.key, warehouse_id, clock.now(), who, reason)
        return f"went back to the books of {account.key.broker} account {account.key.account_number}"
    return _book_differences(conn, account, positions, prices, clock, f"{who}: {reason}")


def _open_books(
    conn: Conn,
    account: Account,
    positions: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    past: Sequence[Activity],
    clock: Clock,
    who: str,
    reason: str,
) -> None:
    now = clock.now()
    warehouse_id, _ = store.identity(conn)
    store.bind(conn, account.key, warehouse_id, now, who, reason)
    opening = Postings()
    opening.move(USD, account.cash, OUTSIDE_BOOK, CASH_BOOK)
    for symbol, qty in sorted(positions.items()):
        cost = (qty * prices.get(symbol, ZERO)).quantize(NANO)
        opening.move(symbol, qty, OUTSIDE_BOOK, EXTERNAL_BOOK, cost=cost)
    post(conn, account.key, "opening", "opening", opening, occurred_at=now, recorded_at=now, memo=reason)
    for activity in past:
        store.insert_activity(conn, account.key, activity, "part of the opening balance", now)


def _book_differences(
    conn: Conn,
    account: Account,
    positions: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    clock: Clock,
    memo: str,
) -> str:
    now = clock.now()
    held = total_holdings(conn, account.key)
    fix = Postings()
    symbols = sorted(set(held) | set(positions))
    for symbol in symbols:
        missing = positions.get(symbol, ZERO) - held.get(symbol, ZERO)
        if missing:
            cost = (missing * prices.get(symbol, ZERO)).quantize(NANO)
            fix.move(symbol, missing, OUTSIDE_BOOK, EXTERNAL_BOOK, cost=cost)
    cash = account.cash - total_cash(conn, account.key)
    if abs(cash) >= CENT:
        fix.move(USD, cash, OUTSIDE_BOOK, CASH_BOOK)
    count = len(fix.lines()) // 2
    if not count:
        return "books and broker agree already"
    post(
        conn,
        account.key,
        f"adjustment-{now.isoformat()}",
        "adjustment",
        fix,
        occurred_at=now,
        recorded_at=now,
        memo=memo,
    )
    return f"booked {count} differences to {EXTERNAL_BOOK} and {CASH_BOOK}"


# -------------------------------------------------------------------------------------------------- balances


def total_cash(conn: Conn, key: AccountKey) -> Decimal:
    """Return USD over all books."""
    return store.total(store.cash_by_book(conn, key).values())


def total_holdings(conn: Conn, key: AccountKey) -> dict[str, Decimal]:
    """Return shares by symbol over all books."""
    totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for (_, symbol), qty in store.holdings(conn, key).items():
        totals[symbol] += qty
    return {symbol: qty for symbol, qty in totals.items() if qty != 0}


def managed_equity(
    conn: Conn, key: AccountKey, closes: Mapping[str, Decimal], *, before: date | None = None
) -> Decimal:
    """Return the value of all books but EXTERNAL, in USD; a holding without a close counts at its cost."""
    value = ZERO
    for (book, asset), (amount, cost) in store.balances(conn, key, before=before).items():
        if book == EXTERNAL_BOOK:
            continue
        if asset == USD:
            value += amount
        else:
            value += amount * closes[asset] if asset in closes else cost
    return value.quantize(NANO)


# -------------------------------------------------------------------------------------------------- postings


def post_funding(conn: Conn, key: AccountKey, intent: StoredIntent, at: datetime) -> bool:
    """Move cash between the CASH book and a portfolio's book, once per intent."""
    postings = Postings()
    postings.move(USD, intent.qty, CASH_BOOK, intent.portfolio_id)
    return post(
        conn,
        key,
        intent.intent_id,
        "funding",
        postings,
        occurred_at=at,
        recorded_at=at,
        session=intent.execution_session,
    )


def post_cross(
    conn: Conn,
    key: AccountKey,
    legs: Sequence[tuple[str, CrossLeg]],
    price: Decimal,
    *,
    session: date,
    execution_session: date,
    occurred_at: datetime,
    recorded_at: datetime,
) -> bool:
    """Settle the crossing in one symbol between books at one price, once.

    Parameters
    ----------
    legs : sequence of (intent id, CrossLeg)
        All legs of the symbol; they add up to zero.
    price : Decimal
        The official open, in USD.

    Raises
    ------
    LedgerError
        If a seller's book holds less than it gives, or the legs do not add up.
    """
    symbol = legs[0][1].symbol
    txn_id = f"cross-{session:%Y%m%d}-{symbol}"
    if store.has_txn(conn, key, txn_id):
        return False
    held = store.balances(conn, key)
    postings = Postings()
    for intent_id, leg in legs:
        value = (leg.qty * price).quantize(NANO)
        if leg.side == "sell":
            cost = _cost_of(held, leg.portfolio_id, symbol, leg.qty)
            postings.add(leg.portfolio_id, symbol, -leg.qty, -cost)
            postings.add(leg.portfolio_id, USD, value)
            pnl: Decimal | None = value - cost
        else:
            postings.add(leg.portfolio_id, symbol, leg.qty, value)
            postings.add(leg.portfolio_id, USD, -value)
            pnl = None
        store.insert_trade(conn, key, {
            "trade_id": intent_id, "kind": "cross", "portfolio_id": leg.portfolio_id, "symbol": symbol,
            "side": leg.side,
            "qty": leg.qty, "price": price, "notional": value, "executed_at": occurred_at,
            "execution_session": execution_session, "session": session, "decision_close": leg.decision_close,
            "open_price": price, "realized_pnl": pnl, "recorded_at": recorded_at,
        })  # fmt: skip
    # Rounding each leg to 9 decimals leaves at most some billionths; they stay with the CASH book.
    rounding = -store.total(amount for _, asset, amount, _ in postings.lines() if asset == USD)
    if rounding:
        postings.add(CASH_BOOK, USD, rounding)
    return post(
        conn,
        key,
        txn_id,
        "cross",
        postings,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        session=execution_session,
    )


def _cost_of(
    held: Mapping[tuple[str, str], tuple[Decimal, Decimal]],
    book: str,
    symbol: str,
    qty: Decimal,
    *,
    strict: bool = True,
) -> Decimal:
    """Average cost of a part of a holding."""
    amount, cost = held.get((book, symbol), (ZERO, ZERO))
    if strict and qty > amount + Decimal("1e-6"):
        raise LedgerError(f"book {book} holds {amount} {symbol} and cannot give {qty}")
    if amount <= 0:
        return ZERO
    return cost if qty >= amount else (cost * qty / amount).quantize(NANO)


def apply_fill(
    conn: Conn, key: AccountKey, activity: Activity, order: StoredOrder | None, recorded_at: datetime
) -> str:
    """Book one fill: to the portfolio whose order it is, or to EXTERNAL when nobody here ordered it.

    Returns
    -------
    str
        The book.

    Raises
    ------
    LedgerError
        If the activity lacks a price or a quantity.
    """
    qty, price = activity.qty, activity.price
    if qty is None or price is None or qty <= 0 or price <= 0 or activity.side not in _SIDES:
        raise LedgerError(f"fill {activity.activity_id} has no usable side, price or quantity")
    side = _SIDES[activity.side]
    book = order.portfolio_id if order else EXTERNAL_BOOK
    cash_book = book if order else CASH_BOOK
    value = (qty * price).quantize(NANO)
    postings = Postings()
    pnl: Decimal | None = None
    if side == "buy":
        postings.move(activity.symbol, qty, OUTSIDE_BOOK, book, cost=value)
        postings.move(USD, value, cash_book, OUTSIDE_BOOK)
    else:
        # The broker has sold it, whatever the book says: a book short of shares shows up in reconciliation.
        cost = _cost_of(store.balances(conn, key), book, activity.symbol, qty, strict=False)
        postings.move(activity.symbol, -qty, OUTSIDE_BOOK, book, cost=-cost)
        postings.move(USD, -value, cash_book, OUTSIDE_BOOK)
        pnl = value - cost
    session = session_on_or_before(activity.occurred_at.astimezone(NY).date())
    posted = post(
        conn, key, activity.activity_id, "fill" if order else "external", postings,
        occurred_at=activity.occurred_at, recorded_at=recorded_at, session=session,
    )  # fmt: skip
    if posted:
        store.insert_trade(conn, key, {
            "trade_id": activity.activity_id, "kind": "fill" if order else "external", "portfolio_id": book,
            "symbol": activity.symbol, "side": side, "qty": qty, "price": price, "notional": value,
            "executed_at": activity.occurred_at, "execution_session": session,
            "session": order.session if order else None,
            "client_order_id": order.client_order_id if order else None, "activity_id": activity.activity_id,
            "decision_close": order.decision_close if order else None,
            "open_price": order.open_price if order else None,
            "realized_pnl": pnl, "recorded_at": recorded_at,
        })  # fmt: skip
    return book


def apply_other(
    conn: Conn, key: AccountKey, group: Sequence[Activity], recorded_at: datetime, *, parent: str = ""
) -> str:
    """Book non-trade activities that belong together (one row, or rows that share a ``group_id``).

    Cash that a symbol pays goes to the books that held it before that day, in proportion (largest remainder, exact);
    other cash to the CASH book. Shares that a split, rename or merger takes away and gives are shared out in the same
    way, and their cost goes along, less the cash that comes with them. Shares that go for cash alone, or for nothing,
    are sold: a trade of kind ``removal`` with its realised profit. Securities delivered from outside go to EXTERNAL.
    What EXTERNAL is paid goes to CASH, as money from outside (kind ``external``).

    Parameters
    ----------
    parent : str
        Whose holders get shares that come without any going (a spin-off); empty when it is not known.

    Returns
    -------
    str
        What was done, for the record.
    """
    first = group[0]
    if any(str(a.payload.get("status", "executed")) == "canceled" for a in group):
        return "ignored: canceled"
    day = first.occurred_at.astimezone(NY).date()
    postings, removals = Postings(), list[_Removal]()
    net = store.total(a.net_amount or ZERO for a in group)
    cash: Mapping[str, Decimal] = {}
    if first.activity_type in _SHARE_TYPES:
        kind, cash, removals = _move_shares(conn, key, group, postings, net, day, parent)
    elif first.activity_type in _DELIVERIES:
        kind, cash = "transfer", _shared(net, {})
        for activity in group:
            qty = activity.qty or ZERO
            cost = (qty * (activity.price or ZERO)).quantize(NANO)
            postings.move(activity.symbol, qty, OUTSIDE_BOOK, EXTERNAL_BOOK, cost=cost)
    else:
        kind = _CASH_KINDS.get(first.activity_type, "transfer")
        cash = _shared(net, _claims(conn, key, first.symbol, day) if kind == "dividend" and first.symbol else {})
    outside = Postings()
    for book, part in cash.items():
        if book == EXTERNAL_BOOK:
            # EXTERNAL keeps no cash of its own.
            outside.move(USD, part, OUTSIDE_BOOK, CASH_BOOK)
        else:
            postings.move(USD, part, OUTSIDE_BOOK, book)
    session, memo = session_on_or_before(day), f"{first.activity_type} {first.symbol}".strip()
    done = False
    for txn_id, name, lines in (
        (first.activity_id, kind, postings),
        (f"{first.activity_id}-external", "external", outside),
    ):
        if lines.lines():
            done = True
            post(
                conn, key, txn_id, name, lines, occurred_at=first.occurred_at, recorded_at=recorded_at,
                session=session, memo=memo,
            )  # fmt: skip
    for removal in removals:
        store.insert_trade(conn, key, {
            "trade_id": f"{first.activity_id}-{removal.book}-{removal.symbol}", "kind": "removal",
            "portfolio_id": removal.book, "symbol": removal.symbol, "side": "sell", "qty": removal.qty,
            "price": max(ZERO, (removal.proceeds / removal.qty).quantize(NANO)), "notional": removal.proceeds,
            "executed_at": first.occurred_at, "execution_session": session, "activity_id": first.activity_id,
            "realized_pnl": removal.proceeds - removal.cost, "recorded_at": recorded_at,
        })  # fmt: skip
    return f"booked: {kind}" if done else "nothing to book"


@dataclass(frozen=True, slots=True)
class _Removal:
    """Shares that a book lost for cash or for nothing; cost and proceeds in USD."""

    book: str
    symbol: str
    qty: Decimal
    cost: Decimal
    proceeds: Decimal


def _claims(conn: Conn, key: AccountKey, symbol: str, before: date | None) -> dict[str, Decimal]:
    """Return book -> shares of a symbol, at the beginning of a day or now."""
    return {
        book: amount
        for (book, asset), (amount, _) in store.balances(conn, key, before=before).items()
        if asset == symbol and amount > 0
    }


def _shared(net: Decimal, claims: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Share cash out in proportion to claims, exactly; without any it is the CASH book's."""
    if not net:
        return {}
    if not claims:
        return {CASH_BOOK: net}
    return {book: part.copy_sign(net) for book, part in split_pro_rata(abs(net), claims, NANO).items()}


def _move_shares(
    conn: Conn,
    key: AccountKey,
    group: Iterable[Activity],
    postings: Postings,
    net: Decimal,
    day: date,
    parent: str,
) -> tuple[str, dict[str, Decimal], list[_Removal]]:
    """Post what happens to shares. Return the kind of transaction, cash by book, and what is gone for good."""
    rows = list(group)
    removed = [a for a in rows if a.qty is not None and a.qty < 0]
    gone = {a.symbol for a in removed}
    # What goes on under its own name keeps the cost: a spin-off leaves it with the parent.
    added = sorted((a for a in rows if a.qty is not None and a.qty > 0), key=lambda a: a.symbol not in gone)
    held = store.balances(conn, key)
    if not removed and not added:
        return _cash_alone(conn, key, rows[0].symbol, postings, net, day)
    basis = removed[0].symbol if removed else parent
    claims = (_claims(conn, key, basis, None) if basis else {}) or {EXTERNAL_BOOK: Decimal(1)}
    cash = _shared(net, claims)
    costs: dict[str, Decimal] = defaultdict(lambda: ZERO)
    removals: list[_Removal] = []
    for n, activity in enumerate(removed):
        for book, part in split_pro_rata(-(activity.qty or ZERO), claims).items():
            cost = _cost_of(held, book, activity.symbol, part, strict=False)
            costs[book] += cost
            postings.move(activity.symbol, -part, OUTSIDE_BOOK, book, cost=-cost)
            if not added and part:
                proceeds = cash.get(book, ZERO) if n == 0 else ZERO
                removals.append(_Removal(book, activity.symbol, part, cost, proceeds))
    for n, activity in enumerate(added):
        for book, part in split_pro_rata(activity.qty or ZERO, claims).items():
            # The first line takes the whole cost, less the cash that came along: that is profit when the rest is sold.
            cost = costs[book] - cash.get(book, ZERO) if n == 0 and removed else ZERO
            postings.move(activity.symbol, part, OUTSIDE_BOOK, book, cost=cost)
    return ("split" if added else "removal"), cash, removals


def _cash_alone(
    conn: Conn, key: AccountKey, symbol: str, postings: Postings, net: Decimal, day: date
) -> tuple[str, dict[str, Decimal], list[_Removal]]:
    """Cash of a corporate action in a row of its own: for shares still there, or for those that went that day."""
    claims = _claims(conn, key, symbol, None)
    if net < 0:
        # What the broker takes for handling it.
        return "fee", _shared(net, claims or _claims(conn, key, symbol, day)), []
    if claims:
        cash = _shared(net, claims)
        for book, part in cash.items():
            postings.add(book, symbol, ZERO, -part)
        return "split", cash, []
    claims = _claims(conn, key, symbol, day)
    cash = _shared(net, claims)
    return "removal", cash, [_Removal(book, symbol, claims[book], ZERO, cash[book]) for book in cash if book in claims]
