"""The dashboard: one page over the same answers as the API, and the log-in that leads to it."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api import overview
from api.auth import COOKIE, SESSION_HOURS, Guard
from api.dependencies import Read
from api.errors import Forbidden, NotFound
from api.pages import TEMPLATES, asset

router = APIRouter(tags=["dashboard"], include_in_schema=False)


@router.get("/dashboard")
def dashboard(request: Request, read: Read) -> Response:
    """Show the dashboard; without a session, lead to the log-in."""
    guard: Guard = request.app.state.guard
    if guard.level_of(request) is None:
        return RedirectResponse("/dashboard/login", status_code=303)
    if "token" in request.query_params:
        # The token leaves the address bar and the history at once.
        return _with_session(request, guard)
    now = request.app.state.clock.now()
    page = read(lambda reader: overview.build(reader, now))
    return TEMPLATES.page(
        "dashboard.html", request, page=page, provenance=read.provenance, charts=_embedded(page.charts), now=now
    )


@router.get("/dashboard/login")
def login_page(request: Request) -> HTMLResponse:
    """Show the log-in."""
    return TEMPLATES.page("login.html", request, failed=False)


@router.post("/dashboard/login")
def login(request: Request, token: Annotated[str, Form(max_length=500)] = "") -> Response:
    """Exchange a token for a session that may read."""
    _same_origin(request)
    guard: Guard = request.app.state.guard
    if guard.level(token.strip()) is None:
        return TEMPLATES.page("login.html", request, status=401, failed=True)
    return _with_session(request, guard)


@router.post("/dashboard/logout")
def logout(request: Request) -> Response:
    """End the session."""
    _same_origin(request)
    guard: Guard = request.app.state.guard
    guard.close_session(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/dashboard/login", status_code=303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _with_session(request: Request, guard: Guard) -> Response:
    answer = RedirectResponse("/dashboard", status_code=303)
    answer.set_cookie(
        COOKIE,
        guard.open_session(),
        max_age=SESSION_HOURS * 3600,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent.

    Raises
    ------
    Forbidden
        If the browser names another origin.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("this form was sent by another site")


def _embedded(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@router.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """Return a file that pages load. Open: it holds no data."""
    found = asset(name)
    if found is None:
        raise NotFound("no such file")
    headers = {"ETag": f'"{found.version}"', "Vary": "Accept-Encoding"}
    is_versioned = request.query_params.get("v") == found.version
    headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.compressed, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
