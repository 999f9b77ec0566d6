"""From a decision to stored intents. Once they exist they are executed, never recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pas_lib.clock import Clock, decision_time, next_session, ny_midnight
from pas_lib.errors import GuardError, OrderError
from pas_lib.execution import ledger, store, sync
from pas_lib.execution.approvals import check_live_account
from pas_lib.execution.broker import AlpacaGateway, check_market, check_origin
from pas_lib.execution.ids import intent_id
from pas_lib.execution.plan import plan, usable_closes
from pas_lib.execution.types import (
    EXTERNAL_BOOK,
    USD,
    Account,
    AccountKey,
    AssetRule,
    Constraints,
    Decision,
    OrderPlan,
    Side,
    StoredIntent,
    StoredPlan,
    to_decimal,
)

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse


def constraints_of(settings: Settings) -> Constraints:
    """Return a plan's limits."""
    return Constraints(
        min_trade_notional=to_decimal(settings.min_trade_notional),
        max_order_notional=to_decimal(settings.max_order_notional),
        gross_cap=to_decimal(settings.gross_cap),
        cash_buffer=to_decimal(settings.cash_buffer),
    )


def connect(settings: Settings, clock: Clock, warehouse: Warehouse, gateway: AlpacaGateway) -> Account:
    """Meet the broker: check origin and account, open the books at the first contact.

    Raises
    ------
    GuardError
        If this warehouse may not trade with this broker or this account, or the account is blocked.
    """
    with warehouse.connect() as conn:
        _, origin = store.identity(conn)
    check_origin(settings, origin)
    account = gateway.account()
    check_market(settings, origin, account.key.account_number)
    if account.key.broker != settings.broker:
        raise GuardError(f"the gateway is a {account.key.broker} broker but PAS_BROKER={settings.broker}")
    check_live_account(settings, account.key)
    if account.is_blocked:
        raise GuardError(f"account {account.key.account_number} is blocked for trading")
    with warehouse.connect() as conn:
        bound = store.active_binding(conn)
    if bound != account.key:
        past = gateway.activities(clock.now() - 2 * sync.OVERLAP)
        positions, prices = gateway.positions()
        if bound is None:
            _check_untouched(gateway, account, positions)
        account = gateway.account()
        with warehouse.connect() as conn:
            ledger.ensure_bound(conn, account, positions, prices, past, clock)
    return account


def _check_untouched(gateway: AlpacaGateway, account: Account, positions: Mapping[str, Decimal]) -> None:
    """Let fresh books begin with an account only if nothing goes on in it.

    Positions or open orders that no book knows may be those of a warehouse that was lost: what it ordered would be
    ordered a second time.
    """
    waiting = gateway.open_orders()
    if positions or waiting:
        raise GuardError(
            f"account {account.key.account_number} has {len(positions)} positions and {len(waiting)} open orders that"
            " these books do not know",
            hint="`pas adopt` takes them over into the EXTERNAL book",
        )


def create_plan(
    decision: Decision,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    gateway: AlpacaGateway | None = None,
    dry_run: bool = False,
) -> StoredPlan:
    """Plan a decision and store its intents once.

    Parameters
    ----------
    decision : Decision
        Targets of the portfolios that trade, as shares of sizing equity.
    gateway : AlpacaGateway, optional
        The broker; from the settings by default.
    dry_run : bool
        Store nothing (books are opened and brought up to date all the same).

    Returns
    -------
    StoredPlan
        What is stored for the session, with ``is_new`` telling whether this call stored it.

    Raises
    ------
    OrderError
        If the decision contradicts itself.
    GuardError
        If the broker, the account or the warehouse is not the right one.
    BrokerError
        If the broker does not answer, or does not show all fills yet.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = connect(settings, clock, held, broker)
        key = account.key
        with held.connect() as conn:
            stored = store.load_plan(conn, key, decision.session)
        if stored is not None and not dry_run:
            return stored
        sync.refresh_orders(broker, key, held, clock, never_sent_is_over=True)
        sync.reconcile(broker, key, held, clock)
        sync.require_booked(held, key)
        with held.connect() as conn:
            # A plan made late is still one of the evening: what the next morning changed, execution takes care of.
            before = next_session(decision.session)
            holdings = store.holdings(conn, key, before=before)
            cash = store.cash_by_book(conn, key, before=before)
            complete = _with_closes(conn, decision, holdings)
            equity = complete.managed_equity
            if equity is None:
                equity = ledger.managed_equity(conn, key, usable_closes(complete), before=before)
        symbols = {t.symbol for t in complete.targets} | {symbol for _, symbol in holdings}
        assets = _assets(broker, symbols, before, clock)
        drawn = plan(complete, holdings, equity, cash=cash, assets=assets, constraints=constraints_of(settings))
        intents = intents_of(drawn, key)
        result = StoredPlan(
            key=key, session=drawn.session, execution_session=drawn.execution_session, plan_hash=drawn.plan_hash,
            managed_equity=drawn.managed_equity, sizing_equity=drawn.sizing_equity, intents=intents,
            refusals=drawn.refusals, is_new=not dry_run,
        )  # fmt: skip
        if dry_run:
            return result
        with held.connect() as conn:
            store.insert_plan(conn, key, drawn, intents, clock.now())
        return result


def _assets(
    gateway: AlpacaGateway, symbols: Iterable[str], execution_session: date, clock: Clock
) -> dict[str, AssetRule]:
    """Return what the broker trades, under the names of the evening: execution translates into the day's."""
    rules = gateway.assets()
    if clock.now() < ny_midnight(execution_session):
        return rules
    _, renames = gateway.share_changes(symbols, execution_session)
    return rules | {old: replace(rules[new], symbol=old) for old, new in renames.items() if new in rules}


