"""What a single client may ask of the service: so many requests a minute, bodies of so many bytes."""

from __future__ import annotations

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

#: Bytes of a request's body: the largest one this API has a use for is a portfolio's list of weights.
LARGEST_BODY = 1_000_000
#: The pages of the browser load several files each; they are not counted.
_FREE = ("/static/", "/health")
#: Wrong tokens of one address at the log-in: so many a minute, so many an hour.
_WRONG = (RateLimitItemPerMinute(5), RateLimitItemPerHour(30))


class Attempts:
    """Counts wrong tokens at the log-in, per address."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, client: str) -> int:
        """Return the seconds a client has to wait before it may try again; 0 if it may now."""
        over = [item for item in _WRONG if not self._limiter.test(item, client)]
        return max((item.get_expiry() for item in over), default=0)

    def failed(self, client: str) -> None:
        """Remember a wrong token."""
        for item in _WRONG:
            self._limiter.hit(item, client)


class Limits:
    """Refuses a client that asks too often (429 with Retry-After), sends too much (413) or what cannot be read (400).

    Parameters
    ----------
    app : ASGIApp
        What lies inside.
    per_minute : int
        Requests of one address in any minute.
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self.app = app
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        client = request.client.host if request.client else "-"
        if not request.url.path.startswith(_FREE) and not self._limiter.hit(self._item, client):
            detail = f"more than {self._item.amount} requests in a minute"
            await problem(request, 429, detail, {"Retry-After": "60"})(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # No text of a database may hold it.
            await problem(request, 400, "the address holds the character U+0000")(scope, receive, send)
            return
        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:18]) > LARGEST_BODY:
            await self._too_large(request)(scope, receive, send)
            return
        await self.app(scope, self._counted(receive), send)

    @staticmethod
    def _too_large(request: Request) -> ASGIApp:
        return problem(request, 413, f"the body is larger than {LARGEST_BODY:,} bytes")

    @staticmethod
    def _counted(receive: Receive) -> Receive:
        """Cut a body off that is longer than it may be without saying so."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > LARGEST_BODY:
                    # To the application the client went away: nothing is done with half a body.
                    return {"type": "http.disconnect"}
            return message

        return counted
