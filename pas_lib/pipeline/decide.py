"""The decision of a session: who gets how much of the book, who trades, and what each wants to hold.

One transaction, written once: a second call for the session returns what was stored. A session that is past is
only replayed: its decision gets the origin ``replay``, and neither weight history nor intents are touched.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import pandas as pd
import psycopg

from pas_lib import clock as calendar
from pas_lib.allocation import Allocation, allocate, apply_band
from pas_lib.clock import Clock
from pas_lib.datasets import catalogue
from pas_lib.errors import OrderError
from pas_lib.execution import Decision as ExecutionDecision
from pas_lib.execution import StoredPlan, Target, create_plan, snapshot_account
from pas_lib.pipeline import marts
from pas_lib.pipeline.books import Book, read_book
from pas_lib.pipeline.manual import Requests, read_requests
from pas_lib.pipeline.model import ModelRun, run_model, store_model
from pas_lib.pipeline.records import (
    AllocationState,
    Decision,
    PortfolioDecision,
    ensure_portfolios,
    last_allocation,
    last_decision_session,
    load_decision,
    store_decision,
    untraded_sessions,
)
from pas_lib.pipeline.regime import RegimeState, compute_regimes, regime_as_of, store_regimes
from pas_lib.pipeline.risk import book_risk, caps_of, store_risk, with_market
from pas_lib.pipeline.sizing import CapBreach, SecurityInfo, Sleeve, Wish, cap_wishes, wish
from pas_lib.settings import Settings
from pas_lib.sources.registry import read_sources
from pas_lib.strategies import Strategy, StrategyWeights
from pas_lib.warehouse import Warehouse


class Planner(Protocol):
    """What turns a decision into an order plan with stored intents."""

    def __call__(
        self,
        decision: ExecutionDecision,
        settings: Settings,
        clock: Clock,
        warehouse: Warehouse,
        *,
        dry_run: bool = False,
    ) -> StoredPlan:
        """Store the plan once and return it; a dry run stores nothing."""
        ...


#: One decider at a time; any constant number that nothing else locks.
_LOCK = 7065652
#: The settings that a decision follows from.
DECISIVE = (
    "allocation_method",
    "min_allocation",
    "max_allocation",
    "gross_cap",
    "target_vol",
    "band",
    "cost_bps",
    "max_name_weight",
    "max_etf_weight",
    "max_sector_weight",
    "cash_buffer",
    "max_leveraged_weight",
    "max_var_99",
    "max_adv_share",
    "benchmark",
    "shrinkage",
)
#: Sessions of model returns handed to the allocation: 36 weeks and some slack for a missing one.
_RETURN_SESSIONS = 200


def decide(
    session: date,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    dry_run: bool = False,
    run_id: str = "direct",
    planner: Planner | None = None,
) -> Decision:
    """Decide a session, once.

    Parameters
    ----------
    session
        A session that has closed.
    settings, clock, warehouse
        Configuration, time, and the store of record.
    dry_run
        True works out decision and plan as if the session had not been decided, from the books as they stand, and
        writes nothing at all; the broker is only asked.
    run_id
        Who runs it, for the log.
    planner
        Turns the decision into stored intents; `pas_lib.execution.create_plan` by default, which also has the books
        brought up to date with the broker before.

    Returns
    -------
    Decision

    Raises
    ------
    WarehouseUnavailable
        When PostgreSQL cannot be reached: nothing is decided without the ledger.
    WarehouseError
        When the marts do not reach the session.
    OrderError
        When the session has not closed yet.
    BrokerError
        When the broker does not answer: the books cannot be brought up to date, or the plan not made. What was
        decided by then is kept, and the next call goes on from it.
    """
    now = clock.now()
    if now < calendar.session_close(session):
        raise OrderError(f"session {session} has not closed yet", hint="decide after its close")
    in_time = now < calendar.session_close(calendar.next_session(session))
    if in_time and not dry_run and planner is None and load_decision(warehouse, session) is None:
        # Sizing starts from books that show what the broker shows; the first contact opens them. In the evening the
        # account's figures at the close come with it.
        marts.require_built(warehouse, session)
        snapshot_account(session, settings, clock, warehouse, is_for_sizing=True)
    with warehouse.connect() as conn:
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        origin = _origin(conn, session, in_time)
        stored = load_decision(warehouse, session, origin)
        if stored is None or dry_run:
            # What is brought up to date above belongs to what the decision knows: its clock is read after that.
            at = clock.now()
            known = known_rows(warehouse)
            before = stored.decided_at if stored is not None and origin == "live" else None
            made = work_out(session, settings, warehouse, origin, at, computed_before=before)
            if not dry_run:
                _store(conn, made, settings, warehouse, known, run_id)
            result = made.decision
        else:
            result = stored
    # The decision is committed; its plan follows from the stored numbers, so that the next call repairs a crash in
    # between. What can no longer be traded gets no plan.
    if result.origin == "live" and (in_time or dry_run):
        result = replace(result, plan=_plan(result, settings, clock, warehouse, planner, dry_run=dry_run))
    return replace(result, is_dry_run=dry_run)


def _origin(conn: psycopg.Connection[Any], session: date, in_time: bool) -> str:
    """Live while its orders can still be sent and nothing later was decided; or when it was decided live."""
    if conn.execute("select 1 from ops.decisions where origin = 'live' and session = %s", (session,)).fetchone():
        return "live"
    row = conn.execute("select max(session) from ops.decisions where origin = 'live'").fetchone()
    newest = row[0] if row else None
    return "live" if in_time and (newest is None or session > newest) else "replay"


@dataclass(frozen=True)
class Made:
    """A decision that is worked out, and everything that is stored with it."""

    decision: Decision
    model: ModelRun
    regimes: list[RegimeState]
    allocation: AllocationState
    security_ids: dict[str, str]
    wishes: list[Wish]
    info: SecurityInfo


def work_out(
    session: date,
    settings: Settings,
    warehouse: Warehouse,
    origin: str,
    now: datetime,
    strategies: Sequence[Strategy] | None = None,
    computed_before: datetime | None = None,
) -> Made:
    """Work out a decision from marts, books and earlier decisions; nothing is written.

    Parameters
    ----------
    session, settings, origin, now
        As stored with it.
    warehouse
        Any store with marts built up to the session and the books.
    strategies
        Those that take part; all by default.
    computed_before
        Model weights and regimes that were stored then or later are worked out again; None takes all as stored.

    Raises
    ------
    WarehouseError
        When the marts do not reach the session.
    """
    marts.require_built(warehouse, session)
    model = run_model(
        warehouse, session, cost_bps=settings.cost_bps, strategies=strategies, computed_before=computed_before
    )
    regimes = compute_regimes(warehouse, session)
    stored = _stored_regime(warehouse, session) if computed_before is None else None
    regime = stored or regimes[-1]
    book = read_book(warehouse, session, settings)
    names = tradable_portfolios(warehouse, model)
    asked = read_requests(warehouse, session, book, settings, scale=regime.scale, now=now)
    room = asked.leave_room(settings, len(names))
    allocation, shares = _shares(session, room, warehouse, model, regime, asked.without(book), names)
    wishes, breaches, sleeves, info = _wishes(session, settings, warehouse, model, book, shares, asked)
    security_ids = security_ids_at(warehouse, session, {str(s) for one in wishes for s in one.holdings.index})
    hash_ = inputs_hash(session, settings, model, regime, allocation, book, asked)
    parts = []
    for one, sleeve in zip(wishes, sleeves, strict=True):
        newest = model.latest(one.portfolio_id)
        given = sleeve.target if one.portfolio_id in asked.names else 0.0
        parts.append(
            PortfolioDecision(
                one.portfolio_id,
                float(allocation.target.get(one.portfolio_id, given)),
                one.share,
                sleeve.current,
                sleeve.due is not None,
                one.trades,
                one.why,
                {str(key): float(value) for key, value in one.holdings.items()} if one.trades else {},
                newest.note if newest else "",
            )
        )
    decision = Decision(
        decision_id=f"{session:%Y%m%d}-{origin}-{hash_[:12]}",
        session=session,
        decided_at=now,
        origin=origin,
        inputs_hash=hash_,
        method=allocation.method,
        reason=allocation.reason,
        allocated_at=allocation.session,
        cci=regime.cci,
        scale=regime.scale,
        gross=sum(part.share for part in parts),
        expected_vol=allocation.expected_vol,
        managed_equity=book.managed_equity,
        portfolios=tuple(parts),
        caps=breaches,
    )
    return Made(decision, model, regimes, allocation, security_ids, wishes, info)


def _store(
    conn: psycopg.Connection[Any],
    made: Made,
    settings: Settings,
    warehouse: Warehouse,
    known: Mapping[str, int],
    run_id: str,
) -> None:
    """Write everything of a decision; of a replay only the decision itself and its log."""
    decision = made.decision
    now = decision.decided_at
    risk = book_risk(made.wishes, made.info, warehouse, settings, cci=decision.cci, scale=decision.scale)
    ensure_portfolios(conn, now)
    if decision.origin == "live":
        store_model(conn, made.model, now=now, live=True)
        store_regimes(conn, made.regimes, now=now)
    inputs = {"settings": decisive_settings(settings), "sources": read_sources(settings), "raw": dict(known)}
    store_decision(conn, decision, made.allocation, made.security_ids, run_id=run_id, inputs=inputs)
    store_risk(conn, risk, decision_id=decision.decision_id, session=decision.session, origin=decision.origin, now=now)


def known_rows(warehouse: Warehouse) -> dict[str, int]:
    """Return the newest row number of each raw table: what a decision made now can have seen."""
    each = " union all ".join(
        f"select '{name}' as dataset, coalesce(max(row_id), 0) as last from raw.{name}"  # noqa: S608 - own names
        for name in sorted(catalogue())
    )
    return {str(row["dataset"]): int(row["last"]) for row in warehouse.rows(each)}


def decisive_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that a decision follows from, by name."""
    return {name: getattr(settings, name) for name in DECISIVE}


