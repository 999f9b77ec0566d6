"""FRED's API: observations, with vintages for the series that are revised.

A series that is hardly ever revised is asked for once, as it is now, and each value becomes usable by the lag table. A
revised series is asked for with all its vintages: each value then carries the first day on which it was current.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

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
from pas_lib.sources.envelope import read_json
from pas_lib.sources.fred_lags import lag_day

if TYPE_CHECKING:
    pass

UNREVISED = (
    "VIXCLS",
    "DEXUSEU",
    "DGS1MO",
    "DGS5",
    "DGS10",
    "DGS30",
    "DTB3",
    "FEDFUNDS",
    "TB3MS",
    "UMCSENT",
)
REVISED = ("CPIAUCSL", "UNRATE", "GDPC1", "INDPRO")
SERIES = (*UNREVISED, *REVISED)

_EARLIEST, _LATEST = "1776-07-04", "9999-12-31"
_LIMIT = 100_000
_EPOCH = date(1970, 1, 1)

#: How far back unrevised values are asked for again.
_LOOK_BACK = timedelta(days=30)


class Fred(Source):
    """``/fred/series/observations``."""

    name = "fred"
    site = "fred"
    host = "https://api.stlouisfed.org"
    profiles = frozenset({"sandbox", "subscribed"})
    key_setting = "fred_api_key"
    sandbox_key = "sandbox0" * 4
    accepts = frozenset({400})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per series."""
        base = base_url(self, ask.settings)
        url = f"{base}/series/observations" if base.endswith("/fred") else f"{base}/fred/series/observations"
        for series_id in ask.items or SERIES:
            since = ask.starts.get(series_id)
            params = {
                "series_id": series_id,
                "file_type": "json",
                "limit": str(_LIMIT),
                "api_key": key_of(self, ask.settings),
            }
            context = {"series_id": series_id}
            if series_id in REVISED:
                start = since.isoformat() if since else _EARLIEST
                params |= {"realtime_start": start, "realtime_end": _LATEST}
                if since:
                    context["window_start"] = start
            elif since:
                params["observation_start"] = (since - _LOOK_BACK).isoformat()
            yield Request(self.name, ask.dataset, series_id, url, params=params, context=context)

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page; for a series without vintages the same question without them."""
        document = self._document(payload)
        if "error_code" in document:
            if "ALFRED" in str(document["error_message"]) and "realtime_start" in request.params:
                dropped = ("realtime_start", "realtime_end", "output_type")
                params = {k: v for k, v in request.params.items() if k not in dropped}
                return Request(
                    request.source,
                    request.dataset,
                    request.label,
                    request.url,
                    params,
                    request.headers,
                    request.context,
                )
            return None
        reached = int(document["offset"]) + len(document["observations"])
        if document["observations"] and reached < int(document["count"]):
            return request.with_params(offset=str(reached))
        return None

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is one of the API's JSON answers."""
        head = body[:400].lstrip()
        return head.startswith((b"{", b"[")) and any(
            word in body[:600] for word in (b'"realtime_start"', b'"error_code"', b'"observations"', b'"seriess"')
        )

    def check(self, payload: Payload) -> None:
        """Refuse errors, except that the series is not known."""
        document = self._document(payload)
        if "error_code" in document and "series does not exist" not in str(document.get("error_message")):
            raise payload.error(f"{document['error_code']} {document.get('error_message')}")

    def _document(self, payload: Payload) -> dict[str, Any]:
        document = read_json(payload)
        if not isinstance(document, dict):
            raise payload.error(f"a {type(document).__name__} came instead of an object")
        if "error_code" in document:
            return document
        if not isinstance(document.get("observations"), list):
            found = ", ".join(list(document)[:6])
            raise payload.error(f"not a list of observations but {found}", field_name="observations")
        for name in ("count", "offset"):
            if not isinstance(document.get(name), int):
                raise payload.error("missing", field_name=name)
        rows = document["observations"]
        if not rows and not document["offset"]:
            raise payload.error("the list is empty", field_name="observations")
        for name in ("date", "value", "realtime_start"):
            if rows and name not in rows[0]:
                raise payload.error("missing", field_name=f"observations.{name}")
        return document

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per period and vintage; periods without a value are left out."""
        document = self._document(payload)
        series_id = payload.context.get("series_id")
        if "error_code" in document:
            message = str(document.get("error_message"))
            if "ALFRED" in message and payload.status == 400:
                return []
            if "series does not exist" in message and payload.status == 400:
                return [Batch("macro_series", missing=True, note=f"{payload.label} is not known")]
            raise payload.error(f"{document['error_code']} {message}")
        rows = document["observations"]
        initial = document.get("output_type") == 4
        snapshot = not initial and document.get("realtime_start") == document.get("realtime_end")
        window_start = payload.context.get("window_start", "")
        days: list[date] = []
        values: list[float] = []
        starts: list[date | None] = []
        rejects: list[Reject] = []
        mentioned: list[dict[str, Any]] = []
        lagged = snapshot and bool(rows) and series_id is not None and lag_day(series_id, date(2020, 1, 1)) is not None
        for row in rows:
            try:
                text, start = row["value"], row["realtime_start"]
                if text == "." or (window_start and start <= window_start):
                    # At the beginning of a window the API shows what held already, under the window's own date.
                    continue
                day = date.fromisoformat(row["date"])
                value = float(text)
            except KeyError as error:
                raise payload.error("missing", field_name=f"observations.{error.args[0]}") from None
            except (TypeError, ValueError):
                rejects.append(Reject(row, "date or value cannot be read"))
                mentioned += _mentioned(row, series_id, lagged=lagged)
                continue
            days.append(day)
            values.append(value)
            starts.append(lag_day(series_id or "", day) if lagged else date.fromisoformat(start))
        vintage = "initial" if initial else "lag_rule" if lagged else "alfred"
        table = pa.table(
            {
                "event_date": pa.array(days, pa.date32()),
                "series_id": pa.array([series_id] * len(days), pa.string()),
                "value": pa.array(values, pa.float64()),
                "realtime_start": pa.array(starts, pa.date32()),
                "vintage": pa.array([vintage] * len(days), pa.string()),
            }
        )
        whole = days and not window_start and len(rows) == int(document["count"])
        scopes = [{"series_id": series_id, "scope_start": min(days), "scope_end": max(days)}] if whole else []
        note = "" if days else f"nothing new for {payload.label}"
        return [Batch("macro_series", table=table, scopes=scopes, mentioned=mentioned, rejects=rejects, note=note)]


def _mentioned(row: dict[str, Any], series_id: str | None, *, lagged: bool) -> list[dict[str, Any]]:
    """Return the key of an observation that cannot be read; nothing is concluded about the one that is known."""
    try:
        day = date.fromisoformat(row["date"])
        start = lag_day(series_id or "", day) if lagged else date.fromisoformat(row["realtime_start"])
    except (TypeError, ValueError, KeyError):
        return []
    return [{"series_id": series_id, "event_date": day, "realtime_start": start}]


SOURCE = Fred()
