"""Wikimedia pageviews API: daily views per article."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa

from pas_lib.sources.base import Ask, Batch, Payload, Request, Source, base_url
from pas_lib.sources.envelope import read_json

_EPOCH = date(1970, 1, 1)
_TEXTS = ("project", "article", "access", "agent")
_ABSENT = "do not have data for those date"


class Wikimedia(Source):
    """``/metrics/pageviews/per-article/...``."""

    name = "wikimedia"
    site = "wikimedia"
    host = "https://wikimedia.org"
    accepts = frozenset({404})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per article, up to the day before yesterday: later days are not settled yet."""
        end = (ask.now - timedelta(days=2)).date()
        if ask.end is not None:
            end = min(end, ask.end)
        root = f"{base_url(self, ask.settings)}/api/rest_v1/metrics/pageviews/per-article"
        for title in ask.items:
            start = ask.start_of(title)
            if start > end:
                continue
            yield Request(
                source=self.name,
                dataset=ask.dataset,
                label=title,
                url=f"{root}/en.wikipedia/all-access/user/{quote(title, safe='')}/daily/{start:%Y%m%d}/{end:%Y%m%d}",
                context={"article": title, "start": start.isoformat(), "end": end.isoformat()},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a list of page views or one of the API's problems."""
        head = body[:600].lstrip()
        return head.startswith(b"{") and (
            (b'"items"' in head and b'"timestamp"' in head) or b"/metrics/pageviews" in head or b"HyperSwitch" in head
        )

    def check(self, payload: Payload) -> None:
        """Refuse whatever is neither a list of views nor a plain "no data"."""
        self._items(payload)

    def _items(self, payload: Payload) -> list[dict[str, Any]] | None:
        document = read_json(payload)
        items = document.get("items") if isinstance(document, dict) else None
        if isinstance(items, list):
            # Without views the API answers 404; an empty list is something else.
            if not items:
                raise payload.error("the list is empty", field_name="items")
            for name in (*_TEXTS, "timestamp", "views"):
                if not isinstance(items[0], dict) or name not in items[0]:
                    raise payload.error("missing", field_name=f"items.{name}")
            return items
        detail = str(document.get("detail", "")) if isinstance(document, dict) else ""
        if payload.status == 404 and _ABSENT in detail:
            return None
        raise payload.error(detail or "no list of views", field_name="items")

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per article and day."""
        items = self._items(payload)
        if items is None:
            return [Batch("wiki_views", missing=True, note=f"no views for {payload.label}")]
        columns: dict[str, list[Any]] = {}
        for name in (*_TEXTS, "timestamp", "views"):
            try:
                columns[name] = [item[name] for item in items]
            except (KeyError, TypeError):
                raise payload.error("missing", field_name=f"items.{name}") from None
        if payload.context and items[0].get("granularity") != "daily":
            raise payload.error(f"{items[0].get('granularity')!r} views came", field_name="items.granularity")
        try:
            days = [_day(stamp) for stamp in columns["timestamp"]]
            views = pa.array(columns["views"], pa.int64())
        except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError):
            raise payload.error("a time stamp or count cannot be read", field_name="items.timestamp") from None
        # The title as asked: redirects are not followed, and titles differ in nothing else.
        if payload.context:
            asked = payload.context["article"]
            if unquote(str(columns["article"][0])) != asked:
                raise payload.error(f"views of {columns['article'][0]!r} came, not of {asked!r}", field_name="article")
            columns["article"] = [asked] * len(items)
        table = pa.table(
            {
                "event_date": pa.array(days, pa.int32()).cast(pa.date32()),
                **{name: pa.array(columns[name], pa.string()) for name in _TEXTS},
                "views": views,
            }
        )
        scope = {
            "article": columns["article"][0],
            "scope_start": _EPOCH + timedelta(days=min(days)),
            "scope_end": _EPOCH + timedelta(days=max(days)),
        }
        return [Batch("wiki_views", table=table, scopes=[scope])]


_days: dict[str, int] = {}


def _day(stamp: str) -> int:
    """Return days since 1970 of ``YYYYMMDD00``; remembered, because every article has the same days."""
    found = _days.get(stamp)
    if found is None:
        found = (date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8])) - _EPOCH).days
        _days[stamp] = found
    return found


SOURCE = Wikimedia()
