"""Yahoo Finance fundamentals time series: annual, quarterly and trailing figures, without filing dates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from urllib.parse import quote

import orjson

from pas_lib.sources import yahoo_facts
from pas_lib.sources.base import Ask, Batch, Payload, Request, Source, base_url, excerpt, looks_like_html
from pas_lib.sources.yahoo_chart import to_yahoo

#: What is asked for; more than some 60 types make the address too long for the site.
ANNUAL: Final = ("TotalRevenue", "NetIncome", "OperatingCashFlow", "CapitalExpenditure")
QUARTERLY: Final = (
    "TotalRevenue",
    "CostOfRevenue",
    "GrossProfit",
    "SellingGeneralAndAdministration",
    "OperatingIncome",
    "ReconciledDepreciation",
    "PretaxIncome",
    "TaxProvision",
    "NetIncome",
    "OperatingCashFlow",
    "CapitalExpenditure",
    "TotalAssets",
    "CurrentAssets",
    "CurrentLiabilities",
    "TotalLiabilitiesNetMinorityInterest",
    "StockholdersEquity",
    "RetainedEarnings",
    "LongTermDebt",
    "CurrentDebt",
    "CashAndCashEquivalents",
    "AccountsReceivable",
    "NetPPE",
    "OrdinarySharesNumber",
)
_SPAN = timedelta(days=6 * 366)


class YahooTimeseries(Source):
    """``/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}``; no crumb is needed."""

    name = "yahoo_timeseries"
    site = "yahoo"
    host = "https://query2.finance.yahoo.com"
    accepts = frozenset({404})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per symbol."""
        base = base_url(self, ask.settings)
        types = [*(f"annual{name}" for name in ANNUAL), *(f"quarterly{name}" for name in QUARTERLY)]
        for symbol in ask.items:
            written = to_yahoo(symbol)
            yield Request(
                self.name,
                ask.dataset,
                symbol,
                f"{base}/ws/fundamentals-timeseries/v1/finance/timeseries/{quote(written, safe='')}",
                params={
                    "symbol": written,
                    "type": ",".join(types),
                    "period1": str(int((ask.now - _SPAN).timestamp())),
                    "period2": str(int(ask.now.timestamp())),
                },
                context={"symbol": symbol},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a time series envelope."""
        head = body[:200].lstrip()
        return head.startswith(b"{") and b'"timeseries"' in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a time series."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per type and period."""
        if looks_like_html(payload.body):
            raise payload.error("an HTML page came instead of JSON")
        try:
            document = orjson.loads(payload.body)
        except orjson.JSONDecodeError:
            said = excerpt(payload.body)
            raise payload.error(f"not JSON or cut off ({said!r})" if said else "the answer is empty") from None
        series = document.get("timeseries") if isinstance(document, dict) else None
        if not isinstance(series, dict):
            found = next(iter(document), "") if isinstance(document, dict) else type(document).__name__
            raise payload.error(f"not a time series but {found!r}", field_name="timeseries")
        error = series.get("error")
        symbol = payload.context.get("symbol")
        if error:
            if error.get("code") == "Not Found" and payload.status == 404:
                return [Batch(payload.dataset, missing=True, note=f"{symbol} is unknown or delisted")]
            raise payload.error(f"{error.get('code')}: {error.get('description')}", field_name="timeseries.error")
        results = series.get("result")
        if not isinstance(results, list):
            raise payload.error("missing", field_name="timeseries.result")
        if payload.context and not results:
            raise payload.error("the answer holds no series", field_name="timeseries.result")
        return [yahoo_facts.timeseries(payload, symbol, results)]


SOURCE = YahooTimeseries()
