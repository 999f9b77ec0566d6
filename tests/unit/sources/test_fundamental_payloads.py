"""Recorded figures: company facts, quoteSummary modules and the time series, with golden counts and values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from pas_lib.errors import PasError, PayloadError
from pas_lib.ingest.parse import parse_file
from pas_lib.sources import Payload, source
from pas_lib.sources.sec_facts import CONCEPTS
from tests.support.paths import REAL, WIRE, needs

FACTS = WIRE / "sec_edgar" / "payloads" / "companyfacts"
YAHOO = WIRE / "yahoo"


def parse(path: Path) -> list[dict[str, Any]]:
    return parse_file("fundamentals", needs(path))


def values(rows: list[dict[str, Any]], concept: str, end: date, days: int = 0) -> list[tuple[date, float]]:
    return sorted(
        (row["filed"], row["value"])
        for row in rows
        if row["concept"] == concept and row["event_date"] == end and row["period_days"] == days
    )


@pytest.mark.parametrize(
    ("name", "count", "cik"),
    [("AAPL_CIK0000320193_trimmed", 1743, "0000320193"), ("NVDA_CIK0001045810_trimmed", 1527, "0001045810")],
)
def test_every_figure_of_every_filing_is_a_record(name, count, cik):
    rows = parse(FACTS / f"{name}.json")
    assert len(rows) == count
    assert {row["entity"] for row in rows} == {f"cik{cik}"}
    key = ("entity", "concept", "unit", "frequency", "event_date", "period_days", "accession")
    assert len({tuple(row[part] for part in key) for row in rows}) == count
    assert all(row["filed"] >= row["event_date"] for row in rows)


def test_golden_figures_of_apple():
    rows = parse(FACTS / "AAPL_CIK0000320193_trimmed.json")
    year = values(rows, "RevenueFromContractWithCustomerExcludingAssessedTax", date(2025, 9, 27), 363)
    assert year == [(date(2025, 10, 31), 416_161e6)]
    quarter = "RevenueFromContractWithCustomerExcludingAssessedTax", date(2025, 12, 27), 90
    assert values(rows, *quarter) == [(date(2026, 1, 30), 143_756e6)]
    shares = [row for row in rows if row["concept"] == "EntityCommonStockSharesOutstanding"]
    assert [(r["value"], r["unit"], r["taxonomy"]) for r in shares if r["event_date"] == date(2026, 1, 16)] == [
        (14_681_140_000.0, "shares", "dei")
    ]
    assert {row["frequency"] for row in rows} == {"instant", "quarter", "half", "nine_months", "year"}


def test_a_split_shows_both_bases():
    rows = parse(FACTS / "NVDA_CIK0001045810_trimmed.json")
    found = values(rows, "EarningsPerShareDiluted", date(2024, 1, 28), 363)
    assert [value for _, value in found] == [11.93, 1.19, 1.19]
    assert found[0][0] == date(2024, 2, 21)
    assert [v for _, v in values(rows, "EarningsPerShareDiluted", date(2024, 4, 28), 90)] == [5.98, 0.60]


def test_a_restated_value_stands_beside_the_first_one():
    rows = parse(REAL / "sec" / "companyfacts_AAPL_CIK0000320193_2026-03-25.json.gz")
    assert len(rows) == 6818
    assert {row["concept"] for row in rows} <= CONCEPTS
    found = dict.fromkeys(values(rows, "Assets", date(2008, 9, 27)))
    assert list(found)[:3] == [
        (date(2009, 7, 22), 39_572e6),
        (date(2009, 10, 27), 39_572e6),
        (date(2010, 1, 25), 36_171e6),
    ]
    flow = values(rows, "NetCashProvidedByUsedInOperatingActivities", date(2016, 9, 24), 363)
    assert [pair for pair in flow if pair[0].year >= 2017] == [
        (date(2017, 11, 3), 65_824e6),
        (date(2018, 11, 5), 66_231e6),
    ]


@pytest.mark.parametrize(
    ("name", "count", "concept", "value", "unit"),
    [
        ("quoteSummary_financialData_AAPL", 20, "debtToEquity", 145.0, "pure"),
        ("quoteSummary_financialData_AAPL", 20, "freeCashflow", 93_833_871_360.0, "USD"),
        ("quoteSummary_defaultKeyStatistics_AAPL", 19, "shortRatio", 2.12, "pure"),
        ("quoteSummary_defaultKeyStatistics_AAPL", 19, "sharesOutstanding", 15_022_100_480.0, "shares"),
        ("quoteSummary_defaultKeyStatistics_AAPL", 19, "bookValue", 4.438, "USD/shares"),
        ("quoteSummary_summaryDetail_AAPL", 8, "marketCap", 3_688_676_720_640.0, "USD"),
        ("quoteSummary_price_AAPL", 1, "marketCap", 3_688_676_720_640.0, "USD"),
        ("quoteSummary_cashflowStatementHistory_AAPL", 4, "netIncome", 94_680e6, "USD"),
        ("timeseries_AAPL_balance-sheet_annual", 196, "TotalAssets", 364_980e6, "USD"),
        ("timeseries_AAPL_balance-sheet_quarterly", 223, "StockholdersEquity", 66_758e6, "USD"),
        ("timeseries_AAPL_cash-flow_annual", 142, "CapitalExpenditure", -9_447e6, "USD"),
        ("timeseries_AAPL_financials_annual", 111, "DilutedEPS", 6.08, "USD/shares"),
    ],
)
def test_golden_figures_of_yahoo(name, count, concept, value, unit):
    rows = parse(YAHOO / f"{name}.json")
    assert len(rows) == count
    found = [row for row in rows if row["concept"] == concept]
    assert (found[-1]["value"], found[-1]["unit"], found[-1]["entity"]) == (value, unit, "AAPL")
    assert all(row["filed"] is None for row in rows)


def test_fields_no_longer_filled_are_no_zeros():
    rows = parse(YAHOO / "quoteSummary_incomeStatementHistory_AAPL.json")
    assert {row["concept"] for row in rows} == {"totalRevenue", "netIncome"}
    assert next(row["value"] for row in rows if row["concept"] == "totalRevenue") == 391_035e6


def test_payloads_without_figures_give_none():
    assert parse(YAHOO / "timeseries_ADH_financials_quarterly_empty.json") == []
    assert parse(YAHOO / "quoteSummary_balanceSheetHistory_AAPL.json") == []


def test_ratios_of_two_currencies_are_left_out():
    rows = parse(WIRE / "fundamentals" / "payloads" / "yahoo_quoteSummary_currency_mismatch_sample.json")
    found = {row["concept"]: (row["value"], row["unit"]) for row in rows}
    assert found["returnOnEquity"] == (0.10277, "pure")
    assert found["totalDebt"] == (32_016_294_739_968.0, "JPY")
    assert not found.keys() & {"priceToBook", "enterpriseToEbitda", "enterpriseToRevenue", "enterpriseValue"}
    assert "grossProfits" not in found


@pytest.mark.parametrize(
    "path",
    [
        *(f"sec_edgar/payloads/errors/{name}" for name in ("exchanges.json", "undeclared_automated_tool.html")),
        *(f"sec_edgar/payloads/errors/{name}" for name in ("submissions_unknown_cik_404.xml",)),
        *(f"yahoo/error_{name}" for name in ("401_invalid_crumb.json", "429_body.txt", "chart_404_delisted.json")),
        *(f"yahoo/error_{name}" for name in ("quoteSummary_404_no_fundamentals.json", "v7_download_400_no_data.txt")),
        "yahoo/quoteSummary_assetProfile_AAPL.json",
    ],
)
def test_an_error_body_is_one_line(path):
    with pytest.raises(PasError) as caught:
        parse(WIRE / path)
    assert "\n" not in str(caught.value)


def payload(body: Any, name: str = "sec_facts", status: int = 200, **context: str) -> Payload:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload(name, "fundamentals", "x", "https://site/x", status, "", datetime.now(UTC), context, content)


def fact(**more: Any) -> dict[str, Any]:
    row = {"end": "2025-12-31", "val": 5, "accn": "a-1", "form": "10-K", "filed": "2026-02-20", **more}
    return {"cik": "77", "entityName": "X", "facts": {"us-gaap": {"Assets": {"units": {"USD": [row]}}}}}


def test_facts_that_are_not_what_was_asked_are_refused():
    site = source("sec_facts")
    assert site.parse(payload(fact()))[0].num_rows == 1
    with pytest.raises(PayloadError, match="these are the figures of 0000000077, not of 0000000078"):
        site.parse(payload(fact(), cik="0000000078"))
    broken = fact()
    del broken["facts"]["us-gaap"]["Assets"]["units"]["USD"][0]["filed"]
    with pytest.raises(PayloadError, match=r"Assets\.filed"):
        site.parse(payload(broken))
    with pytest.raises(PayloadError, match="date or number"):
        site.parse(payload(fact(end="31.12.2025")))
    with pytest.raises(PayloadError, match="cik"):
        site.parse(payload({**fact(), "cik": 0}))
    assert site.parse(payload(fact(), since="2026-02-21"))[0].num_rows == 0
    assert site.parse(payload(fact(), since="2026-02-20"))[0].num_rows == 1
    rejected = site.parse(payload(fact(val=None)))[0]
    assert (rejected.num_rows, len(rejected.rejects)) == (0, 1)
    foreign = {"cik": 1, "entityName": "X", "facts": {"ifrs-full": {"Assets": {"units": {}}}}}
    assert site.parse(payload(foreign))[0].num_rows == 0


def test_a_series_of_another_symbol_is_refused():
    meta = {"symbol": ["BRK-B"], "type": ["annualTotalRevenue"]}
    point = {"asOfDate": "2024-12-31", "periodType": "12M", "currencyCode": "USD", "reportedValue": {"raw": 1.5}}
    body = {"timeseries": {"result": [{"meta": meta, "annualTotalRevenue": [None, point]}], "error": None}}
    site = source("yahoo_timeseries")
    assert site.parse(payload(body, "yahoo_timeseries", symbol="BRK.B"))[0].records[0]["value"] == 1.5
    with pytest.raises(PayloadError, match="not of AAPL"):
        site.parse(payload(body, "yahoo_timeseries", symbol="AAPL"))
    body["timeseries"]["result"][0]["annualTotalRevenue"] = [{**point, "periodType": "6M"}]
    batch = site.parse(payload(body, "yahoo_timeseries", symbol="BRK.B"))[0]
    assert (batch.records, len(batch.rejects)) == ([], 1)


def test_a_module_that_was_not_asked_for_is_a_changed_layout():
    body = {"quoteSummary": {"result": [{"price": {"marketCap": 1}, "keyStatistics": {}}], "error": None}}
    with pytest.raises(PayloadError, match="came with keyStatistics"):
        source("yahoo_summary").parse(payload(body, "yahoo_summary", symbol="A", modules="price"))
    rows = source("yahoo_summary").parse(payload(body, "yahoo_summary", symbol="A"))[0].records
    assert [row["concept"] for row in rows] == ["marketCap"]


def test_figures_under_other_names_are_a_changed_layout():
    def summary(**modules: Any) -> Payload:
        return payload({"quoteSummary": {"result": [modules], "error": None}}, "yahoo_summary", symbol="AAA")

    def parsed(**modules: Any) -> int:
        return source("yahoo_summary").parse(summary(**modules))[0].num_rows

    renamed = {"maxAge": 1, "total_cash": {"raw": 1.0}}
    with pytest.raises(PasError, match="'financialData': not found among maxAge, total_cash"):
        parsed(financialData=renamed, price={"maxAge": 1, "market_cap": 5.0})
    # A single module of a company may hold nothing of what is kept, or nothing at all.
    assert parsed(financialData=renamed, price={"marketCap": 5.0}) == 1
    assert parsed(financialData={"maxAge": 1}, price={}) == 0