def _stored_regime(warehouse: Warehouse, session: date) -> RegimeState | None:
    rows = warehouse.rows("select 1 as one from ops.regime_history where session = %s", (session,))
    return regime_as_of(warehouse, session) if rows else None


# ----------------------------------------------------------------------------------------------- the shares


def tradable_portfolios(warehouse: Warehouse, model: ModelRun) -> list[str]:
    """Return the portfolios that take part: strategies that have decided at least once and are not closed."""
    closed = {
        str(row["portfolio_id"])
        for row in warehouse.rows("select portfolio_id from ops.portfolios where status = 'closed'")
    }
    return sorted(key for key, items in model.weights.items() if items and key not in closed)


def _shares(
    session: date,
    settings: Settings,
    warehouse: Warehouse,
    model: ModelRun,
    regime: RegimeState,
    book: Book,
    names: list[str],
) -> tuple[AllocationState, pd.Series]:
    """Return the allocation that holds and the final share of every portfolio (after S and the band)."""
    return share_out(
        session,
        settings,
        model.returns,
        book.current,
        names,
        last_allocation(warehouse, session),
        scale=regime.scale,
        risk_free=lambda: risk_free(warehouse, session),
    )


def share_out(
    session: date,
    settings: Settings,
    returns: pd.DataFrame,
    current: pd.Series,
    names: list[str],
    before: AllocationState | None,
    *,
    scale: float,
    risk_free: Callable[[], float],
) -> tuple[AllocationState, pd.Series]:
    """Return the allocation that holds at a session and every portfolio's share after S and the band; nothing is read.

    Parameters
    ----------
    session, settings
        When, and with which bounds.
    returns
        Model returns, sessions x portfolios; rows after the session are not looked at.
    current
        Shares of equity that the portfolios have now, as drifted.
    names
        Portfolios that take part.
    before
        The allocation that held; None makes a new one at once, otherwise one is made when a week has ended since.
    scale
        S of the session.
    risk_free
        Tells the annual rate as known, asked for when an allocation is made.
    """
    everyone = sorted(set(names) | {str(key) for key, share in current.items() if share > 0.0})
    current = current.reindex(everyone).fillna(0.0)
    if before is None or any(calendar.is_week_end(day) for day in _since(before.session, session)):
        result = size_portfolios(
            returns.reindex(columns=names),
            session,
            settings,
            scale=scale,
            current=current.reindex(names).fillna(0.0),
            previous=before.target if before is not None else None,
            risk_free=risk_free(),
        )
        diagnostics = result.diagnostics
        state = AllocationState(
            session,
            pd.Series(diagnostics.get("target", {}), dtype=float),
            float(diagnostics["gross"]),
            str(diagnostics["method_used"]),
            str(diagnostics["reason"]),
            diagnostics.get("expected_vol"),
            diagnostics,
            True,
        )
        return state, result.weights.reindex(everyone).fillna(0.0)
    # Between two allocations only S moves the targets; the band decides who follows. The book as a whole has the same
    # band: a sum that drifted a hair above the gross makes nobody trade.
    target = before.target.reindex(everyone).fillna(0.0)
    target[[name for name in everyone if name not in names]] = 0.0
    if float(target.sum()) > settings.gross_cap:
        # A person gave a part of the book away since.
        target *= settings.gross_cap / float(target.sum())
    final = apply_band(
        target * scale,
        current,
        band=settings.band,
        gross=min(max(before.gross, float(target.sum())), settings.gross_cap) * scale + settings.band,
    )
    return replace(before, is_new=False), final.reindex(everyone).fillna(0.0)


