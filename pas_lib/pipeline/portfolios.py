"""What a person does to portfolios: create, set weights, fund, ask to rebalance, sweep, transfer, close, post returns.

A manual portfolio's weights are put by a person; it trades through the same decisions, limits and orders as the others.
Shares move at the next decision, through its plan; cash that lies idle in a book can be moved at once. Everything is
written to ``ops.portfolio_events`` with who and when, and nothing of it is ever changed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pandas as pd
import psycopg

from pas_lib import clock as calendar
from pas_lib.analytics import performance_summary
from pas_lib.clock import Clock
from pas_lib.errors import PasError, UnknownName
from pas_lib.execution import ledger, store
from pas_lib.execution.types import CASH_BOOK, USD
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

_ID = re.compile(r"[a-z][a-z0-9_]{1,40}")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}(\.[A-Z]{1,3})?")
#: Names that stand for something else in the ledger and at the addresses.
_RESERVED = frozenset({"all", "cash", "external", "outside"})
CASH = "CASH"
_CENT = Decimal("0.01")


class NotManual(PasError):
    """A portfolio is run by its strategy: a person cannot set its weights, its share or its cash."""


@dataclass(frozen=True)
class PostedReturns:
    """What came of returns that were posted.

    Attributes
    ----------
    portfolio_id
        Whose they are.
    written
        Rows appended; a session that has the very same return already is left out.
    corrected
        How many of them replace an earlier return of their session.
    n_obs, as_of
        All returns posted so far: how many sessions, and the newest.
    figures
        `pas_lib.analytics.performance_summary` of all of them.
    is_trailing
        Whether they became the portfolio's trailing statistics (manual portfolios only).
    """

    portfolio_id: str
    written: int
    corrected: int
    n_obs: int
    as_of: date
    figures: Mapping[str, float]
    is_trailing: bool


# ------------------------------------------------------------------------------------------ creating, weights


def create(
    warehouse: Warehouse,
    portfolio_id: str,
    *,
    name: str,
    who: str,
    now: datetime,
    weights: Mapping[str, float] | None = None,
    share: float | None = None,
    settings: Settings,
    note: str = "",
) -> None:
    """Create a manual portfolio, with weights and a share of equity if they are given.

    Parameters
    ----------
    portfolio_id
        Lower-case letters, digits and underscores.
    weights
        Symbol -> weight within the portfolio, at least 0, at most 1 in all; the rest is cash.
    share
        Of sizing equity, from the next decision on.

    Raises
    ------
    PasError
        When the id is taken or not allowed, nobody is named, or weights or share are not possible.
    """
    who = _named(who)
    if not _ID.fullmatch(portfolio_id) or portfolio_id in _RESERVED:
        raise PasError(f"{portfolio_id[:60]!r} is no id for a portfolio", hint="such as my_ideas")
    if not name.strip():
        raise PasError("a portfolio needs a name")
    with warehouse.connect() as conn:
        made = conn.execute(
            "insert into ops.portfolios (portfolio_id, name, strategy, kind, cadence, created_at)"
            " values (%s, %s, null, 'manual', 'manual', %s) on conflict do nothing",
            (portfolio_id, name.strip(), now),
        )
        if not made.rowcount:
            raise PasError(f"there is a portfolio {portfolio_id} already")
        _event(conn, portfolio_id, "created", now, who, {"name": name.strip(), "note": note})
        if weights is not None:
            _put(conn, portfolio_id, weights, who, now, note)
        if share is not None:
            _give(conn, portfolio_id, share, settings, who, now)


def set_weights(
    warehouse: Warehouse, portfolio_id: str, weights: Mapping[str, float], *, who: str, now: datetime, note: str = ""
) -> None:
    """Put a manual portfolio's weights; the next decision trades them.

    Raises
    ------
    NotManual
        When a strategy runs the portfolio.
    UnknownName
        When there is no such portfolio.
    PasError
        When the weights are not possible, a symbol has no price, or the portfolio is closed.
    """
    who = _named(who)
    with warehouse.connect() as conn:
        _require_manual(conn, portfolio_id)
        _put(conn, portfolio_id, weights, who, now, note)


def _put(
    conn: psycopg.Connection[Any], portfolio_id: str, weights: Mapping[str, float], who: str, now: datetime, note: str
) -> None:
    clean = checked_weights(weights)
    known = _priced(conn, set(clean))
    unknown = sorted(set(clean) - known)
    if unknown:
        raise PasError(f"no prices are collected for {', '.join(unknown[:5])}", hint="hold only what has a price")
    event = _event(conn, portfolio_id, "weights", now, who, {"weights": clean, "note": note})
    for symbol, weight in (clean or {CASH: 1.0}).items():
        conn.execute(
            "insert into ops.manual_weights (event_id, portfolio_id, set_at, symbol, weight, set_by, note)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            (event, portfolio_id, now, symbol, weight, who, note),
        )


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights above 0 by symbol, sorted; or refuse them.

    Raises
    ------
    PasError
        Naming the symbol: not a symbol, below 0, not a number; or all add up to more than 1.
    """
    clean: dict[str, float] = {}
    for symbol, weight in weights.items():
        if not _SYMBOL.fullmatch(str(symbol)) or symbol == CASH:
            raise PasError(f"{str(symbol)[:20]!r} is no symbol", hint="such as BRK.B; what is not named is cash")
        if not (math.isfinite(weight) and 0.0 <= weight <= 1.0):
            raise PasError(f"the weight of {symbol} must lie between 0 and 1, not {weight}")
        if weight > 0.0:
            clean[str(symbol)] = float(weight)
    if sum(clean.values()) > 1.0 + 1e-9:
        raise PasError(f"the weights add up to {sum(clean.values()):.6g}, more than 1")
    return dict(sorted(clean.items()))


