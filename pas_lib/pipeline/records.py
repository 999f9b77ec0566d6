"""Decisions as records: what they hold, how they are written once, and how they are read back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from pas_lib.errors import PasError
from pas_lib.pipeline.sizing import CapBreach
from pas_lib.strategies import all_strategies
from pas_lib.warehouse import Warehouse

if TYPE_CHECKING:
    from pas_lib.execution import StoredPlan


@dataclass(frozen=True)
class PortfolioDecision:
    """What was decided for one portfolio.

    Attributes
    ----------
    portfolio_id
        Its id.
    allocation
        Share of equity before exposure scale, caps and band.
    share
        Share of equity it shall have, cash included.
    current
        Share of equity its book had, as drifted.
    is_due, trades, why
        Whether its strategy decided at this session, whether it sends orders, and the reason in words.
    weights
        Shares of equity by symbol (trading portfolios only).
    note
        What its strategy said (too few names, old data).
    """

    portfolio_id: str
    allocation: float
    share: float
    current: float
    is_due: bool
    trades: bool
    why: str
    weights: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """The decision of one session.

    Attributes
    ----------
    decision_id, session, decided_at, origin
        Identity; `origin` is ``live`` or ``replay``.
    inputs_hash
        SHA-256 over everything it was made from.
    method, reason
        Allocation method that was used in the end, and why another one was not.
    allocated_at
        Session whose allocation holds; equal to `session` when it was made now.
    cci, scale, gross, expected_vol
        Crisis indicator (NaN: unknown), S, sum of the shares, annual ex-ante volatility (None: no estimate).
    managed_equity
        USD, None when the account has no books yet.
    portfolios
        One per portfolio, by id.
    caps
        Which caps cut something.
    plan
        The order plan that was stored with it; None for a replay or a dry run.
    is_new
        False when it had been stored before.
    is_dry_run
        True when nothing was written.
    """

    decision_id: str
    session: date
    decided_at: datetime
    origin: str
    inputs_hash: str
    method: str
    reason: str
    allocated_at: date
    cci: float
    scale: float
    gross: float
    expected_vol: float | None
    managed_equity: float | None
    portfolios: tuple[PortfolioDecision, ...]
    caps: tuple[CapBreach, ...] = ()
    plan: StoredPlan | None = None
    is_new: bool = True
    is_dry_run: bool = False

    def portfolio(self, portfolio_id: str) -> PortfolioDecision:
        """Return the part of one portfolio.

        Raises
        ------
        PasError
            When the decision has none of that id.
        """
        for one in self.portfolios:
            if one.portfolio_id == portfolio_id:
                return one
        raise PasError(f"the decision of {self.session} has no portfolio '{portfolio_id}'")


@dataclass(frozen=True)
class AllocationState:
    """An allocation: shares before S, caps and band, and how it came about."""

    session: date
    target: pd.Series
    gross: float
    method: str
    reason: str
    expected_vol: float | None
    diagnostics: Mapping[str, Any]
    is_new: bool


def store_decision(
    conn: psycopg.Connection[Any],
    decision: Decision,
    allocation: AllocationState,
    security_ids: Mapping[str, str],
    *,
    run_id: str,
    inputs: Mapping[str, Any],
) -> None:
    """Write a decision inside the connection's transaction; nothing is committed here.

    Parameters
    ----------
    conn
        Open connection.
    decision
        Written to ``ops.decisions`` and ``ops.alloc_log``; to ``ops.weight_history`` only when live.
    allocation
        The allocation that holds; its inputs and diagnostics are logged when it was made now.
    security_ids
        symbol -> security_id.
    run_id
        Who runs it.
    inputs
        What a recomputation needs beside the rows: ``settings`` by name, ``sources`` (dataset -> those read), and
        ``raw`` (dataset -> newest row number).
    """
    now = decision.decided_at
    conn.execute(
        "insert into ops.decisions (decision_id, session, decided_at, origin, inputs_hash, method, cci, scale, gross,"
        " expected_vol, reason, managed_equity, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            decision.decision_id,
            decision.session,
            now,
            decision.origin,
            decision.inputs_hash,
            decision.method,
            None if math.isnan(decision.cci) else decision.cci,
            decision.scale,
            decision.gross,
            decision.expected_vol,
            decision.reason,
            decision.managed_equity,
            run_id,
        ),
    )
    _log(conn, decision, now, "inputs", None, inputs)
    if allocation.is_new:
        _log(conn, decision, now, "allocation_run", None, {**allocation.diagnostics})
    for part in decision.portfolios:
        details = {
            "current": part.current,
            "is_due": part.is_due,
            "note": part.note,
            "weights": dict(part.weights),
            "allocated_at": decision.allocated_at.isoformat(),
        }
        _log(conn, decision, now, "allocation", part, details)
    for breach in decision.caps:
        _log(conn, decision, now, "cap", None, {**breach.__dict__}, reason=f"{breach.code} {breach.name}")
    if decision.origin == "live":
        _store_weights(conn, decision, security_ids)


def ensure_portfolios(conn: psycopg.Connection[Any], now: datetime) -> None:
    """Create the row of every strategy's portfolio that has none yet."""
    for one in all_strategies():
        conn.execute(
            "insert into ops.portfolios (portfolio_id, name, strategy, kind, cadence, created_at)"
            " values (%s, %s, %s, 'strategy', %s, %s) on conflict do nothing",
            (one.id, one.name, one.id, one.cadence.value, now),
        )


