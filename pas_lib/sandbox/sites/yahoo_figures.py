"""Yahoo's figures of companies: modules of quoteSummary, and the fundamentals time series."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.sites.base import Context, nameless, reply
from pas_lib.sandbox.statements import Company, Quarter, Statements

MIME: Final = "application/json;charset=utf-8"
#: Type of the time series -> name of the figure, and its sign.
TYPES: Final = {
    "TotalRevenue": ("revenue", 1),
    "CostOfRevenue": ("cost", 1),
    "GrossProfit": ("gross", 1),
    "SellingGeneralAndAdministration": ("overhead", 1),
    "OperatingIncome": ("operating", 1),
    "ReconciledDepreciation": ("depreciation", 1),
    "PretaxIncome": ("pretax", 1),
    "TaxProvision": ("tax", 1),
    "NetIncome": ("income", 1),
    "OperatingCashFlow": ("cash_flow", 1),
    "CapitalExpenditure": ("investment", -1),
    "TotalAssets": ("assets", 1),
    "CurrentAssets": ("current_assets", 1),
    "CurrentLiabilities": ("current_liabilities", 1),
    "TotalLiabilitiesNetMinorityInterest": ("liabilities", 1),
    "StockholdersEquity": ("equity", 1),
    "RetainedEarnings": ("retained", 1),
    "LongTermDebt": ("long_debt", 1),
    "CurrentDebt": ("short_debt", 1),
    "CashAndCashEquivalents": ("cash", 1),
    "AccountsReceivable": ("receivables", 1),
    "NetPPE": ("property", 1),
}
_FLOWS: Final = frozenset(list(TYPES)[:11])
_NOT_OF_BANKS: Final = frozenset({"cost", "gross", "overhead", "operating"})


class YahooFigures:
    """What quoteSummary and the time series tell of a company."""

    def __init__(self, context: Context, statements: Statements) -> None:
        self.context = context
        self.statements = statements
        self.modules = {
            "financialData": self._financial_data,
            "defaultKeyStatistics": self._key_statistics,
            "summaryDetail": self._summary_detail,
            "price": self._price,
        }

    # ---- quoteSummary --------------------------------------------------------------------------------------------

    def _shown(self, listing: Listing) -> tuple[Company | None, list[Quarter]]:
        company = self.statements.company(listing.cik) if listing.cik else None
        return company, company.shown(self.context.now) if company is not None else []

    def _close(self, listing: Listing) -> float | None:
        closes = self.context.world.market.close[listing.row, : self.context.world.bars_at(self.context.now)]
        found = closes[~np.isnan(closes)]
        return float(found[-1]) if found.size else None

    def _trailing(self, shown: list[Quarter], name: str) -> int | None:
        return sum(q.as_reported(name, self.context.now) for q in shown[-4:]) if len(shown) >= 4 else None

    def _value(self, listing: Listing) -> float | None:
        company, _ = self._shown(listing)
        close = self._close(listing)
        if company is None or close is None:
            return None
        return close * self.statements.shares(company, self.context.today)

    def _financial_data(self, listing: Listing) -> dict[str, Any] | None:
        company, shown = self._shown(listing)
        if company is None or len(shown) < 4:
            return None
        last, now = shown[-1], self.context.now
        revenue, income = self._trailing(shown, "revenue") or 0, self._trailing(shown, "income") or 0
        flow, invested = self._trailing(shown, "cash_flow") or 0, self._trailing(shown, "investment") or 0
        equity = last.as_reported("equity", now)
        debt = last.figures["long_debt"] + last.figures["short_debt"]
        found: dict[str, Any] = {
            "maxAge": 86400,
            "currentPrice": self._close(listing),
            "totalCash": last.figures["cash"],
            "totalDebt": debt,
            "totalRevenue": revenue,
            "freeCashflow": flow - invested,
            "operatingCashflow": flow,
            "returnOnAssets": round(income / last.as_reported("assets", now), 5),
            "returnOnEquity": round(income / equity, 5) if equity > 0 else None,
            "debtToEquity": round(100 * debt / equity, 3) if equity > 0 else None,
            "profitMargins": round(income / revenue, 5) if revenue else None,
            "financialCurrency": "USD",
        }
        if not company.is_financial:
            gross = self._trailing(shown, "gross") or 0
            worn = self._trailing(shown, "depreciation") or 0
            operating = self._trailing(shown, "operating") or 0
            # The margin of the last quarter, as the site has it.
            margin = last.as_reported("operating", now) / last.as_reported("revenue", now)
            found |= {"grossProfits": gross, "ebitda": operating + worn, "operatingMargins": round(margin, 5)}
        if company.tells_current:
            found["currentRatio"] = round(
                last.as_reported("current_assets", now) / max(last.figures["current_liabilities"], 1), 3
            )
        return found

    def _key_statistics(self, listing: Listing) -> dict[str, Any] | None:
        company, shown = self._shown(listing)
        close = self._close(listing)
        if company is None or close is None:
            return None
        today = self.context.today
        factor = self.statements.split_factor(listing, today)
        shares = round(listing.shares * factor)
        # Short interest is told twice a month.
        half = today.year * 24 + today.month * 2 + (today.day > 15)
        draw = np.random.default_rng([self.context.world.seed, 15, listing.row, half]).random()
        habit = np.random.default_rng([self.context.world.seed, 15, listing.row]).random()
        ratio = round(0.5 + 9 * habit**2 + 1.5 * draw, 2)
        bars = self.context.world.bars_at(self.context.now)
        volume = np.nanmean(self.context.world.market.volume[listing.row, max(0, bars - 63) : bars])
        short = round(ratio * float(volume))
        found: dict[str, Any] = {
            "maxAge": 1,
            "sharesOutstanding": shares,
            "impliedSharesOutstanding": round(self.statements.shares(company, today)),
            "floatShares": round(0.93 * shares),
            "sharesShort": short,
            "shortPercentOfFloat": round(short / shares, 4),
            "category": None,
            "dateShortInterest": _epoch(date(today.year, today.month, 1 if today.day <= 15 else 15)),
        }
        if company.draw % 40 != 3:  # a few have none
            found["shortRatio"] = ratio
        if shown:
            book = shown[-1].as_reported("equity", self.context.now) / self.statements.shares(company, today)
            found["mostRecentQuarter"] = _epoch(shown[-1].report.end)
            found["bookValue"] = round(book, 3)
            found["priceToBook"] = round(close / book, 5) if book > 0 else None
            income = self._trailing(shown, "income")
            if income is not None:
                found["netIncomeToCommon"] = income
                found["trailingEps"] = round(income / self.statements.shares(company, today), 2)
        return found

    def _summary_detail(self, listing: Listing) -> dict[str, Any] | None:
        close, value = self._close(listing), self._value(listing)
        if close is None:
            return None
        _, shown = self._shown(listing)
        income = self._trailing(shown, "income")
        found = {
            "maxAge": 1,
            "previousClose": close,
            "currency": "USD",
            "marketCap": None if value is None else round(value),
        }
        if value is not None and income is not None and income > 0:
            found["trailingPE"] = round(value / income, 5)
        return found

    def _price(self, listing: Listing) -> dict[str, Any] | None:
        close, value = self._close(listing), self._value(listing)
        if close is None:
            return None
        symbol = listing.symbol_on(self.context.today).replace(".", "-")
        found = {"maxAge": 1, "symbol": symbol, "currency": "USD", "regularMarketPrice": close, "quoteType": "EQUITY"}
        if value is not None:
            found["marketCap"] = round(value)
        return found

    # ---- the time series -----------------------------------------------------------------------------------------

    async def timeseries(self, request: Request) -> Response:
        """Answer ``/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}``."""
        if nameless(request):
            return reply("Too Many Requests\r\n", 429, "text/plain")
        written = request.path_params["symbol"]
        symbol = written.replace("-", ".")
        listing = None if "." in written else self.context.world.listing(symbol, self.context.today)
        if listing is None:
            error = {"code": "Not Found", "description": f"Quote not found for symbol: {written}"}
            return reply({"timeseries": {"result": None, "error": error}}, 404, MIME)
        company, shown = self._shown(listing)
        result = []
        for name in request.query_params.get("type", "").split(","):
            series: dict[str, Any] = {"meta": {"symbol": [written], "type": [name]}}
            points = self._points(company, shown, name) if company is not None else []
            if points:
                series["timestamp"] = [_epoch(date.fromisoformat(point["asOfDate"])) for point in points]
                series[name] = points
            result.append(series)
        return reply({"timeseries": {"result": result, "error": None}}, 200, MIME)

    def _points(self, company: Company, shown: list[Quarter], name: str) -> list[dict[str, Any]]:
        annual = name.startswith("annual")
        concept = name.removeprefix("annual").removeprefix("quarterly")
        found = []
        if concept == "OrdinarySharesNumber":
            for quarter in shown[-5:]:
                # Restated to today's basis, as the site does.
                value = round(quarter.shares * self.statements.split_factor(company.listing, self.context.today))
                found.append(_point(quarter.report.end, "3M", value))
            return found
        figure, sign = TYPES.get(concept, ("", 1))
        if not figure or (company.is_financial and figure in _NOT_OF_BANKS):
            return []
        if figure.startswith("current_") and not company.tells_current:
            return []
        now = self.context.now
        for quarter in [q for q in shown if q.report.fiscal_period == "FY"][-4:] if annual else shown[-5:]:
            several = company.year_of(quarter) if annual and concept in _FLOWS else [quarter]
            value = sign * sum(q.as_reported(figure, now) for q in several)
            found.append(_point(quarter.report.end, "12M" if annual else "3M", value))
        return found


def _point(end: date, period: str, value: int) -> dict[str, Any]:
    # Ends of periods are moved to the end of their month.
    day = end.replace(day=calendar.monthrange(end.year, end.month)[1])
    return {
        "dataId": 20100,
        "asOfDate": day.isoformat(),
        "periodType": period,
        "currencyCode": "USD",
        "reportedValue": {"raw": value, "fmt": f"{value / 1e6:.2f}M"},
    }


def _epoch(day: date) -> int:
    return int(datetime.combine(day, time(0), UTC).timestamp())
