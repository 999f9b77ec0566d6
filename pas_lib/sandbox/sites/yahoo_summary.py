"""Yahoo's quoteSummary, behind a cookie and a crumb."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.ratings import Rating, Ratings
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.sites.base import Context, nameless, reply

MIME: Final = "application/json;charset=utf-8"
COOKIE: Final = "d=AQABBSandbox&S=AQAAAsandbox"
ACTIONS: Final = {"Upgrades": "up", "Downgrades": "down", "Maintains": "main", "Reiterates": "reit"}


class YahooSummary:
    """The cookie, ``/v1/test/getcrumb`` and ``/v10/finance/quoteSummary/{symbol}``.

    Attributes
    ----------
    generation : int
        Raising it makes every crumb handed out so far invalid.
    """

    def __init__(self, context: Context, ratings: Ratings) -> None:
        self.context = context
        self.ratings = ratings
        self.generation = 1
        self.modules: dict[str, Callable[[Listing], dict[str, Any] | None]] = {"upgradeDowngradeHistory": self._ratings}
        self._by_row: dict[int, list[Rating]] = {}

    def _crumb(self) -> str:
        digest = hashlib.blake2b(f"{self.context.world.seed}-{self.generation}".encode(), digest_size=6).hexdigest()
        return f"{digest[:8]}./Z"

    async def cookie(self, request: Request) -> Response:  # noqa: ARG002
        """Answer with nothing but the cookie."""
        answer = reply("<html><body>Not found</body></html>", 404, "text/html")
        answer.headers["set-cookie"] = f"A3={COOKIE}; Max-Age=31557600; Path=/yahoo; HttpOnly"
        return answer

    async def crumb(self, request: Request) -> Response:
        """Answer with the crumb of the cookie."""
        if nameless(request) or request.cookies.get("A3") is None:
            return reply("", 401, "text/plain")
        return reply(self._crumb(), 200, "text/plain")

    async def answer(self, request: Request) -> Response:
        """Answer for one symbol."""
        query = request.query_params
        if nameless(request):
            return reply("Too Many Requests\r\n", 429, "text/plain")
        if request.cookies.get("A3") is None or query.get("crumb") != self._crumb():
            error = {"code": "Unauthorized", "description": "Invalid Crumb"}
            return reply({"finance": {"result": None, "error": error}}, 401, MIME)
        symbol, names = request.path_params["symbol"], query.get("modules", "").split(",")
        listing = None if "." in symbol else self._find(symbol.replace("-", "."), self.context.today)
        found: dict[str, Any] = {}
        for name in names:
            part = self.modules[name](listing) if listing is not None and name in self.modules else None
            if part is not None:
                found[name] = part
        if listing is None:
            error = {"code": "Not Found", "description": f"Quote not found for symbol: {symbol}"}
            return reply({"quoteSummary": {"result": None, "error": error}}, 404, MIME)
        return reply({"quoteSummary": {"result": [found], "error": None}}, 200, MIME)

    def _find(self, symbol: str, today: date) -> Listing | None:
        return self.context.world.listing(symbol, today)

    def _ratings(self, listing: Listing) -> dict[str, Any] | None:
        if not self._by_row:
            for rating in self.ratings.all():
                self._by_row.setdefault(rating.listing.row, []).append(rating)
        now = self.context.now - timedelta(minutes=5)
        history = [
            {
                "epochGradeDate": int(rating.created.timestamp()),
                "firm": rating.firm,
                "toGrade": rating.current,
                "fromGrade": rating.prior,
                "action": ACTIONS.get(rating.action, "init"),
            }
            for rating in reversed(self._by_row.get(listing.row, []))
            if rating.created <= now and self._since(listing) <= rating.created.astimezone(NY).date()
        ]
        return {"history": history, "maxAge": 86400} if history else None

    @staticmethod
    def _since(listing: Listing) -> date:
        return listing.listed or date.min
