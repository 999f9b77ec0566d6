"""Carry out the intents of a session: at the open, once, whatever happens in between.

Order of things: bring the books up to date · cancel what is stale · funding and crossings · sells · wait · buys from
the cash that is there · wait · fills from the activity feed · reconciliation. Every order is stored before it is sent
and its id looked up before it is sent again, so a process that dies anywhere can simply be started again.

What becomes of an order when something is in the way:

================================ =====================================================================================
market not open yet              nothing happens (`GuardError`)
session over, early close too    nothing is sent; what was open has expired
live plan refused by a person    nothing is sent; the books are brought up to date, and an approval until the close
                                 still counts
halted, no price yet             waited for until PAS_PRICE_WAIT_SEC after the open, while the rest goes on; then
                                 denied, NO_PRICE_TODAY, and tried again by every later call until the close
price far from the last close    denied, PRICE_MOVED
symbol not traded by the broker  denied, NOT_TRADABLE
whole shares only                rounded down; a fraction left over is refused at planning, NOT_FRACTIONABLE
above the limit per order        cut to it, MAX_ORDER_NOTIONAL
above the session's turnover     denied, MAX_SESSION_TURNOVER; sells come first
sells did not fill               buys are scaled to the cash that is there, INSUFFICIENT_CASH
refused by the broker            rejected with a reason code; the rest goes on
partly filled                    what was filled is booked; the rest stays open until the close and expires
fills above the decision close   what a book lacks in cash comes from CASH, once its orders are over
limit order not filled           (PAS_ORDER_TYPE=limit) canceled, confirmed, the rest sent as next attempt with twice
                                 the collar; after PAS_LIMIT_REPLACEMENTS it rests until the close
cancellation lost, or too late   never replaced before the broker shows it as canceled; what filled meanwhile counts
429                              waited for as the broker asks
time-out, 5xx, unreadable        looked up by id; if that fails too: unknown, settled by the next call
another order under our id       HALTED
paper broker over real prices    no price is known before the evening: sized and guarded by the decision close, buys
                                 count on what sells will bring; fills and crossings are booked in the evening
books differ from the broker     REDUCING: no buys until a person has looked
================================ =====================================================================================

Other denied, rejected and canceled orders are tried again only when a person asks (``retry``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pas_lib.clock import NY, Clock, ny_midnight, previous_session, session_close, session_on_or_before, session_open
from pas_lib.errors import BrokerError, GuardError, OrderError
from pas_lib.execution import guards, ledger, store, sync
from pas_lib.execution.approvals import check_live, refused_by
from pas_lib.execution.breaker import judge_losses
from pas_lib.execution.broker import AlpacaGateway, OrderMismatch, OrderRejected, OutcomeUnknown, fills_later, state_of
from pas_lib.execution.ids import client_order_id
from pas_lib.execution.intents import connect
from pas_lib.execution.plan import split_pro_rata
from pas_lib.execution.settlement import settle
from pas_lib.execution.state import current_state
from pas_lib.execution.steps import Steps
from pas_lib.execution.stream import TradeUpdates
from pas_lib.execution.ticks import limit_price, widened
from pas_lib.execution.types import (
    EXTERNAL_BOOK,
    NANO,
    ZERO,
    Account,
    AssetRule,
    CrossLeg,
    ExecutionReport,
    Reconciliation,
    Refusal,
    Side,
    StoredIntent,
    StoredOrder,
    StoredPlan,
    floor_to,
    text_of,
    to_decimal,
)

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

_ONE = Decimal(1)
_BASIS_POINTS = Decimal(10_000)
#: Of the cash that is there, this much is spent at most: a market order's price is not known before its fill.
_SPENDABLE = Decimal("0.995")
#: Why a limit order was canceled that is to be replaced.
STALE_LIMIT = "STALE_LIMIT"


@dataclass
class _Run:
    """What one call of ``execute`` knows and collects."""

    settings: Settings
    clock: Clock
    warehouse: Warehouse
    gateway: AlpacaGateway
    steps: Steps
    plan: StoredPlan
    account: Account
    warehouse_id: str
    retry: bool = False
    sent: int = 0
    updates: TradeUpdates | None = None
    is_blind: bool = False
    is_waiting: bool = False
    refusals: dict[tuple[str, str], Refusal] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    opens: Mapping[str, Decimal] = field(default_factory=dict)
    ratios: Mapping[str, Decimal] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, AssetRule] = field(default_factory=dict)

    def refuse(self, intent: StoredIntent, symbol: str, qty: Decimal, code: str) -> None:
        """Note that an intent, or a part of it, does not go out now."""
        self.refusals[intent.intent_id, code] = Refusal(
            intent.portfolio_id, symbol, intent.side or "buy", qty, code, guards.REASONS[code]
        )

    @property
    def has_orders(self) -> bool:
        """Whether anything of the plan goes to the broker."""
        return any(i.kind == "order" for i in self.plan.intents)

    def pause(self) -> None:
        """Wait for the broker to tell something, at most as long as between two questions."""
        seconds = self.gateway.options.poll_pause
        if self.updates is None:
            self.gateway.sleep(seconds)
        else:
            self.updates.wait(seconds, self.gateway.sleep)

    def symbol_of(self, intent: StoredIntent) -> str:
        """Return an intent's symbol as it is called today."""
        return self.renames.get(intent.symbol, intent.symbol)

    def ratio_of(self, intent: StoredIntent) -> Decimal:
        """Return today's shares per share of the decision session."""
        return self.ratios.get(intent.symbol, _ONE)

    def unit_of(self, symbol: str) -> Decimal:
        """Return the smallest part of a share that the broker trades."""
        rule = self.assets.get(symbol)
        return NANO if rule is None or rule.is_fractionable else _ONE


