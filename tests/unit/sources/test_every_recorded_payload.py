"""Every recorded payload: what is assigned to a dataset parses, every error body is one line, the rest is named.

``DATA`` says which datasets a payload is read as and how many rows come of it, ``ERRORS`` as which dataset an error
body is tried, ``NOT_ASSIGNED`` why the others are read by nobody. A payload of a new source gets its line there.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from pas_lib.cli.app import run
from pas_lib.datasets import catalogue
from pas_lib.errors import PasError
from pas_lib.ingest import parse_file
from tests.support.paths import WIRE, needs

# fmt: off
#: Payload -> dataset -> rows. A payload may state that there is nothing (an empty index, a list of documents): 0 rows.
DATA: dict[str, dict[str, int]] = {
    "alpaca/payloads/market_data/corporate_actions_2020-08_2020-09.json": {"corporate_actions": 4},
    "alpaca/payloads/market_data/stocks_bars_1Day_raw_AAPL_KO_2020-08-25_2020-09-04.json": {"prices": 18},
    "apewisdom/filter_all-stocks_page1_2026-09-24.json": {"reddit_mentions": 100},
    "benzinga/api_v2.1_calendar_ratings_AAPL_2024-01-12_first60.json": {"analyst_ratings": 60},
    "congress_disclosures/payloads/house/2023FD_trimmed_120_of_1549.xml": {"politician_trades": 0},
    "congress_disclosures/payloads/house/2026FD.zip": {"politician_trades": 0},
    "congress_disclosures/payloads/house/ptr_20034195_text_layer.pdf": {"politician_trades": 8},
    "congress_disclosures/payloads/house/ptr_comments_and_subholding_of_report.pdf": {"politician_trades": 1},
    "congress_disclosures/payloads/house/ptr_long_subholding_of_section_report.pdf": {"politician_trades": 4},
    "congress_disclosures/payloads/house/ptr_new_transaction_type_report.pdf": {"politician_trades": 5},
    "congress_disclosures/payloads/house/ptr_single_page_transactions_only_report.pdf": {"politician_trades": 1},
    "finviz/news_v3_row_fragment_2025-01_real.html": {"news_headlines": 1},
    "fred/payloads/fredgraph_DGS1MO_first60.csv": {"macro_series": 57},
    "fred/payloads/fredgraph_TB3MS_last40.csv": {"macro_series": 40},
    "fred/payloads/series_observations_CPILFESL.json": {"macro_series": 816},
    "fred/payloads/series_observations_GDP_all_vintages_trimmed_from_2018.json": {"macro_series": 167},
    "fred/payloads/series_observations_GDP_asof_2019-01-01_trimmed_from_2013.json": {"macro_series": 149},
    "fred/payloads/series_observations_GDP_latest.json": {"macro_series": 311},
    "fred/payloads/series_observations_GDP_output_type_4_initial_release.json": {"macro_series": 132},
    "fundamentals/payloads/yahoo_quoteSummary_currency_mismatch_sample.json": {"fundamentals": 21},
    "quiverquant/api_historical_congresstrading_COIN_2021-12-11.json": {"politician_trades": 16},
    "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json": {"gov_contracts": 196},
    "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json": {"lobbying": 100},
    "quiverquant/api_rows_quoted_2025_2026.json": {"insider_buying": 1, "politician_trades": 3},
    "sec_edgar/payloads/companyfacts/AAPL_CIK0000320193_trimmed.json": {"fundamentals": 1743},
    "sec_edgar/payloads/companyfacts/NVDA_CIK0001045810_trimmed.json": {"fundamentals": 1527},
    "sec_edgar/payloads/form4/form3_SNOW.xml": {"insider_buying": 0},
    "sec_edgar/payloads/form4/form4_SCWO_2025-04-30_award_X0508.xml": {"insider_buying": 1},
    "sec_edgar/payloads/form4/form4_SNOW_2022-12-13_option_exercise_and_sales.xml": {"insider_buying": 6},
    "sec_edgar/payloads/form4/form5_SNOW.xml": {"insider_buying": 0},
    "sec_edgar/payloads/index/daily_company.20221003_first80.idx": {"filings": 69},
    "sec_edgar/payloads/index/daily_form.20200318_trimmed.idx": {"filings": 121, "insider_buying": 0},
    "sec_edgar/payloads/index/daily_form_bad_rows.idx.txt": {"filings": 10, "insider_buying": 0},
    "sec_edgar/payloads/index/daily_form_empty.idx": {"filings": 0, "insider_buying": 0},
    "sec_edgar/payloads/submissions/CIK0000789019_MSFT_trimmed.json": {"filings": 86},
    "sec_edgar/payloads/submissions/CIK0001009672-submissions-001_first25_of_205.json": {"filings": 25},
    "sec_edgar/payloads/submissions/CIK0001009672_filings_files_only.json": {"filings": 0},
    "sec_edgar/payloads/submissions/CIK0001771340_individual_owner.json": {"filings": 91},
    "senate_lda/payloads/filings_lockheed_2025_page_size_1_recorded_trimmed.json": {"lobbying": 1},
    "senate_lda/payloads/filings_page1_recorded_2026.json": {"lobbying": 3},
    "senate_lda/payloads/filings_page2_last_recorded_2026.json": {"lobbying": 1},
    "universe/ivv_holdings_from_productdata_api_20260820_first60_and_nonequity.csv": {"securities": 60, "universe": 60},
    "universe/iwm_holdings_ajax_2026-05-05_trimmed.csv": {"securities": 201, "universe": 201},
    "universe/iwm_latest_holdings_2026-07-17_trimmed.csv": {"securities": 212, "universe": 212},
    "universe/sp400_wikipedia_2021-07_changes_rendered_rows.csv": {"securities": 50, "universe": 50},
    "universe/sp400_wikipedia_2021-07_constituents_rendered_rows.csv": {"securities": 10, "universe": 10},
    "universe/sp500_changes_since_2019.csv": {"securities": 0, "universe": 294},
    "universe/sp500_constituents_datasets.csv": {"securities": 503, "universe": 503},
    "universe/sp500_ticker_start_end.csv": {"securities": 0, "universe": 1957},
    "universe/sp500_wikipedia_rev1352594942_tables_trimmed.html": {"securities": 25, "universe": 25},
    "universe/sp500_wikipedia_snapshot_20250630.csv": {"securities": 503, "universe": 503},
    "universe/sp500_wikipedia_snapshot_20260821.csv": {"securities": 503, "universe": 503},
    "usaspending/payloads/spending_by_award/contracts.json": {"gov_contracts": 2},
    "usaspending/payloads/spending_by_award/contracts_many_fields.json": {"gov_contracts": 5},
    "usaspending/payloads/spending_by_award/idvs.json": {"gov_contracts": 3},
    "usaspending/payloads/spending_by_award/lockheed_recorded_2026.json": {"gov_contracts": 3},
    "usaspending/payloads/spending_by_transaction/documented_response.json": {"gov_contracts": 10},
    "wikimedia_pageviews/pageviews_daily_Python_programming_language_2021-01-01_03.json": {"wiki_views": 3},
    "wikimedia_pageviews/pageviews_monthly_Dan_Castellaneta_2020_partial_last_month.json": {"wiki_views": 9},
    "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json": {"corporate_actions": 0, "prices": 1, "sp500_index": 1},
    "yahoo/chart_AAPL_1m_weekend_no_timestamp.json": {"corporate_actions": 0, "prices": 0, "sp500_index": 0},
    "yahoo/chart_BTC-USD_1d.json": {"corporate_actions": 0, "prices": 3, "sp500_index": 3},
    "yahoo/chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json":
        {"corporate_actions": 4, "prices": 252, "sp500_index": 252},
    "yahoo/chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json":
        {"corporate_actions": 1, "prices": 252, "sp500_index": 252},
    "yahoo/quoteSummary_balanceSheetHistory_AAPL.json": {"fundamentals": 0},
    "yahoo/quoteSummary_calendarEvents_AAPL.json": {"filings": 1},
    "yahoo/quoteSummary_cashflowStatementHistory_AAPL.json": {"fundamentals": 4},
    "yahoo/quoteSummary_defaultKeyStatistics_AAPL.json": {"fundamentals": 19},
    "yahoo/quoteSummary_financialData_AAPL.json": {"fundamentals": 20},
    "yahoo/quoteSummary_incomeStatementHistory_AAPL.json": {"fundamentals": 8},
    "yahoo/quoteSummary_price_AAPL.json": {"fundamentals": 1},
    "yahoo/quoteSummary_summaryDetail_AAPL.json": {"fundamentals": 8},
    "yahoo/quoteSummary_upgradeDowngradeHistory_AAPL_first40.json": {"analyst_ratings": 40},
    "yahoo/timeseries_AAPL_balance-sheet_annual.json": {"fundamentals": 196},
    "yahoo/timeseries_AAPL_balance-sheet_quarterly.json": {"fundamentals": 223},
    "yahoo/timeseries_AAPL_cash-flow_annual.json": {"fundamentals": 142},
    "yahoo/timeseries_AAPL_financials_annual.json": {"fundamentals": 111},
    "yahoo/timeseries_ADH_financials_quarterly_empty.json": {"fundamentals": 0},
}
ERRORS: dict[str, str] = {
    "alpaca/payloads/errors.json": "prices",
    "congress_disclosures/payloads/house/ptr_8221321_paper_scan.pdf": "politician_trades",
    "congress_disclosures/payloads/house/ptr_physical_scan_digitally_filled.pdf": "politician_trades",
    "fred/payloads/errors.json": "macro_series",
    "quiverquant/api_error_bodies.json": "politician_trades",
    "sec_edgar/payloads/errors/exchanges.json": "insider_buying",
    "sec_edgar/payloads/errors/full_index_future_quarter_403.xml": "insider_buying",
    "sec_edgar/payloads/errors/submissions_unknown_cik_404.xml": "filings",
    "sec_edgar/payloads/errors/undeclared_automated_tool.html": "insider_buying",
    "senate_lda/payloads/errors.json": "lobbying",
    "wikimedia_pageviews/error_400_no_full_months.json": "wiki_views",
    "wikimedia_pageviews/error_404_unknown_article.json": "wiki_views",
    "wikimedia_pageviews/error_429_body.txt": "wiki_views",
    "yahoo/error_401_invalid_crumb.json": "analyst_ratings",
    "yahoo/error_429_body.txt": "prices",
    "yahoo/error_chart_404_delisted.json": "prices",
    "yahoo/error_quoteSummary_404_no_fundamentals.json": "fundamentals",
    "yahoo/error_v7_download_400_no_data.txt": "prices",
}

#: Pattern -> why it is read by no dataset.
NOT_ASSIGNED: dict[str, str] = {
    "alpaca/payloads/paper_recording_*": "the broker's, not a dataset's",
    "alpaca/payloads/sdk_test_payloads/*": "examples of the client library, partly of the broker",
    "alpaca/payloads/spec_examples/*": "examples of the specification, several answers in one file",
    "alpaca/payloads/trade_updates_stream.jsonl": "the broker's stream",
    "alpaca/spec/*": "a specification",
    "congress_disclosures/payloads/house/*.text.txt": "the text of a report, for comparison",
    "congress_disclosures/payloads/mirrors/*": "mirrors that state dates of their own: not a source",
    "congress_disclosures/payloads/senate_efd/*": "pages of the Senate; their source tests read them",
    "fred/payloads/http_exchange_headers_*": "headers only",
    "fred/payloads/release*": "calendars of releases: vintages state the days themselves",
    "fred/payloads/series_*": "about series, not their values",
    "sec_edgar/payloads/company_tickers_*": "a register that sources look identities up in",
    "sec_edgar/payloads/current_feed/*": "the feed of the moment: the daily index is complete",
    "sec_edgar/payloads/filing_index/*": "the list of a filing's documents: the complete text is fetched",
    "sec_edgar/payloads/form4/form4_index-headers.html": "the header alone, without the document",
    "sec_edgar/payloads/submissions/response_headers_*": "headers only",
    "senate_lda/payloads/response_headers_*": "headers only",
    "usaspending/payloads/*": "answers of other calls: transactions are asked for by search",
    "yahoo/MANIFEST.json": "a list of files",
    "yahoo/quoteSummary_*": "modules that no dataset takes",
    "yahoo/quote_v7_*": "quotes of the moment",
    "yahoo/recommendationsBySymbol_*": "similar symbols",
    "yahoo/screener_*": "lists of the moment",
    "yahoo/trending_*": "lists of the moment",
}
# fmt: on

Pair = tuple[str, str]
PAIRS: list[Pair] = [(path, dataset) for path, datasets in DATA.items() for dataset in datasets]


def test_every_payload_has_its_line() -> None:
    folder = needs(WIRE)
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".md" and path.name != "SOURCES.txt"
    }
    named = {path for path in found if path in DATA or path in ERRORS}
    left = {path for path in found - named if not any(fnmatch(path, pattern) for pattern in NOT_ASSIGNED)}
    assert left == set()
    assert not set(DATA) & set(ERRORS)
    unused = [pattern for pattern in NOT_ASSIGNED if not any(fnmatch(path, pattern) for path in found - named)]
    assert unused == []


def test_every_dataset_whose_format_was_recorded_is_among_them() -> None:
    seen = {dataset for datasets in DATA.values() for dataset in datasets}
    # The pages of QuiverQuant that state scores were not recorded; their tests write them after the description.
    assert set(catalogue()) - seen <= {"google_trends", "dc_insider_scores", "app_reviews"}


@pytest.mark.parametrize(("path", "dataset"), PAIRS, ids=[f"{dataset}-{Path(path).name}" for path, dataset in PAIRS])
def test_a_payload_gives_its_rows(path: str, dataset: str) -> None:
    rows = parse_file(dataset, needs(WIRE / path))
    assert len(rows) == DATA[path][dataset]
    columns = {"event_date", *(column.name for column in catalogue()[dataset].columns)}
    assert all(set(row) == columns for row in rows)


@pytest.mark.parametrize("path", ERRORS)
def test_an_error_body_is_one_line_and_status_1(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    file = needs(WIRE / path)
    with pytest.raises(PasError) as caught:
        parse_file(ERRORS[path], file)
    assert "\n" not in str(caught.value)
    assert run(["parse", ERRORS[path], str(file)]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert len(out.err.strip().splitlines()) == 1
