"""Why a portfolio holds a symbol: from the share of equity down to the raw rows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.dependencies import closed_session, world_now
from api.errors import NotFound
from api.models import Answer
from api.values import plain
from pas_lib.errors import PasError, WarehouseError
from pas_lib.warehouse import Warehouse

router = APIRouter(tags=["research"])


class RawRow(Answer):
    """A raw row behind a weight."""

    dataset: str
    source: str
    source_url: str = Field(description="without credentials")
    event_date: date
    known_at: datetime
    ingested_at: datetime
    content_hash: str
    run_id: str
    values: dict[str, Any]


class ExplanationAnswer(Answer):
    """Why a portfolio holds a symbol at a session."""

    portfolio_id: str
    symbol: str
    security_id: str
    session: date
    rule: str
    decided: date = Field(description="rebalance session whose weights hold")
    weight: float = Field(description="within the portfolio")
    share: float | None = Field(description="of managed equity")
    allocation: float | None
    scale: float | None
    score: float | None
    rank: int | None
    names: int = Field(description="how many names had a score")
    note: str
    rows: list[RawRow] = Field(description="as known at the decision time, oldest first")


@router.get("/explain/{portfolio_id}/{symbol}")
def explain_weight(
    request: Request,
    portfolio_id: str,
    symbol: str,
    as_of: Annotated[date | None, Query(description="a session; the last closed one by default")] = None,
) -> ExplanationAnswer:
    """Return the signal, the decision and the raw rows behind a weight. Needs PostgreSQL itself."""
    from pas_lib.pipeline.explain import explain

    # What is said of a session that is named needs no clock of the market; which one is the last does.
    day = closed_session(as_of, request.app.state.market_clock.now() if as_of is None else world_now(request))
    try:
        found = explain(Warehouse.from_settings(request.app.state.settings), portfolio_id, symbol, day)
    except WarehouseError:
        raise
    except PasError as error:
        raise NotFound(str(error)) from None
    fields = {name: getattr(found, name) for name in ExplanationAnswer.model_fields if name != "rows"}
    rows = [
        RawRow(
            **{name: getattr(row, name) for name in RawRow.model_fields if name != "values"},
            values=plain(dict(row.values)),
        )
        for row in found.rows
    ]
    return ExplanationAnswer(**{name: plain(value) for name, value in fields.items()}, rows=rows)