def execute(
    session: date,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    gateway: AlpacaGateway | None = None,
    steps: Steps | None = None,
    retry: bool = False,
) -> ExecutionReport:
    """Carry out the stored intents of a decision session.

    Parameters
    ----------
    session : date
        The decision session D; orders go out in the session after it.
    gateway : AlpacaGateway, optional
        The broker; from the settings by default.
    steps : Steps, optional
        Named points, for tests.
    retry : bool
        Send what is left of orders that are known to be over without being filled (refused, denied, canceled) once
        more, under the next attempt number. For a person who has removed the cause.

    Returns
    -------
    ExecutionReport
        A second call sends nothing new. After the close of the execution session nothing is sent at all: the call
        brings in what happened and the rest has expired. Nor is anything of a live plan that a person has refused: the
        books are brought up to date, and the problems say who.

    Raises
    ------
    GuardError
        If the session has not opened yet, broker, account or warehouse is not the right one, or a live plan is not
        approved.
    OrderError
        If nothing was planned for the session.
    BrokerError
        If the broker does not answer. Nothing is lost: call again.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = connect(settings, clock, held, broker)
        with held.connect() as conn:
            plan = store.load_plan(conn, account.key, session)
            warehouse_id, _ = store.identity(conn)
        if plan is None:
            raise OrderError(f"nothing is planned for session {session}", hint="run `pas decide` first")
        run = _Run(settings, clock, held, broker, steps or Steps(), plan, account, warehouse_id, retry)
        phase = guards.session_guard(plan.execution_session, clock.now())
        if phase == "open" and (who := refused_by(account.key, plan, held)):
            phase = "refused"
            run.problems.append(
                f"plan {plan.plan_hash[:12]} of session {session} was refused by {who}: nothing is sent"
            )
        if phase == "open":
            check_live(settings, account.key, plan, held, clock)
        run.steps.reach("bound")
        with ExitStack() as stack:
            updates = broker.updates() if phase == "open" and run.has_orders else None
            run.updates = stack.enter_context(updates) if updates is not None else None
            return _carry_out(run, phase)


def _carry_out(run: _Run, phase: str) -> ExecutionReport:
    gateway, key, warehouse, clock = run.gateway, run.account.key, run.warehouse, run.clock
    run.problems += sync.refresh_orders(gateway, key, warehouse, clock, never_sent_is_over=True)
    sync.pull_activities(gateway, key, warehouse, clock)
    run.steps.reach("synced")
    is_halted = current_state(warehouse)[0] == "HALTED"
    _cancel_stale(run, everything=is_halted)
    run.steps.reach("stale_canceled")
    if phase == "open" and not is_halted:
        # Books that do not agree with the broker are no ground to buy on.
        sync.reconcile(gateway, key, warehouse, clock)
        _learn_the_day(run)
        _fund(run)
        run.steps.reach("funded")
        _trade(run)
    if phase == "over":
        sync.expire_unsent(key, warehouse, clock)
    sync.pull_activities(gateway, key, warehouse, clock)
    run.steps.reach("fills_applied")
    settle(warehouse, key, run.plan.session, clock)
    run.steps.reach("settled")
    result = sync.reconcile(gateway, key, warehouse, clock)
    _snapshot(gateway, warehouse, clock, run.plan.execution_session)
    run.steps.reach("reconciled")
    return _report(run, phase, result)


def _report(run: _Run, phase: str, result: Reconciliation) -> ExecutionReport:
    key, session = run.account.key, run.plan.session
    with run.warehouse.connect() as conn:
        orders = tuple(store.orders(conn, key, session))
        fills = store.count_trades(conn, key, session, "fill")
        crosses = store.count_trades(conn, key, session, "cross")
        # Whoever has refused may still approve until the close.
        if phase != "refused" and all(o.is_final for o in orders):
            store.finish_plan(conn, key, session, run.clock.now())
    state, reason = current_state(run.warehouse)
    if state != "ACTIVE":
        run.problems.append(f"trading state {state}: {reason}")
    return ExecutionReport(
        session=session, execution_session=run.plan.execution_session, key=key, state=state, orders=orders,
        sent=run.sent,
        fills=fills, crosses=crosses, refusals=(*run.plan.refusals, *run.refusals.values()), reconciliation=result,
        problems=tuple(run.problems),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- preparation


def _cancel_stale(run: _Run, *, everything: bool) -> None:
    """Cancel our open orders of other sessions (or all of ours) and wait until they are confirmed final."""
    key = run.account.key
    with run.warehouse.connect() as conn:
        ours = {o.client_order_id: o for o in store.unfinished_orders(conn, key)}
    open_ones = [
        (found, ours[found.client_order_id])
        for found in run.gateway.open_orders()
        if found.client_order_id in ours and (everything or ours[found.client_order_id].session != run.plan.session)
    ]
    for found, _ in open_ones:
        run.gateway.cancel(found.broker_order_id)
    for found, order in open_ones:
        if not _is_over(run, order, found.broker_order_id):
            raise OrderError(
                f"the cancellation of {order.client_order_id} is not confirmed", hint="run the execution again"
            )


def _is_over(run: _Run, order: StoredOrder, broker_order_id: str) -> bool:
    """Wait until the broker shows an order as final; false when patience is over before."""
    for n in range(run.gateway.options.polls):
        if n:
            run.gateway.sleep(run.gateway.options.poll_pause)
        now = run.gateway.order(broker_order_id)
        if now is None:
            return True
        sync.record(run.warehouse, run.clock, order, now)
        if state_of(now.status) in {"filled", "canceled", "expired", "rejected"}:
            return True
    return False


def _learn_the_day(run: _Run) -> None:
    """Read opens, splits and renames of the day, and what the broker trades."""
    symbols = {i.symbol for i in run.plan.intents if i.kind != "funding"}
    if not symbols:
        return
    session = run.plan.execution_session
    run.ratios, run.renames = run.gateway.share_changes(symbols, session)
    run.assets = run.gateway.assets()
    if fills_later(run.settings):
        run.is_blind = True
        run.opens = {run.symbol_of(i): _close(i, run.ratio_of(i)) for i in run.plan.intents if i.kind != "funding"}
        return
    wanted = {run.renames.get(s, s) for s in symbols}
    for n in range(run.gateway.options.lookups):
        if n:
            run.gateway.sleep(run.gateway.options.poll_pause)
        run.opens = run.gateway.opens(wanted, session)
        if wanted <= set(run.opens):
            break


def _missing_prices(run: _Run) -> set[str]:
    """Return the symbols of today that have no price yet."""
    return {run.symbol_of(i) for i in run.plan.intents if i.kind != "funding"} - set(run.opens)


def _trade(run: _Run) -> None:
    """Cross, sell, buy; then wait for the symbols that have not traded yet, and do the same with them.

    A clock that stands still while we wait is not waited for.
    """
    opened = session_open(run.plan.execution_session)
    until = min(opened + timedelta(seconds=run.settings.price_wait_sec), session_close(run.plan.execution_session))
    missing = _missing_prices(run)
    run.is_waiting = bool(missing)
    _trade_once(run)
    while run.is_waiting:
        before = run.clock.now()
        found: Mapping[str, Decimal] = {}
        if before < until:
            run.gateway.sleep(run.gateway.options.price_pause)
            found = run.gateway.opens(missing, run.plan.execution_session)
        now = run.clock.now()
        if guards.session_guard(run.plan.execution_session, now) == "over":
            found = {}
        run.opens = {**run.opens, **found}
        missing -= set(found)
        run.is_waiting = bool(missing) and before < now < until
        if found or not run.is_waiting:
            _trade_once(run)


def _trade_once(run: _Run) -> None:
    _cross(run)
    run.steps.reach("crossed")
    _send_side(run, "sell")
    _send_side(run, "buy")


def _fund(run: _Run) -> None:
    now = run.clock.now()
    with run.warehouse.connect() as conn:
        for intent in run.plan.intents:
            if intent.kind == "funding":
                ledger.post_funding(conn, run.account.key, intent, now)


def _cross(run: _Run) -> None:
    """Settle opposite wishes between books at the official open; nothing while that is not known."""
    if run.is_blind:
        return
    by_symbol: dict[str, list[StoredIntent]] = defaultdict(list)
    for intent in run.plan.intents:
        if intent.kind == "cross":
            by_symbol[intent.symbol].append(intent)
    opened = session_open(run.plan.execution_session)
    for intents in by_symbol.values():
        symbol, ratio = run.symbol_of(intents[0]), run.ratio_of(intents[0])
        price = run.opens.get(symbol)
        code = guards.price_guard(price, _close(intents[0], ratio), to_decimal(run.settings.max_price_move))
        if code or price is None:
            if not (run.is_waiting and code == "NO_PRICE_TODAY"):
                for intent in intents:
                    run.refuse(intent, symbol, intent.qty, code)
            continue
        legs = _legs(intents, symbol, ratio)
        with run.warehouse.connect() as conn:
            held = store.holdings(conn, run.account.key)
            short = [g for _, g in legs if g.side == "sell" and held.get((g.portfolio_id, symbol), ZERO) < g.qty]
            if short and not store.has_txn(conn, run.account.key, f"cross-{run.plan.session:%Y%m%d}-{symbol}"):
                for intent in intents:
                    run.refuse(intent, symbol, intent.qty, "NOT_HELD")
                continue
            ledger.post_cross(
                conn, run.account.key, legs, price, session=run.plan.session,
                execution_session=run.plan.execution_session, occurred_at=opened, recorded_at=run.clock.now(),
            )  # fmt: skip


def _close(intent: StoredIntent, ratio: Decimal) -> Decimal:
    return ((intent.decision_close or ZERO) / ratio).quantize(NANO)


def _legs(intents: Sequence[StoredIntent], symbol: str, ratio: Decimal) -> list[tuple[str, CrossLeg]]:
    """Return the legs in today's shares; both sides are scaled to the same total, exactly."""
    legs: list[tuple[str, CrossLeg]] = []
    for side in ("buy", "sell"):
        ones = [i for i in intents if i.side == side]
        total = floor_to(sum((i.qty for i in ones), ZERO) * ratio, NANO)
        parts = split_pro_rata(total, {i.portfolio_id: i.qty for i in ones})
        legs += [
            (i.intent_id, CrossLeg(i.portfolio_id, symbol, i.side or "buy", parts[i.portfolio_id], _close(i, ratio)))
            for i in ones
        ]
    return legs


