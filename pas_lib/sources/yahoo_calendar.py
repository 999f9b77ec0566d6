"""Yahoo Finance's calendar of events: when a company's earnings are expected, as shown when fetched.

A day the company announced is one day; the site's own estimate is one or a span of days. No past: a date is known from
its fetch on, and the next one replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from pas_lib.clock import NY
from pas_lib.sources.base import Ask, Batch, Payload, Request, base_url
from pas_lib.sources.yahoo_chart import to_yahoo
from pas_lib.sources.yahoo_summary import YahooSummary

_MODULE = "calendarEvents"


class YahooCalendar(YahooSummary):
    """``/v10/finance/quoteSummary/{symbol}?modules=calendarEvents``."""

    name = "yahoo_calendar"
    profiles = frozenset({"sandbox", "subscribed"})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per symbol; none about the past."""
        if ask.end is not None and ask.end < ask.now.astimezone(NY).date():
            return
        base = base_url(self, ask.settings)
        for symbol in ask.items:
            yield Request(
                self.name,
                ask.dataset,
                symbol,
                f"{base}/v10/finance/quoteSummary/{quote(to_yahoo(symbol), safe='')}",
                params={"modules": _MODULE, "formatted": "false"},
                context={"symbol": symbol},
            )

    def parse(self, payload: Payload) -> list[Batch]:
        """Return the next date of earnings, or nothing where none is shown."""
        result = self._result(payload)
        symbol = payload.context.get("symbol")
        if symbol is None:
            raise payload.error("the payload does not say whose it is, and neither does its name")
        if result is None:
            return [Batch("filings", missing=True, note=f"{symbol} is unknown or delisted")]
        module = result.get(_MODULE)
        if module is None:
            others = [name for name in result if name != "maxAge"]
            if others:
                raise payload.error(f"came with {', '.join(others)} instead", field_name=_MODULE)
            module = {}
        # Whatever was shown before is not shown any more.
        scopes = [{"entity": symbol, "kind": "earnings_date"}]
        if not module:
            return [Batch("filings", scopes=scopes, note=f"nothing about {symbol}")]
        earnings = module.get("earnings")
        if not isinstance(earnings, dict) or not isinstance(earnings.get("earningsDate"), list):
            raise payload.error("missing", field_name=f"{_MODULE}.earnings.earningsDate")
        try:
            days = sorted(_day(value) for value in earnings["earningsDate"])
        except (ValueError, TypeError, OverflowError) as error:
            raise payload.error(str(error), field_name=f"{_MODULE}.earnings.earningsDate") from None
        if not days:
            return [Batch("filings", scopes=scopes, note=f"no date of earnings of {symbol}")]
        record = {
            "event_date": days[0],
            "entity": symbol,
            "kind": "earnings_date",
            "accession": "",
            "symbol": symbol,
            "expected_from": days[0],
            "expected_to": days[-1],
            # Answers without the mark are older; a span is an estimate in any case.
            "is_estimate": bool(earnings.get("isEarningsDateEstimate", len(days) > 1)) or len(days) > 1,
        }
        return [Batch("filings", records=[record], scopes=scopes)]


def _day(value: Any) -> date:
    """Return New York's day of seconds since 1970, plain or within ``raw``."""
    if isinstance(value, dict):
        value = value.get("raw")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 4e9:
        raise ValueError(f"{value!r} is not a time")
    return datetime.fromtimestamp(int(value), UTC).astimezone(NY).date()


SOURCE = YahooCalendar()
