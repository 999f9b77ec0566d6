"""Benzinga's calendar of analyst ratings.

Targets adjusted for later splits (``adjusted_pt_*``) know the future and are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import orjson

from pas_lib.clock import NY, next_session_midnight, sessions
from pas_lib.sources import ratings
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    excerpt,
    key_of,
    looks_like_html,
)
from pas_lib.sources.members import canonical

_PAGE = 1000
_FIELDS = ("id", "date", "time", "ticker", "analyst", "action_company", "rating_current", "pt_current", "updated")
#: What is compared as a whole at the end of a week; older ratings are hardly touched any more.
_COMPARED = timedelta(days=90)
#: So many sessions do not pass without a rating.
_WEEK = 5


class Benzinga(Source):
    """``/api/v2.1/calendar/ratings``."""

    name = "benzinga"
    site = "benzinga"
    host = "https://api.benzinga.com"
    profiles = frozenset({"sandbox", "subscribed"})
    key_setting = "benzinga_api_key"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the question for a window of dates, or for what was changed since the last collection."""
        params = {"token": key_of(self, ask.settings), "page": "0", "pagesize": str(_PAGE)}
        today = ask.now.astimezone(NY).date()
        context: dict[str, str] = {}
        if ask.starts and not ask.full:
            since = datetime.combine(ask.start_of(""), time(), NY)
            params["parameters[updated]"] = str(int(since.timestamp()))
            context = {"kind": "updated"}
        else:
            # Never later than what is loaded ends: after a long pause the window would leave a gap.
            first = max(ask.start, min(today - _COMPARED, ask.start_of(""))) if ask.starts else ask.start
            last = ask.end or today
            params["parameters[date_from]"], params["parameters[date_to]"] = first.isoformat(), last.isoformat()
            context = {"kind": "window", "from": first.isoformat(), "to": last.isoformat()}
        yield Request(
            self.name,
            ask.dataset,
            context["kind"],
            f"{base_url(self, ask.settings)}/api/v2.1/calendar/ratings",
            params=params,
            # Without it the answer is XML.
            headers={"Accept": "application/json"},
            context=context,
        )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page until one comes that is not full."""
        if len(self._rows(payload)) < _PAGE:
            return None
        return request.with_params(page=str(int(request.params["page"]) + 1))

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a list of ratings."""
        head = body[:3000].lstrip()
        return head.startswith(b'{"ratings"') or (head.startswith((b"{", b"[")) and b'"action_company"' in head)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a list of ratings."""
        self.parse(payload)

    def _rows(self, payload: Payload) -> list[dict[str, Any]]:
        if looks_like_html(payload.body):
            raise payload.error("an HTML page came instead of JSON")
        if payload.body.lstrip().startswith(b"<"):
            raise payload.error("XML came instead of JSON")
        try:
            document = orjson.loads(payload.body)
        except orjson.JSONDecodeError:
            said = excerpt(payload.body)
            raise payload.error(f"not JSON or cut off ({said!r})" if said else "the answer is empty") from None
        rows = document.get("ratings", []) if isinstance(document, dict) else document
        if isinstance(document, dict) and "ratings" not in document and document:
            said = document.get("message") or document.get("error") or document.get("errors") or ", ".join(document)
            raise payload.error(str(said), field_name="ratings")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise payload.error("not a list of objects", field_name="ratings")
        if not rows and _must_hold(payload.context) and re.search(r"[?&]page=0\b", payload.url):
            raise payload.error("no ratings at all", field_name="ratings")
        if rows:
            missing = next((name for name in _FIELDS if name not in rows[0]), None)
            if missing:
                raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}", field_name="ratings")
        return rows

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per rating."""
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        mentioned: list[dict[str, Any]] = []
        for row in self._rows(payload):
            try:
                records.append(record(row))
            except (ValueError, TypeError, KeyError) as error:
                rejects.append(Reject(row, str(error)))
                mentioned += _mentioned(row)
        scopes: list[dict[str, Any]] = []
        if payload.context.get("kind") == "window":
            # All pages together state the window completely: what is missing was withdrawn.
            start, end = (date.fromisoformat(payload.context[name]) for name in ("from", "to"))
            scopes = [{"scope_start": start, "scope_end": end}]
        return [Batch("analyst_ratings", records=records, scopes=scopes, mentioned=mentioned, rejects=rejects)]


def _mentioned(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the key of a rating that cannot be read; nothing is concluded about the one that is known."""
    try:
        return [{"symbol": _symbol(row["ticker"]), "rating_id": str(row["id"])}]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _must_hold(context: Mapping[str, str]) -> bool:
    """Return whether a window is so long that there are ratings in it; of what has changed, there may be nothing."""
    if "from" not in context or "to" not in context:
        return context.get("kind") == "window"
    return len(sessions(date.fromisoformat(context["from"]), date.fromisoformat(context["to"]))) >= _WEEK


_symbol = lru_cache(maxsize=16_384)(canonical)


def record(row: dict[str, Any]) -> dict[str, Any]:
    """Return a rating from a row of the calendar or of a page, which may leave out the number, the hour and more.

    Without an hour a rating counts as published when the next session's day begins; without a number it is known by its
    day and firm.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it cannot be read.
    """
    day = date.fromisoformat(row["date"][:10])
    clock_time = row.get("time")
    rated = ratings.read_local(row["date"], clock_time) if clock_time else next_session_midnight(day).astimezone(UTC)
    firm = ratings.text_or_none(row["analyst"])
    importance, updated = row.get("importance"), row.get("updated")
    return {
        "event_date": day,
        "symbol": _symbol(row["ticker"]),
        "rating_id": str(row.get("id") or f"{row['date']}-{clock_time or ''}-{ratings.slug(firm or '')}"),
        "firm": firm,
        "analyst": ratings.text_or_none(row.get("analyst_name")),
        "action": ratings.read_action(row["action_company"]),
        "rating_current": ratings.text_or_none(row["rating_current"]),
        "rating_prior": ratings.text_or_none(row.get("rating_prior")),
        "target_action": ratings.read_target_action(row.get("action_pt")),
        "target_current": ratings.read_target(row.get("pt_current")),
        "target_prior": ratings.read_target(row.get("pt_prior")),
        "currency": ratings.text_or_none(row.get("currency")),
        "importance": int(importance) if importance is not None else None,
        "notes": ratings.text_or_none(row.get("notes")),
        "rated_at": rated,
        "updated_at": max(rated, ratings.read_epoch(updated)) if updated is not None else None,
    }


SOURCE = Benzinga()
