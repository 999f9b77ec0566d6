"""SEC EDGAR: company facts of XBRL filings, and the list of companies with their tickers."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from starlette.responses import Response

from pas_lib.sandbox.filing_dates import Report
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.statements import Company, Quarter, Statements, cover_date

#: Tags of flows told in income statements (three months and the year so far) ...
INCOME: Final = {
    "gross": "GrossProfit",
    "cost": "CostOfRevenue",
    "overhead": "SellingGeneralAndAdministrativeExpense",
    "operating": "OperatingIncomeLoss",
    "pretax": "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
    "tax": "IncomeTaxExpenseBenefit",
    "income": "NetIncomeLoss",
}
#: ... and in statements of cash flows: only the year so far.
CASH: Final = {
    "depreciation": "DepreciationDepletionAndAmortization",
    "cash_flow": "NetCashProvidedByUsedInOperatingActivities",
}
BALANCE: Final = {
    "cash": "CashAndCashEquivalentsAtCarryingValue",
    "receivables": "AccountsReceivableNetCurrent",
    "current_assets": "AssetsCurrent",
    "property": "PropertyPlantAndEquipmentNet",
    "assets": "Assets",
    "current_liabilities": "LiabilitiesCurrent",
    "short_debt": "LongTermDebtCurrent",
    "long_debt": "LongTermDebtNoncurrent",
    "liabilities": "Liabilities",
    "equity": "StockholdersEquity",
    "retained": "RetainedEarningsAccumulatedDeficit",
}
_CONTRACTS: Final = "RevenueFromContractWithCustomerExcludingAssessedTax"
#: From this fiscal year on those who change the tag of their revenue use the other one.
_TAG_CHANGE: Final = 2025
Rows = dict[tuple[str, str, str], list[dict[str, Any]]]


class CompanyFacts:
    """``/api/xbrl/companyfacts/CIK##########.json`` and ``/files/company_tickers.json``."""

    def __init__(self, context: Context, statements: Statements) -> None:
        self.context = context
        self.statements = statements

    def tickers(self) -> Response:
        """Answer with today's companies and their tickers, share classes with a dash."""
        day = self.context.today
        rows = [
            {"cik_str": int(item.cik), "ticker": symbol.replace(".", "-"), "title": item.name_on(day).upper()}
            for symbol, item in self.context.world.symbols_on(day).items()
            if item.cik
        ]
        return reply({str(i): row for i, row in enumerate(rows)}, 200, "application/json")

    def facts(self, cik: str) -> Response | None:
        """Answer with a company's facts, or None where it has filed none."""
        company = self.statements.company(cik)
        shown = company.shown(self.context.now) if company is not None else []
        shown = [quarter for quarter in shown if quarter.number >= 3]
        if company is None or not shown:
            return None
        rows: Rows = {}
        for quarter in shown:
            one = quarter.report
            self._filing(rows, company, quarter, one.form, one.accession, one.filed, quarter.overstated)
            if one.amended is not None and one.amended <= self.context.now:
                filed, number = one.amendment_filed, one.amendment_accession
                self._filing(rows, company, quarter, f"{one.form}/A", number or "", filed or one.filed, 0)
        facts: dict[str, dict[str, Any]] = {"dei": {}, "us-gaap": {}}
        for (taxonomy, concept, unit), found in rows.items():
            body = facts[taxonomy].setdefault(concept, {"label": None, "description": None, "units": {}})
            body["units"][unit] = found
        day = self.context.today
        return reply({"cik": int(cik), "entityName": company.listing.name_on(day).upper(), "facts": facts})

    def _filing(
        self, rows: Rows, company: Company, quarter: Quarter, form: str, accession: str, filed: date, wrong: int
    ) -> None:
        one = quarter.report
        about = {
            "accn": accession,
            "fy": one.fiscal_year,
            "fp": one.fiscal_period,
            "form": form,
            "filed": filed.isoformat(),
        }
        annual = one.fiscal_period == "FY"
        year = company.year_of(quarter)
        at = quarter.number

        days: dict[date, str] = {}

        def iso(day: date) -> str:
            return days.get(day) or days.setdefault(day, day.isoformat())

        def put(
            concept: str, value: float, end: date, start: date | None, unit: str = "USD", group: str = "us-gaap"
        ) -> None:
            row: dict[str, Any] = {} if start is None else {"start": iso(start)}
            row |= {"end": iso(end), "val": value, **about}
            rows.setdefault((group, concept, unit), []).append(row)

        def total(quarters: list[Quarter], name: str) -> int:
            return sum(q.figures[name] for q in quarters)

        def flow(concept: str, name: str, *, three_months: bool, before: bool = False) -> None:
            extra = wrong if name in ("revenue", "gross", "operating", "pretax", "income") else 0
            if three_months and not annual:
                put(concept, quarter.figures[name] + extra, one.end, one.start)
            if annual or len(year) > 1 or not three_months:
                put(concept, total(year, name) + extra, one.end, one.year_start)
            if before and at >= 4 + len(year) - 1:
                # Filings repeat the figures of the year before.
                earlier = company.quarters[at - 4]
                spell = company.year_of(earlier)
                put(concept, total(spell, name), earlier.report.end, earlier.report.year_start)

        names = dict(INCOME)
        if company.is_financial:
            for name in ("gross", "cost", "overhead", "operating"):
                del names[name]
        elif company.draw % 7 == 0:
            del names["gross"]
        flow(self._revenue_tag(company, one), "revenue", three_months=True, before=True)
        for name, concept in names.items():
            flow(concept, name, three_months=True, before=name == "income")
        for name, concept in CASH.items():
            flow(concept, name, three_months=False)
        plant = "ProductiveAssets" if company.draw % 9 == 0 else "PropertyPlantAndEquipment"
        flow(f"PaymentsToAcquire{plant}", "investment", three_months=False)
        # Per share figures are on the basis of the day of filing, those of the year before as well.
        factor = self.statements.split_factor(company.listing, filed)
        diluted = quarter.shares * factor * 1.012
        put("WeightedAverageNumberOfDilutedSharesOutstanding", round(diluted), one.end, one.year_start, "shares")
        put(
            "EarningsPerShareDiluted",
            round((total(year, "income") + wrong) / diluted, 2),
            one.end,
            one.year_start,
            "USD/shares",
        )
        if at >= 4 + len(year) - 1:
            earlier = company.quarters[at - 4]
            earned = total(company.year_of(earlier), "income") / (earlier.shares * factor * 1.012)
            put(
                "EarningsPerShareDiluted", round(earned, 2), earlier.report.end, earlier.report.year_start, "USD/shares"
            )
        for name, concept in BALANCE.items():
            if name.startswith("current_") and not company.tells_current:
                continue
            if name == "liabilities" and company.draw % 5 == 0:
                continue
            extra = wrong if name in ("receivables", "current_assets", "assets", "equity", "retained") else 0
            put(concept, quarter.figures[name] + extra, one.end, None)
        if len(company.classes) == 1:
            day = cover_date(one)
            put(
                "EntityCommonStockSharesOutstanding",
                round(quarter.shares * self.statements.split_factor(company.listing, day)),
                day,
                None,
                "shares",
                "dei",
            )

    @staticmethod
    def _revenue_tag(company: Company, one: Report) -> str:
        if company.draw % 6 == 0:
            return _CONTRACTS if one.fiscal_year < _TAG_CHANGE else "Revenues"
        return "Revenues" if company.draw % 6 == 1 else _CONTRACTS
