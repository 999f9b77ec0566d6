"""Whether the service lives, what it can read, and what it offers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.auth import Guard, require_read
from api.models import Health, Readiness
from api.pages import TEMPLATES
from api.store import Store

router = APIRouter(tags=["system"])


@router.get("/health")
def health(request: Request) -> Health:
    """Tell that the process answers. Open; touches no store."""
    return Health(version=request.app.version)


@router.get("/readyz", responses={503: {"model": Readiness, "description": "neither store can be read"}})
def ready(request: Request, response: Response) -> Readiness:
    """Tell what can be read. Open.

    ``ready``: PostgreSQL. ``degraded``: only the mirror; answers are as old as it. ``unavailable`` (503): neither.
    """
    store: Store = request.app.state.store
    found = store.check()
    if found["postgres"] == "ok":
        status, detail = "ready", "PostgreSQL is read"
    elif found["mirror"] == "ok":
        status, detail = "degraded", f"PostgreSQL {found['postgres']}: the mirror is read"
    else:
        status, detail = "unavailable", f"PostgreSQL {found['postgres']}, and {found['mirror']}"
        response.status_code = 503
    return Readiness.model_validate({"status": status, "detail": detail, **found})


@router.get("/", include_in_schema=False)
def root() -> Response:
    """Lead a browser to the dashboard."""
    return RedirectResponse("/dashboard", status_code=307)


@router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(require_read)])
def description(request: Request) -> JSONResponse:
    """Return the description of the interface."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Show every address with its parameters; without a token or a session, lead to the log-in."""
    guard: Guard = request.app.state.guard
    if guard.who_asks(request) is None:
        return RedirectResponse("/dashboard/login", status_code=303)
    schema: dict[str, Any] = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(
                {"method": method.upper(), "path": path, **operation}
            )
    return TEMPLATES.page("docs.html", request, schema=schema, groups=groups)
