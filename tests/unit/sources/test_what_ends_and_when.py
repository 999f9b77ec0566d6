"""What an answer concludes about rows it does not hold, and times that are told by halves."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source
from pas_lib.sources.base import base_url
from pas_lib.sources.congress import read_amount, read_symbol
from pas_lib.sources.insiders import read_time
from tests.support.pages import list_page

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)


def parsed(site: str, data: str, body: Any, status: int = 200, **context: str):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    payload = Payload(site, data, context.get("symbol", "x"), "http://site/x", status, "", NOW, context, content)
    return source(site).parse(payload)


# -- a record that cannot be read is there all the same: the row known under its key has not vanished


def test_a_rating_that_cannot_be_read_has_not_vanished():
    row = {
        "id": "65a0",
        "date": "2026-01-12",
        "time": "later",
        "ticker": "AAA",
        "analyst": "Some Broker",
        "action_company": "Upgrades",
        "rating_current": "Buy",
        "pt_current": "",
        "updated": 1768240000,
    }
    window = {"kind": "window", "from": "2026-01-01", "to": "2026-01-30"}
    (batch,) = parsed("benzinga", "analyst_ratings", {"ratings": [row]}, **window)
    assert (len(batch.records), len(batch.rejects), len(batch.scopes)) == (0, 1, 1)
    assert batch.mentioned == [{"symbol": "AAA", "rating_id": "65a0"}]


@pytest.mark.parametrize("site", ["fred", "fredgraph"])
def test_an_observation_that_cannot_be_read_has_not_vanished(site):
    if site == "fred":
        rows = [
            {"date": day, "value": value, "realtime_start": "2026-01-30", "realtime_end": "2026-01-30"}
            for day, value in (("2026-01-27", "4.1"), ("2026-01-28", "4,2"), ("2026-01-29", "4.3"))
        ]
        told = {"realtime_start": "2026-01-30", "realtime_end": "2026-01-30", "count": 3, "offset": 0}
        body: Any = {**told, "observations": rows}
    else:
        body = b"observation_date,DGS10\n2026-01-27,4.1\n2026-01-28,4;2\n2026-01-29,4.3\n"
    (batch,) = parsed(site, "macro_series", body, series_id="DGS10")
    assert (batch.num_rows, len(batch.rejects), len(batch.scopes)) == (2, 1, 1)
    assert batch.mentioned == [
        {"series_id": "DGS10", "event_date": date(2026, 1, 28), "realtime_start": date(2026, 1, 29)}
    ]


def test_a_filing_that_cannot_be_read_has_not_vanished():
    numbers = ["0000000001-26-000002", "0000000001-26-000001"]
    columns = {
        "accessionNumber": numbers,
        "filingDate": ["2026-01-29", "2026-01-28"],
        "acceptanceDateTime": ["", "2026-01-28T21:07:32.000Z"],
        "form": ["10-Q", "8-K"],
    }
    body = {"cik": "0000000001", "name": "A", "tickers": [], "filings": {"recent": columns, "files": []}}
    (batch,) = parsed("sec_submissions", "filings", body, cik="0000000001")
    assert (batch.num_rows, len(batch.rejects), len(batch.scopes)) == (1, 1, 1)
    assert batch.mentioned == [{"entity": "cik0000000001", "kind": "filing", "accession": numbers[0]}]


def test_a_list_with_a_member_that_cannot_be_read_takes_nobody_off():
    companies = [("AAA", "Alpha", "2020-01-02", "0000000001"), ("BBB", "Beta", "some day", "0000000002")]
    changes = [("April 9, 2025", "AAA", "Alpha", "", "")]
    universe, _ = parsed("wikipedia", "universe", list_page(companies, changes).encode(), index_name="sp500")
    assert [reject.reason for reject in universe.rejects] == ["'some day' is not a date"]
    assert universe.scopes == []
    # A line of the table of changes says nothing about who is listed.
    changes = [("some day", "AAA", "Alpha", "", "")]
    universe, _ = parsed("wikipedia", "universe", list_page(companies[:1], changes).encode(), index_name="sp500")
    assert (len(universe.rejects), universe.scopes) == (1, [{"index_name": "sp500"}])


# -- a list that may be cut says nothing about its last day


def test_of_the_oldest_day_of_a_history_of_ratings_some_may_be_cut_off():
    def grade(at: datetime) -> dict[str, Any]:
        return {"epochGradeDate": int(at.timestamp()), "firm": "Broker", "toGrade": "Buy", "action": "up"}

    history = [grade(datetime(2026, 1, day, 15, tzinfo=UTC)) for day in (20, 9)]
    body = {"quoteSummary": {"result": [{"upgradeDowngradeHistory": {"history": history}}], "error": None}}
    (batch,) = parsed("yahoo_summary", "analyst_ratings", body, symbol="AAA")
    assert batch.scopes == [{"symbol": "AAA", "scope_start": date(2026, 1, 10)}]


# -- a date without an hour is known from the next session on


@pytest.mark.parametrize("text", ["2025-12-12T00:00:00.000", "2025-12-12", "2025-12-12T00:00:00", "Dec 12, 2025"])
def test_a_day_of_filing_without_an_hour_is_known_from_the_next_session_on(text):
    assert read_time(text) == datetime(2025, 12, 15, tzinfo=NY)
    assert read_time("2025-12-12T16:44:37.000") == datetime(2025, 12, 12, 16, 44, 37, tzinfo=NY)


def test_an_insider_of_the_api_without_an_hour_is_not_known_on_the_day():
    row = {
        "Ticker": "AAA",
        "Date": "2026-01-20T00:00:00.000",
        "Name": "DOE JANE",
        "TransactionCode": "P",
        "Shares": 10.0,
        "PricePerShare": 2.0,
        "fileDate": "2026-01-22T00:00:00.000",
    }
    (batch,) = parsed("quiver_api", "insider_buying", [row])
    table = dataset("insider_buying").records_table(batch.records)
    assert dataset("insider_buying").known_at(table, NOW)[0].as_py() == datetime(2026, 1, 23, tzinfo=NY)


# -- numbers and symbols


def test_a_bracket_whose_end_is_lost_is_the_bracket_that_begins_there():
    assert read_amount("$1,001 -") == ("$1,001 - $15,000", 1001.0, 15000.0)
    assert read_amount("$1,001") == ("$1,001 - $1,001", 1001.0, 1001.0)
    with pytest.raises(ValueError, match="no bracket begins"):
        read_amount("$1,002 -")


def test_share_classes_have_one_spelling():
    assert {read_symbol(text) for text in ("BRK.B", "BRK-B", "BRK/B", " brk.b ")} == {"BRK.B"}


# -- what a site ignores, and where it moved


def filing(posted: str) -> dict[str, Any]:
    return {
        "filing_uuid": posted,
        "filing_type": "Q4",
        "filing_year": 2025,
        "filing_period": "fourth_quarter",
        "income": "50000.00",
        "expenses": None,
        "dt_posted": f"{posted}T16:20:15-05:00",
        "registrant": {"id": 1, "name": "A FIRM"},
        "client": {"id": 2, "name": "CLIENT"},
    }


def test_a_list_of_lobbying_that_ignores_the_days_asked_for_is_refused():
    window = {"start": "2026-01-20", "end": "2026-01-30"}
    days = ["2026-01-19", "2026-01-20", "2026-01-31"]
    (batch,) = parsed("senate_lda", "lobbying", {"count": 3, "results": [filing(day) for day in days]}, **window)
    assert [row["filing_id"] for row in batch.records] == ["2026-01-20"]
    with pytest.raises(PayloadError, match="posted on 2019-05-02, outside of what was asked for"):
        parsed("senate_lda", "lobbying", {"count": 1, "results": [filing("2019-05-02")]}, **window)


def test_the_address_of_the_lobbying_api_is_a_setting(tmp_path):
    site = source("senate_lda")
    values = {"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}
    assert base_url(site, load_settings(values, root=tmp_path)) == "https://lda.senate.gov"
    moved = load_settings({**values, "PAS_SENATE_LDA_URL": "https://lda.gov/"}, root=tmp_path)
    (request, *_) = site.requests(Ask("lobbying", moved, NOW, date(2026, 1, 20)))
    assert request.url == "https://lda.gov/api/v1/filings/"
    sandbox = load_settings(
        {**values, "PAS_SOURCES": "sandbox", "PAS_SENATE_LDA_URL": "https://lda.gov"}, root=tmp_path
    )
    assert base_url(site, sandbox).endswith("/senate-lda")


def test_a_report_that_the_index_gives_no_day_is_listed_and_stops_nothing():
    line = "Prefix\tLast\tFirst\tSuffix\tFilingType\tStateDst\tYear\tFilingDate\tDocID\r\n"
    body = f"{line}Hon.\tDoe\tJane\t\tP\tOH03\t2026\t\t20030001\r\n".encode()
    (batch,) = parsed("house_clerk", "politician_trades", body, kind="index", year="2026")
    assert [(reject.reason, reject.expected) for reject in batch.rejects] == [
        ("a report without a day of filing", True)
    ]