def _since(last: date, session: date) -> Sequence[date]:
    """Return the sessions after `last` up to `session`: what a missed evening left undone is caught up."""
    return calendar.sessions(calendar.next_session(last), session)


def size_portfolios(
    returns: pd.DataFrame,
    session: date,
    settings: Settings,
    *,
    scale: float,
    current: pd.Series | None,
    previous: pd.Series | None,
    risk_free: float,
) -> Allocation:
    """Call the allocation with the settings' bounds and the calendar's week ends."""
    window = returns.loc[: pd.Timestamp(session)].tail(_RETURN_SESSIONS)
    first = window.index[0].date() if len(window) else session
    week_ends = [day for day in calendar.sessions(first, session) if calendar.is_week_end(day)]
    return allocate(
        window,
        current=current,
        previous=previous,
        method=settings.allocation_method,
        target_vol=settings.target_vol,
        risk_free=risk_free,
        min_weight=settings.min_allocation,
        max_weight=settings.max_allocation,
        gross_cap=settings.gross_cap,
        week_ends=week_ends,
        scale=scale,
        shrink=settings.shrinkage,
        band=settings.band,
    )


def allocation_as_of(session: date, settings: Settings, warehouse: Warehouse) -> tuple[Allocation, float]:
    """Work out the allocation of a session from the marts alone, and S; nothing is read from past decisions.

    There is no band then: the result is what a book without history would be given.

    Raises
    ------
    WarehouseError
        When the marts do not reach the session.
    """
    marts.require_built(warehouse, session)
    model = run_model(warehouse, session, cost_bps=settings.cost_bps, recompute=True)
    scale = compute_regimes(warehouse, session)[-1].scale
    result = size_portfolios(
        model.returns.reindex(columns=tradable_portfolios(warehouse, model)),
        session,
        settings,
        scale=scale,
        current=None,
        previous=None,
        risk_free=risk_free(warehouse, session),
    )
    return result, scale


