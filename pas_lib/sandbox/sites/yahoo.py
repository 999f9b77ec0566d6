"""Yahoo's chart endpoint: prices adjusted for the splits known at the time of asking."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from pas_lib import clock as calendar
from pas_lib.clock import NY
from pas_lib.sandbox.roster import DOUBLE_ROW, INDEX_SYMBOL, Listing
from pas_lib.sandbox.sites.base import Context, nameless, reply

MIME: Final = "application/json;charset=utf-8"
RANGES: Final = {"1d": 1, "5d": 5, "1mo": 31, "3mo": 92, "6mo": 183, "1y": 366, "2y": 731, "5y": 1827, "10y": 3653}
VALID: Final = [*RANGES, "ytd", "max"]
FINER: Final = {"1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h"}
LINGER: Final = timedelta(days=3)  # so long a delisted symbol is still served
Array = NDArray[np.float64]


class YahooChart:
    """``/v8/finance/chart/{symbol}``."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._gmt: dict[date, tuple[int, str]] = {}

    async def chart(self, request: Request) -> Response:
        """Answer one chart request."""
        if nameless(request):
            return reply("Too Many Requests\r\n", 429, "text/plain")
        symbol = request.path_params["symbol"]
        now, today = self.context.now, self.context.today
        listing = None if symbol == INDEX_SYMBOL else self._find(symbol, today)
        if symbol != INDEX_SYMBOL and listing is None:
            return _error(404, "Not Found", "No data found, symbol may be delisted")
        query = request.query_params
        interval = query.get("interval", "1d")
        if interval != "1d" and interval not in FINER:
            return _error(
                422,
                "Unprocessable Entity",
                f"Invalid input - interval={interval} is not supported. "
                f"Valid intervals: [1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 1d]",
            )
        try:
            first, last, shown = self._period(
                query.get("period1"), query.get("period2"), query.get("range"), now, today
            )
        except ValueError as error:
            return _error(400, "Bad Request", str(error))
        kinds = {part.strip().rstrip("s").lower() for part in query.get("events", "").replace("|", ",").split(",")}
        return reply(
            self._payload(symbol, listing, interval, first, last, shown, kinds, now, today),
            200,
            MIME,
            cache_control="public, max-age=10, stale-while-revalidate=20",
        )

    def _find(self, symbol: str, today: date) -> Listing | None:
        world = self.context.world
        if "." in symbol:
            return None  # the site writes share classes with a dash
        name = symbol.replace("-", ".")
        found = world.listing(name, today)
        if found is None:
            for back in range(1, LINGER.days + 4):
                before = world.listing(name, today - timedelta(days=back))
                if before is not None and before.delisted and before.delisted <= today < before.delisted + LINGER:
                    return before
        return found

    def _period(
        self, period1: str | None, period2: str | None, span: str | None, now: datetime, today: date
    ) -> tuple[int, int, str]:
        if period1 is not None:
            try:
                first, last = int(period1), int(period2) if period2 is not None else int(now.timestamp())
            except ValueError as error:
                raise ValueError("Invalid input - period1 and period2 must be numbers") from error
            if first > last:
                raise ValueError(
                    f"Invalid input - start date cannot be after end date. startDate = {first}, endDate = {last}"
                )
            return first, last, ""
        span = span or "1d"
        if span == "max":
            return 0, int(now.timestamp()), span
        if span == "ytd":
            start = date(today.year, 1, 1)
        elif span in ("1d", "5d"):
            start = today
            for _ in range(RANGES[span] - (1 if calendar.is_session(today) else 0)):
                start = calendar.previous_session(start)
        elif span in RANGES:
            start = today - timedelta(days=RANGES[span])
        else:
            raise ValueError(f"Invalid input - range={span} is not supported. Valid ranges: {VALID}")
        return int(datetime.combine(start, time(), tzinfo=NY).timestamp()), int(now.timestamp()), span

    def _payload(
        self,
        symbol: str,
        listing: Listing | None,
        interval: str,
        first: int,
        last: int,
        shown: str,
        kinds: set[str],
        now: datetime,
        today: date,
    ) -> dict[str, Any]:
        world, grid = self.context.world, self.context.world.grid
        closed = world.bars_at(now)
        opens = grid.opens[:closed]
        today_at = int(np.searchsorted(grid.days, today.toordinal(), side="right"))  # sessions begun or about to
        if listing is None:
            bars = world.market.index[:, :closed]
            scale, ratio = np.ones(closed), 1.0
            dividends = gains = np.zeros(max(today_at, 1))
            keep = np.ones(closed, dtype=bool)
        else:
            m, r = world.market, listing.row
            bars = np.vstack([v[r, :closed] for v in (m.open, m.high, m.low, m.close, m.volume)])
            ratio = float(m.factors[r, max(today_at - 1, 0)])
            scale = m.factors[r, :closed] / ratio
            dividends, gains = m.dividends[r, :today_at], m.gains[r, :today_at]
            keep = ~m.missing[r, :closed] & (~np.isnan(bars[3]) | m.halted[r, :closed])
            if listing.listed or listing.delisted:
                days = grid.days[:closed]
                keep &= days >= (listing.listed or date.min).toordinal()
                keep &= days < (listing.delisted or date.max).toordinal()
        prices = (bars[:4] * scale).astype(np.float32).astype(np.float64)
        volume = np.round(bars[4] / scale)
        asked = keep & (opens >= first) & (opens <= last)
        at = np.flatnonzero(asked)
        meta = self._meta(symbol, listing, prices, volume, now, today, int(at[0]) if at.size else None, shown, interval)
        if interval != "1d" or not at.size:
            quote: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}]}}
            if interval == "1d":
                quote["indicators"]["adjclose"] = [{}]
            return {"chart": {"result": [quote], "error": None}}
        adjusted = self._adjusted(prices[3], scale, dividends[:closed] + gains[:closed])
        stamps = opens[at]
        columns = [prices[i][at] for i in range(4)]
        volumes: list[int | None] = [None if v != v else int(v) for v in volume[at].tolist()]
        adjclose = adjusted[at]
        if listing is not None and listing.slot == DOUBLE_ROW and int(at[-1]) == closed - 1:
            stamps = np.append(stamps, grid.closes[closed - 1] + 1)  # the live row, not yet folded into the last
            columns = [np.append(c, c[-1]) for c in columns]
            volumes, adjclose = [*volumes, volumes[-1]], np.append(adjclose, adjclose[-1])
        result: dict[str, Any] = {"meta": meta, "timestamp": stamps}
        events = self._events(listing, kinds, first, last, scale, dividends, gains, today)
        if events:
            result["events"] = events
        result["indicators"] = {
            "quote": [
                {"close": columns[3], "low": columns[2], "volume": volumes, "open": columns[0], "high": columns[1]}
            ],
            "adjclose": [{"adjclose": adjclose}],
        }
        return {"chart": {"result": [result], "error": None}}

    @staticmethod
    def _adjusted(close: Array, scale: Array, cash: Array) -> Array:
        """Split- and dividend-adjusted closes: each payment scales what came before by 1 - cash / last close."""
        factor = np.ones(close.size)
        for t in np.flatnonzero(cash):
            before = close[: int(t)]
            known = before[~np.isnan(before)]
            if known.size:
                factor[int(t)] = 1.0 - cash[t] * scale[t] / known[-1]
        later = np.append(np.cumprod(factor[::-1])[::-1][1:], 1.0)
        return np.asarray((close * later).astype(np.float32), dtype=np.float64)

    def _events(
        self,
        listing: Listing | None,
        kinds: set[str],
        first: int,
        last: int,
        scale: Array,
        dividends: Array,
        gains: Array,
        today: date,
    ) -> dict[str, Any]:
        if listing is None:
            return {}
        world, grid = self.context.world, self.context.world.grid
        events: dict[str, Any] = {}
        for name, wanted, values in (("dividends", "div", dividends), ("capitalGains", "capitalgain", gains)):
            if wanted in kinds:
                found = {}
                for t in np.flatnonzero(values):
                    stamp = int(grid.opens[t])
                    if first <= stamp <= last:
                        factor = scale[t] if t < scale.size else 1.0
                        found[str(stamp)] = {"amount": round(float(values[t] * factor), 6), "date": stamp}
                if found:
                    events[name] = found
        if "split" in kinds:
            splits = {}
            for action in world.actions_of(listing.row):
                at = grid.index_of(action.ex_date)
                if (
                    action.kind == "split"
                    and action.ex_date <= today
                    and at is not None
                    and first <= grid.opens[at] <= last
                ):
                    stamp = int(grid.opens[at])
                    splits[str(stamp)] = {
                        "date": stamp,
                        "numerator": action.numerator,
                        "denominator": action.denominator,
                        "splitRatio": f"{action.numerator}:{action.denominator}",
                    }
            if splits:
                events["splits"] = splits
        return events

    def _meta(
        self,
        symbol: str,
        listing: Listing | None,
        prices: Array,
        volume: Array,
        now: datetime,
        today: date,
        begin: int | None,
        shown: str,
        interval: str,
    ) -> dict[str, Any]:
        grid = self.context.world.grid
        known = np.flatnonzero(~np.isnan(prices[3]))
        at = int(known[-1]) if known.size else None
        year = prices[:, max(0, prices.shape[1] - 252) :]
        before = known[known < begin] if begin is not None else known
        offset, zone = self._zone(today)
        name = "S&P 500" if listing is None else listing.name_on(today)
        nyse = listing is not None and listing.exchange == "NYSE"
        fund = listing is not None and listing.tier == "F"
        exchange, full = (
            ("SNP", "SNP")
            if listing is None
            else ("PCX", "NYSEArca")
            if fund
            else ("NYQ", "NYSE")
            if nyse
            else ("NMS", "NasdaqGS")
        )
        started = (
            345479400
            if listing is None
            else (
                int(calendar.session_open(listing.listed).timestamp())
                if listing.listed
                else 345479400 + 604800 * (listing.row + 200)
            )
        )
        day = calendar.session_on_or_before(today)
        if calendar.session_close(day) < now and not calendar.is_session(today):
            day = calendar.next_session(day)
        opening, closing = calendar.session_open(day), calendar.session_close(day)
        pre = datetime.combine(day, time(4), tzinfo=NY).astimezone(UTC)
        post = closing + timedelta(hours=4)

        def span(a: datetime, b: datetime) -> dict[str, Any]:
            return {"timezone": zone, "start": int(a.timestamp()), "end": int(b.timestamp()), "gmtoffset": offset}

        def figure(value: float) -> float | None:
            return round(float(value), 4) if value == value else None

        return {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": exchange,
            "fullExchangeName": full,
            "instrumentType": "INDEX" if listing is None else "ETF" if fund else "EQUITY",
            "firstTradeDate": started,
            "regularMarketTime": int(grid.closes[at]) + 1 if at is not None else started,
            "hasPrePostMarketData": listing is not None,
            "gmtoffset": offset,
            "timezone": zone,
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": figure(prices[3, at]) if at is not None else None,
            "fiftyTwoWeekHigh": figure(np.nanmax(year[1])) if at is not None and not np.isnan(year[1]).all() else None,
            "fiftyTwoWeekLow": figure(np.nanmin(year[2])) if at is not None and not np.isnan(year[2]).all() else None,
            "regularMarketDayHigh": figure(prices[1, at]) if at is not None else None,
            "regularMarketDayLow": figure(prices[2, at]) if at is not None else None,
            "regularMarketVolume": int(volume[at]) if at is not None else 0,
            "longName": name,
            "shortName": name[:31],
            "chartPreviousClose": figure(prices[3, int(before[-1])])
            if before.size
            else (figure(prices[0, begin]) if begin is not None else None),
            "priceHint": 2,
            "currentTradingPeriod": {
                "pre": span(pre, opening),
                "regular": span(opening, closing),
                "post": span(closing, post),
            },
            "dataGranularity": interval,
            "range": shown,
            "validRanges": VALID,
        }

    def _zone(self, day: date) -> tuple[int, str]:
        if day not in self._gmt:
            at = datetime.combine(day, time(12), tzinfo=NY)
            delta = at.utcoffset() or timedelta()
            self._gmt[day] = (int(delta.total_seconds()), at.tzname() or "EST")
        return self._gmt[day]


def _error(status: int, code: str, description: str) -> Response:
    return reply({"chart": {"result": None, "error": {"code": code, "description": description}}}, status, MIME)
