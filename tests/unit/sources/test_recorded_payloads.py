"""Golden counts and values of every recorded payload that belongs to a dataset of the catalogue."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime

import pytest

from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.landing import Landing
from pas_lib.sources import Payload
from tests.support.paths import WIRE, needs

pytestmark = pytest.mark.needs_material

COUNTS = [
    ("prices", "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json", 1),
    ("prices", "yahoo/chart_AAPL_1m_weekend_no_timestamp.json", 0),
    ("prices", "yahoo/chart_BTC-USD_1d.json", 3),
    ("prices", "yahoo/chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json", 252),
    ("prices", "yahoo/chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json", 252),
    ("corporate_actions", "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json", 0),
    ("corporate_actions", "yahoo/chart_AAPL_1m_weekend_no_timestamp.json", 0),
    ("corporate_actions", "yahoo/chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json", 4),
    ("corporate_actions", "yahoo/chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json", 1),
    ("wiki_views", "wikimedia_pageviews/pageviews_daily_Python_programming_language_2021-01-01_03.json", 3),
    ("wiki_views", "wikimedia_pageviews/pageviews_monthly_Dan_Castellaneta_2020_partial_last_month.json", 9),
    ("macro_series", "fred/payloads/fredgraph_DGS1MO_first60.csv", 57),
    ("macro_series", "fred/payloads/fredgraph_TB3MS_last40.csv", 40),
    ("macro_series", "fred/payloads/series_observations_CPILFESL.json", 816),
    ("macro_series", "fred/payloads/series_observations_GDP_all_vintages_trimmed_from_2018.json", 167),
    ("macro_series", "fred/payloads/series_observations_GDP_asof_2019-01-01_trimmed_from_2013.json", 149),
    ("macro_series", "fred/payloads/series_observations_GDP_latest.json", 311),
    ("macro_series", "fred/payloads/series_observations_GDP_output_type_4_initial_release.json", 132),
    ("politician_trades", "quiverquant/api_historical_congresstrading_COIN_2021-12-11.json", 16),
    ("politician_trades", "quiverquant/api_rows_quoted_2025_2026.json", 3),
    ("lobbying", "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json", 100),
    ("lobbying", "senate_lda/payloads/filings_page1_recorded_2026.json", 3),
    ("lobbying", "senate_lda/payloads/filings_page2_last_recorded_2026.json", 1),
    ("lobbying", "senate_lda/payloads/filings_lockheed_2025_page_size_1_recorded_trimmed.json", 1),
    ("gov_contracts", "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json", 196),
    ("gov_contracts", "usaspending/payloads/spending_by_transaction/documented_response.json", 10),
    ("gov_contracts", "usaspending/payloads/spending_by_award/contracts.json", 2),
    ("gov_contracts", "usaspending/payloads/spending_by_award/contracts_many_fields.json", 5),
    ("gov_contracts", "usaspending/payloads/spending_by_award/idvs.json", 3),
    ("gov_contracts", "usaspending/payloads/spending_by_award/lockheed_recorded_2026.json", 3),
    ("universe", "universe/sp500_wikipedia_rev1352594942_tables_trimmed.html", 25),
    ("securities", "universe/sp500_wikipedia_rev1352594942_tables_trimmed.html", 25),
    ("universe", "universe/iwm_holdings_ajax_2026-05-05_trimmed.csv", 201),
    ("universe", "universe/iwm_latest_holdings_2026-07-17_trimmed.csv", 212),
    ("universe", "universe/ivv_holdings_from_productdata_api_20260820_first60_and_nonequity.csv", 60),
    ("universe", "universe/sp500_constituents_datasets.csv", 503),
    ("universe", "universe/sp500_wikipedia_snapshot_20250630.csv", 503),
    ("universe", "universe/sp500_wikipedia_snapshot_20260821.csv", 503),
    ("universe", "universe/sp500_ticker_start_end.csv", 1957),
    ("universe", "universe/sp500_changes_since_2019.csv", 294),
    ("universe", "universe/sp400_wikipedia_2021-07_constituents_rendered_rows.csv", 10),
    ("universe", "universe/sp400_wikipedia_2021-07_changes_rendered_rows.csv", 50),
]


@pytest.mark.parametrize(("dataset", "path", "count"), COUNTS, ids=[f"{d}-{p.split('/')[-1]}" for d, p, _ in COUNTS])
def test_every_data_payload_gives_its_records(dataset, path, count):
    records = parse_file(dataset, needs(WIRE / path))
    assert len(records) == count
    for record in records:
        assert "event_date" in record


ERRORS = [
    ("prices", "yahoo/error_chart_404_delisted.json", "symbol may be delisted"),
    ("prices", "yahoo/error_401_invalid_crumb.json", "Invalid Crumb"),
    ("prices", "yahoo/error_429_body.txt", "Too Many Requests"),
    ("prices", "yahoo/error_v7_download_400_no_data.txt", "400 Bad Request"),
    ("prices", "yahoo/error_quoteSummary_404_no_fundamentals.json", "No fundamentals data"),
    ("prices", "yahoo/quoteSummary_price_AAPL.json", "not a chart"),
    ("wiki_views", "wikimedia_pageviews/error_400_no_full_months.json", "no full months"),
    ("wiki_views", "wikimedia_pageviews/error_404_unknown_article.json", "do not have data"),
    ("wiki_views", "wikimedia_pageviews/error_429_body.txt", "too many requests"),
    ("macro_series", "fred/payloads/errors.json", "instead of an object"),
    ("macro_series", "fred/payloads/series_GDP.json", "seriess"),
    ("politician_trades", "quiverquant/api_error_bodies.json", "credentials were not provided"),
    ("politician_trades", "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json", "'politician' not found"),
    ("politician_trades", "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json", "in no format"),
    ("lobbying", "quiverquant/api_error_bodies.json", "credentials were not provided"),
    ("lobbying", "senate_lda/payloads/errors.json", "Request was throttled"),
    ("lobbying", "quiverquant/api_historical_congresstrading_COIN_2021-12-11.json", "'Date' not found"),
    ("lobbying", "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json", "in no format"),
    ("gov_contracts", "quiverquant/api_error_bodies.json", "credentials were not provided"),
    ("gov_contracts", "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json", "'Agency' not found"),
    ("gov_contracts", "usaspending/payloads/spending_by_category/recipient.json", "in no format"),
    ("gov_contracts", "usaspending/payloads/transactions/award_transactions.json", "in no format"),
    ("universe", "yahoo/error_401_invalid_crumb.json", "in no format"),
]


@pytest.mark.parametrize(("dataset", "path", "said"), ERRORS, ids=[p.split("/")[-1] for _, p, _ in ERRORS])
def test_error_payloads_are_refused_in_one_line(dataset, path, said):
    place = needs(WIRE / path)
    with pytest.raises(PayloadError) as caught:
        parse_file(dataset, place)
    message = str(caught.value)
    assert said in message
    assert place.name in message
    assert "\n" not in message


def test_splits_of_the_payload_are_undone():
    path = needs(WIRE / "yahoo/chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json")
    bars = {row["event_date"]: row for row in parse_file("prices", path)}
    before, on = bars[date(2021, 7, 19)], bars[date(2021, 7, 20)]
    assert (before["split_factor"], on["split_factor"]) == (4.0, 1.0)
    assert bars[date(2021, 2, 1)]["close"] == pytest.approx(4 * 13.237000465393066, rel=1e-12)
    # Undone, the price falls to a quarter over the split and the volume in shares rises.
    assert before["close"] / on["close"] == pytest.approx(4.0, rel=0.05)
    actions = parse_file("corporate_actions", path)
    assert actions == [
        {
            "event_date": date(2021, 7, 20),
            "symbol": "NVDA",
            "action": "split",
            "ratio": 4.0,
            "amount": None,
            "currency": None,
            "ordinal": 0,
        }
    ]


def test_a_gzipped_payload_and_a_landed_one_are_read_as_well(tmp_path):
    path = needs(WIRE / "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json")
    packed = tmp_path / "chart.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain = parse_file("prices", path)
    assert parse_file("prices", packed) == plain
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(PayloadError, match="damaged or cut off"):
        parse_file("prices", packed)
    landing = Landing(str(tmp_path / "landing"))
    at = datetime(2026, 1, 31, tzinfo=UTC)
    payload = Payload("yahoo_chart", "prices", "AAPL", "http://x/", 200, "", at, {"symbol": "AAPL"}, path.read_bytes())
    landed = landing.write("prices/run", 0, payload)
    assert parse_file("prices", tmp_path / "landing" / landed.path) == plain
    assert landing.read(landed.path) == payload


def test_bars_are_dated_in_the_exchanges_time():
    bar = parse_file("prices", needs(WIRE / "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json"))[0]
    assert bar["event_date"] == date(2020, 1, 2)
    assert (bar["open"], bar["close"], bar["volume"]) == (74.05999755859375, 75.0875015258789, 135480400.0)
    coin = parse_file("prices", needs(WIRE / "yahoo/chart_BTC-USD_1d.json"))
    assert [row["event_date"] for row in coin] == [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)]
    assert {row["symbol"] for row in coin} == {"BTC-USD"}


def test_dividends_are_by_ex_date():
    found = parse_file(
        "corporate_actions", needs(WIRE / "yahoo/chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json")
    )
    assert [(row["event_date"], row["amount"]) for row in found] == [
        (date(2021, 2, 17), 0.56),
        (date(2021, 5, 19), 0.56),
        (date(2021, 8, 18), 0.56),
        (date(2021, 11, 17), 0.62),
    ]


def test_vintages_keep_the_first_day_of_each_value():
    rows = parse_file(
        "macro_series", needs(WIRE / "fred/payloads/series_observations_GDP_all_vintages_trimmed_from_2018.json")
    )
    first = [(r["realtime_start"], r["value"]) for r in rows if r["event_date"] == date(2018, 1, 1)][:2]
    assert first == [(date(2018, 4, 27), 19965.326), (date(2018, 5, 30), 19956.811)]
    assert {row["vintage"] for row in rows} == {"alfred"}
    initial = parse_file(
        "macro_series", needs(WIRE / "fred/payloads/series_observations_GDP_output_type_4_initial_release.json")
    )
    assert initial[-1]["vintage"] == "initial"
    assert (initial[-1]["realtime_start"], initial[-1]["value"]) == (date(2024, 10, 30), 29349.924)


def test_a_snapshot_becomes_usable_by_the_lag_table():
    rows = parse_file("macro_series", needs(WIRE / "fred/payloads/series_observations_GDP_latest.json"))
    assert rows[-1]["vintage"] == "lag_rule"
    assert (rows[-1]["event_date"], rows[-1]["realtime_start"]) == (date(2024, 7, 1), date(2024, 10, 31))
    yields = parse_file("macro_series", needs(WIRE / "fred/payloads/fredgraph_DGS1MO_first60.csv"))
    assert date(2005, 1, 17) not in {row["event_date"] for row in yields}
    friday = next(row for row in yields if row["event_date"] == date(2005, 1, 14))
    assert friday["realtime_start"] == date(2005, 1, 18)


def test_trades_of_different_years_come_in_one_spelling():
    old = parse_file(
        "politician_trades", needs(WIRE / "quiverquant/api_historical_congresstrading_COIN_2021-12-11.json")
    )
    assert (old[0]["politician"], old[0]["chamber"]) == ("Marie Newman", "House")
    assert (old[0]["amount_range"], old[0]["amount_low"], old[0]["amount_high"]) == ("$15,001 - $50,000", 15001.0, 5e4)
    new = parse_file("politician_trades", needs(WIRE / "quiverquant/api_rows_quoted_2025_2026.json"))
    assert (new[0]["transaction"], new[0]["party"], new[0]["asset_type"]) == ("sale", "D", "ST")
    assert (new[1]["politician"], new[1]["report_date"]) == ("Dan Newhouse", date(2025, 9, 17))
    assert not any("return" in name.lower() or "change" in name.lower() for row in old + new for name in row)


def test_the_list_page_gives_members_changes_and_identities():
    path = needs(WIRE / "universe/sp500_wikipedia_rev1352594942_tables_trimmed.html")
    rows = parse_file("universe", path)
    by_event = [row["event"] for row in rows]
    assert (by_event.count("listed"), by_event.count("added"), by_event.count("removed")) == (10, 8, 7)
    blank = [row for row in rows if row["effective_date"] == date(2025, 11, 4)]
    assert [(row["symbol"], row["event"]) for row in blank] == [("EMN", "removed")]
    people = {row["symbol"]: row for row in parse_file("securities", path)}
    assert people["MMM"]["cik"] == "0000066740"
    assert (people["GOOGL"]["security_id"], people["GOOG"]["security_id"]) == ("cik0001652044.A", "cik0001652044.C")
    assert people["AOS"]["wiki_title"] == "A._O._Smith"
    assert people["ADBE"]["exchange"] == "NASDAQ"
    assert people["AMP"]["cik"] == "0000820027"
    assert people["CASY"]["security_id"] == "sym:CASY:casey-s"
    assert people["CASY"]["wiki_title"] == "Casey's"


@pytest.mark.parametrize(
    "name", ["iwm_holdings_ajax_2026-05-05_trimmed.csv", "iwm_latest_holdings_2026-07-17_trimmed.csv"]
)
def test_holdings_drop_what_is_no_listed_share(name):
    rows = parse_file("universe", needs(WIRE / "universe" / name))
    symbols = [row["symbol"] for row in rows]
    assert len(symbols) == len(set(symbols))
    assert not {"XTSLA", "USD", "CAD", "RTYM6", "RTYU6", "GTXI", "P5N994", "PDLI", "-", "MSFUT", "GS"} & set(symbols)
    assert "MOG.A" in symbols
    assert {row["index_name"] for row in rows} == {"russell2000"}
    assert all(row["is_assumed"] for row in rows)
    assert all(0 <= row["weight"] < 0.1 for row in rows)
