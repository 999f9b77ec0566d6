"""The CSV behind FRED's graphs: needs no key, knows no vintages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    excerpt,
    looks_like_html,
)
from pas_lib.sources.fred import SERIES
from pas_lib.sources.fred_lags import lag_day

_DATES = ("observation_date", "date")
_LOOK_BACK = timedelta(days=30)


class FredGraph(Source):
    """``/graph/fredgraph.csv``."""

    name = "fredgraph"
    site = "fredgraph"
    host = "https://fred.stlouisfed.org"
    accepts = frozenset({404})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per series."""
        for series_id in ask.items or SERIES:
            params = {"id": series_id}
            since = ask.starts.get(series_id)
            if since:
                params["cosd"] = (since - _LOOK_BACK).isoformat()
            yield Request(
                self.name,
                ask.dataset,
                series_id,
                f"{base_url(self, ask.settings)}/graph/fredgraph.csv",
                params=params,
                context={"series_id": series_id},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body begins with a date column and series ids."""
        head = body[:200].lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip().lower()
        return head.startswith((b"observation_date,", b"date,")) and b"add" not in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not this CSV; an unknown id is a page with status 404."""
        if payload.status != 404:
            self._lines(payload)

    def _lines(self, payload: Payload) -> tuple[list[str], list[list[str]]]:
        if looks_like_html(payload.body):
            raise payload.error("an HTML page came instead of CSV")
        lines = list(csv.reader(io.StringIO(payload.body.decode("utf-8-sig", "replace"))))
        head = [cell.strip() for cell in lines[0]] if lines else []
        if len(head) < 2 or head[0].lower() not in _DATES:
            said = excerpt(payload.body)
            raise payload.error(f"column 'observation_date' not found ({said!r})" if said else "the answer is empty")
        asked = payload.context.get("series_id")
        if asked and payload.dataset == "macro_series" and payload.url.startswith("http") and asked not in head:
            raise payload.error(f"column {asked!r} not found among {', '.join(head)}", field_name="header")
        if payload.context and not payload.body.endswith(b"\n"):
            raise payload.error("the answer is cut off")
        if len(lines) < 2:
            raise payload.error("no observations")
        return head, lines[1:]

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per period and series, usable by the lag table; empty values are left out."""
        if payload.status == 404:
            return [Batch("macro_series", missing=True, note=f"{payload.label} is not known")]
        head, lines = self._lines(payload)
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        mentioned: list[dict[str, Any]] = []
        for line in lines:
            if not any(line):
                continue
            if len(line) != len(head):
                rejects.append(Reject({"row": line}, f"{len(line)} fields instead of {len(head)}"))
                continue
            for series_id, text in zip(head[1:], line[1:], strict=True):
                if text.strip() in ("", "."):
                    continue
                try:
                    day = date.fromisoformat(line[0])
                except ValueError:
                    rejects.append(Reject({"row": line}, "date or value cannot be read"))
                    continue
                key = {"event_date": day, "series_id": series_id, "realtime_start": lag_day(series_id, day)}
                try:
                    records.append({**key, "value": float(text), "vintage": "lag_rule"})
                except ValueError:
                    rejects.append(Reject({"row": line}, "date or value cannot be read"))
                    # Nothing is concluded about the value that is known.
                    mentioned.append(key)
        scopes = []
        for series_id in head[1:]:
            days = [row["event_date"] for row in records if row["series_id"] == series_id]
            if days:
                scopes.append({"series_id": series_id, "scope_start": min(days), "scope_end": max(days)})
        return [Batch("macro_series", records=records, scopes=scopes, mentioned=mentioned, rejects=rejects)]


SOURCE = FredGraph()
