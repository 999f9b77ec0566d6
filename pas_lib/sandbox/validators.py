"""Validators and 304: an ASGI layer for the sites that really answer conditional requests.

Wikimedia documents entity tags for its APIs; pages of Wikipedia and observations of FRED carry ``Last-Modified``.
EDGAR, iShares, Yahoo and QuiverQuant send nothing of the kind, and neither do their stand-ins.
"""

from __future__ import annotations

import hashlib
from email.utils import parsedate_to_datetime
from typing import Final

from pas_lib.sandbox.faults import App, Message, Receive, Scope, Send

#: Site -> whether it sends an entity tag; the others state themselves when an answer last changed.
SITES: Final[dict[str, bool]] = {"wikimedia": True, "wikipedia": False, "fred": False}


class ValidatorLayer:
    """Adds entity tags where they are missing, and answers 304 where nothing changed.

    Parameters
    ----------
    app : App
        What is inside.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._sent: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = str(scope.get("path", ""))
        site = path.split("/", 2)[1] if "/" in path else ""
        if scope["type"] != "http" or site not in SITES or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self.app(scope, receive, keep)
        body = b"".join(parts)
        status, headers = int(start["status"]), list(start.get("headers", []))
        if status == 200:
            asked = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in scope["headers"]}
            tag = hashlib.sha256(body).hexdigest()[:16]
            address = f"{path}?{bytes(scope.get('query_string', b'')).decode('latin-1')}"
            if SITES[site]:
                headers.append((b"etag", f'W/"{tag}"'.encode()))
                same = asked.get(b"if-none-match") == f'W/"{tag}"'
            else:
                stamp = next((bytes(v).decode() for n, v in headers if bytes(n).lower() == b"last-modified"), None)
                # A stamp of whole days does not tell whether the answer is still the one that was sent.
                same = self._sent.get(address) == tag and _is_until(stamp, asked.get(b"if-modified-since"))
                self._sent[address] = tag
            if same:
                status, body = 304, b""
                headers = [(name, value) for name, value in headers if bytes(name).lower() != b"content-length"]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_until(stamp: str | None, asked: str | None) -> bool:
    """Return whether a stamp is not after the one asked for."""
    if stamp is None or asked is None:
        return False
    try:
        return parsedate_to_datetime(stamp) <= parsedate_to_datetime(asked)
    except (TypeError, ValueError):
        return False