def _log(
    conn: psycopg.Connection[Any],
    decision: Decision,
    now: datetime,
    event: str,
    part: PortfolioDecision | None,
    details: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    conn.execute(
        "insert into ops.alloc_log (logged_at, session, event, decision_id, portfolio_id, method, allocation, scale,"
        " share, trades, reason, details) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            now,
            decision.session,
            event,
            decision.decision_id,
            part.portfolio_id if part else None,
            decision.method,
            part.allocation if part else None,
            decision.scale,
            part.share if part else None,
            part.trades if part else None,
            reason or (part.why if part else decision.reason),
            json.dumps(_finite(details), default=str, allow_nan=False),
        ),
    )


def _finite(value: Any) -> Any:
    """Return a value with what JSON has no word for as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _store_weights(conn: psycopg.Connection[Any], decision: Decision, security_ids: Mapping[str, str]) -> None:
    rows = [
        (
            decision.decision_id,
            decision.session,
            part.portfolio_id,
            symbol,
            security_ids.get(symbol),
            share / part.share if part.share > 0.0 else 0.0,
            share,
            decision.decided_at,
            decision.origin,
        )
        for part in decision.portfolios
        for symbol, share in sorted(part.weights.items())
    ]
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy ops.weight_history (decision_id, session, portfolio_id, symbol, security_id, weight, share,"
            " decided_at, origin) from stdin"
        ) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def load_decision(warehouse: Warehouse, session: date, origin: str = "live") -> Decision | None:
    """Return the stored decision of a session, without its plan; None when there is none."""
    found = warehouse.rows(
        "select * from ops.decisions where session = %s and origin = %s order by decided_at desc limit 1",
        (session, origin),
    )
    if not found:
        return None
    row = found[0]
    log = warehouse.rows(
        "select event, portfolio_id, allocation, share, trades, reason, details from ops.alloc_log"
        " where decision_id = %s and event in ('allocation', 'cap') order by log_id",
        (row["decision_id"],),
    )
    parts = [entry for entry in log if entry["event"] == "allocation"]
    allocated = parts[0]["details"]["allocated_at"] if parts else session.isoformat()
    return Decision(
        decision_id=str(row["decision_id"]),
        session=session,
        decided_at=row["decided_at"],
        origin=str(row["origin"]),
        inputs_hash=str(row["inputs_hash"]),
        method=str(row["method"]),
        reason=str(row["reason"]),
        allocated_at=date.fromisoformat(allocated),
        cci=math.nan if row["cci"] is None else float(row["cci"]),
        scale=float(row["scale"]),
        gross=float(row["gross"]),
        expected_vol=row["expected_vol"],
        managed_equity=row["managed_equity"],
        portfolios=tuple(
            PortfolioDecision(
                str(entry["portfolio_id"]),
                float(entry["allocation"]),
                float(entry["share"]),
                float(entry["details"]["current"]),
                bool(entry["details"]["is_due"]),
                bool(entry["trades"]),
                str(entry["reason"]),
                {str(key): float(value) for key, value in entry["details"]["weights"].items()},
                str(entry["details"]["note"]),
            )
            for entry in parts
        ),
        caps=tuple(CapBreach(**entry["details"]) for entry in log if entry["event"] == "cap"),
        is_new=False,
    )


def decision_inputs(warehouse: Warehouse, decision_id: str) -> Mapping[str, Any]:
    """Return what was stored as the inputs of a decision; empty when it was stored without them."""
    rows = warehouse.rows(
        "select details from ops.alloc_log where decision_id = %s and event = 'inputs'", (decision_id,)
    )
    return dict(rows[0]["details"]) if rows else {}


def last_allocation(warehouse: Warehouse, session: date) -> AllocationState | None:
    """Return the newest stored allocation of a live decision before `session`, if there is one."""
    rows = warehouse.rows(
        "select l.session, l.details from ops.alloc_log l join ops.decisions d using (decision_id)"
        " where l.event = 'allocation_run' and d.origin = 'live' and l.session < %s"
        " order by l.session desc, l.log_id desc limit 1",
        (session,),
    )
    if not rows:
        return None
    details = rows[0]["details"]
    return AllocationState(
        rows[0]["session"],
        pd.Series(details["target"], dtype=float),
        float(details["gross"]),
        str(details["method_used"]),
        str(details["reason"]),
        details.get("expected_vol"),
        details,
        False,
    )


def last_decision_session(warehouse: Warehouse, before: date) -> date | None:
    """Return the session of the newest stored live decision before a session."""
    rows = warehouse.rows(
        "select max(session) as session from ops.decisions where origin = 'live' and session < %s", (before,)
    )
    newest: date | None = rows[0]["session"]
    return newest


def untraded_sessions(warehouse: Warehouse, before: date) -> dict[str, date]:
    """Return portfolio -> session of its newest live decision that was due, where its orders did not all go out.

    That is so when the market day passed without an execution, and when the trading state held orders back. An order
    that a guard or the broker refused did go out: it is tried again only when a person asks.
    """
    rows = warehouse.rows(
        "select portfolio_id, session from ("
        " select distinct on (l.portfolio_id) l.portfolio_id, l.session"
        " from ops.alloc_log l join ops.decisions d using (decision_id)"
        " where l.event = 'allocation' and d.origin = 'live' and l.session < %s"
        " and l.trades and (l.details ->> 'is_due')::boolean"
        " order by l.portfolio_id, l.session desc) newest"
        " where not exists (select 1 from ops.order_plans p where p.session = newest.session)"
        " or exists (select 1 from ops.intents i where i.session = newest.session"
        " and i.portfolio_id = newest.portfolio_id and i.kind = 'order'"
        " and not exists (select 1 from ops.orders o where o.intent_id = i.intent_id"
        " and (o.broker_order_id is not null or o.state in ('denied', 'rejected'))))",
        (before,),
    )
    return {str(row["portfolio_id"]): row["session"] for row in rows}


def last_decision(warehouse: Warehouse, session: date) -> Decision | None:
    """Return the newest stored live decision up to a session."""
    rows = warehouse.rows(
        "select max(session) as session from ops.decisions where origin = 'live' and session <= %s", (session,)
    )
    newest = rows[0]["session"]
    return load_decision(warehouse, newest) if newest is not None else None
