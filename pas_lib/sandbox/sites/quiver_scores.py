"""QuiverQuant's pages of scores, and its API of app ratings."""

# ruff: noqa: E501 - lines of markup are kept whole

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.buzz import Buzz
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.sites.quiver import HTML, TOKEN, Disclosures, _short

#: Ratings are read at this hour of New York, scores are made on Fridays at the same.
HOUR: Final = 6
WEEK: Final = 7
APP_WORDS: Final = ("Go", "Pay", "Home", "Connect", "Rewards")


@dataclass(frozen=True)
class App:
    """A company's app."""

    listing: Listing
    name: str
    publisher: str
    created: date


class QuiverScores:
    """``/googletrends/``, ``/scores/dcinsider``, ``/sources/appratings`` and ``/beta/live/appratings``."""

    def __init__(self, context: Context, disclosures: Disclosures) -> None:
        self.context = context
        self.disclosures = disclosures
        self.buzz = Buzz(context.world)
        self._pages: dict[tuple[str, date], str] = {}

    async def page(self, request: Request) -> Response:
        """Answer one page."""
        if "mozilla/" not in request.headers.get("user-agent", "").lower():
            return reply("error code: 1010", 403, "text/plain; charset=UTF-8")
        name = request.url.path.strip("/").rpartition("/")[2]
        day = self._last_reading()
        if (name, day) not in self._pages:
            self._pages.clear()
            make = {"googletrends": self._trends, "dcinsider": self._insider, "appratings": self._apps_page}[name]
            self._pages[name, day] = make(day)
        return reply(self._pages[name, day], 200, HTML)

    async def ratings(self, request: Request) -> Response:
        """Answer the API: the readings of the last week."""
        if "mozilla/" not in request.headers.get("user-agent", "").lower():
            return reply("error code: 1010", 403, "text/plain; charset=UTF-8")
        scheme, _, key = request.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() not in ("bearer", "token") or not key.strip():
            return reply({"detail": "Authentication credentials were not provided."}, 401)
        if key.strip() != TOKEN:
            return reply({"detail": "Invalid token."}, 401)
        day = self._last_reading()
        days = [day - timedelta(days=back) for back in range(WEEK)]
        return reply([row for stated in days for row in self._ratings_of(stated)])

    def _last_reading(self) -> date:
        local = self.context.now.astimezone(NY)
        return local.date() if local.hour >= HOUR else local.date() - timedelta(days=1)

    def _friday(self, day: date) -> date:
        return day - timedelta(days=(day.weekday() - 4) % 7)

    def _companies(self, day: date) -> list[Listing]:
        symbols = self.context.world.symbols_on(day)
        return [item for _, item in sorted(symbols.items()) if item.tier in "LM"]

    # ---- the three tables ----------------------------------------------------------------------------------------

    def _trends(self, day: date) -> str:
        rows = []
        for item in self._companies(day):
            surprise = self.buzz.surprise.get(item.slot)
            at = day.toordinal() - self.buzz.start
            if surprise is None or at < WEEK or at > surprise.size:
                continue
            score = float(np.clip(50 * surprise[at - WEEK : at].mean(), 1, 100))
            rows.append((item.symbol_on(day), f"{score:.2f}"))
        return _table("Google Trends", ("Ticker", "Trend Score"), rows)

    def _insider(self, day: date) -> str:
        """Score companies by what Congress disclosed in half a year, as of the last Friday."""
        friday = self._friday(day)
        net: dict[int, float] = defaultdict(float)
        for trade in self.disclosures.visible():
            if trade.row >= 0 and friday - timedelta(days=182) < trade.filed < friday:
                net[trade.row] += {"Purchase": 1.0, "Exchange": 0.0}.get(trade.transaction, -1.0) * np.log10(
                    trade.amount
                )
        rows = []
        for item in self._companies(day):
            noise = np.random.default_rng([self.context.world.seed, 35, item.row, friday.toordinal()]).normal(0, 4)
            score = float(np.clip(50 + 40 * np.tanh(net[item.row] / 15) + noise, 0, 100))
            back = self._return(item, day)
            rows.append(
                (
                    f"{item.symbol_on(day)}<br>{html.escape(item.name_on(day))}",
                    f"{score:.1f}",
                    _short(friday),
                    f"{back:.2f}%" if back is not None else "-",
                )
            )
        return _table("DC Insider Score", ("Ticker", "DC Insider Score", "Date", "Return Since"), rows)

    def _return(self, item: Listing, day: date) -> float | None:
        world = self.context.world
        last = world.bars_at(self.context.now) - 1
        first = world.grid.first_at_or_after(day - timedelta(days=182))
        if last < 0 or first > last:
            return None
        closes = world.market.close[item.row, [first, last]] * world.market.factors[item.row, [first, last]]
        return None if np.isnan(closes).any() else float(100 * (closes[1] / closes[0] - 1))

    def _apps_page(self, day: date) -> str:
        rows = [
            (
                row["Ticker"],
                html.escape(row["App"]),
                html.escape(row["Publisher"]),
                str(row["Rating"]),
                f"{row['Count']:,}",
            )
            for row in self._ratings_of(day)
        ]
        return _table("App Ratings", ("Ticker", "App", "Publisher", "Rating", "Count"), rows)

    # ---- apps ----------------------------------------------------------------------------------------------------

    @cached_property
    def _apps(self) -> tuple[App, ...]:
        rng = np.random.default_rng([self.context.world.seed, 36])
        found, seen = [], set()
        for item in self.context.world.roster.listings:
            if item.tier not in "LM" or item.slot in seen or rng.random() > 0.45:
                continue
            seen.add(item.slot)
            brand = item.name.split()[0]
            for word in rng.permutation(APP_WORDS)[: 1 + int(rng.random() < 0.3)]:
                created = date(2015, 1, 1) + timedelta(days=int(rng.integers(0, 3000)))
                found.append(App(item, f"{brand} {word}", f"{item.name} & Co.", created))
        return tuple(found)

    @cached_property
    def _readings(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Rating and number of ratings per app and day."""
        rng = np.random.default_rng([self.context.world.seed, 37])
        days = self.context.world.views.views.shape[1]
        steps = rng.normal(0, 0.02, (len(self._apps), days)).cumsum(axis=1)
        rating = np.clip(rng.uniform(2.8, 4.7, (len(self._apps), 1)) + steps, 1.0, 5.0)
        daily = rng.poisson(np.exp(rng.normal(3.0, 1.5, (len(self._apps), 1))), (len(self._apps), days))
        base = np.exp(rng.normal(9, 1.5, (len(self._apps), 1))).astype(np.int64)
        return np.round(rating, 2), base + daily.cumsum(axis=1)

    def _ratings_of(self, day: date) -> list[dict[str, Any]]:
        rating, count = self._readings
        at = day.toordinal() - self.buzz.start
        alive = self.context.world.symbols_on(day)
        rows = []
        for i, app in enumerate(self._apps):
            symbol = app.listing.symbol_on(day)
            if alive.get(symbol) is not app.listing:
                continue
            rows.append(
                {
                    "Ticker": symbol,
                    "App": app.name,
                    "Created": app.created.isoformat(),
                    "Publisher": app.publisher,
                    "Rating": float(rating[i, at]),
                    "Count": int(count[i, at]),
                    "Time": datetime.combine(day, time(HOUR)).isoformat(),
                }
            )
        return rows


def _table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} - Quiver Quantitative</title></head><body>\n'
        f'<table class="table" id="myTable"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n</body></html>\n'
    )
