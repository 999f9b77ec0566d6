"""Named tokens: made, listed and revoked by the admin. A token is shown in the answer that makes it, never again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Guard, require_admin
from api.errors import Conflict, Unprocessable
from api.listing import Whole
from api.models import Answer, Listed
from api.routers.control import Name, refusing, warehouse_of
from pas_lib import access

router = APIRouter(tags=["tokens"], dependencies=[Depends(require_admin)])


class TokenRequest(BaseModel):
    """A new named token."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "grafana", "scope": "read", "days": 90, "by": "Ada"}]}
    )

    name: str = Field(min_length=2, max_length=40, description="2 to 40 of a-z 0-9 _ . -, beginning with a letter")
    scope: Literal["read", "trade", "admin"] = Field(
        "read", description="trade: also approve plans, acknowledge alerts, start jobs; admin: everything"
    )
    days: int | None = Field(365, ge=1, le=access.LONGEST_DAYS, description="how long it holds; null for ever")
    by: Name
    note: str = Field("", max_length=500)


class Ending(BaseModel):
    """Who ends a token, and why; both are in the audit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"by": "Ada", "reason": "not used"}]})

    by: Name
    reason: str = Field("", max_length=500)


class TokenInfo(Answer):
    """A named token without its secret."""

    token_id: str
    name: str
    scope: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = Field(description="null for one without an end")
    revoked_at: datetime | None
    revoked_by: str | None
    note: str
    is_valid: bool = Field(description="neither revoked nor expired")


class TokenMade(TokenInfo):
    """A token that was made just now."""

    token: str = Field(description="shown this once: only its digest is kept")


class TokenList(Listed):
    """All named tokens, those that hold first."""

    records: list[TokenInfo]


TokenName = Annotated[str, Path(max_length=40, description="a token's name")]


@router.get("/tokens")
def list_tokens(request: Request, window: Whole) -> TokenList:
    """List the named tokens; those of the settings are not among them. Needs PostgreSQL itself."""
    now = request.app.state.clock.now()
    found = access.tokens(warehouse_of(request))
    return window.cut(TokenList(records=[TokenInfo(**vars(one), is_valid=one.holds(now)) for one in found]))


@router.post("/tokens", status_code=201)
def create_token(request: Request, wanted: TokenRequest) -> TokenMade:
    """Make a named token."""
    now = request.app.state.clock.now()
    with refusing(Unprocessable):
        made, token = access.create(
            warehouse_of(request),
            wanted.name,
            wanted.scope,
            who=wanted.by,
            now=now,
            days=wanted.days,
            note=wanted.note,
        )
    _forget(request)
    return TokenMade(**vars(made), is_valid=True, token=token)


@router.post("/tokens/{name}/revoke")
def revoke_token(request: Request, name: TokenName, wanted: Ending) -> TokenInfo:
    """End a named token, and every browser session that was opened with it."""
    now = request.app.state.clock.now()
    with refusing(Conflict):
        ended = access.revoke(warehouse_of(request), name, who=wanted.by, now=now)
    _forget(request)
    return TokenInfo(**vars(ended), is_valid=False)


def _forget(request: Request) -> None:
    guard: Guard = request.app.state.guard
    guard.forget()
