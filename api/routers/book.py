"""What is held, what was decided, ordered and traded."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator

from api import models, performance, plans, queries
from api.dependencies import Read
from api.listing import Paged, Whole
from api.performance import AllocationHistory, Performance
from api.plans import PlanAnswer

router = APIRouter(tags=["book"])


def _all_in_capitals(portfolio_id: str) -> str:
    return queries.ALL if portfolio_id.upper() == queries.ALL else portfolio_id


PortfolioId = Annotated[str, Path(max_length=120, description="a portfolio's id")]
PortfolioOrAll = Annotated[
    str, Path(max_length=120, description="a portfolio's id, or `all`"), AfterValidator(_all_in_capitals)
]
Start = Annotated[date | None, Query(description="first session")]
End = Annotated[date | None, Query(description="last session")]


@router.get("/portfolios")
def list_portfolios(read: Read, window: Whole) -> models.PortfolioList:
    """List the portfolios with their share in the latest decision and what they hold."""
    return window.cut(read(queries.portfolios))


@router.get("/portfolios/{portfolio_id}")
def one_portfolio(read: Read, portfolio_id: PortfolioId) -> models.PortfolioDetail:
    """Return one portfolio with the target weights of its latest decision."""
    return read(lambda reader: queries.portfolio(reader, portfolio_id))


@router.get("/positions/{portfolio_id}")
def positions(read: Read, portfolio_id: PortfolioOrAll, window: Whole) -> models.PositionList:
    """Return what a portfolio holds, valued at the latest closes."""
    return window.cut(read.point(lambda reader: queries.positions(reader, portfolio_id)))


@router.get("/trades/{portfolio_id}")
def trades(
    read: Read,
    portfolio_id: PortfolioOrAll,
    window: Paged,
    start: Start = None,
    end: End = None,
) -> models.Listing[models.Trade]:
    """Return a portfolio's trades, newest first; `start` and `end` are execution sessions."""
    return window.pick(read(lambda r: queries.trades(r, portfolio_id, start=start, end=end, window=window)))


@router.get("/orders")
def orders(
    read: Read,
    window: Paged,
    portfolio_id: Annotated[str | None, Query(max_length=120)] = None,
    state: Annotated[str | None, Query(max_length=40, description="e.g. filled, rejected, unknown")] = None,
    session: Annotated[date | None, Query(description="session that decided them")] = None,
    symbol: Annotated[str | None, Query(max_length=20)] = None,
) -> models.Listing[models.Order]:
    """Return orders as last known, newest session first."""
    return window.pick(
        read(
            lambda r: queries.orders(
                r, portfolio_id=portfolio_id, state=state, session=session, symbol=symbol, window=window
            )
        )
    )


@router.get("/weight_history/{portfolio_id}")
def weight_history(
    read: Read,
    portfolio_id: PortfolioId,
    window: Paged,
    start: Start = None,
    end: End = None,
) -> models.Listing[models.StoredWeight]:
    """Return the target weights as they were stored when they were decided, newest session first."""
    return window.pick(read(lambda r: queries.weight_history(r, portfolio_id, start=start, end=end, window=window)))


@router.get("/allocations")
def allocations(
    read: Read, window: Whole, session: Annotated[date | None, Query(description="the latest by default")] = None
) -> models.AllocationList:
    """Return a session's decision: method, indicator, scale, and each portfolio's share of equity."""
    return window.cut(read(lambda reader: queries.allocations(reader, session)))


@router.get("/approvals")
def approvals(
    read: Read,
    window: Paged,
    session: Annotated[date | None, Query(description="session that decided the plan")] = None,
) -> models.Listing[models.StoredApproval]:
    """Return what people said to order plans, the newest first."""
    return window.pick(read(lambda r: queries.approvals(r, session=session, window=window)))


@router.get("/allocation_history")
def allocation_history(
    read: Read, window: Whole, sessions: Annotated[int, Query(ge=1, le=10_000, description="how many back")] = 252
) -> AllocationHistory:
    """Return the shares of equity that the latest decisions gave, oldest first."""
    return window.cut(read(lambda reader: performance.allocation_history(reader, sessions)))


@router.get("/performance/{portfolio_id}")
def show_performance(request: Request, read: Read, portfolio_id: PortfolioOrAll, window: Whole) -> Performance:
    """Return equity, growth and drawdown of a portfolio (`all`: the managed account) beside the benchmark's."""
    benchmark = request.app.state.settings.benchmark
    return window.cut(read(lambda reader: performance.performance(reader, portfolio_id, benchmark)))


@router.get("/plan")
def show_plan(
    request: Request, read: Read, session: Annotated[date | None, Query(description="the latest by default")] = None
) -> PlanAnswer:
    """Return the order plan of a session with its intents, refusals, and what people said to it."""
    from pas_lib.execution.approvals import needs_approval

    is_needed = needs_approval(request.app.state.settings)
    return read(lambda reader: plans.plan(reader, needs_approval=is_needed, session=session))