# ------------------------------------------------------------------------------------------------------ orders


def _send_side(run: _Run, side: Side) -> None:
    """Store the orders of one side, send them, wait for them; replace limit orders that did not fill."""
    key = run.account.key
    while True:
        _store_orders(run, side)
        run.steps.reach(f"{side}s_stored")
        with run.warehouse.connect() as conn:
            waiting = [o for o in store.orders(conn, key, run.plan.session) if o.side == side and not o.is_final]
        for order in waiting:
            state = current_state(run.warehouse)[0]
            if state == "HALTED":
                break
            if order.state in ("planned", "submitting", "unknown"):
                _send(run, order, is_allowed=state == "ACTIVE" or side == "sell")
        _wait(run, side)
        if not _cancel_unfilled(run, side):
            break
    run.steps.reach(f"{side}s_done")


def _cancel_unfilled(run: _Run, side: Side) -> bool:
    """Cancel limit orders that did not fill and may be replaced. Return whether one is known to be canceled now.

    The broker's own replacement (PATCH) is not used: its answer does not tell whether the old order filled first, and
    it takes no fractions.
    """
    if run.settings.order_type != "limit" or run.is_blind:
        return False
    if guards.session_guard(run.plan.execution_session, run.clock.now()) == "over":
        return False
    with run.warehouse.connect() as conn:
        orders = [o for o in store.orders(conn, run.account.key, run.plan.session) if o.side == side]
    canceled = False
    for order in orders:
        number = order.broker_order_id
        if order.limit_price is None or number is None or order.state not in ("accepted", "partially_filled"):
            continue
        if _replaced(orders, order.intent_id) >= run.settings.limit_replacements:
            continue
        with run.warehouse.connect() as conn:
            # Noted before it is asked for: whoever goes on after a crash knows why the order is over.
            store.set_order_state(
                conn, order.client_order_id, order.state, run.clock.now(),
                reason=f"{STALE_LIMIT}: not filled at {text_of(order.limit_price)}, its cancellation is asked for",
            )  # fmt: skip
        run.steps.reach(f"{side}_stale")
        try:
            run.gateway.cancel(number)
            run.steps.reach(f"{side}_cancel_asked")
            is_over = _is_over(run, order, number)
        except BrokerError as error:
            run.problems.append(f"{order.client_order_id} is not replaced: {error}")
            continue
        if is_over:
            canceled = True
        else:
            run.problems.append(f"{order.client_order_id} is not replaced: its cancellation is not confirmed")
    if canceled:
        # What filled before the cancellation is in the books before the rest is sized.
        sync.pull_activities(run.gateway, run.account.key, run.warehouse, run.clock)
    return canceled


