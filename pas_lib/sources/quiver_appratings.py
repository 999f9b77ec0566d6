"""QuiverQuant's JSON API: ratings of companies' apps in the last week."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from pas_lib.sources import congress
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    key_of,
)
from pas_lib.sources.capture import capture_session
from pas_lib.sources.envelope import read_json
from pas_lib.sources.members import canonical
from pas_lib.sources.quiver_scores import read_number

_FIELDS = ("Ticker", "App", "Rating", "Count", "Time")


class QuiverAppRatings(Source):
    """``/beta/live/appratings``."""

    name = "quiver_appratings"
    site = "quiver-api"
    host = "https://api.quiverquant.com"
    profiles = frozenset({"sandbox", "subscribed"})
    key_setting = "quiver_api_key"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the one request: there are no parameters and no pages."""
        yield Request(
            self.name,
            ask.dataset,
            "live",
            f"{base_url(self, ask.settings)}/beta/live/appratings",
            headers={"Authorization": f"Bearer {key_of(self, ask.settings)}", "Accept": "application/json"},
        )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is an array of ratings, or one of the API's refusals."""
        head = body[:3000].lstrip()
        if head.startswith((b'{"detail"', b'"Upgrade')) or b'"401_missing"' in head:
            return True
        return head.startswith(b"[") and (b'"Rating"' in head or head.strip() == b"[]")

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not an array of ratings."""
        self._rows(payload)

    def _rows(self, payload: Payload) -> list[dict[str, Any]]:
        document = read_json(payload)
        if isinstance(document, str):
            raise payload.error(document)
        if isinstance(document, dict):
            found = [document, *(value for value in document.values() if isinstance(value, dict))]
            raise payload.error(next((str(d["detail"]) for d in found if "detail" in d), "an object, not an array"))
        if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
            raise payload.error("not an array of objects")
        if not document:
            raise payload.error("no ratings at all")
        for name in _FIELDS:
            if name not in document[0]:
                raise payload.error(f"column {name!r} not found among {', '.join(document[0])}")
        return document

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per app and day."""
        day = capture_session(payload)
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in self._rows(payload):
            try:
                record = _record(row)
            except (ValueError, TypeError) as error:
                rejects.append(Reject(row, str(error)))
                continue
            if record is not None:
                records.append({**record, "capture_date": day})
        if not records and not rejects:
            raise payload.error("no rating of an app with a symbol")
        return [Batch("app_reviews", records=records, rejects=rejects)]


def _record(row: dict[str, Any]) -> dict[str, Any] | None:
    symbol = congress.read_symbol(row.get("Ticker"))
    if symbol is None:
        return None
    rated_on = read_time(row.get("Time"))
    rating, count = (
        read_number(str(row.get(name) if row.get(name) is not None else "")) for name in ("Rating", "Count")
    )
    return {
        "event_date": rated_on,
        "symbol": canonical(symbol),
        "app": congress.text_or_none(row.get("App")) or "",
        "publisher": congress.text_or_none(row.get("Publisher")) or "",
        "ordinal": 0,
        "rating": rating,
        "ratings": None if count is None else int(count),
        "rated_on": rated_on,
    }


def read_time(value: Any) -> date:
    """Return the day of a time: an ISO date or time, or milliseconds since 1970.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000, UTC).date()
    return congress.read_day(value)


SOURCE = QuiverAppRatings()
