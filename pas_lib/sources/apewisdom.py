"""ApeWisdom's API: mentions of symbols on Reddit in the last 24 hours.

The payload has no time stamp, and rankings are computed anew between two pages: a symbol that fell over the edge of a
page comes twice. The first one, which ranks better, counts.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url
from pas_lib.sources.capture import capture_session
from pas_lib.sources.envelope import read_json
from pas_lib.sources.members import canonical

FORUM = "all-stocks"
_FIELDS = ("rank", "ticker", "mentions", "upvotes", "rank_24h_ago", "mentions_24h_ago")


class ApeWisdom(Source):
    """``/api/v1.0/filter/{filter}/page/{n}``, from the first page to the last."""

    name = "apewisdom"
    site = "apewisdom"
    host = "https://apewisdom.io"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the request for the first page; the others follow from it."""
        url = f"{base_url(self, ask.settings)}/api/v1.0/filter/{FORUM}/page/1"
        yield Request(self.name, ask.dataset, f"{FORUM}-1", url, context={"forum": FORUM, "page": "1"})

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page until the last one; it is told which symbols were ranked before it."""
        document = self._document(payload)
        page = int(request.context["page"])
        if page >= document["pages"] or not document["results"]:
            return None
        seen = [str(row.get("ticker")) for row in document["results"] if isinstance(row, dict)]
        earlier = request.context.get("seen")
        url = f"{request.url.rpartition('/')[0]}/{page + 1}"
        context = {
            **request.context,
            "page": str(page + 1),
            "pages": str(document["pages"]),
            "seen": " ".join([*([earlier] if earlier else []), *seen]),
        }
        return replace(request, label=f"{FORUM}-{page + 1}", url=url, context=context)

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page of the ranking."""
        head = body[:600].lstrip()
        return head.startswith(b"{") and b'"results"' in head and b'"current_page"' in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not the page asked for."""
        self._document(payload)

    def _document(self, payload: Payload) -> dict[str, Any]:
        document = read_json(payload)
        if not isinstance(document, dict) or not isinstance(document.get("results"), list):
            raise payload.error("no ranking", field_name="results")
        for name in ("pages", "current_page"):
            try:
                document[name] = whole(document.get(name))
            except ValueError:
                document[name] = None
            if document[name] is None:
                raise payload.error("missing or not a number", field_name=name)
        page = int(payload.context.get("page", document["current_page"]))
        if document["current_page"] != page:
            raise payload.error(f"page {document['current_page']} came instead of {page}", field_name="current_page")
        results = document["results"]
        # The last page may have become empty since the first one was asked for; no other one may be.
        if not results and (page == 1 or page < int(payload.context.get("pages", "0"))):
            raise payload.error(f"page {page} is empty", field_name="results")
        for row in results[:1]:
            for name in _FIELDS:
                if not isinstance(row, dict) or name not in row:
                    raise payload.error("missing", field_name=f"results.{name}")
        return document

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per symbol that no earlier page ranks."""
        document = self._document(payload)
        day, forum = capture_session(payload), payload.context.get("forum", FORUM)
        seen = set(payload.context.get("seen", "").split())
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in document["results"]:
            if not isinstance(row, dict):
                raise payload.error("a row is no object", field_name="results")
            ticker = str(row.get("ticker"))
            if ticker in seen:
                continue
            seen.add(ticker)
            try:
                records.append({"event_date": day, "forum": forum, "capture_date": day, **_record(row)})
            except KeyError as error:
                rejects.append(Reject(row, f"{error.args[0]} is missing"))
            except ValueError as error:
                rejects.append(Reject(row, str(error)))
        return [Batch("reddit_mentions", records=records, rejects=rejects)]


def _record(row: dict[str, Any]) -> dict[str, Any]:
    before = whole(row["rank_24h_ago"]) or None
    return {
        "symbol": canonical(str(row["ticker"])),
        "name": html.unescape(str(row["name"])).strip() or None if row.get("name") else None,
        "rank": whole(row["rank"]),
        "mentions": whole(row["mentions"]),
        "upvotes": whole(row["upvotes"]),
        "rank_24h_ago": before,
        "mentions_24h_ago": whole(row["mentions_24h_ago"]) if before else None,
    }


def whole(value: Any) -> int | None:
    """Return a count that may be a number, text (``"1,147"``, ``"7.0"``) or absent.

    Raises
    ------
    ValueError
        If it is none.
    """
    if type(value) is int:  # the usual case
        return value
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a count")
    try:
        number = float(value.replace(",", "")) if isinstance(value, str) else float(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a count") from None
    if not number.is_integer():
        raise ValueError(f"{value!r} is not a count")
    return int(number)


SOURCE = ApeWisdom()
