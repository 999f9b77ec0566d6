"""The dashboard: pages over the same answers as the API, and the log-in that leads to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api import queries
from api.auth import COOKIE, SESSION_HOURS, Guard, Identity, same_origin
from api.dependencies import Read, Reading, world_now
from api.errors import ApiError, Forbidden, NotFound
from api.limits import Attempts
from api.pages import TEMPLATES, asset
from api.store import Reader
from api.views import dangers, data, holdings, keys, overview, research, trading
from api.views.charts import Chart

router = APIRouter(tags=["dashboard"], include_in_schema=False)
T = TypeVar("T")

#: The pages in their order: key -> address, title.
PAGES: dict[str, tuple[str, str]] = {
    "overview": ("/dashboard", "Overview"),
    "portfolios": ("/dashboard/portfolios", "Portfolios"),
    "research": ("/dashboard/research", "Scores and models"),
    "risk": ("/dashboard/risk", "Risk"),
    "trading": ("/dashboard/trading", "Trading"),
    "data": ("/dashboard/data", "Data and jobs"),
    "tokens": ("/dashboard/tokens", "Tokens"),
}
#: Pages of the admin alone.
_ADMINS = frozenset({"tokens"})


@router.get("/dashboard")
def show_overview(request: Request, read: Read) -> Response:
    """Show where the book stands; without a session, lead to the log-in."""
    benchmark, now = request.app.state.settings.benchmark, world_now(request)
    is_needed = _needs_approval(request)
    return _page(request, read, "overview", lambda r: overview.build(r, now, benchmark, needs_approval=is_needed))


@router.get("/dashboard/")
def lead_to_overview() -> Response:
    """Lead to the first page."""
    return RedirectResponse("/dashboard", status_code=307)


@router.get("/dashboard/portfolios")
def show_portfolios(
    request: Request, read: Read, portfolio: Annotated[str, Query(max_length=120)] = queries.ALL
) -> Response:
    """Show what the portfolios hold against what they aim at."""
    chosen = queries.ALL if portfolio.upper() in {"", queries.ALL} else portfolio
    return _page(request, read, "portfolios", lambda r: holdings.build(r, chosen))


@router.get("/dashboard/research")
def show_research(request: Request, read: Read) -> Response:
    """Show scores, model returns and their statistics."""
    return _page(request, read, "research", research.build)


@router.get("/dashboard/risk")
def show_risk(request: Request, read: Read) -> Response:
    """Show the crisis indicator, losses, limits and alerts."""
    return _page(request, read, "risk", dangers.build)


@router.get("/dashboard/trading")
def show_trading(request: Request, read: Read) -> Response:
    """Show the trading state, the plan, orders and fills."""
    is_needed = _needs_approval(request)
    now = world_now(request)
    return _page(request, read, "trading", lambda r: trading.build(r, needs_approval=is_needed), now=now)


@router.get("/dashboard/data")
def show_data(request: Request, read: Read) -> Response:
    """Show how old the data is, what was refused, and what ran."""
    now = world_now(request)
    has_airflow = request.app.state.settings.airflow_password is not None
    return _page(request, read, "data", lambda r: data.build(r, now), has_airflow=has_airflow)


@router.get("/dashboard/tokens")
def show_tokens(request: Request, read: Read) -> Response:
    """Show the named tokens to the admin."""
    now = request.app.state.clock.now()
    return _page(request, read, "tokens", lambda r: keys.build(r, now))


@router.get("/dashboard/data/{table}")
def show_table(request: Request, read: Read, table: str) -> Response:
    """Show a sample of a catalogued table."""
    return _page(request, read, "data", lambda r: data.sample(r, table), template="table.html")


@router.get("/dashboard/login")
def login_page(request: Request) -> HTMLResponse:
    """Show the log-in."""
    return TEMPLATES.page("login.html", request, failed="")


@router.post("/dashboard/login")
def login(request: Request, token: Annotated[str, Form(max_length=500)] = "") -> Response:
    """Exchange a token for a browser session."""
    same_origin(request)
    guard: Guard = request.app.state.guard
    attempts: Attempts = request.app.state.attempts
    client = request.client.host if request.client else "-"
    if wait := attempts.wait(client):
        answer = TEMPLATES.page("login.html", request, status=429, failed=f"Too many wrong tokens: wait {wait} s.")
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        who = guard.identify(token.strip())
    except ApiError as error:
        return TEMPLATES.page("login.html", request, status=error.status, failed=str(error))
    if who is None:
        attempts.failed(client)
        return TEMPLATES.page("login.html", request, status=401, failed="That token is not valid.")
    return _with_session(request, guard, who)


@router.post("/dashboard/logout")
def logout(request: Request, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
    """End the browser session."""
    same_origin(request)
    guard: Guard = request.app.state.guard
    who = guard.session_of(request.cookies.get(COOKIE, ""))
    if who is not None:
        guard.check_csrf(who, csrf)
        guard.close_session(who.session)
    answer = RedirectResponse("/dashboard/login", status_code=303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _page(
    request: Request,
    read: Reading,
    key: str,
    build: Callable[[Reader], Any],
    *,
    template: str = "",
    **values: Any,
) -> Response:
    """Return a page for who may read; what cannot be read is a page too, and says why."""
    guard: Guard = request.app.state.guard
    try:
        who = guard.who_asks(request)
    except ApiError as error:
        return _failed(request, key, error, None)
    if who is None:
        return RedirectResponse("/dashboard/login", status_code=303)
    if "token" in request.query_params:
        # The token leaves the address bar and the history at once.
        return _with_session(request, guard, who)
    try:
        if key in _ADMINS and not who.may("admin"):
            raise Forbidden("this page needs the admin token")
        # What opens the API is asked of PostgreSQL alone.
        page = read.primary(build) if key in _ADMINS else read(build)
    except ApiError as error:
        return _failed(request, key, error, who)
    charts: list[Chart] = getattr(page, "charts", [])
    return TEMPLATES.page(
        template or f"{key}.html",
        request,
        **_surroundings(request, key, who),
        page=page,
        frame=page.frame,
        provenance=read.provenance,
        charts=charts,
        embedded=embedded({one.key: one.data for one in charts}),
        read_at=request.app.state.clock.now(),
        **values,
    )


def _surroundings(request: Request, key: str, who: Identity | None) -> dict[str, Any]:
    guard: Guard = request.app.state.guard
    return {
        "key": key,
        "title": PAGES[key][1],
        "pages": {one: page for one, page in PAGES.items() if one not in _ADMINS or (who and who.may("admin"))},
        "who": who,
        "csrf": guard.csrf(who.session) if who and who.session else "",
        "may_trade": who is not None and who.may("trade"),
        "may_admin": who is not None and who.may("admin"),
    }


def _failed(request: Request, key: str, error: ApiError, who: Identity | None) -> Response:
    return TEMPLATES.page(
        "failed.html", request, status=error.status, **_surroundings(request, key, who), status_code=error.status,
        detail=str(error),
    )  # fmt: skip


def _needs_approval(request: Request) -> bool:
    from pas_lib.execution.approvals import needs_approval

    return needs_approval(request.app.state.settings)


def _with_session(request: Request, guard: Guard, who: Identity) -> Response:
    answer = RedirectResponse("/dashboard", status_code=303)
    answer.set_cookie(
        COOKIE,
        guard.open_session(who),
        max_age=SESSION_HOURS * 3600,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def embedded(value: Any) -> str:
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
