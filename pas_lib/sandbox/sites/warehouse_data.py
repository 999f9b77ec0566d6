"""Market data beside a paper broker on the warehouse: raw daily bars and corporate actions of known sessions."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pas_lib import clock as calendar
from pas_lib.clock import Clock
from pas_lib.sandbox.broker_stream import API_KEY, API_SECRET
from pas_lib.sandbox.sites.base import reply
from pas_lib.sandbox.warehouse_market import WarehouseMarket


class WarehouseData:
    """``/v2/stocks/bars`` (raw, daily) and ``/v1/corporate-actions``, in one page.

    Parameters
    ----------
    market : WarehouseMarket
        Where they come from.
    clock : Clock
        What time it is: later sessions are not told.
    """

    def __init__(self, market: WarehouseMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        headers, query = request.headers, request.query_params
        if headers.get("apca-api-key-id") != API_KEY or headers.get("apca-api-secret-key") != API_SECRET:
            return reply({"message": "forbidden."}, 403)
        path = request.path_params["path"].strip("/")
        symbols = [s.strip() for s in query.get("symbols", "").split(",") if s.strip()]
        today = self._clock.now().astimezone(calendar.NY).date()
        try:
            start = date.fromisoformat(query["start"][:10]) if "start" in query else today
            end = min(today, date.fromisoformat(query["end"][:10]) if "end" in query else today)
        except ValueError as error:
            return reply({"message": f"invalid time: {error}"}, 400)
        if path == "v2/stocks/bars":
            if query.get("adjustment", "raw") != "raw" or query.get("timeframe", "1Day") not in ("1Day", "1D"):
                return reply({"message": "only raw daily bars are served here"}, 400)
            return reply({"bars": self._bars(symbols, start, end), "next_page_token": None})
        if path == "v1/corporate-actions":
            return reply({"corporate_actions": self._actions(set(symbols), start, end), "next_page_token": None})
        return reply({"message": "endpoint not found."}, 404)

    def _bars(self, symbols: list[str], start: date, end: date) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for session in calendar.sessions(start, end):
            stamp = calendar.ny_midnight(session).strftime("%Y-%m-%dT%H:%M:%SZ")
            for symbol in sorted(symbols):
                bar = self._market.bar(symbol, session)
                if bar is not None:
                    found.setdefault(symbol, []).append(
                        {"t": stamp, "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": 0}
                    )
        return found

    def _actions(self, symbols: set[str], start: date, end: date) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for action in self._market.corporate_actions("", start, end):
            if symbols and action.symbol not in symbols:
                continue
            day = action.ex_date.isoformat()
            if action.kind == "split":
                ratio = Fraction(str(action.ratio))
                kind = "forward_splits" if ratio > 1 else "reverse_splits"
                row: dict[str, float] = {"new_rate": ratio.numerator, "old_rate": ratio.denominator}
            else:
                kind, row = "cash_dividends", {"rate": action.amount}
            found.setdefault(kind, []).append({"symbol": action.symbol, "ex_date": day, "process_date": day, **row})
        return found
