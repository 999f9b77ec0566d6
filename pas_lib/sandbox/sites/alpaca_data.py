"""Alpaca's market data: daily bars and corporate actions."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.clock import new_york_midnight
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.world import CorporateAction

KEY, SECRET = "SANDBOX", "sandbox-secret"
ADJUSTMENTS: Final = ("raw", "split", "dividend", "spin-off", "all")
FEEDS: Final = ("sip", "iex", "boats", "otc")
ANNOUNCED: Final = timedelta(days=7)
_NAMESPACE: Final = uuid.UUID("6f0b6a36-6a0c-4a56-9d4e-0a6d5a2a8f10")
KINDS: Final = {
    "cash_dividend": "cash_dividends",
    "forward_split": "forward_splits",
    "reverse_split": "reverse_splits",
    "name_change": "name_changes",
    "cash_merger": "cash_mergers",
    "worthless_removal": "worthless_removals",
}


class AlpacaData:
    """``/v2/stocks/bars``, ``/v2/stocks/{symbol}/bars`` and ``/v1/corporate-actions``."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        headers = request.headers
        if headers.get("apca-api-key-id") != KEY or headers.get("apca-api-secret-key") != SECRET:
            return reply({"message": "forbidden."}, 403)
        parts = request.path_params["path"].strip("/").split("/")
        query = dict(request.query_params)
        try:
            if parts == ["v2", "stocks", "bars"]:
                return reply(self._bars(query))
            if len(parts) == 4 and parts[:2] == ["v2", "stocks"] and parts[3] == "bars":
                found = self._bars({**query, "symbols": parts[2]})
                return reply(
                    {
                        "bars": found["bars"].get(parts[2], []),
                        "symbol": parts[2],
                        "next_page_token": found["next_page_token"],
                    }
                )
            if parts == ["v1", "corporate-actions"]:
                return reply(self._actions(query))
        except ValueError as error:
            return reply({"message": str(error)}, 400)
        return reply({"message": "endpoint not found."}, 404)

    def _bars(self, query: dict[str, str]) -> dict[str, Any]:
        symbols = sorted({s.strip() for s in query.get("symbols", "").split(",") if s.strip()})
        if not symbols:
            raise ValueError("symbols is required")
        if query.get("timeframe", "1Day") not in ("1Day", "1D", "Day"):
            raise ValueError(f"invalid timeframe: {query.get('timeframe')}")
        adjustment = query.get("adjustment", "raw")
        if adjustment not in ADJUSTMENTS:
            raise ValueError(f"invalid adjustment: {adjustment}")
        if query.get("feed", "sip") not in FEEDS:
            raise ValueError(f"invalid feed: {query['feed']}")
        limit = _limit(query, 1000, 10000)
        now = self.context.now
        world, grid = self.context.world, self.context.world.grid
        first = _moment(query.get("start"), new_york_midnight(self.context.today))
        last = _moment(query.get("end"), now)
        closed = world.bars_at(now)
        is_running = closed < len(grid) and now >= grid.open_at(closed)
        starts = self._midnights[: closed + is_running]
        low = int(np.searchsorted(starts, int(first.timestamp()), side="left"))
        high = int(np.searchsorted(starts, int(last.timestamp()), side="right"))
        asof = query.get("asof", "")
        descending = query.get("sort", "asc") == "desc"
        token = _decode(query.get("page_token"))
        bars: dict[str, list[dict[str, Any]]] = {}
        left, taken = limit, 0
        for symbol in symbols:
            if token and symbol < token[0]:
                continue
            day = date.fromisoformat(asof) if asof not in ("", "-") else self.context.today
            listing = world.listing(symbol, day)
            if listing is None:  # the last owner of a symbol that is gone
                owners = [
                    x
                    for x in world.roster.listings
                    if any(s.symbol == symbol and s.end and s.end < day for s in x.spells) and x.delisted
                ]
                listing = owners[-1] if owners else None
            if listing is None:
                continue
            row, m = listing.row, world.market
            at = np.arange(low, high)
            at = at[~np.isnan(m.close[row, at])]
            if asof == "-":
                spell = next(s for s in listing.spells if s.symbol == symbol)
                at = at[[spell.covers(grid.day(int(i))) for i in at]]
            if descending:
                at = at[::-1]
            if token and symbol == token[0]:
                at = at[at < token[1]] if descending else at[at > token[1]]
            scale = self._scale(row, adjustment, world.bars_at(now))
            for i in at.tolist():
                if left == 0:
                    return {"bars": bars, "next_page_token": _encode(next(reversed(bars)), taken)}
                bars.setdefault(symbol, []).append(
                    self._bar(row, i, float(scale[i]), float(m.factors[row, i]), adjustment, is_running=i >= closed)
                )
                taken = i
                left -= 1
        return {"bars": bars, "next_page_token": None}

    @cached_property
    def _midnights(self) -> NDArray[np.int64]:
        grid = self.context.world.grid
        return np.array([int(new_york_midnight(grid.day(i)).timestamp()) for i in range(len(grid))], dtype=np.int64)

    def _scale(self, row: int, adjustment: str, closed: int) -> NDArray[np.float64]:
        m, grid = self.context.world.market, self.context.world.grid
        scale = np.ones(len(grid))
        today = int(np.searchsorted(grid.days, self.context.today.toordinal(), side="right"))
        if adjustment in ("split", "all"):
            scale *= m.factors[row] / m.factors[row, max(today - 1, 0)]
        if adjustment in ("dividend", "all"):
            close = m.close[row]
            factor = np.ones(len(grid))
            for t in np.flatnonzero((m.dividends[row] + m.gains[row])[:closed]):
                known = close[: int(t)] * m.factors[row, : int(t)]
                known = known[~np.isnan(known)]
                if known.size:
                    cash = (m.dividends[row, t] + m.gains[row, t]) * m.factors[row, t]
                    factor[int(t)] = 1.0 - cash / known[-1]
            scale *= np.append(np.cumprod(factor[::-1])[::-1][1:], 1.0)
        return scale

    def _bar(
        self, row: int, at: int, scale: float, factor: float, adjustment: str, *, is_running: bool
    ) -> dict[str, Any]:
        m = self.context.world.market
        # The running day's bar is partial: at the open it knows the open.
        prices = (m.open,) * 4 if is_running else (m.open, m.high, m.low, m.close)
        o, h, low, c = (float(round(v[row, at] * scale, 4)) for v in prices)
        volume = 0.0 if is_running else float(m.volume[row, at])
        if adjustment in ("split", "all"):
            today = int(np.searchsorted(self.context.world.grid.days, self.context.today.toordinal(), side="right"))
            volume = volume * float(m.factors[row, max(today - 1, 0)]) / factor
        stamp = datetime.fromtimestamp(int(self._midnights[at]), UTC)
        return {
            "t": stamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "o": _plain(o),
            "h": _plain(h),
            "l": _plain(low),
            "c": _plain(c),
            "v": round(volume),
            "n": max(1, round(volume / 71)),
            "vw": round((o + h + low + c) / 4, 6),
        }

    def _actions(self, query: dict[str, str]) -> dict[str, Any]:
        today = self.context.today
        symbols = {s.strip() for s in query.get("symbols", "").split(",") if s.strip()}
        types = {t.strip() for t in query.get("types", "").split(",") if t.strip()} or set(KINDS)
        start = date.fromisoformat(query["start"][:10]) if query.get("start") else today
        end = date.fromisoformat(query["end"][:10]) if query.get("end") else today
        limit = _limit(query, 100, 1000)
        world = self.context.world
        rows: list[tuple[date, str, str, dict[str, Any]]] = []
        for item in world.roster.listings:
            for action in world.actions_of(item.row):
                if symbols and action.symbol not in symbols and action.new_symbol not in symbols:
                    continue
                told = action.ex_date if action.kind == "delisting" else action.ex_date - ANNOUNCED
                if told > today or not start <= action.ex_date <= end:
                    continue
                kind, row = self._action(action, item.row)
                if kind in types:
                    rows.append((action.ex_date, action.symbol, kind, row))
        rows.sort(key=lambda r: (r[0], r[1], r[2]), reverse=query.get("sort", "asc") == "desc")
        token = _decode(query.get("page_token"))
        offset = token[1] if token else 0
        page = rows[offset : offset + limit]
        grouped: dict[str, list[dict[str, Any]]] = {}
        for _, _, kind, row in page:
            grouped.setdefault(KINDS[kind], []).append(row)
        more = offset + limit < len(rows)
        return {"corporate_actions": grouped, "next_page_token": _encode("actions", offset + limit) if more else None}

    def _action(self, action: CorporateAction, row: int) -> tuple[str, dict[str, Any]]:
        day = action.ex_date.isoformat()
        later = (action.ex_date + timedelta(days=14)).isoformat()
        cusip = f"9{row:05d}10{row % 10}"
        base = {
            "id": str(uuid.uuid5(_NAMESPACE, f"{action.kind} {action.symbol} {day}")),
            "symbol": action.symbol,
            "process_date": day,
        }
        if action.kind in ("dividend", "capital_gain"):
            return "cash_dividend", {
                **base,
                "cusip": cusip,
                "ex_date": day,
                "foreign": False,
                "payable_date": later,
                "process_date": later,
                "rate": action.amount,
                "record_date": day,
                "special": action.kind == "capital_gain",
            }
        if action.kind == "split":
            new, old = action.numerator, action.denominator
            if new > old:
                return "forward_split", {
                    **base,
                    "cusip": cusip,
                    "due_bill_redemption_date": day,
                    "ex_date": day,
                    "new_rate": new,
                    "old_rate": old,
                    "payable_date": day,
                    "record_date": day,
                }
            return "reverse_split", {
                **base,
                "old_cusip": cusip,
                "new_cusip": f"8{row:05d}20{row % 10}",
                "ex_date": day,
                "new_rate": new,
                "old_rate": old,
                "record_date": day,
            }
        if action.kind == "rename":
            return "name_change", {
                "id": base["id"],
                "old_symbol": action.symbol,
                "new_symbol": action.new_symbol,
                "old_cusip": cusip,
                "new_cusip": cusip,
                "process_date": day,
            }
        if action.amount > 0:
            return "cash_merger", {
                "id": base["id"],
                "acquiree_symbol": action.symbol,
                "acquiree_cusip": cusip,
                "effective_date": day,
                "payable_date": day,
                "process_date": day,
                "rate": action.amount,
            }
        return "worthless_removal", {**base, "cusip": cusip}


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _limit(query: dict[str, str], default: int, most: int) -> int:
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise ValueError(f"limit must be between 1 and {most}")
    return limit


def _moment(text: str | None, default: datetime) -> datetime:
    if not text:
        return default
    try:
        if len(text) == 10:
            return new_york_midnight(date.fromisoformat(text))
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise ValueError(f"invalid time: {text}") from error
    return at if at.tzinfo else at.replace(tzinfo=NY)


def _encode(name: str, number: int) -> str:
    return base64.urlsafe_b64encode(f"{name}|{number}".encode()).decode()


def _decode(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        name, _, number = base64.urlsafe_b64decode(token.encode()).decode().rpartition("|")
        return name, int(number)
    except ValueError as error:
        raise ValueError("invalid page_token") from error