def risk_free(warehouse: Warehouse, session: date) -> float:
    """Return the one-month treasury rate as known at the session, an annual fraction; 0 when none is known."""
    rows = marts.read(
        warehouse,
        "select value from marts.regime_inputs where series_id = 'DGS1MO' and session = {session}",
        session=session,
    )
    value = float(rows["value"].iloc[0]) if len(rows) and rows["value"].iloc[0] is not None else 0.0
    return value / 100.0 if math.isfinite(value) else 0.0


# ----------------------------------------------------------------------------------------------- the wishes


def _wishes(
    session: date,
    settings: Settings,
    warehouse: Warehouse,
    model: ModelRun,
    book: Book,
    shares: pd.Series,
    asked: Requests,
) -> tuple[list[Wish], tuple[CapBreach, ...], list[Sleeve], SecurityInfo]:
    empty = pd.Series(dtype=float)
    weights = {name: _model_weights(model, str(name)) for name in shares.index}
    symbols = symbols_at(warehouse, session, {key for one in weights.values() for key in one.index})
    sleeves = []
    last = last_decision_session(warehouse, session) or calendar.previous_session(session)
    untraded = untraded_sessions(warehouse, session)
    for name in shares.index:
        newest = model.latest(str(name))
        # Due is what was not decided yet, and what was decided while its orders never went out.
        due = (
            newest is not None
            and not newest.is_stale
            and (newest.session > last or newest.session <= untraded.get(str(name), date.min))
        )
        is_asked = newest is not None and not due and str(name) in asked.rebalance
        by_id = weights[name]
        # A name without a price at the session cannot be bought: its share stays cash.
        by_symbol = pd.Series(
            {symbols[str(key)]: float(value) for key, value in by_id.items() if str(key) in symbols}, dtype=float
        )
        sleeves.append(
            Sleeve(
                str(name),
                newest.session if newest is not None and (due or is_asked) else None,
                float(shares[name]),
                float(book.current.get(name, 0.0)),
                by_symbol,
                book.held.get(str(name), empty),
                "a person asked: rebalance" if is_asked else "",
            )
        )
    sleeves += asked.sleeves
    held = {str(s) for one in sleeves for s in [*one.model.index, *one.held.index]}
    info = with_market(security_info(warehouse, session, held), warehouse, session, held, settings)
    # What is held and has no price can be neither bought nor sold: the plan leaves it, and no volume limits it.
    unpriced = {str(s) for one in sleeves for s in one.held.index} - set(book.closes)
    info = replace(info, adv={**info.adv, **dict.fromkeys(unpriced, math.inf)})
    sizing = None if book.managed_equity is None else book.managed_equity * (1.0 - settings.cash_buffer)
    wishes, breaches = cap_wishes([wish(one) for one in sleeves], caps_of(settings), info, equity=sizing)
    return wishes, breaches, sleeves, info