def _with_closes(conn: store.Conn, decision: Decision, holdings: Mapping[tuple[str, str], Decimal]) -> Decision:
    """Add the closes of whatever is held and not priced by the decision."""
    missing = sorted({symbol for (_, symbol) in holdings} - set(usable_closes(decision)))
    if not missing:
        return decision
    found = store.closes(conn, missing, decision.session, decision_time(decision.session))
    return replace(decision, closes={**found, **decision.closes})


def intents_of(drawn: OrderPlan, key: AccountKey) -> tuple[StoredIntent, ...]:
    """Return a plan's intents in the order in which they are executed: funding, crossings, sells, buys."""
    intents: list[StoredIntent] = []
    plan_hash = drawn.plan_hash

    def add(kind: str, portfolio_id: str, symbol: str, side: Side | None, qty: Decimal, close: Decimal | None) -> None:
        intents.append(
            StoredIntent(
                intent_id=intent_id(key, drawn.session, kind, portfolio_id, symbol, side), session=drawn.session,
                execution_session=drawn.execution_session, plan_hash=plan_hash, seq=len(intents) + 1, kind=kind,
                portfolio_id=portfolio_id, symbol=symbol, side=side, qty=qty, decision_close=close,
            )
        )  # fmt: skip

    for move in drawn.funding:
        add("funding", move.portfolio_id, USD, None, move.amount, None)
    for leg in drawn.crosses:
        add("cross", leg.portfolio_id, leg.symbol, leg.side, leg.qty, leg.decision_close)
    for order in drawn.orders:
        add("order", order.portfolio_id, order.symbol, order.side, order.qty, order.decision_close)
    return tuple(intents)


# ------------------------------------------------------------------------------------------- what books are worth


def managed_equity(warehouse: Warehouse, session: date) -> Decimal:
    """Return the value of all books but EXTERNAL at the closes of a session, in USD.

    Raises
    ------
    OrderError
        If the ledger belongs to no account yet.
    """
    with warehouse.connect() as conn:
        key = _bound(conn)
        symbols = sorted({s for _, s in store.holdings(conn, key)})
        closes = store.closes(conn, symbols, session, decision_time(session))
        return ledger.managed_equity(conn, key, closes)


def current_shares(warehouse: Warehouse, session: date, *, cash_buffer: float = 0.02) -> dict[str, float]:
    """Return each portfolio's share of sizing equity at the closes of a session.

    Empty when nothing was ever traded. For the no-trade band: compare with the new shares.
    """
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        if key is None:
            return {}
        values = book_values(conn, key, session)
    sizing = sum(values.values()) * (1 - Decimal(str(cash_buffer)))
    if sizing <= 0:
        return {}
    return {book: float(value / sizing) for book, value in sorted(values.items()) if book != "CASH"}


def current_weights(warehouse: Warehouse, session: date, *, cash_buffer: float = 0.02) -> dict[tuple[str, str], float]:
    """Return (portfolio, symbol) -> share of sizing equity at the closes of a session."""
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        if key is None:
            return {}
        values = book_values(conn, key, session)
        held = {k: q for k, q in store.holdings(conn, key).items() if k[0] != EXTERNAL_BOOK}
        closes = store.closes(conn, sorted({s for _, s in held}), session, decision_time(session))
    sizing = sum(values.values()) * (1 - Decimal(str(cash_buffer)))
    if sizing <= 0:
        return {}
    return {(b, s): float(q * closes[s] / sizing) for (b, s), q in sorted(held.items()) if s in closes}


def book_values(conn: store.Conn, key: AccountKey, session: date) -> dict[str, Decimal]:
    """Return the value of every managed book at the closes of a session, in USD; without a close at cost."""
    balances = store.balances(conn, key)
    symbols: Sequence[str] = sorted({asset for _, asset in balances if asset != USD})
    closes = store.closes(conn, symbols, session, decision_time(session))
    values: dict[str, Decimal] = {}
    for (book, asset), (amount, cost) in balances.items():
        if book == EXTERNAL_BOOK:
            continue
        worth = amount if asset == USD else amount * closes[asset] if asset in closes else cost
        values[book] = values.get(book, Decimal(0)) + worth
    return values


def _bound(conn: store.Conn) -> AccountKey:
    key = store.active_binding(conn)
    if key is None:
        raise OrderError("the ledger belongs to no account yet", hint="plan a session first")
    return key
