"""Yahoo Finance quoteSummary: modules about one symbol, behind a cookie and a crumb.

The cookie comes with any answer of one host, the crumb is asked for with it, and every question carries both. A crumb
that is none (a refusal stored as one) would fail every later question, so it is looked at first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pas_lib.clock import NY
from pas_lib.errors import PayloadError
from pas_lib.sources import ratings, yahoo_facts
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    excerpt,
)
from pas_lib.sources.envelope import yahoo_results
from pas_lib.sources.yahoo_chart import to_yahoo

if TYPE_CHECKING:
    from pas_lib.settings import Settings

_COOKIE_HOST = "https://fc.yahoo.com"
_CRUMB = re.compile(r"[^\s<>{}]{11}")
_MODULES = {"analyst_ratings": "upgradeDowngradeHistory", "fundamentals": ",".join(yahoo_facts.SNAPSHOT)}
_RATING = ("epochGradeDate", "firm", "toGrade", "action")


class YahooSummary(Source):
    """``/v10/finance/quoteSummary/{symbol}``."""

    name = "yahoo_summary"
    site = "yahoo"
    host = "https://query1.finance.yahoo.com"
    accepts = frozenset({404})
    signs_in = True

    def sign_in(self, get: Callable[..., tuple[int, bytes]], settings: Settings) -> Mapping[str, str]:
        """Fetch the cookie, then the crumb that goes with it.

        Raises
        ------
        PayloadError
            If what came is no crumb.
        """
        base = base_url(self, settings)
        # Any status is fine: the cookie comes with a 404 too.
        get(f"{base}/" if settings.sources == "sandbox" else _COOKIE_HOST, any_status=True)
        url = f"{base}/v1/test/getcrumb"
        status, body = get(url)
        crumb = body.decode("utf-8", "replace").strip()
        if status != 200 or not _CRUMB.fullmatch(crumb):
            raise PayloadError(f"{self.name}: no crumb but HTTP {status} {excerpt(body)!r} from {url}")
        return {"crumb": crumb}

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per symbol."""
        base = base_url(self, ask.settings)
        modules = _MODULES[ask.dataset]
        about = {"modules": modules} if ask.dataset == "fundamentals" else {}
        for symbol in ask.items:
            yield Request(
                self.name,
                ask.dataset,
                symbol,
                f"{base}/v10/finance/quoteSummary/{quote(to_yahoo(symbol), safe='')}",
                params={"modules": modules, "formatted": "false"},
                context={"symbol": symbol, **about},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a quoteSummary envelope or one of Yahoo's error envelopes."""
        head = body[:400].lstrip()
        return head.startswith(b"{") and (b'"quoteSummary"' in head or b'"finance"' in head)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a quoteSummary envelope."""
        self.parse(payload)

    def _result(self, payload: Payload) -> dict[str, Any] | None:
        results = yahoo_results(payload, "quoteSummary", "a quoteSummary")
        if results is None:
            return None
        if not results or not isinstance(results[0], dict):
            raise payload.error("no result", field_name="quoteSummary.result")
        return dict(results[0])

    def parse(self, payload: Payload) -> list[Batch]:
        """Return the rows of the dataset's module; a module without data is left out by the site."""
        result = self._result(payload)
        symbol = payload.context.get("symbol")
        if result is None:
            return [Batch(payload.dataset, missing=True, note=f"{symbol} is unknown or delisted")]
        if payload.dataset == "fundamentals":
            return [yahoo_facts.snapshot(payload, symbol or _stated_symbol(result), result)]
        if symbol is None:
            raise payload.error("the payload does not say whose it is, and neither does its name")
        module = _MODULES.get(payload.dataset, "")
        found = result.get(module)
        if found is None:
            others = [name for name in result if name != "maxAge"]
            if others:
                raise payload.error(f"came with {', '.join(others)} instead", field_name=module)
            return [Batch(payload.dataset, note=f"nothing about {symbol}")]
        return [_ratings(payload, symbol, found)]


def _stated_symbol(result: Mapping[str, Any]) -> str | None:
    stated = (result.get("price") or {}).get("symbol")
    return str(stated).replace("-", ".") if stated else None


def _ratings(payload: Payload, symbol: str, module: dict[str, Any]) -> Batch:
    history = module.get("history")
    if not isinstance(history, list):
        raise payload.error("missing", field_name="upgradeDowngradeHistory.history")
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    seen: Counter[str] = Counter()
    for row in history:
        missing = next((name for name in _RATING if name not in row), None)
        if missing:
            raise payload.error(f"column {missing!r} not found among {', '.join(row)}", field_name="history")
        try:
            rated = ratings.read_epoch(row["epochGradeDate"])
            firm = ratings.text_or_none(row["firm"])
            if firm is None:
                raise ValueError("no firm is stated")
            number = f"{int(row['epochGradeDate'])}-{ratings.slug(firm)}"
            seen[number] += 1
            records.append(
                {
                    "event_date": rated.astimezone(NY).date(),
                    "symbol": symbol,
                    # The site numbers nothing: the second is time and firm enough, but for repeats.
                    "rating_id": number if seen[number] == 1 else f"{number}-{seen[number]}",
                    "firm": firm,
                    "action": ratings.read_action(row["action"]),
                    "rating_current": ratings.text_or_none(row["toGrade"]),
                    "rating_prior": ratings.text_or_none(row.get("fromGrade")),
                    "rated_at": rated,
                }
            )
        except (ValueError, TypeError) as error:
            rejects.append(Reject({"symbol": symbol, **row}, str(error)))
    # The list is complete from the day after its oldest entry on: of that day, the rest may be cut off.
    oldest = min((record["event_date"] for record in records), default=None)
    scopes = [{"symbol": symbol, "scope_start": oldest + timedelta(days=1)}] if oldest is not None else []
    return Batch("analyst_ratings", records=records, scopes=scopes, rejects=rejects)


SOURCE = YahooSummary()