def _replaced(orders: Sequence[StoredOrder], intent_id: str) -> int:
    """Return how many attempts of an intent were canceled for not filling."""
    return sum(o.intent_id == intent_id and o.state == "canceled" and o.reason.startswith(STALE_LIMIT) for o in orders)


@dataclass(frozen=True, slots=True)
class _Draft:
    """An intent as it would go out today; ``denied`` is the reason code when it does not."""

    intent: StoredIntent
    attempt: int
    symbol: str
    qty: Decimal
    price: Decimal | None
    close: Decimal
    denied: str = ""
    note: str = ""
    limit: Decimal | None = None

    @property
    def worst(self) -> Decimal | None:
        """What a share may cost at most as far as is known; a sale counts at the price of the day."""
        return self.limit if self.limit is not None and self.intent.side == "buy" else self.price

    def cut(self, qty: Decimal, code: str) -> _Draft:
        """Return the draft with fewer shares, and why."""
        return replace(self, qty=qty, note=f"{self.note}cut by {text_of(self.qty - qty)}: {code}. ")


def _store_orders(run: _Run, side: Side) -> None:
    """Turn intents without an order into orders, all in one transaction, so that a second run finds the same ones.

    What a guard refuses is stored as a denied order. What the trading state forbids is not stored: a person may
    change it before the close.
    """
    key, session = run.account.key, run.plan.session
    with run.warehouse.connect() as conn:
        existing = store.orders(conn, key, session)
        holdings = store.holdings(conn, key)
        state_row = store.trading_state(conn)
    state = state_row["state"] if state_row else "ACTIVE"
    turnover = guards.TurnoverGuard(run.plan.managed_equity * to_decimal(run.settings.max_session_turnover))
    for order in existing:
        if order.state != "denied":
            turnover.take(order.side, order.qty * (order.open_price or order.decision_close))
    drafts: list[_Draft] = []
    for intent in run.plan.intents:
        if intent.kind != "order" or intent.side != side:
            continue
        before = [o for o in existing if o.intent_id == intent.intent_id]
        attempt, filled = _next_attempt(run, before)
        if attempt:
            draft = _draft(run, intent, attempt, filled, holdings, _replaced(before, intent.intent_id))
            if draft.denied == "NO_PRICE_TODAY" and (run.is_waiting or before):
                # Not yet, or noted already: one row says so, however often it was looked for.
                if not run.is_waiting:
                    run.refuse(intent, draft.symbol, draft.qty, draft.denied)
            elif state == "HALTED" or (state == "REDUCING" and side == "buy"):
                run.refuse(intent, draft.symbol, draft.qty, "TRADING_STATE")
            elif draft.qty > 0 or draft.denied:
                drafts.append(draft)
    if side == "buy":
        drafts = _fit_to_cash(run, drafts)
    now = run.clock.now()
    with run.warehouse.connect() as conn:
        for draft in drafts:
            intent, price = draft.intent, draft.price
            denied = draft.denied
            if not denied and price is not None and not turnover.take(side, draft.qty * price):
                denied = "MAX_SESSION_TURNOVER"
            if denied:
                run.refuse(intent, draft.symbol, draft.qty, denied)
            store.insert_order(conn, key, StoredOrder(
                client_order_id=client_order_id(
                    intent.portfolio_id, session, draft.symbol, side, draft.attempt, key, run.warehouse_id, draft.qty
                ),
                intent_id=intent.intent_id, portfolio_id=intent.portfolio_id, session=session,
                execution_session=run.plan.execution_session, symbol=draft.symbol, side=side, attempt=draft.attempt,
                qty=draft.qty, state="denied" if denied else "planned",
                reason=f"{denied}: {guards.REASONS[denied]}" if denied else draft.note.strip(),
                broker_order_id=None, filled_qty=ZERO, filled_avg_price=None, decision_close=draft.close,
                open_price=None if run.is_blind else price, expires_at=session_close(run.plan.execution_session),
                limit_price=draft.limit,
            ), now)  # fmt: skip


