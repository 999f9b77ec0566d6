"""Benzinga's public pages of upgrades and downgrades, for those without a key of its API.

The newest ratings lie as JSON in a script of the page, under the names the API uses; where in the page differs from one
layout to the next, so the list is looked for. A page shows the newest only and says nothing about what it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from pas_lib.sources import benzinga
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url, excerpt

PAGES = ("upgrades", "downgrades")
_SCRIPT = re.compile(rb"<script\b[^>]*>\s*([\[{].*?)\s*</script>", re.S | re.I)
_TITLE = re.compile(rb"<title\b[^>]*>(.*?)</title>", re.S | re.I)
_TARGETS = frozenset({"pt_current", "pt_prior"})
_NEEDED = ("date", "ticker", "analyst", "action_company", "rating_current")


class BenzingaPage(Source):
    """``/analyst-stock-ratings/upgrades`` and ``/downgrades``."""

    name = "benzinga_page"
    site = "benzinga-page"
    host = "https://www.benzinga.com"
    profiles = frozenset({"sandbox", "subscribed"})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per page."""
        for page in PAGES:
            url = f"{base_url(self, ask.settings)}/analyst-stock-ratings/{page}"
            yield Request(self.name, ask.dataset, page, url, context={"page": page})

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page of ratings."""
        return b"<html" in body[:2000].lower() and b'"rating_current"' in body and b'"action_company"' in body

    def check(self, payload: Payload) -> None:
        """Refuse a page without ratings: a block page or a new layout."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per rating."""
        rows = _rows(payload)
        missing = next((name for name in _NEEDED if name not in rows[0]), None)
        if missing:
            raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}", field_name="ratings")
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in rows:
            try:
                records.append(benzinga.record(row))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                rejects.append(Reject(row, str(error)))
        return [Batch("analyst_ratings", records=records, rejects=rejects)]


def _rows(payload: Payload) -> list[dict[str, Any]]:
    body = payload.body
    if not body.strip():
        raise payload.error("the answer is empty")
    if b"</html>" not in body[-2000:].lower():
        raise payload.error(f"the page is cut off, or none ({excerpt(body)!r})")
    for script in _SCRIPT.finditer(body):
        try:
            document = orjson.loads(script[1])
        except orjson.JSONDecodeError:
            continue
        for rows in _lists(document):
            first = rows[0] if rows else None
            if isinstance(first, dict) and "rating_current" in first and _TARGETS & first.keys():
                return [row for row in rows if isinstance(row, dict)]
    title = _TITLE.search(body)
    said = excerpt(title[1], 80) if title else excerpt(body)
    raise payload.error(f"blocked or changed, no ratings in the page {said!r}", field_name="rating_current")


def _lists(node: Any) -> Iterator[list[Any]]:
    """Yield every list of a document, outer ones first."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            yield found
            waiting.extend(reversed(found))
        elif isinstance(found, dict):
            waiting.extend(reversed(list(found.values())))


SOURCE = BenzingaPage()
