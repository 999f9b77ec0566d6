"""Entity tags: an answer that has not changed since the client last saw it is not sent again (RFC 9110)."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Larger answers are sent as they come.
_LARGEST = 4 * 1024 * 1024


class EntityTags:
    """Adds ``ETag`` to JSON answers of GET, and answers 304 where ``If-None-Match`` names it.

    Parameters
    ----------
    app : ASGIApp
        What lies inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                length = headers.get("content-length", "")
                small = length.isdigit() and int(length) <= _LARGEST
                json = headers.get("content-type", "").startswith("application/json")
                if message["status"] == 200 and small and json:
                    start = message
                    return
            elif message["type"] == "http.response.body" and start is not None:
                first, start = start, None
                tag = f'"{hashlib.sha256(message.get("body", b"")).hexdigest()[:32]}"'
                headers = MutableHeaders(raw=first["headers"])
                headers["ETag"] = tag
                # The client may keep it, but asks each time whether it still holds.
                headers["Cache-Control"] = "private, no-cache"
                if _names(wanted, tag):
                    del headers["content-length"]
                    first["status"], message = 304, {"type": "http.response.body", "body": b""}
                await send(first)
            await send(message)

        await self.app(scope, receive, tagged)


def _names(wanted: str, tag: str) -> bool:
    return wanted.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in wanted.split(",")]
