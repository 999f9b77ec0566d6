"""Payloads in Yahoo's chart format for invented symbols."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

from pas_lib.clock import NY


def stamp(day: date) -> int:
    return int(datetime.combine(day, time(9, 30), NY).timestamp())


def chart(
    symbol: str,
    bars: Sequence[tuple[date, float | None]],
    *,
    splits: Mapping[date, tuple[float, float]] | None = None,
    dividends: Mapping[date, float] | None = None,
    volume: float = 1000.0,
) -> bytes:
    """Return a chart payload: closes as Yahoo states them (already in today's shares)."""
    closes = [close for _, close in bars]
    result: dict[str, object] = {
        "meta": {
            "currency": "USD",
            "symbol": symbol.replace(".", "-"),
            "exchangeTimezoneName": "America/New_York",
            "instrumentType": "EQUITY",
            "dataGranularity": "1d",
        },
        "indicators": {
            "quote": [
                {
                    "open": closes,
                    "high": [c if c is None else c * 1.02 for c in closes],
                    "low": [c if c is None else c * 0.98 for c in closes],
                    "close": closes,
                    "volume": [None if c is None else volume for c in closes],
                }
            ]
        },
    }
    if bars:
        result["timestamp"] = [stamp(day) for day, _ in bars]
    else:
        result["indicators"] = {"quote": [{}]}
    events: dict[str, object] = {}
    if splits:
        events["splits"] = {
            str(stamp(day)): {"date": stamp(day), "numerator": n, "denominator": d, "splitRatio": f"{n}:{d}"}
            for day, (n, d) in splits.items()
        }
    if dividends:
        events["dividends"] = {
            str(stamp(day)): {"amount": amount, "date": stamp(day)} for day, amount in dividends.items()
        }
    if events:
        result["events"] = events
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


NOT_FOUND = (
    b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}'
)