def _next_attempt(run: _Run, before: Sequence[StoredOrder]) -> tuple[int, Decimal]:
    """Return (number of the next attempt or 0 for none, shares filled so far).

    The number rises only when all attempts before are known to be over, and only when a person asks for it, when all
    that was missing was a price (until the close there may be one), or when a limit order was canceled to be replaced.
    """
    if not before:
        return 1, ZERO
    last = before[-1]
    is_stale = last.state == "canceled" and last.reason.startswith(STALE_LIMIT)
    is_asked = run.retry or is_stale or last.reason.startswith("NO_PRICE_TODAY")
    if not is_asked or not all(o.is_final for o in before) or any(o.state == "filled" for o in before):
        return 0, ZERO
    return max(o.attempt for o in before) + 1, sum((o.filled_qty for o in before), ZERO)


def _draft(
    run: _Run,
    intent: StoredIntent,
    attempt: int,
    filled: Decimal,
    holdings: Mapping[tuple[str, str], Decimal],
    replaced: int = 0,
) -> _Draft:
    """Return an intent in today's shares, under today's name, cut to what the limits allow."""
    symbol, ratio, side = run.symbol_of(intent), run.ratio_of(intent), intent.side
    unit = run.unit_of(symbol)
    price = run.opens.get(symbol)
    qty = max(ZERO, floor_to(intent.qty * ratio, unit) - filled)
    draft = _Draft(intent, attempt, symbol, qty, price, _close(intent, ratio))
    rule = run.assets.get(symbol)
    if rule is None or not rule.is_tradable:
        return replace(draft, denied="NOT_TRADABLE")
    code = guards.price_guard(price, draft.close, to_decimal(run.settings.max_price_move))
    if code or price is None:
        return replace(draft, denied=code or "NO_PRICE_TODAY")
    if side == "sell":
        held = max(ZERO, holdings.get((intent.portfolio_id, symbol), ZERO))
        if draft.qty > held:
            run.refuse(intent, symbol, draft.qty - held, "NOT_HELD")
            draft = draft.cut(floor_to(held, unit), "NOT_HELD")
            if draft.qty == 0:
                return replace(draft, denied="NOT_HELD")
    if run.settings.order_type == "limit":
        collar = to_decimal(run.settings.limit_collar_bps) / _BASIS_POINTS
        collar = widened(collar, replaced, to_decimal(run.settings.max_price_move))
        draft = replace(draft, limit=limit_price(side or "buy", price, collar))
    if replaced and draft.qty * price < _ONE:
        # The broker takes no order below one dollar: a replaced order's last cents stay undone.
        return replace(draft, qty=ZERO)
    most = floor_to(to_decimal(run.settings.max_order_notional) / (draft.worst or price), unit)
    if draft.qty > most:
        run.refuse(intent, symbol, draft.qty - most, "MAX_ORDER_NOTIONAL")
        draft = draft.cut(most, "MAX_ORDER_NOTIONAL")
        if most == 0:
            return replace(draft, denied="MAX_ORDER_NOTIONAL")
    return draft


