"""What all sites of the sandbox share: the world, the time, and how an answer is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.sandbox.clock import SandboxTime
from pas_lib.sandbox.world import World

# Libraries that do not say who they are; several sites refuse them at the edge
_NAMELESS: Final = ("", "python-requests", "python-urllib", "python-httpx", "curl/", "wget/", "go-http", "aiohttp")


@dataclass(frozen=True)
class Context:
    """The world and its time."""

    world: World
    clock: SandboxTime

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self.clock.now()

    @property
    def today(self) -> date:
        """The date in New York."""
        return self.clock.today()


def reply(content: Any, status: int = 200, mime: str = "application/json", **headers: str) -> Response:
    """Answer with `content`: bytes and text as they are, anything else as JSON (NaN becomes null)."""
    body = (
        content
        if isinstance(content, bytes)
        else (
            content.encode() if isinstance(content, str) else orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        )
    )
    return Response(body, status, {"content-type": mime, **{k.replace("_", "-"): v for k, v in headers.items()}})


def nameless(request: Request) -> bool:
    """Tell whether the request carries no User-Agent, or only a library's own."""
    agent = request.headers.get("user-agent", "").strip().lower()
    return not agent or any(name and agent.startswith(name) for name in _NAMELESS)


def raw_path(request: Request) -> str:
    """Return the path as it was sent, percent-encoding untouched."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return bytes(raw).split(b"?", 1)[0].decode("latin-1")
