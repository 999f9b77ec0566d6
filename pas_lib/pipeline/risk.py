"""Risk of a decision: what is known of its symbols, the figures of its book, the rules on them, and what is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from pas_lib import clock as calendar
from pas_lib.errors import PasError
from pas_lib.execution import store
from pas_lib.execution.state import SYSTEM
from pas_lib.pipeline import marts
from pas_lib.pipeline.sizing import VAR_COVERAGE, VAR_SESSIONS, Caps, SecurityInfo, Wish, book_of
from pas_lib.risk import Alert, Exposures, Rule, book_figures, evaluate_rules, exposures, losses, parse_rules
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

#: Sessions of history for value at risk, for betas, and for the average daily volume.
VAR_WINDOW = 504
BETA_WINDOW = 252
VOLUME_WINDOW = 20
#: Fewer common returns than this say nothing about a beta.
BETA_SESSIONS = 60


@dataclass(frozen=True)
class BookRisk:
    """What a decision's book is exposed to, after all caps.

    Attributes
    ----------
    figures
        Metric -> value: those of `pas_lib.risk.book_figures`, daily_loss and drawdown of the account without flows,
        cci and scale. NaN is unknown.
    seen
        Exposures by name, sector and portfolio.
    alerts
        (rule, alert): what the rules say; the rule is ``setting`` or ``rule N``.
    parts
        Portfolio -> (figures, exposures) of what it holds in the book, as shares of the same equity.
    """

    figures: Mapping[str, float]
    seen: Exposures
    alerts: tuple[tuple[str, Alert], ...]
    parts: Mapping[str, tuple[Mapping[str, float], Exposures]]


def caps_of(settings: Settings) -> Caps:
    """Return the limits that the settings ask for."""
    return Caps(
        name=settings.max_name_weight,
        etf=settings.max_etf_weight,
        sector=settings.max_sector_weight,
        gross=settings.gross_cap,
        slack=settings.band,
        leveraged=settings.max_leveraged_weight,
        var_99=settings.max_var_99,
        adv_share=settings.max_adv_share,
    )


def with_market(
    info: SecurityInfo, warehouse: Warehouse, session: date, symbols: set[str], settings: Settings
) -> SecurityInfo:
    """Add what the limits need of the market up to a session: leverage, volumes, betas and past returns.

    Parameters
    ----------
    info
        What is known already.
    symbols
        Symbols as they are traded at the session.
    settings
        For the benchmark.

    Returns
    -------
    SecurityInfo
        Its returns have a column for each symbol. A symbol's history is its security's, under whatever name.

    Raises
    ------
    WarehouseError
        When the mart of daily returns is missing.
    """
    if not symbols:
        return info
    days = calendar.sessions(date(1990, 1, 1), session)[-VAR_WINDOW:]
    rows = marts.read(
        warehouse,
        "with ids as (select distinct on (symbol) symbol, security_id from marts.daily_returns"
        " where session <= {session} and symbol in ({symbols}) order by symbol, session desc)"
        " select i.symbol, r.session, r.ret, r.dollar_volume from ids i"
        " join marts.daily_returns r on r.security_id = i.security_id"
        " where r.session between {first} and {session}",
        session=session,
        first=days[0],
        symbols=symbols | {settings.benchmark},
    )
    index = marts.session_index(days)
    columns = sorted(symbols | {settings.benchmark})
    if rows.empty:
        return replace(info, returns=pd.DataFrame(np.nan, index=index, columns=columns))
    rows["session"] = pd.to_datetime(rows["session"])

    def wide(column: str) -> pd.DataFrame:
        found: pd.DataFrame = rows.pivot(index="session", columns="symbol", values=column)
        return found.reindex(index=index, columns=columns).astype(float)

    leverage = _leverage(warehouse, session, symbols)
    return market_of(info, wide("ret"), wide("dollar_volume"), leverage, settings.benchmark)


def market_of(
    info: SecurityInfo,
    returns: pd.DataFrame,
    volume: pd.DataFrame,
    leverage: Mapping[str, float],
    benchmark: str | None = None,
) -> SecurityInfo:
    """Work out what the limits need from the past of the symbols; nothing is read.

    Parameters
    ----------
    info
        What is known already.
    returns, volume
        Sessions x symbols up to the session that is judged: daily returns, and dollar volumes (NaN without a bar).
    leverage
        Daily multiples by symbol, where stated.
    benchmark
        One of the symbols; None leaves the betas out, which no limit looks at.
    """
    # A session without a bar had no volume: it counts as none, which makes the limit tighter.
    last = volume.tail(VOLUME_WINDOW)
    adv = last.sum() / VOLUME_WINDOW
    return replace(
        info,
        leverage=leverage,
        adv={str(key): float(value) for key, value in adv[last.notna().any()].items()},
        beta=_betas(returns.tail(BETA_WINDOW), benchmark) if benchmark else {},
        returns=returns,
    )


def _leverage(warehouse: Warehouse, session: date, symbols: set[str]) -> dict[str, float]:
    rows = marts.read(
        warehouse,
        "select distinct on (symbol) symbol, leverage from raw.securities"
        " where known_at <= {at} and symbol in ({symbols}) order by symbol, known_at desc, row_id desc",
        at=calendar.decision_time(session),
        symbols=symbols,
    )
    if rows.empty:
        return {}
    stated = rows.set_index(rows["symbol"].astype(str))["leverage"].astype(float).dropna()
    return {str(symbol): float(value) for symbol, value in stated.items()}


def _betas(returns: pd.DataFrame, benchmark: str) -> dict[str, float]:
    market = returns[benchmark]
    found = {}
    for symbol in returns.columns:
        both = returns[symbol].notna() & market.notna()
        x, b = returns.loc[both, symbol].to_numpy(), market[both].to_numpy()
        gap = b - b.mean() if len(b) else b
        if len(x) >= BETA_SESSIONS and float(gap @ gap) > 0.0:
            found[str(symbol)] = float(gap @ (x - x.mean())) / float(gap @ gap)
    return found


def book_risk(
    wishes: Sequence[Wish],
    info: SecurityInfo,
    warehouse: Warehouse,
    settings: Settings,
    *,
    cci: float,
    scale: float,
) -> BookRisk:
    """Judge a book after its caps: figures, exposures, and the alerts that the rules raise.

    Parameters
    ----------
    wishes
        What every portfolio holds in the end, drifting ones included.
    info
        From `with_market`.
    cci, scale
        The session's indicator and S.
    """
    book = book_of(wishes)
    past = info.returns.reindex(columns=book.columns)

    def judged(part: pd.DataFrame) -> tuple[dict[str, float], Exposures]:
        known: dict[str, Any] = {"sectors": info.sector, "leverage": info.leverage, "betas": info.beta}
        figures = book_figures(part, past, **known, min_coverage=VAR_COVERAGE, min_sessions=VAR_SESSIONS)
        return figures, exposures(part, **known)

    figures, seen = judged(book)
    daily_loss, drawdown = account_losses(warehouse)
    figures |= {"daily_loss": daily_loss, "drawdown": drawdown, "cci": cci, "scale": scale}
    parts = {str(name): judged(book.loc[[name]]) for name in book.index}
    alerts = []
    for name, rule in rules_in_force(warehouse, settings):
        alerts += [(name, alert) for alert in evaluate_rules(figures, [rule])]
    return BookRisk(figures, seen, tuple(alerts), parts)


def account_losses(warehouse: Warehouse) -> tuple[float, float]:
    """Return the account's last daily loss and its drawdown, without flows; 0 while there are no two snapshots."""
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        path = store.managed_path(conn, key, not_by=SYSTEM) if key else []
    return losses([float(equity) for equity, _ in path], [float(flow) for _, flow in path])


