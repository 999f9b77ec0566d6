"""Benzinga's calendar of ratings, and its public pages of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.ratings import Rating, Ratings
from pas_lib.sandbox.sites.base import Context, nameless, reply

TOKEN: Final = "sandbox"  # noqa: S105 - the sandbox's own, no secret
MAX_PAGE: Final = 1000
#: So many of the newest ratings a public page shows; by page, whose.
SHOWN: Final = 200
PAGES: Final = {
    "upgrades": ("Upgrades", "Initiates Coverage On", "Reiterates", "Maintains"),
    "downgrades": ("Downgrades",),
}


class Benzinga:
    """``/api/v2.1/calendar/ratings`` and ``/analyst-stock-ratings/{upgrades|downgrades}``."""

    def __init__(self, context: Context, ratings: Ratings) -> None:
        self.context = context
        self.ratings = ratings

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        query = request.query_params
        if query.get("token") != TOKEN:
            return reply({"ok": False, "errors": [{"code": "auth_failed", "value": "Invalid token"}]}, 401)
        if "application/json" not in request.headers.get("accept", ""):
            return reply('<?xml version="1.0" encoding="UTF-8"?>\n<result is_array="true"></result>', 200, "text/xml")
        try:
            page = int(query.get("page", 0))
            size = min(int(query.get("pagesize", query.get("pageSize", 50))), MAX_PAGE)
            found = self._select(dict(query))
        except ValueError:
            return reply({"ok": False, "errors": [{"code": "bad_request", "value": "invalid parameter"}]}, 400)
        rows = found[page * size : (page + 1) * size]
        return reply({"ratings": [self._row(rating) for rating in rows]} if rows else [])

    async def page(self, request: Request) -> Response:
        """Answer with a public page: the newest ratings in a script, among much else."""
        actions = PAGES.get(request.path_params["kind"])
        if nameless(request):
            return reply("<html><head><title>Access denied</title></head><body></body></html>", 403, "text/html")
        if actions is None:
            return reply("<html><head><title>Not found</title></head><body></body></html>", 404, "text/html")
        rows = [self._row(rating) for rating in self.ratings.visible(self.context.now) if rating.action in actions]
        for row in rows[:SHOWN]:
            target, prior = (float(row[name] or 0) for name in ("pt_current", "pt_prior"))
            row["pt_pct_change"] = f"{100 * (target / prior - 1):.2f}" if target and prior else ""
        data = {
            "props": {"pageProps": {"nodes": [{"title": "Analysts turn"}], "calendar": {"ratings": rows[:SHOWN]}}},
            "page": "/[[...slug]]",
        }
        # As the framework writes it: no bare "<" within a script.
        script = orjson.dumps(data).replace(b"<", b"\\u003c").decode()
        return reply(
            '<!DOCTYPE html><html lang="en"><head><title>Analyst Stock Ratings</title>'
            '<script type="application/ld+json">{"@context":"https://schema.org","@type":"WebPage"}</script>'
            '<script>window.dataLayer = [];</script></head><body><div id="__next"></div>'
            f'<script id="__NEXT_DATA__" type="application/json">{script}</script></body></html>',
            200,
            "text/html; charset=utf-8",
        )

    def _select(self, query: dict[str, str]) -> list[Rating]:
        now = self.context.now
        found = self.ratings.visible(now)

        def day(name: str) -> date | None:
            text = query.get(f"parameters[{name}]")
            return date.fromisoformat(text) if text else None

        exact, first, last = day("date"), day("date_from"), day("date_to")
        tickers = {name for name in query.get("parameters[tickers]", "").upper().split(",") if name}
        since = query.get("parameters[updated]")
        changed = datetime.fromtimestamp(int(since), UTC) if since else None
        kept = []
        for rating in found:
            local = rating.created.astimezone(NY).date()
            if (exact and local != exact) or (first and local < first) or (last and local > last):
                continue
            if tickers and rating.listing.symbol_on(local) not in tickers:
                continue
            if changed and self.ratings.updated(rating, now) < changed:
                continue
            kept.append(rating)
        return kept

    def _row(self, rating: Rating) -> dict[str, Any]:
        world, now = self.context.world, self.context.now
        local = rating.created.astimezone(NY)
        symbol = rating.listing.symbol_on(local.date())
        updated = self.ratings.updated(rating, now)
        target = rating.corrected if rating.revised and updated == rating.revised else rating.target
        # The site restates targets for the splits since: what nobody knew then.
        later = [
            action.ratio
            for action in world.actions_of(rating.listing.row)
            if action.kind == "split" and local.date() < action.ex_date <= self.context.today
        ]
        factor = 1.0
        for ratio in later:
            factor *= ratio
        moved = (
            ""
            if target is None
            else "Announces"
            if rating.target_prior is None
            else "Raises"
            if target > rating.target_prior
            else "Lowers"
            if target < rating.target_prior
            else "Maintains"
        )
        return {
            "action_company": rating.action,
            "action_pt": moved,
            "adjusted_pt_current": "" if target is None else f"{target / factor:.2f}",
            "adjusted_pt_prior": "" if rating.target_prior is None else f"{rating.target_prior / factor:.2f}",
            "analyst": rating.firm,
            "analyst_name": rating.analyst,
            "currency": "USD",
            "date": f"{local:%Y-%m-%d}",
            "exchange": rating.listing.exchange,
            "id": rating.id,
            "importance": 0,
            "name": rating.listing.name_on(local.date()),
            "notes": "",
            "pt_current": "" if target is None else f"{target:.4f}",
            "pt_prior": "" if rating.target_prior is None else f"{rating.target_prior:g}",
            "rating_current": rating.current,
            "rating_prior": rating.prior,
            "ticker": symbol,
            "time": f"{local:%H:%M:%S}",
            "updated": int(updated.timestamp()),
            "url": f"https://www.benzinga.com/quote/{symbol}/analyst-ratings",
            "url_calendar": f"https://www.benzinga.com/quote/{symbol}/analyst-ratings",
            "url_news": f"https://www.benzinga.com/stock-articles/{symbol}/analyst-ratings",
        }
