"""The project's pages inside the Airflow UI: the dashboard and dbt's documentation, behind Airflow's own log-in.

Mounted applications inherit no log-in from Airflow: every route demands one here. The dashboard stays where it is, in
the REST API; its pages are fetched from there with the read token, which never reaches the browser, and their addresses
are put below this application's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from pas_links import BELOW

if TYPE_CHECKING:
    from pas_lib.settings import Settings

#: What may be shown: pages, the files they load, and what their scripts read.
_SHOWN = re.compile(r"(dashboard|static|events|db|scheduler/jobs|docs|openapi\.json)(/.*)?$")
_PASSED = ("content-type", "etag", "cache-control", "content-disposition", "last-modified")
_IN_HTML = re.compile(r'\b(href|src|action)="/(?!/)')
_IN_SCRIPT = re.compile(r"""(["'`])/(?=dashboard|static|events|db/|scheduler/)""")
#: As the API's own pages, but for the frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)


def docs_page() -> Path:
    """Return where dbt's documentation is."""
    from pas_lib.pipeline.evaluate import docs_page as page
    from pas_lib.settings import load_settings

    return page(load_settings())


def api_address(settings: Settings) -> str:
    """Return the REST API's address as this machine reaches it."""
    if settings.api_url:
        return settings.api_url.rstrip("/")
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host  # noqa: S104
    return f"http://{host}:{settings.api_port}"


def below(text: str, media_type: str) -> str:
    """Return a page or a script with the API's addresses put below this application's."""
    if media_type.startswith("text/html"):
        return _IN_HTML.sub(rf'\1="{BELOW}/', text)
    if "javascript" in media_type:
        return _IN_SCRIPT.sub(rf"\1{BELOW}/", text)
    return text


def web_app() -> FastAPI:
    """Build the application; its own description pages, which would stay open, are off."""
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import requires_access_view
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    app = FastAPI(
        title="Portfolio Allocation System",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )
    framed = {"Content-Security-Policy": "frame-ancestors 'self'"}

    @app.get("/dbt-docs")
    def dbt_docs() -> Response:
        page = docs_page()
        if not page.is_file():
            return HTMLResponse("<p>No documentation yet: the evaluate DAG writes it.</p>", headers=framed)
        return FileResponse(page, headers=framed)

    @app.get("/dashboard")
    def dashboard() -> Response:
        return RedirectResponse(f"{BELOW}/dashboard", status_code=307)

    @app.get("/api/{path:path}")
    async def api_page(request: Request, path: str) -> Response:
        if not _SHOWN.match(path):
            return HTMLResponse("<p>There is no such page.</p>", status_code=404, headers=framed)
        return await fetched(path, request.url.query, request.headers)

    return app


async def fetched(path: str, query: str, headers: Mapping[str, str]) -> Response:
    """Return an answer of the REST API, asked for with the read token."""
    from pas_lib.settings import load_settings

    settings = load_settings()
    token = settings.api_read_token
    if token is None:
        return HTMLResponse("<p>API_READ_TOKEN is not set here.</p>", status_code=503)
    address = api_address(settings)
    sent = {"Authorization": f"Bearer {token.get_secret_value()}", "Accept-Encoding": "identity"}
    sent |= {name: headers[name] for name in ("accept", "if-none-match", "last-event-id") if name in headers}
    client = httpx.AsyncClient(base_url=address, timeout=httpx.Timeout(30, read=None), follow_redirects=False)
    try:
        answer = await client.send(client.build_request("GET", f"/{path}", params=query, headers=sent), stream=True)
    except httpx.HTTPError as error:
        await client.aclose()
        return HTMLResponse(f"<p>The REST API does not answer ({type(error).__name__}).</p>", status_code=503)
    media_type = answer.headers.get("content-type", "")
    kept = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
    kept |= {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    if media_type.startswith("text/html") or "javascript" in media_type:
        text = (await answer.aread()).decode()
        await answer.aclose()
        await client.aclose()
        return Response(below(text, media_type), answer.status_code, kept)
    return StreamingResponse(_passed_on(answer, client), answer.status_code, kept)


async def _passed_on(answer: httpx.Response, client: httpx.AsyncClient) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
        await client.aclose()