def _priced(conn: psycopg.Connection[Any], symbols: set[str]) -> set[str]:
    rows = conn.execute(
        "select distinct symbol from raw.prices where symbol = any(%s) and event_date >="
        " (select max(event_date) from raw.prices) - 10",
        (sorted(symbols),),
    ).fetchall()
    return {str(row[0]) for row in rows}


# --------------------------------------------------------------------------------------------- shares, cash


def fund(warehouse: Warehouse, portfolio_id: str, share: float, *, settings: Settings, who: str, now: datetime) -> None:
    """Give a manual portfolio a share of sizing equity: the next decision moves it, and the strategies leave room.

    Between such gifts a manual portfolio keeps what it makes.

    Raises
    ------
    NotManual, UnknownName
        As `set_weights`.
    PasError
        When the shares of all manual portfolios would leave less than the strategies' minima.
    """
    who = _named(who)
    with warehouse.connect() as conn:
        _require_manual(conn, portfolio_id)
        _give(conn, portfolio_id, share, settings, who, now)


def _give(
    conn: psycopg.Connection[Any], portfolio_id: str, share: float, settings: Settings, who: str, now: datetime
) -> None:
    if not (math.isfinite(share) and 0.0 <= share <= 1.0):
        raise PasError(f"a share of equity lies between 0 and 1, not {share}")
    given = {
        str(row[0]): float(row[1])
        for row in conn.execute(
            "select distinct on (e.portfolio_id) e.portfolio_id, (e.details ->> 'share')::double precision"
            " from ops.portfolio_events e join ops.portfolios p using (portfolio_id)"
            " where e.event = 'funded' and p.status = 'active' order by e.portfolio_id, e.event_id desc"
        )
    }
    strategies = conn.execute(
        "select count(*) from ops.portfolios where kind = 'strategy' and status = 'active'"
    ).fetchone()
    least = settings.min_allocation * (int(strategies[0]) if strategies else 0)
    whole = sum({**given, portfolio_id: share}.values())
    if whole > settings.gross_cap - least + 1e-12:
        raise PasError(
            f"manual portfolios would have {whole:.2%} of equity, at most {settings.gross_cap - least:.2%} is free"
        )
    _event(conn, portfolio_id, "funded", now, who, {"share": share})


def ask_to_rebalance(warehouse: Warehouse, portfolio_id: str, *, who: str, now: datetime, note: str = "") -> None:
    """Have the next decision bring a portfolio (of any kind) to its weights.

    Raises
    ------
    UnknownName
        When there is no such portfolio.
    PasError
        When it is closed, or nobody is named.
    """
    who = _named(who)
    with warehouse.connect() as conn:
        _require_active(conn, portfolio_id)
        _event(conn, portfolio_id, "rebalance", now, who, {"note": note})


def sweep(warehouse: Warehouse, clock: Clock, portfolio_id: str, *, who: str) -> Decimal:
    """Move the idle cash of a manual or closed portfolio's book to the CASH book; return the amount, USD.

    Raises
    ------
    NotManual, UnknownName
        As `set_weights`; a closed portfolio of a strategy can be swept too.
    PasError
        When the ledger belongs to no account yet, or a plan is under way.
    """
    who = _named(who)
    with store.only_one(warehouse) as held, held.connect() as conn:
        row = _row(conn, portfolio_id)
        if row["kind"] != "manual" and row["status"] != "closed":
            raise _not_manual(portfolio_id)
        amount = _cash_of(conn, portfolio_id)
        if amount >= _CENT:
            _move(conn, clock, portfolio_id, CASH_BOOK, amount, "swept", who)
        return max(amount, Decimal(0))