def rules_in_force(warehouse: Warehouse, settings: Settings) -> list[tuple[str, Rule]]:
    """Return the rules of PAS_RISK_RULES and those of the table that nobody has ended."""
    rows = warehouse.rows(
        "select rule_id, metric, op, threshold from ops.risk_rules where ended_at is null order by rule_id"
    )
    stored = [(f"rule {row['rule_id']}", Rule(row["metric"], row["op"], row["threshold"])) for row in rows]
    return [*(("setting", rule) for rule in parse_rules(settings.risk_rules)), *stored]


# ------------------------------------------------------------------------------------------------- storage


def store_risk(
    conn: psycopg.Connection[Any], risk: BookRisk, *, decision_id: str, session: date, origin: str, now: datetime
) -> None:
    """Write figures and exposures of a decision, and its alerts when it is live; nothing is committed here."""
    head = (decision_id, session, origin)
    with conn.cursor() as cursor:
        with cursor.copy("copy ops.risk_figures (decision_id, session, origin, metric, value) from stdin") as copy:
            for metric, value in risk.figures.items():
                copy.write_row((*head, metric, value if math.isfinite(value) else None))
        kinds = (("name", risk.seen.by_name), ("sector", risk.seen.by_sector), ("portfolio", risk.seen.by_portfolio))
        with cursor.copy("copy ops.risk_exposures (decision_id, session, origin, kind, label, share) from stdin") as c:
            for kind, series in kinds:
                for label, share in series.items():
                    c.write_row((*head, kind, str(label), float(share)))
        _store_parts(cursor, risk, head)
        if origin != "live":
            return
        for name, alert in risk.alerts:
            seen = alert.value if math.isfinite(alert.value) else None
            cursor.execute(
                "insert into ops.risk_alerts (raised_at, session, decision_id, rule, metric, op, threshold, value,"
                " message) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                (
                    now,
                    session,
                    decision_id,
                    name,
                    alert.rule.metric,
                    alert.rule.op,
                    alert.rule.threshold,
                    seen,
                    alert.message,
                ),
            )


