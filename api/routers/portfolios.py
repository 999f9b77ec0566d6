"""What a person does to portfolios, and returns posted from outside. Needs the admin token and PostgreSQL itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.auth import require_admin
from api.routers.book import PortfolioId
from api.routers.control import Name, Signed, market_now, refusing, warehouse_of

router = APIRouter(tags=["portfolios"], dependencies=[Depends(require_admin)])

Weights = Annotated[
    dict[str, Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]],
    Field(max_length=500, description="symbol -> weight within the portfolio; the rest is cash"),
]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="of sizing equity")]


class NewPortfolio(Signed):
    """A manual portfolio."""

    portfolio_id: str = Field(min_length=2, max_length=41, pattern="^[a-z][a-z0-9_]+$")
    name: str = Field(min_length=1, max_length=100)
    weights: Weights | None = None
    share: Share | None = None


class NewWeights(Signed):
    """Weights of a manual portfolio."""

    weights: Weights


class Funding(Signed):
    """A share of equity for a manual portfolio."""

    share: Share


class Transfer(Signed):
    """Cash from one manual portfolio's book to another's."""

    target: str = Field(min_length=2, max_length=41)
    amount: Decimal = Field(gt=0, max_digits=15, decimal_places=2, description="USD")


class Closing(BaseModel):
    """Why a portfolio is closed."""

    model_config = ConfigDict(extra="forbid")

    by: Name
    reason: str = Field(min_length=1, max_length=500)


class NewReturns(BaseModel):
    """Daily returns that come from outside."""

    model_config = ConfigDict(extra="forbid")

    returns: dict[date, Annotated[float, Field(ge=-1.0, le=10.0, allow_inf_nan=False)]] = Field(
        min_length=1, max_length=20_000, description="session -> simple return, a fraction"
    )
    by: Name
    source: str = Field("", max_length=200, description="where they come from")


@router.post("/portfolios", status_code=201)
def create_portfolio(request: Request, wanted: NewPortfolio) -> models.Done:
    """Create a manual portfolio; with a share it trades from the next decision on."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.create(
            warehouse_of(request),
            wanted.portfolio_id,
            name=wanted.name,
            who=wanted.by,
            now=market_now(request),
            weights=wanted.weights,
            share=wanted.share,
            settings=request.app.state.settings,
            note=wanted.note,
        )
    return models.Done(result=f"portfolio {wanted.portfolio_id} was created")


@router.put("/portfolios/{portfolio_id}/weights")
def put_weights(request: Request, portfolio_id: PortfolioId, wanted: NewWeights) -> models.Done:
    """Put the weights of a manual portfolio (409 for any other); the next decision trades them."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.set_weights(
            warehouse_of(request),
            portfolio_id,
            wanted.weights,
            who=wanted.by,
            now=market_now(request),
            note=wanted.note,
        )
    return models.Done(result=f"{len(wanted.weights)} weights of {portfolio_id} hold from the next decision on")


@router.post("/portfolios/{portfolio_id}/rebalance", status_code=202)
def rebalance(request: Request, portfolio_id: PortfolioId, wanted: Signed) -> models.Done:
    """Have the next decision bring a portfolio to its weights."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.ask_to_rebalance(
            warehouse_of(request), portfolio_id, who=wanted.by, now=market_now(request), note=wanted.note
        )
    return models.Done(result=f"the next decision rebalances {portfolio_id}")


@router.post("/portfolios/{portfolio_id}/funding", status_code=202)
def fund(request: Request, portfolio_id: PortfolioId, wanted: Funding) -> models.Done:
    """Give a manual portfolio a share of sizing equity from the next decision on."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.fund(
            warehouse_of(request),
            portfolio_id,
            wanted.share,
            settings=request.app.state.settings,
            who=wanted.by,
            now=market_now(request),
        )
    return models.Done(result=f"the next decision gives {portfolio_id} {wanted.share:.2%} of sizing equity")


@router.post("/portfolios/{portfolio_id}/sweep")
def sweep(request: Request, portfolio_id: PortfolioId, wanted: Signed) -> models.Done:
    """Move the idle cash of a manual or closed portfolio back to the others."""
    from pas_lib.pipeline import portfolios

    with refusing():
        amount = portfolios.sweep(warehouse_of(request), request.app.state.market_clock, portfolio_id, who=wanted.by)
    return models.Done(result=f"{amount:.2f} USD left the book of {portfolio_id}")


@router.post("/portfolios/{portfolio_id}/transfer")
def transfer(request: Request, portfolio_id: PortfolioId, wanted: Transfer) -> models.Done:
    """Move idle cash from one manual portfolio's book to another's."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.transfer(
            warehouse_of(request),
            request.app.state.market_clock,
            portfolio_id,
            wanted.target,
            wanted.amount,
            who=wanted.by,
        )
    return models.Done(result=f"{wanted.amount:.2f} USD moved from {portfolio_id} to {wanted.target}")


@router.post("/portfolios/{portfolio_id}/close", status_code=202)
def close(request: Request, portfolio_id: PortfolioId, wanted: Closing) -> models.Done:
    """Close a portfolio; the next decision sells what it holds."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.close(
            warehouse_of(request), portfolio_id, who=wanted.by, now=market_now(request), reason=wanted.reason
        )
    return models.Done(result=f"portfolio {portfolio_id} is closed")


@router.post("/portfolios/{portfolio_id}/reopen")
def reopen(request: Request, portfolio_id: PortfolioId, wanted: Signed) -> models.Done:
    """Open a closed portfolio again."""
    from pas_lib.pipeline import portfolios

    with refusing():
        portfolios.reopen(warehouse_of(request), portfolio_id, who=wanted.by, now=market_now(request))
    return models.Done(result=f"portfolio {portfolio_id} is open")


@router.post("/metrics/{portfolio_id}", status_code=201)
def post_returns(request: Request, portfolio_id: PortfolioId, wanted: NewReturns) -> models.PostedReturns:
    """Append daily returns and answer with the statistics of all that were posted.

    They become the trailing statistics of a manual portfolio; those of the others stay what the marts say. A session
    posted again with another value is corrected by a further row.
    """
    from pas_lib.pipeline import portfolios

    with refusing():
        made: Any = portfolios.post_returns(
            warehouse_of(request),
            portfolio_id,
            wanted.returns,
            who=wanted.by,
            now=market_now(request),
            source=wanted.source,
            benchmark=request.app.state.settings.benchmark,
        )
    return models.PostedReturns(
        portfolio_id=made.portfolio_id,
        written=made.written,
        corrected=made.corrected,
        is_trailing=made.is_trailing,
        statistics=models.Metrics.model_validate(
            {
                "portfolio_id": made.portfolio_id,
                "basis": "posted",
                "as_of": made.as_of,
                "n_obs": made.n_obs,
                **models.finite(made.figures),
            }
        ),
    )