def transfer(warehouse: Warehouse, clock: Clock, source: str, target: str, amount: Decimal, *, who: str) -> None:
    """Move idle cash from one manual portfolio's book to another's, at once.

    Raises
    ------
    NotManual, UnknownName
        As `set_weights`.
    PasError
        When the book has not that much cash.
    """
    who = _named(who)
    if source == target:
        raise PasError("a transfer needs two portfolios")
    if not (amount.is_finite() and amount >= _CENT):
        raise PasError(f"an amount of at least 0.01 USD is needed, not {amount}")
    with store.only_one(warehouse) as held, held.connect() as conn:
        for one in (source, target):
            _require_manual(conn, one)
        have = _cash_of(conn, source)
        if amount > have:
            raise PasError(f"{source} has {have:.2f} USD of cash, not {amount:.2f}", hint="sell something first")
        _move(conn, clock, source, target, amount, "transferred", who)


def close(warehouse: Warehouse, portfolio_id: str, *, who: str, now: datetime, reason: str) -> None:
    """Close a portfolio: the next decision sells what it holds, and its cash goes back to the others.

    Raises
    ------
    UnknownName
        When there is no such portfolio.
    PasError
        When it is closed already, or nobody or no reason is named.
    """
    who = _named(who)
    if not reason.strip():
        raise PasError("closing a portfolio needs a reason")
    with warehouse.connect() as conn:
        _require_active(conn, portfolio_id)
        conn.execute("update ops.portfolios set status = 'closed' where portfolio_id = %s", (portfolio_id,))
        _event(conn, portfolio_id, "closed", now, who, {"reason": reason.strip()})


def reopen(warehouse: Warehouse, portfolio_id: str, *, who: str, now: datetime) -> None:
    """Open a closed portfolio again; a manual one has no share until it is given one.

    Raises
    ------
    UnknownName
        When there is no such portfolio.
    PasError
        When it is open.
    """
    who = _named(who)
    with warehouse.connect() as conn:
        if _row(conn, portfolio_id)["status"] != "closed":
            raise PasError(f"portfolio {portfolio_id} is open")
        conn.execute("update ops.portfolios set status = 'active' where portfolio_id = %s", (portfolio_id,))
        _event(conn, portfolio_id, "reopened", now, who, {})


def _move(
    conn: psycopg.Connection[Any], clock: Clock, source: str, target: str, amount: Decimal, event: str, who: str
) -> None:
    key = store.active_binding(conn)
    if key is None:
        raise PasError("the ledger belongs to no account yet", hint="plan a session first")
    busy = conn.execute(
        "select 1 from ops.order_plans p where p.broker = %s and p.account_number = %s and p.finished_at is null"
        " and p.execution_session >= %s",
        (key.broker, key.account_number, clock.now().astimezone(calendar.NY).date()),
    ).fetchone()
    if busy:
        raise PasError("a plan is under way and counts on the books' cash", hint="wait until it is carried out")
    now = clock.now()
    postings = ledger.Postings()
    postings.move(USD, amount, source, target)
    ledger.post(
        conn, key, f"{event}:{source}:{target}:{now.isoformat()}", "funding", postings,
        occurred_at=now, recorded_at=now, memo=f"{event} by {who}",
    )  # fmt: skip
    details = {"from": source, "to": target, "amount": str(amount)}
    _event(conn, source, event, now, who, details)
    if event == "transferred":
        _event(conn, target, event, now, who, details)


def _cash_of(conn: psycopg.Connection[Any], book: str) -> Decimal:
    row = conn.execute("select cash from ops.book_cash where book = %s", (book,)).fetchone()
    return Decimal(row[0]).quantize(_CENT, rounding=ROUND_DOWN) if row else Decimal(0)


# ------------------------------------------------------------------------------------------ posted returns


