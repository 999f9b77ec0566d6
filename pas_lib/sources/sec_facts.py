"""SEC EDGAR company facts: every figure of a company's XBRL filings, with the day it was filed.

One file holds all filings of a company, restated values beside the first ones: a row is one figure of one filing, so
that what was known on a day can be told. Only the concepts the models read are kept. The files are up to some ten
megabytes; they are read one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.sources import edgar
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url

#: What is kept: revenue and costs, profit, cash flow, balance sheet, shares. The order means nothing here.
CONCEPTS = frozenset(
    [
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "Revenues",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "SalesRevenueNet",
        "GrossProfit",
        "CostOfGoodsAndServicesSold",
        "CostOfRevenue",
        "CostOfGoodsSold",
        "OperatingIncomeLoss",
        "DepreciationDepletionAndAmortization",
        "DepreciationAmortizationAndAccretionNet",
        "DepreciationAndAmortization",
        "Depreciation",
        "AmortizationOfIntangibleAssets",
        "NetIncomeLoss",
        "ProfitLoss",
        "EarningsPerShareBasic",
        "EarningsPerShareDiluted",
        "NetCashProvidedByUsedInOperatingActivities",
        "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
        "PaymentsToAcquirePropertyPlantAndEquipment",
        "PaymentsToAcquireProductiveAssets",
        "PaymentsOfDividends",
        "PaymentsForRepurchaseOfCommonStock",
        "SellingGeneralAndAdministrativeExpense",
        "SellingAndMarketingExpense",
        "GeneralAndAdministrativeExpense",
        "ResearchAndDevelopmentExpense",
        "InterestExpense",
        "IncomeTaxExpenseBenefit",
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments",
        "Assets",
        "AssetsCurrent",
        "Liabilities",
        "LiabilitiesCurrent",
        "LiabilitiesAndStockholdersEquity",
        "StockholdersEquity",
        "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
        "RetainedEarningsAccumulatedDeficit",
        "LongTermDebt",
        "LongTermDebtNoncurrent",
        "LongTermDebtCurrent",
        "DebtCurrent",
        "CommercialPaper",
        "ShortTermBorrowings",
        "CashAndCashEquivalentsAtCarryingValue",
        "MarketableSecuritiesCurrent",
        "ShortTermInvestments",
        "AccountsReceivableNetCurrent",
        "ReceivablesNetCurrent",
        "InventoryNet",
        "PropertyPlantAndEquipmentNet",
        "EntityCommonStockSharesOutstanding",
        "EntityPublicFloat",
        "CommonStockSharesOutstanding",
        "WeightedAverageNumberOfDilutedSharesOutstanding",
        "WeightedAverageNumberOfSharesOutstandingBasic",
    ]
)
_TAXONOMIES = ("us-gaap", "dei")
#: Days from the first to the last day of a period, and what it is called.
_LENGTHS = (("quarter", 80, 100), ("half", 170, 190), ("nine_months", 260, 285), ("year", 350, 380))
_FIELDS = ("end", "val", "accn", "form", "filed")


class SecFacts(Source):
    """``/api/xbrl/companyfacts/CIK##########.json``."""

    name = "sec_facts"
    site = "sec"
    host = "https://data.sec.gov"
    accepts = frozenset({403, 404})

    def prepare(self, ask: Ask, fetch: Callable[[Request], Payload]) -> Ask:
        """Look up the CIKs of the symbols whose company is not known by one."""
        return edgar.with_ciks(self, ask, fetch)

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per company: share classes have the facts in common."""
        base = base_url(self, ask.settings)
        for symbol, cik in edgar.companies(ask):
            context = {"cik": cik, "symbol": symbol}
            if symbol in ask.starts:
                context["since"] = ask.starts[symbol].isoformat()
            yield Request(self.name, ask.dataset, cik, f"{base}/api/xbrl/companyfacts/CIK{cik}.json", context=context)

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a file of company facts."""
        head = body[:2000].lstrip()
        return head.startswith(b"{") and b'"entityName"' in head and b'"facts"' in head

    def check(self, payload: Payload) -> None:
        """Refuse what cannot be read.

        Raises
        ------
        SourceError
            If EDGAR refuses the caller: asking again at once would only prolong that.
        """
        edgar.stop_if_refused(payload)
        if edgar.are_tickers(payload):
            edgar.read_tickers(payload)
        else:
            self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per figure and filing, of the concepts kept."""
        if edgar.absent(payload):
            return [Batch("fundamentals", missing=True, note=f"{payload.label} has filed no figures")]
        document = edgar.json_object(payload)
        facts = _facts(payload, document)
        cik = str(document.get("cik", "")).zfill(10)
        if not cik.isdigit() or int(cik) == 0:
            raise payload.error("missing", field_name="cik")
        wanted = payload.context.get("cik")
        if wanted is not None and wanted != cik:
            raise payload.error(f"these are the figures of {cik}, not of {wanted}", field_name="cik")
        return [_batch(payload, cik, facts)]


def _facts(payload: Payload, document: dict[str, Any]) -> dict[str, Any]:
    facts = document.get("facts")
    if not isinstance(facts, dict):
        raise payload.error(f"not found among {', '.join(list(document)[:6])}", field_name="facts")
    return facts


def _batch(payload: Payload, cik: str, facts: dict[str, Any]) -> Batch:
    columns: dict[str, list[Any]] = {name: [] for name in ("start", *_FIELDS, "fy", "fp")}
    labels: dict[str, list[str]] = {"taxonomy": [], "concept": [], "unit": []}
    counts: list[int] = []
    for taxonomy in _TAXONOMIES:
        for concept, body in facts.get(taxonomy, {}).items():
            if concept not in CONCEPTS:
                continue
            for unit, rows in body["units"].items():
                try:
                    for name in _FIELDS:
                        columns[name] += [row[name] for row in rows]
                except (KeyError, TypeError):
                    found = ", ".join(rows[0]) if rows and isinstance(rows[0], dict) else "nothing"
                    raise payload.error(f"not found among {found}", field_name=f"{concept}.{name}") from None
                for name in ("start", "fy", "fp"):
                    columns[name] += [row.get(name) for row in rows]
                for name, value in (("taxonomy", taxonomy), ("concept", concept), ("unit", unit)):
                    labels[name].append(value)
                counts.append(len(rows))
    total = sum(counts)
    if not total:
        if any(facts.get(taxonomy) for taxonomy in ("us-gaap", "ifrs-full")):
            return Batch("fundamentals", note=f"{cik} states none of the figures kept")
        raise payload.error("no figures of the taxonomies", field_name="facts")
    positions = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    try:
        start, end, filed = (
            pa.array(columns[name], pa.string()).cast(pa.date32()) for name in ("start", "end", "filed")
        )
        value = pa.array(columns["val"], pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise payload.error(f"a date or number cannot be read ({error})", field_name="units") from None
    days = pc.fill_null(pc.days_between(start, end), 0).cast(pa.int32())
    symbol = payload.context.get("symbol")
    table = pa.table(
        {
            "event_date": end,
            "entity": pa.repeat(f"cik{cik}", total),
            "symbol": pa.repeat(pa.scalar(symbol, pa.string()), total),
            "cik": pa.repeat(cik, total),
            **{name: pa.array(values, pa.string()).take(positions) for name, values in labels.items()},
            "frequency": _frequency(start, days),
            "period_start": start,
            "period_days": days,
            "value": value,
            "filed": filed,
            "form": pa.array(columns["form"], pa.string()),
            "accession": pa.array(columns["accn"], pa.string()),
            "fiscal_year": pa.array(columns["fy"], pa.int32()),
            "fiscal_period": pa.array(columns["fp"], pa.string()),
        }
    )
    rejects = []
    if value.null_count:
        rejects = [
            Reject(row, "the value is missing")
            for row in table.filter(pc.is_null(value)).select(["concept", "event_date", "accession"]).to_pylist()
        ]
        table = table.filter(pc.is_valid(value))
    since = payload.context.get("since")
    if since is not None:
        table = table.filter(pc.greater_equal(table.column("filed"), pa.scalar(since).cast(pa.date32())))
    scopes = [{"entity": f"cik{cik}"}] if since is None else []
    return Batch("fundamentals", table=table, scopes=scopes, rejects=rejects)


def _frequency(start: pa.Array, days: pa.Array) -> pa.Array:
    length = days.to_numpy()
    index = np.select(
        [
            start.is_null().to_numpy(zero_copy_only=False),
            *((length >= low) & (length <= high) for _, low, high in _LENGTHS),
        ],
        range(len(_LENGTHS) + 1),
        len(_LENGTHS) + 1,
    )
    names = pa.array(["instant", *(name for name, _, _ in _LENGTHS), "other"])
    return names.take(pa.array(index))


SOURCE = SecFacts()