def _model_weights(model: ModelRun, portfolio_id: str) -> pd.Series:
    newest = model.latest(portfolio_id)
    return wanted_weights(newest, model.session, model.drifted.get(portfolio_id))


def wanted_weights(newest: StrategyWeights | None, session: date, drifted: pd.Series | None) -> pd.Series:
    """Return the new target weights where the strategy is due, the drifted model otherwise; by security_id."""
    if newest is None:
        return pd.Series(dtype=float)
    if newest.session == session and not newest.is_stale:
        return newest.weights
    return newest.weights if drifted is None else drifted


def symbols_at(warehouse: Warehouse, session: date, security_ids: set[str]) -> dict[str, str]:
    """Return security_id -> symbol under which it had a bar in the session."""
    rows = marts.read(
        warehouse,
        "select security_id, symbol from marts.daily_returns where session = {session} and security_id in ({ids})",
        session=session,
        ids=security_ids,
    )
    return dict(zip(rows["security_id"].astype(str), rows["symbol"].astype(str), strict=True)) if len(rows) else {}


def security_ids_at(warehouse: Warehouse, session: date, symbols: set[str]) -> dict[str, str]:
    """Return symbol -> security_id of its last bar up to the session."""
    rows = marts.read(
        warehouse,
        "select distinct on (symbol) symbol, security_id from marts.daily_returns"
        " where session <= {session} and symbol in ({symbols}) order by symbol, session desc",
        session=session,
        symbols=symbols,
    )
    return dict(zip(rows["symbol"].astype(str), rows["security_id"].astype(str), strict=True)) if len(rows) else {}