def post_returns(
    warehouse: Warehouse,
    portfolio_id: str,
    returns: Mapping[date, float],
    *,
    who: str,
    now: datetime,
    source: str = "",
    benchmark: str = "SPY",
) -> PostedReturns:
    """Append daily returns that come from outside, and answer with the statistics of all posted ones.

    Parameters
    ----------
    returns
        Session -> simple return, a fraction. A session posted before with another value is corrected by a further row.
    source
        Where they come from.

    Returns
    -------
    PostedReturns
        A manual portfolio's trailing statistics are these from now on; another portfolio's stay what the marts say.

    Raises
    ------
    UnknownName
        When there is no such portfolio.
    PasError
        When a day is no session, lies ahead, or a return is no fraction above -1.
    """
    who = _named(who)
    if not returns:
        raise PasError("no returns were given")
    for day, value in returns.items():
        if not calendar.is_session(day):
            raise PasError(f"{day} is not a session of the exchange")
        if calendar.session_close(day) > now:
            raise PasError(f"session {day} has not closed yet")
        if not (math.isfinite(value) and -1.0 <= value <= 10.0):
            raise PasError(f"the return of {day} must be a fraction from -1 on, not {value}", hint="0.01 is 1 %")
    with warehouse.connect() as conn:
        # One poster of a portfolio at a time, so that the figures are those of all rows.
        conn.execute("select pg_advisory_xact_lock(hashtext('posted_returns'), hashtext(%s))", (portfolio_id,))
        row = _row(conn, portfolio_id)
        before = _posted(conn, portfolio_id)
        fresh = {day: value for day, value in sorted(returns.items()) if before.get(day) != value}
        for day, value in fresh.items():
            conn.execute(
                "insert into ops.posted_returns (portfolio_id, session, ret, posted_at, posted_by, source)"
                " values (%s, %s, %s, %s, %s, %s)",
                (portfolio_id, day, value, now, who, source),
            )
        whole = pd.Series({**before, **fresh}).sort_index()
        figures = performance_summary(whole, _benchmark(conn, benchmark, whole))
        corrected = sum(day in before for day in fresh)
        is_manual = row["kind"] == "manual"
        if fresh:
            _event(
                conn, portfolio_id, "returns_posted", now, who,
                {"written": len(fresh), "corrected": corrected, "source": source},
            )  # fmt: skip
            if is_manual:
                stored = {key: value if math.isfinite(value) else None for key, value in figures.items()}
                conn.execute(
                    "insert into ops.posted_metrics (portfolio_id, as_of, n_obs, figures, computed_at, computed_by)"
                    " values (%s, %s, %s, %s, %s, %s)",
                    (portfolio_id, whole.index[-1], len(whole), json.dumps(stored), now, who),
                )
    return PostedReturns(portfolio_id, len(fresh), corrected, len(whole), whole.index[-1], figures, is_manual)


def _posted(conn: psycopg.Connection[Any], portfolio_id: str) -> dict[date, float]:
    rows = conn.execute(
        "select distinct on (session) session, ret from ops.posted_returns where portfolio_id = %s"
        " order by session, row_id desc",
        (portfolio_id,),
    ).fetchall()
    return {row[0]: float(row[1]) for row in rows}


def _benchmark(conn: psycopg.Connection[Any], symbol: str, returns: pd.Series) -> pd.Series | None:
    """Return the benchmark's returns of the same sessions; None where the marts do not have them."""
    if conn.execute("select to_regclass('marts.daily_returns')").fetchone() == (None,):
        return None
    rows = conn.execute(
        "select session, ret from marts.daily_returns where symbol = %s and session between %s and %s"
        " and ret is not null",
        (symbol, returns.index[0], returns.index[-1]),
    ).fetchall()
    return pd.Series({row[0]: float(row[1]) for row in rows}) if rows else None


# ------------------------------------------------------------------------------------------------- helpers


def _event(
    conn: psycopg.Connection[Any], portfolio_id: str, event: str, now: datetime, who: str, details: Mapping[str, Any]
) -> int:
    """Write down what was done; return the number of the row."""
    row = conn.execute(
        "insert into ops.portfolio_events (portfolio_id, event, at, by, details) values (%s, %s, %s, %s, %s)"
        " returning event_id",
        (portfolio_id, event, now, who, json.dumps(dict(details))),
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert that returns gives one row
    return int(row[0])


def _row(conn: psycopg.Connection[Any], portfolio_id: str) -> dict[str, str]:
    rows = conn.execute("select portfolio_id, kind, status from ops.portfolios order by portfolio_id").fetchall()
    for known, kind, status in rows:
        if known == portfolio_id:
            return {"kind": str(kind), "status": str(status)}
    raise UnknownName("portfolio", portfolio_id[:80], [str(row[0]) for row in rows])


def _require_active(conn: psycopg.Connection[Any], portfolio_id: str) -> dict[str, str]:
    row = _row(conn, portfolio_id)
    if row["status"] != "active":
        raise PasError(f"portfolio {portfolio_id} is closed", hint="reopen it first")
    return row


def _require_manual(conn: psycopg.Connection[Any], portfolio_id: str) -> None:
    if _row(conn, portfolio_id)["kind"] != "manual":
        raise _not_manual(portfolio_id)
    _require_active(conn, portfolio_id)


def _not_manual(portfolio_id: str) -> NotManual:
    return NotManual(f"portfolio {portfolio_id} is run by its strategy", hint="only manual portfolios are set by hand")


def _named(who: str) -> str:
    if not who.strip():
        raise PasError("a person's name is needed")
    return who.strip()