def _store_parts(cursor: psycopg.Cursor[Any], risk: BookRisk, head: tuple[str, date, str]) -> None:
    """Write figures and exposures of each portfolio."""
    columns = "(decision_id, session, origin, portfolio_id, metric, value)"
    with cursor.copy(f"copy ops.portfolio_risk_figures {columns} from stdin") as copy:
        for name, (figures, _) in risk.parts.items():
            for metric, value in figures.items():
                copy.write_row((*head, name, metric, value if math.isfinite(value) else None))
    columns = "(decision_id, session, origin, portfolio_id, kind, label, share)"
    with cursor.copy(f"copy ops.portfolio_risk_exposures {columns} from stdin") as copy:
        for name, (_, seen) in risk.parts.items():
            for kind, series in (("name", seen.by_name), ("sector", seen.by_sector)):
                for label, share in series.items():
                    copy.write_row((*head, name, kind, str(label), float(share)))


def add_rule(warehouse: Warehouse, rule: Rule, *, who: str, now: datetime, note: str = "") -> int:
    """Put a rule in force from the next decision on; return its number.

    Raises
    ------
    PasError
        When nobody is named.
    """
    with warehouse.connect() as conn:
        row = conn.execute(
            "insert into ops.risk_rules (metric, op, threshold, created_at, created_by, note)"
            " values (%s, %s, %s, %s, %s, %s) returning rule_id",
            (rule.metric, rule.op, rule.threshold, now, _named(who), note),
        ).fetchone()
    assert row is not None  # noqa: S101 - an insert that returns gives one row
    return int(row[0])


def end_rule(warehouse: Warehouse, rule_id: int, *, who: str, now: datetime) -> None:
    """End a rule; its row and its alerts stay.

    Raises
    ------
    PasError
        When there is no such rule in force.
    """
    with warehouse.connect() as conn:
        done = conn.execute(
            "update ops.risk_rules set ended_at = %s, ended_by = %s where rule_id = %s and ended_at is null",
            (now, _named(who), rule_id),
        )
        if not done.rowcount:
            raise PasError(f"no risk rule {rule_id} is in force", hint="list them with `pas risk rules`")


def acknowledge(warehouse: Warehouse, alert_id: int, *, who: str, now: datetime, note: str = "") -> None:
    """Say that a person has seen an alert.

    Raises
    ------
    PasError
        When there is no such alert, or somebody has acknowledged it before.
    """
    with warehouse.connect() as conn:
        done = conn.execute(
            "update ops.risk_alerts set acknowledged_at = %s, acknowledged_by = %s, note = %s"
            " where alert_id = %s and acknowledged_at is null",
            (now, _named(who), note, alert_id),
        )
        if not done.rowcount:
            raise PasError(f"no open alert {alert_id}", hint="list them with `pas risk alerts`")


def _named(who: str) -> str:
    if not who.strip():
        raise PasError("a person's name is needed")
    return who.strip()
