"""How the account and the portfolios did against the benchmark, and how the allocation moved."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from api.models import Answer, Listed
from api.queries import ALL, require_portfolio
from api.store import Reader


class PerformancePoint(Answer):
    """A book at the close of one session, and the same money in the benchmark."""

    session: date
    equity: float = Field(description="US dollars")
    cash_flow: float = Field(description="money that came or went at the start of the session, US dollars")
    ret: float | None = Field(description="return of the session without the cash flow, a fraction")
    growth: float = Field(description="of 1 since the start")
    drawdown: float = Field(description="below the highest growth so far, 0 or negative; the start counts as a high")
    benchmark_equity: float | None = Field(
        description="the same cash flows in the benchmark from the first session's close on, US dollars"
    )
    benchmark_growth: float | None
    benchmark_drawdown: float | None


class Performance(Listed):
    """A book against the benchmark, oldest session first."""

    portfolio_id: str
    benchmark: str = Field(description="its symbol (PAS_BENCHMARK), dividends included")
    records: list[PerformancePoint]


class AllocationPoint(Answer):
    """What one session's decision gave to whom."""

    session: date
    scale: float = Field(description="exposure scale S")
    cash: float = Field(description="share of equity not given to a portfolio")
    shares: dict[str, float] = Field(description="portfolio -> share of equity aimed at")


class AllocationHistory(Listed):
    """The shares of equity by session, oldest first."""

    records: list[AllocationPoint]


class _Path:
    """Growth and drawdown of one series of returns; a missing return leaves both as they are."""

    def __init__(self) -> None:
        self.growth = self.high = 1.0

    def step(self, ret: float | None) -> tuple[float, float]:
        self.growth *= 1.0 + (ret or 0.0)
        self.high = max(self.high, self.growth)
        return self.growth, self.growth / self.high - 1.0


def performance(reader: Reader, portfolio_id: str, benchmark: str) -> Performance:
    """Return a book's equity, growth and drawdown beside the benchmark's.

    Parameters
    ----------
    portfolio_id : str
        A portfolio, or ``ALL`` for the managed account.
    benchmark : str
        A symbol of ``marts.daily_returns``; without rows there its columns are null.

    Raises
    ------
    NotFound
        If there is no such portfolio.
    NotReady
        If the marts have not been built.
    """
    if portfolio_id != ALL:
        require_portfolio(reader, portfolio_id)
    rows = reader.records(
        "select session, equity, cash_flow, ret from marts.portfolio_returns where portfolio_id = %(id)s"
        " order by session",
        {"id": portfolio_id},
    )
    if not rows:
        return Performance(portfolio_id=portfolio_id, benchmark=benchmark, records=[])
    other = _returns(reader, benchmark, rows[0]["session"])
    own, beside = _Path(), _Path()
    money = 0.0
    records: list[PerformancePoint] = []
    for row in rows:
        growth, drawdown = own.step(row["ret"])
        # The first session is the common base: the account could not have traded before its close.
        there = other.get(row["session"]) if records else 0.0
        beside_growth, beside_drawdown = beside.step(there)
        money = (money + row["cash_flow"]) * (1.0 + (there or 0.0))
        records.append(
            PerformancePoint(
                **row,
                growth=growth,
                drawdown=drawdown,
                benchmark_equity=money if other else None,
                benchmark_growth=beside_growth if other else None,
                benchmark_drawdown=beside_drawdown if other else None,
            )
        )
    return Performance(portfolio_id=portfolio_id, benchmark=benchmark, records=records)


def _returns(reader: Reader, symbol: str, start: date) -> dict[date, float | None]:
    # The security of the newest session has its history by index; only what did not trade then is looked for by name.
    newest = (
        "select security_id from marts.daily_returns where session = (select max(session) from marts.daily_returns)"
    )
    ids = [row[0] for row in reader.fetch(f"{newest} and symbol = %(symbol)s", {"symbol": symbol}).rows]
    whose = "security_id = any(%(ids)s)" if ids else "symbol = %(symbol)s"
    rows = reader.records(
        f"select session, security_id, ret from marts.daily_returns where {whose}"  # noqa: S608 - a part of this module
        " and session >= %(start)s order by session, security_id",
        {"ids": ids, "symbol": symbol, "start": start},
    )
    return {row["session"]: row["ret"] for row in rows}


def allocation_history(reader: Reader, sessions: int = 504) -> AllocationHistory:
    """Return what the latest decisions gave to whom, oldest first."""
    rows = reader.records(
        "select d.session, d.scale, l.portfolio_id, max(l.share) as share"
        " from ops.decisions d join ops.alloc_log l on l.decision_id = d.decision_id and l.event = 'allocation'"
        " where d.origin = 'live' and l.share is not null and d.session >= ("
        "   select min(session) from (select session from ops.decisions where origin = 'live'"
        "   order by session desc limit %(n)s) w)"
        " group by d.session, d.scale, l.portfolio_id order by d.session, l.portfolio_id",
        {"n": sessions},
    )
    by_session: dict[date, dict[str, Any]] = {}
    for row in rows:
        point = by_session.setdefault(row["session"], {"scale": row["scale"], "shares": {}})
        point["shares"][row["portfolio_id"]] = row["share"]
    return AllocationHistory(
        records=[
            AllocationPoint(session=session, **point, cash=1.0 - sum(point["shares"].values()))
            for session, point in by_session.items()
        ]
    )