def _fit_to_cash(run: _Run, drafts: list[_Draft]) -> list[_Draft]:
    """Scale all buys alike so that they fit into the cash that is there, less what open buys will still take."""
    wanted = store.total(d.qty * d.worst for d in drafts if d.worst is not None and not d.denied)
    if not wanted:
        return drafts
    with run.warehouse.connect() as conn:
        waiting = store.unfinished_orders(conn, run.account.key)
    taken = store.total(
        (o.qty - o.filled_qty) * (o.limit_price or o.open_price or o.decision_close) for o in waiting if o.side == "buy"
    )
    if run.is_blind:
        taken -= store.total((o.qty - o.filled_qty) * o.decision_close for o in waiting if o.side == "sell")
    account = run.gateway.account()
    # Buying power is on margin, so cash binds; but not all cash can be spent on every account.
    there = max(ZERO, min(account.cash - taken, account.buying_power) * _SPENDABLE)
    if wanted <= there:
        return drafts
    share = there / wanted
    fitted = []
    for draft in drafts:
        if draft.denied or draft.price is None:
            fitted.append(draft)
            continue
        less = draft.cut(floor_to(draft.qty * share, run.unit_of(draft.symbol)), "INSUFFICIENT_CASH")
        if less.qty * draft.price < _ONE:
            # The broker takes no order below one dollar.
            fitted.append(replace(draft, denied="INSUFFICIENT_CASH"))
        else:
            run.refuse(draft.intent, draft.symbol, draft.qty - less.qty, "INSUFFICIENT_CASH")
            fitted.append(less)
    return fitted


