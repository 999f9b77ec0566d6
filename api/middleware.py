"""What every request passes: the address check, the answer headers, and an access log that cannot hold a token."""

from __future__ import annotations

import logging
from time import monotonic
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import STRONG_TOKEN, Guard
from api.errors import problem
from api.store import Provenance
from api.traffic import Traffic

log = logging.getLogger("api")
access_log = logging.getLogger("api.access")

#: Pages load nothing from elsewhere, run no script but their own files, and cannot be framed.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Boundary:
    """Outermost layer of the application.

    Parameters
    ----------
    app : ASGIApp
        What lies inside.
    guard : Guard
        Knows whether the tokens are strong enough for the address a request came in on.
    traffic : Traffic
        Counts what is answered.
    """

    def __init__(self, app: ASGIApp, guard: Guard, traffic: Traffic) -> None:
        self.app = app
        self.guard = guard
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = monotonic()
        status, started_answer = 500, False
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started_answer
            if message["type"] == "http.response.start":
                started_answer = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                provenance = state.get("provenance")
                if isinstance(provenance, Provenance):
                    for name, value in provenance.headers().items():
                        headers[name] = value
            await send(message)

        try:
            if self.guard.may_serve(scope):
                await self.app(scope, receive, send_with_headers)
            else:
                detail = (
                    f"tokens shorter than {STRONG_TOKEN} characters are served on loopback only:"
                    " use longer tokens or bind 127.0.0.1"
                )
                await problem(Request(scope), 403, detail)(scope, receive, send_with_headers)
        except Exception as error:
            log.exception("%s %s failed", scope["method"], _one_line(scope["path"]))
            if started_answer:
                raise
            detail = f"a defect of the program ({type(error).__name__}); the server's log has the details"
            await problem(Request(scope), 500, detail)(scope, receive, send_with_headers)
        finally:
            seconds = monotonic() - started
            self.traffic.note(scope["method"], status, seconds)
            # The path only: a query may hold a token.
            client = scope.get("client")
            access_log.info(
                "%s %s %s %d %.0fms",
                client[0] if client else "-",
                scope["method"],
                _one_line(scope["path"]),
                status,
                seconds * 1000,
            )


def _one_line(path: str) -> str:
    """Return a path as it is asked for, so that none can write lines of its own into a log."""
    return quote(path, safe="/:@!$&'()*+,;=~", errors="replace")


class _WithoutQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, version, status = record.args
            record.args = (client, method, str(path).partition("?")[0], version, status)
        return True


def keep_queries_out_of_the_access_log() -> None:
    """Make uvicorn's own access log, where it is on, leave out query strings."""
    logger = logging.getLogger("uvicorn.access")
    if not any(isinstance(one, _WithoutQuery) for one in logger.filters):
        logger.addFilter(_WithoutQuery())
