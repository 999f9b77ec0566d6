"""What a person may change: approvals and alerts (scope trade), rules and the trading state (scope admin).

All of it needs PostgreSQL itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.auth import require_admin, require_trade
from api.errors import ApiError, Conflict, NotFound, Unprocessable
from pas_lib.errors import GuardError, OrderError, PasError, UnknownName, WarehouseError
from pas_lib.pipeline.portfolios import NotManual
from pas_lib.warehouse import Warehouse

router = APIRouter(tags=["control"], dependencies=[Depends(require_trade)])
_ADMIN = [Depends(require_admin)]


@contextmanager
def refusing(kind: type[ApiError] = Unprocessable) -> Iterator[None]:
    """Turn what the library refuses into an answer; that the warehouse is away stays what it is."""
    try:
        yield
    except WarehouseError:
        raise
    except UnknownName as error:
        raise NotFound(str(error)) from None
    except NotManual as error:
        raise Conflict(str(error)) from None
    except PasError as error:
        raise kind(str(error)) from None


def warehouse_of(request: Request) -> Warehouse:
    """Return the store of record."""
    return Warehouse.from_settings(request.app.state.settings)


def market_now(request: Request) -> datetime:
    """Return the time of the market's clock."""
    now: datetime = request.app.state.market_clock.now()
    return now


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


class RuleRequest(BaseModel):
    """A new risk rule."""

    model_config = ConfigDict(extra="forbid")

    metric: str = Field(min_length=1, max_length=40, pattern="^[a-z][a-z0-9_]*$", description="a figure, e.g. var_99")
    op: Literal[">", ">=", "<", "<="]
    threshold: float = Field(allow_inf_nan=False)
    by: Name
    note: str = Field("", max_length=500)


class Signed(BaseModel):
    """Who does it, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Name
    note: str = Field("", max_length=500)


@router.post("/risk/rules", status_code=201, dependencies=_ADMIN)
def add_risk_rule(request: Request, wanted: RuleRequest) -> models.RuleAnswer:
    """Put a risk rule in force from the next decision on."""
    from pas_lib.pipeline.risk import add_rule
    from pas_lib.risk import Rule

    rule = Rule(wanted.metric, wanted.op, wanted.threshold)
    with refusing(Unprocessable):
        number = add_rule(warehouse_of(request), rule, who=wanted.by, now=market_now(request), note=wanted.note)
    return models.RuleAnswer(
        rule_id=number, metric=rule.metric, op=rule.op, threshold=rule.threshold, by=wanted.by.strip()
    )


@router.post("/risk/rules/{rule_id}/end", dependencies=_ADMIN)
def end_risk_rule(request: Request, rule_id: int, wanted: Signed) -> models.Done:
    """End a risk rule; its alerts stay."""
    from pas_lib.pipeline.risk import end_rule

    with refusing(Conflict):
        end_rule(warehouse_of(request), rule_id, who=wanted.by, now=market_now(request))
    return models.Done(result=f"rule {rule_id} is over")


@router.post("/risk/alerts/{alert_id}/acknowledge")
def acknowledge_alert(request: Request, alert_id: int, wanted: Signed) -> models.Done:
    """Say that a person has seen an alert."""
    from pas_lib.pipeline.risk import acknowledge

    with refusing(Conflict):
        acknowledge(warehouse_of(request), alert_id, who=wanted.by, now=market_now(request), note=wanted.note)
    return models.Done(result=f"alert {alert_id} was acknowledged by {wanted.by.strip()}")


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


@router.post("/risk/breaker", status_code=201, dependencies=_ADMIN)
def set_trading_state(request: Request, wanted: BreakerRequest) -> models.TradingState:
    """Set the trading state: ACTIVE, REDUCING (only what lowers exposure) or HALTED (only cancels)."""
    from pas_lib.execution.state import set_state

    warehouse = Warehouse.from_settings(request.app.state.settings)
    try:
        set_state(warehouse, request.app.state.market_clock, wanted.state, who=wanted.by, reason=wanted.reason)
    except GuardError as error:
        raise Unprocessable(str(error)) from None
    return models.TradingState(
        state=wanted.state, by=wanted.by.strip(), reason=wanted.reason.strip(), set_at=market_now(request)
    )