def _send(run: _Run, order: StoredOrder, *, is_allowed: bool) -> None:
    """Send one stored order; what cannot be known stays ``unknown`` until it can.

    One that the trading state forbids by now, though it was stored before, is looked up but not sent.
    """
    warehouse, clock, gateway = run.warehouse, run.clock, run.gateway
    side = order.side
    try:
        if order.state != "planned":
            # It may have been sent by a run that died: the broker knows.
            found = gateway.look_up(order)
            if found is not None:
                sync.record(warehouse, clock, order, found, is_sent=True)
                return
        if clock.now() >= order.expires_at:
            return
        if not is_allowed:
            run.refusals[order.intent_id, "TRADING_STATE"] = Refusal(
                order.portfolio_id, order.symbol, side, order.qty, "TRADING_STATE", guards.REASONS["TRADING_STATE"]
            )
            return
        with warehouse.connect() as conn:
            store.set_order_state(conn, order.client_order_id, "submitting", clock.now(), is_sent=True)
        run.steps.reach(f"{side}_submitting")
        found = gateway.submit(order, posted=lambda: run.steps.reach(f"{side}_posted"))
        run.sent += 1
        sync.record(warehouse, clock, order, found, is_sent=True)
        run.steps.reach(f"{side}_recorded")
    except OrderRejected as error:
        with warehouse.connect() as conn:
            store.set_order_state(conn, order.client_order_id, "rejected", clock.now(), reason=str(error))
        run.problems.append(f"{order.portfolio_id} {side} {order.symbol}: {error}")
    except OrderMismatch as error:
        run.problems.append(sync.halt_for(warehouse, clock, order, error))
    except OutcomeUnknown as error:
        with warehouse.connect() as conn:
            store.set_order_state(conn, order.client_order_id, "unknown", clock.now(), reason=str(error))
        run.problems.append(str(error))


def _wait(run: _Run, side: Side) -> None:
    """Wait until the orders of one side are final, or patience is over; day orders then stay open until the close."""
    options = run.gateway.options
    for n in range(options.polls):
        with run.warehouse.connect() as conn:
            waiting = [
                o
                for o in store.orders(conn, run.account.key, run.plan.session)
                if o.side == side and o.state in ("accepted", "partially_filled")
            ]
        if not waiting:
            return
        if n:
            run.pause()
        try:
            # One question for all of them, however many there are.
            known = run.gateway.orders_since(ny_midnight(run.plan.execution_session))
        except BrokerError:
            continue
        for order in waiting:
            found = known.get(order.client_order_id)
            if found is not None:
                sync.record(run.warehouse, run.clock, order, found)


def _snapshot(gateway: AlpacaGateway, warehouse: Warehouse, clock: Clock, session: date) -> bool:
    """Store the account's figures of a session; EXTERNAL counts at the broker's prices, without one at cost.

    Once the next session's day has begun the broker shows that day's figures: then nothing is stored, which is what
    the result tells.
    """
    if session_on_or_before(clock.now().astimezone(NY).date()) != session:
        return False
    account, prices = gateway.account(), gateway.market_prices()
    with warehouse.connect() as conn:
        external = ZERO
        for (book, asset), (amount, cost) in store.balances(conn, account.key).items():
            if book == EXTERNAL_BOOK:
                external += amount * prices[asset] if asset in prices else cost
        external = external.quantize(NANO)
        store.upsert_account_metrics(conn, account, session, clock.now(), account.equity - external, external)
    return True


