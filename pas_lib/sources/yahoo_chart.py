"""Yahoo Finance chart API: daily bars, splits and distributions per symbol.

Yahoo states prices, volumes and dividends in today's shares. The splits of the same payload undo that, so every request
ends now: a payload that ended earlier would lack the splits since, and its prices could not be undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pas_lib import clock
from pas_lib.sources.base import (
    UNKNOWN_TIME,
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
)
from pas_lib.sources.envelope import yahoo_results

_CLASS_SHARE = re.compile(r"^([A-Z]{1,5})-([A-Z])$")
_EPOCH = date(1970, 1, 1)
_INDEX_SYMBOLS = ("^GSPC",)
_COLUMNS = ("open", "high", "low", "close", "volume")


def to_yahoo(symbol: str) -> str:
    """Return Yahoo's spelling of a canonical symbol: ``BRK.B`` -> ``BRK-B``."""
    return symbol.replace(".", "-")


def from_yahoo(symbol: str) -> str:
    """Return the canonical spelling of a Yahoo symbol: ``BRK-B`` -> ``BRK.B``; ``BTC-USD`` stays."""
    found = _CLASS_SHARE.match(symbol)
    return f"{found[1]}.{found[2]}" if found else symbol


class YahooChart(Source):
    """``/v8/finance/chart/{symbol}``."""

    name = "yahoo_chart"
    site = "yahoo"
    host = "https://query1.finance.yahoo.com"
    accepts = frozenset({404})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per symbol, from its start to now."""
        base = base_url(self, ask.settings)
        items = _INDEX_SYMBOLS if ask.dataset == "sp500_index" else ask.items
        for symbol in items:
            start = datetime.combine(ask.start_of(symbol), time(0), UTC)
            yield Request(
                source=self.name,
                dataset=ask.dataset,
                label=symbol,
                url=f"{base}/v8/finance/chart/{quote(to_yahoo(symbol), safe='')}",
                params={
                    "interval": "1d",
                    "period1": str(int(start.timestamp())),
                    "period2": str(int(ask.now.timestamp())),
                    "includePrePost": "false",
                    "events": "div,splits,capitalGains",
                },
                context={"symbol": symbol, "start": ask.start_of(symbol).isoformat()},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a chart envelope or one of Yahoo's error envelopes."""
        head = body[:400].lstrip()
        return head.startswith(b"{") and (b'"chart"' in head or b'"finance"' in head or b'"quoteSummary"' in head)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a chart envelope."""
        self._result(payload)

    def _result(self, payload: Payload) -> dict[str, Any] | None:
        results = yahoo_results(payload, "chart", "a chart")
        if results is None:
            return None
        if not results or "meta" not in results[0]:
            raise payload.error("no result", field_name="chart.result")
        result: dict[str, Any] = results[0]
        _check_columns(payload, result)
        return result

    def parse(self, payload: Payload) -> list[Batch]:
        """Return bars (and, for prices, corporate actions) as traded.

        Bars that have not closed at the time of fetching, bars without a close and the second of two bars of one day
        are dropped.
        """
        result = self._result(payload)
        dataset = payload.dataset if payload.dataset != "corporate_actions" else "prices"
        if result is None:
            label = payload.context.get("symbol", payload.label)
            return [Batch(dataset, missing=True, note=f"{label} is unknown or delisted")]
        meta = result["meta"]
        for name in ("symbol", "currency", "exchangeTimezoneName"):
            if not meta.get(name):
                raise payload.error("missing", field_name=f"meta.{name}")
        symbol = payload.context.get("symbol") or from_yahoo(meta["symbol"])
        zone = ZoneInfo(meta["exchangeTimezoneName"])
        stamps = result.get("timestamp")
        if not stamps:
            none = [Batch(dataset, note=f"no bars for {symbol}")]
            return [*none, Batch("corporate_actions")] if dataset == "prices" else none
        if meta.get("dataGranularity", "1d") != "1d":
            raise payload.error(f"{meta['dataGranularity']!r} bars came, daily ones were expected", field_name="meta")
        quote_columns = result["indicators"]["quote"][0]
        try:
            columns = {name: np.array(quote_columns[name], dtype=np.float64) for name in _COLUMNS}
        except (TypeError, ValueError):
            raise payload.error("a value is no number", field_name="indicators.quote") from None
        seconds = np.array(stamps, dtype=np.int64)
        days = _local_days(seconds, zone)
        splits, actions, rejects = _events(result.get("events") or {}, zone, symbol, meta["currency"])

        # Two bars of one day: the second is a live one, stamped at the last trade.
        valid = np.isfinite(columns["close"])
        closed = days <= _last_closed(payload.fetched_at, zone)
        first = np.zeros(len(days), dtype=bool)
        index = np.flatnonzero(valid & closed)
        first[index[np.unique(days[index], return_index=True)[1]]] = True
        factor = np.ones(len(days))
        for day, ratio in splits:
            factor[days < day] *= ratio
        keep = np.flatnonzero(first)
        keep = keep[np.argsort(days[keep], kind="stable")]
        kept_days, scale = days[keep], factor[keep]
        table = pa.table(
            {
                "event_date": pa.array(kept_days.astype(np.int32), pa.int32()).cast(pa.date32()),
                "symbol": pa.repeat(symbol, len(keep)),
                **{
                    name: pa.array(columns[name][keep] * scale, from_pandas=True)
                    for name in ("open", "high", "low", "close")
                },
                "volume": pa.array(columns["volume"][keep] / scale, from_pandas=True),
                "currency": pa.repeat(meta["currency"], len(keep)),
                "split_factor": pa.array(scale),
            }
        )
        empty = np.setdiff1d(days[closed & ~valid], kept_days)
        mentioned = [{"symbol": symbol, "event_date": _date(day)} for day in empty]
        # Before its first bar a payload says nothing: the symbol may have belonged to another company.
        scopes = []
        if len(keep):
            bounds = {"scope_start": _date(kept_days[0]), "scope_end": _date(kept_days[-1])}
            scopes = [{"symbol": symbol, **bounds}]
        bars = Batch(dataset, table=table, scopes=scopes, mentioned=mentioned)
        if dataset != "prices":
            return [bars]
        today = _last_started(payload.fetched_at, zone)
        events = Batch(
            "corporate_actions",
            records=[row for row in actions if row["event_date"] <= today],
            scopes=[dict(scope) for scope in scopes],
            rejects=rejects,
        )
        return [bars, events]


def _check_columns(payload: Payload, result: dict[str, Any]) -> None:
    """Refuse a result whose columns are not parallel to its time stamps."""
    stamps = result.get("timestamp")
    indicators = result.get("indicators")
    quotes = indicators.get("quote") if isinstance(indicators, dict) else None
    columns = quotes[0] if isinstance(quotes, list) and quotes and isinstance(quotes[0], dict) else None
    if columns is None:
        raise payload.error("missing", field_name="indicators.quote")
    if not stamps:
        # A symbol without bars has neither stamps nor columns; columns alone mean that a name has changed.
        if any(columns.values()):
            raise payload.error("missing", field_name="timestamp")
        return
    for name in _COLUMNS:
        values = columns.get(name)
        if values is None:
            raise payload.error("missing", field_name=f"indicators.quote.{name}")
        if len(values) != len(stamps):
            raise payload.error(
                f"{len(values)} values for {len(stamps)} time stamps", field_name=f"indicators.quote.{name}"
            )


def _date(day: Any) -> date:
    return _EPOCH + timedelta(days=int(day))


def _local_days(seconds: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Return days since 1970 in the exchange's own time."""
    if zone.key == "UTC" or len(seconds) == 0:
        return seconds // 86_400
    # Stamps are session opens: the offset is looked up once per day, not once per bar of one.
    offsets = np.array(
        [_offset(int(s), zone.key) for s in (seconds // 86_400).tolist()],
        dtype=np.int64,
    )
    return (seconds + offsets) // 86_400


_offsets: dict[tuple[int, str], int] = {}


def _offset(day: int, key: str) -> int:
    """Return the offset from UTC in seconds at noon UTC of a day."""
    found = _offsets.get((day, key))
    if found is None:
        moment = datetime.fromtimestamp(day * 86_400 + 43_200, ZoneInfo(key))
        shift = moment.utcoffset()
        found = _offsets[(day, key)] = int(shift.total_seconds()) if shift else 0
    return found


def _last_closed(now: datetime, zone: ZoneInfo) -> int:
    """Return the last day (since 1970) whose bar is complete at ``now``."""
    if now == UNKNOWN_TIME:
        return 2**31 - 1
    if zone.key == clock.NY.key:
        session = clock.session_on_or_before(now.astimezone(clock.NY).date())
        if clock.session_close(session) > now:
            session = clock.previous_session(session)
        return (session - _EPOCH).days
    return (now.astimezone(zone).date() - _EPOCH).days - 1


def _last_started(now: datetime, zone: ZoneInfo) -> date:
    return date.max if now == UNKNOWN_TIME else now.astimezone(zone).date()


def _events(
    events: dict[str, Any], zone: ZoneInfo, symbol: str, currency: str
) -> tuple[list[tuple[int, float]], list[dict[str, Any]], list[Reject]]:
    """Return splits as (day, ratio), all actions as records in shares of their day, and what could not be read."""
    rejects: list[Reject] = []

    def dated(kind: str) -> list[tuple[int, dict[str, Any]]]:
        entries = []
        for entry in (events.get(kind) or {}).values():
            if not isinstance(entry, dict) or not isinstance(entry.get("date"), int | float):
                rejects.append(Reject({"symbol": symbol, "event": entry}, f"{kind}: no date"))
                continue
            entries.append((int(_local_days(np.array([int(entry["date"])]), zone)[0]), entry))
        return sorted(entries, key=lambda pair: pair[0])

    actions: list[dict[str, Any]] = []
    splits: list[tuple[int, float]] = []
    for day, entry in dated("splits"):
        new, old = entry.get("numerator"), entry.get("denominator")
        if not isinstance(new, int | float) or not isinstance(old, int | float) or new <= 0 or old <= 0:
            rejects.append(Reject({"symbol": symbol, "event": entry}, "splits: no ratio"))
            continue
        splits.append((day, new / old))
        actions.append({"event_date": _date(day), "symbol": symbol, "action": "split", "ratio": new / old})
    for kind, action in (("dividends", "dividend"), ("capitalGains", "capital_gain")):
        for day, entry in dated(kind):
            amount = entry.get("amount")
            if not isinstance(amount, int | float):
                rejects.append(Reject({"symbol": symbol, "event": entry}, f"{kind}: no amount"))
                continue
            scale = float(np.prod([ratio for split_day, ratio in splits if split_day > day]))
            actions.append(
                {
                    "event_date": _date(day),
                    "symbol": symbol,
                    "action": action,
                    "amount": amount * scale,
                    "currency": entry.get("currency") or currency,
                }
            )
    seen: dict[tuple[Any, ...], int] = {}
    for row in actions:
        slot = (row["action"], row["event_date"])
        row["ordinal"] = seen.get(slot, 0)
        seen[slot] = row["ordinal"] + 1
    return splits, actions, rejects


SOURCE = YahooChart()