def security_info(warehouse: Warehouse, session: date, symbols: set[str]) -> SecurityInfo:
    """Return sector and kind of symbols, as known at the session's decision time."""
    rows = marts.read(
        warehouse,
        "select distinct on (symbol) symbol, sector, asset_class, is_deleted from raw.securities"
        " where known_at <= {at} and symbol in ({symbols}) order by symbol, known_at desc, row_id desc",
        at=calendar.decision_time(session),
        symbols=symbols,
    )
    if rows.empty:
        return SecurityInfo()
    return SecurityInfo(
        {str(row.symbol): str(row.sector) for row in rows.itertuples() if isinstance(row.sector, str) and row.sector},
        frozenset(str(row.symbol) for row in rows.itertuples() if row.asset_class == "etf"),
    )


# ------------------------------------------------------------------------------------------------- identity


def inputs_hash(
    session: date,
    settings: Settings,
    model: ModelRun,
    regime: RegimeState,
    allocation: AllocationState,
    book: Book,
    asked: Requests,
) -> str:
    """Return the SHA-256 over everything the decision was made from, numbers to 10 significant digits."""
    newest = {key: model.latest(key) for key in sorted(model.weights)}
    body = {
        "session": session.isoformat(),
        "settings": decisive_settings(settings),
        "weights": {
            key: [one.session.isoformat(), one.note, _rounded(one.weights)] for key, one in newest.items() if one
        },
        "drifted": {key: _rounded(one) for key, one in sorted(model.drifted.items())},
        "returns": {
            str(key): [_digits(value) for value in model.returns[key].tail(_RETURN_SESSIONS)]
            for key in sorted(model.returns.columns)
        },
        "regime": [_digits(regime.cci), _digits(regime.scale)],
        "allocation": [allocation.session.isoformat(), _rounded(allocation.target)],
        "asked": [asked.told(), sorted(asked.rebalance)],
        "book": [_rounded(book.current), {key: _rounded(one) for key, one in sorted(book.held.items())}],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _rounded(series: pd.Series) -> dict[str, str]:
    return {str(key): _digits(float(value)) for key, value in sorted(series.items(), key=lambda item: str(item[0]))}


def _digits(value: float) -> str:
    return f"{value:.10g}"


# --------------------------------------------------------------------------------------------------- orders


def execution_decision(decision: Decision, warehouse: Warehouse, settings: Settings) -> ExecutionDecision:
    """Translate a decision into what the execution room takes, from stored numbers and decision closes.

    A holding that has no close (renamed, and no price list knows the new name yet) goes over without one: the plan
    refuses it by name and leaves it where it is.
    """
    trading = [part for part in decision.portfolios if part.trades]
    symbols = {symbol for part in trading for symbol in part.weights}
    rows = marts.read(
        warehouse,
        "select symbol, close from marts.daily_returns where session = {session} and symbol in ({symbols})",
        session=decision.session,
        symbols=symbols,
    )
    closes = dict(zip(rows["symbol"].astype(str), rows["close"].astype(float), strict=True)) if len(rows) else {}
    book = read_book(warehouse, decision.session, settings)
    known = {**book.closes, **closes}
    return ExecutionDecision(
        session=decision.session,
        targets=tuple(
            Target(part.portfolio_id, symbol, share, known.get(symbol, math.nan))
            for part in trading
            for symbol, share in sorted(part.weights.items())
        ),
        trading=frozenset(part.portfolio_id for part in trading),
        shares={part.portfolio_id: part.share for part in trading},
        closes={symbol: Decimal(str(close)) for symbol, close in known.items()},
        inputs_hash=decision.inputs_hash,
    )


def _plan(
    decision: Decision,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    planner: Planner | None,
    *,
    dry_run: bool,
) -> StoredPlan | None:
    from pas_lib.pipeline.shadow import draft_plan

    return (planner or (draft_plan if dry_run else create_plan))(
        execution_decision(decision, warehouse, settings), settings, clock, warehouse, dry_run=dry_run
    )