def _cross_late(
    settings: Settings, clock: Clock, warehouse: Warehouse, gateway: AlpacaGateway, account: Account, session: date
) -> None:
    """Settle the crossings of a plan that was carried out before its prices were known."""
    if not fills_later(settings) or current_state(warehouse)[0] == "HALTED":
        return
    with warehouse.connect() as conn:
        plan = store.load_plan(conn, account.key, session)
        is_begun = plan is not None and (
            bool(store.orders(conn, account.key, session))
            or any(store.has_txn(conn, account.key, i.intent_id) for i in plan.intents if i.kind == "funding")
        )
        warehouse_id, _ = store.identity(conn)
    if plan is None or not is_begun:
        return
    symbols = {i.symbol for i in plan.intents if i.kind == "cross"}
    if symbols:
        run = _Run(settings, clock, warehouse, gateway, Steps({}), plan, account, warehouse_id)
        run.ratios, run.renames = gateway.share_changes(symbols, plan.execution_session)
        run.opens = gateway.opens({run.renames.get(s, s) for s in symbols}, plan.execution_session)
        _cross(run)


def snapshot_account(
    session: date,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    gateway: AlpacaGateway | None = None,
    is_for_sizing: bool = False,
) -> Reconciliation:
    """Bring the books up to date after a session and store the account's figures at its close.

    With ``is_for_sizing`` the books must be complete: orders whose fills the broker's feed does not show yet are an
    error in the end.

    For the evening: what expired at the close becomes final, dividends and fees of the day are booked, and the
    circuit breaker judges what the account has lost (`pas_lib.execution.breaker`). Later than that the books are
    brought up to date all the same, but the figures are another day's and are not stored.

    Raises
    ------
    GuardError
        If the broker's account is not the ledger's.
    BrokerError
        If the broker does not answer, or fills are missing and ``is_for_sizing``.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = connect(settings, clock, held, broker)
        sync.refresh_orders(broker, account.key, held, clock, never_sent_is_over=True)
        result = sync.reconcile(broker, account.key, held, clock)
        _cross_late(settings, clock, held, broker, account, previous_session(session))
        sync.expire_unsent(account.key, held, clock)
        settle(held, account.key, previous_session(session), clock)
        if _snapshot(broker, held, clock, session):
            judge_losses(settings, account.key, held, clock)
        if is_for_sizing:
            sync.require_booked(held, account.key)
    return result


def cancel_open(settings: Settings, clock: Clock, warehouse: Warehouse, *, gateway: AlpacaGateway | None = None) -> int:
    """Cancel every open order of ours. Return how many were asked for.

    Raises
    ------
    GuardError
        If the broker's account is not the ledger's.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = connect(settings, clock, held, broker)
        with held.connect() as conn:
            ours = {o.client_order_id for o in store.unfinished_orders(conn, account.key)}
        found = [o for o in broker.open_orders() if o.client_order_id in ours]
        for order in found:
            broker.cancel(order.broker_order_id)
        sync.refresh_orders(broker, account.key, held, clock)
    return len(found)


def adopt(
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    who: str,
    reason: str,
    gateway: AlpacaGateway | None = None,
) -> str:
    """Make the broker's account the ledger's, or book unexplained differences to EXTERNAL; see `ledger.adopt`.

    Raises
    ------
    GuardError
        If orders of ours are still open.
    BrokerError
        If the broker does not answer, or does not show all fills yet.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = broker.account()
        with held.connect() as conn:
            is_bound = store.active_binding(conn) == account.key
        if is_bound:
            sync.refresh_orders(broker, account.key, held, clock, never_sent_is_over=True)
            sync.pull_activities(broker, account.key, held, clock)
            with held.connect() as conn:
                if store.unfinished_orders(conn, account.key):
                    raise GuardError(
                        "orders are still open: differences cannot be told from fills", hint="cancel them first"
                    )
            sync.require_booked(held, account.key)
        past = broker.activities(clock.now() - 2 * sync.OVERLAP)
        positions, prices = broker.positions()
        account = broker.account()
        with held.connect() as conn:
            return ledger.adopt(conn, account, positions, prices, past, clock, who=who, reason=reason)


def reconcile(
    settings: Settings, clock: Clock, warehouse: Warehouse, *, gateway: AlpacaGateway | None = None
) -> Reconciliation:
    """Bring in what the broker shows and compare the books with it; see `sync.reconcile`."""
    broker = gateway or AlpacaGateway.from_settings(settings)
    with store.only_one(warehouse) as held:
        account = connect(settings, clock, held, broker)
        sync.refresh_orders(broker, account.key, held, clock, never_sent_is_over=True)
        return sync.reconcile(broker, account.key, held, clock)


__all__ = ["adopt", "cancel_open", "execute", "reconcile", "snapshot_account"]
