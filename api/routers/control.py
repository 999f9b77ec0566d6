"""What a person may change: approving a plan, and the trading state. Needs the admin token and PostgreSQL itself."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.auth import require_admin
from api.errors import Conflict, Unprocessable
from pas_lib.errors import GuardError, OrderError
from pas_lib.warehouse import Warehouse

router = APIRouter(tags=["control"], dependencies=[Depends(require_admin)])

Name = Annotated[str, Field(min_length=1, max_length=100, description="who decides")]


class ApprovalRequest(BaseModel):
    """A person's word on one plan."""

    model_config = ConfigDict(extra="forbid")

    session: date = Field(description="session that decided the plan")
    plan_hash: str = Field(min_length=1, max_length=200, description="hash of the plan that was looked at")
    decision: Literal["approved", "refused"] = "approved"
    by: Name
    note: str = Field("", max_length=500)


class BreakerRequest(BaseModel):
    """A new trading state."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["ACTIVE", "REDUCING", "HALTED"]
    by: Name
    reason: str = Field(min_length=1, max_length=500, description="why; stored with the name")


@router.post("/approvals", status_code=201)
def approve_plan(request: Request, wanted: ApprovalRequest) -> models.ApprovalAnswer:
    """Approve or refuse the stored plan of a session. Only writes the row: execution itself checks it."""
    from pas_lib.execution.approvals import approve

    try:
        plan_hash = approve(
            wanted.session,
            Warehouse.from_settings(request.app.state.settings),
            request.app.state.market_clock,
            who=wanted.by,
            plan_hash=wanted.plan_hash,
            refuse=wanted.decision == "refused",
            note=wanted.note,
        )
    except OrderError as error:
        raise Conflict(str(error)) from None
    return models.ApprovalAnswer(
        session=wanted.session, plan_hash=plan_hash, decision=wanted.decision, by=wanted.by.strip()
    )


@router.post("/risk/breaker", status_code=201)
def set_trading_state(request: Request, wanted: BreakerRequest) -> models.TradingState:
    """Set the trading state: ACTIVE, REDUCING (only what lowers exposure) or HALTED (only cancels)."""
    from pas_lib.execution.state import set_state

    warehouse = Warehouse.from_settings(request.app.state.settings)
    try:
        set_state(warehouse, request.app.state.market_clock, wanted.state, who=wanted.by, reason=wanted.reason)
    except GuardError as error:
        raise Unprocessable(str(error)) from None
    return models.TradingState(state=wanted.state, by=wanted.by.strip(), reason=wanted.reason.strip())
