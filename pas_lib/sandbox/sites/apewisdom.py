"""ApeWisdom's API: mentions of symbols in the last 24 hours, 100 a page."""

from __future__ import annotations

import html
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.buzz import Buzz
from pas_lib.sandbox.sites.base import Context, reply

PAGE: Final = 100
NAME_LENGTH: Final = 70
FORUMS: Final = ("all", "all-stocks", "wallstreetbets", "stocks", "options", "investing", "Daytrading", "SPACs")


class ApeWisdom:
    """``/api/v1.0/filter/{filter}`` and ``/filter/{filter}/page/{n}``."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.buzz = Buzz(context.world)
        self._ranking: tuple[datetime, list[dict[str, Any]]] | None = None

    async def answer(self, request: Request) -> Response:
        """Answer one page."""
        forum, _, rest = request.path_params["path"].strip("/").partition("/")
        page = rest.removeprefix("page/") or "1"
        if forum not in FORUMS or not page.isdecimal() or int(page) < 1:
            return reply("<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>", 404, "text/html")
        rows = self._rows()
        number = int(page)
        shown = {
            "count": len(rows),
            "pages": -(-len(rows) // PAGE),
            "current_page": number,
            "results": rows[(number - 1) * PAGE : number * PAGE],
        }
        return reply(shown)

    def _rows(self) -> list[dict[str, Any]]:
        now = self.context.now
        if self._ranking is None or self._ranking[0] != now:
            self._ranking = (now, self._make(now))
        return self._ranking[1]

    def _make(self, now: datetime) -> list[dict[str, Any]]:
        local = now.astimezone(NY)
        today = local.date()
        begun = datetime.combine(today, time(0), NY)
        share = (now - begun).total_seconds() / 86_400
        current, before = self._window(today, share), self._window(today - timedelta(days=1), share)
        symbols = [talk.symbol_on(today) for talk in self.buzz.talks]
        ranks, earlier = _ranks(current, symbols), _ranks(before, symbols)
        rows = []
        for i, rank in sorted(ranks.items(), key=lambda entry: entry[1]):
            talk = self.buzz.talks[i]
            name = talk.listing.name_on(today) if talk.listing else talk.name
            rows.append(
                {
                    "rank": rank,
                    "ticker": symbols[i],
                    "name": html.escape(name, quote=False)[:NAME_LENGTH],
                    "mentions": int(current[i]),
                    "upvotes": int(current[i]) * (2 + (i + today.toordinal()) % 5) - 4 * (i % 3),
                    "rank_24h_ago": earlier.get(i, 0),
                    "mentions_24h_ago": int(before[i]) if i in earlier else None,
                }
            )
        return rows

    def _window(self, day: date, share: float) -> Any:
        """Mentions of the 24 hours that end when `share` of `day` is over."""
        new, old = self.buzz.of_day(day), self.buzz.of_day(day - timedelta(days=1))
        return np.floor(new * share + old * (1 - share)).astype(np.int64)


def _ranks(counts: Any, symbols: list[str | None]) -> dict[int, int]:
    """Rank what is listed and mentioned; ties in a fixed order."""
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] > 0 and symbols[i] is not None]
    return {i: rank for rank, i in enumerate(order, start=1)}
