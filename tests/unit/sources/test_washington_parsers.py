"""Lobbying and contracts: golden values of the recorded payloads, layouts, and the questions asked."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pas_lib.clock import next_session_midnight
from pas_lib.datasets import dataset
from pas_lib.datasets.base import next_session_midnight as midnight_after
from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source, usable_sources
from pas_lib.sources.base import UNKNOWN_TIME
from pas_lib.sources.contracts import available, is_defence
from pas_lib.sources.disclosed import read_amount, read_day, read_list, read_text
from tests.support.paths import WIRE, needs

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
material = pytest.mark.needs_material


def payload(site: str, data: str, body: object, **context: str) -> Payload:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Payload(site, data, "x", "http://site/x", 200, "", NOW, context, content)


def only_batch(site: str, data: str, body: object, **context: str):
    (batch,) = source(site).parse(payload(site, data, body, **context))
    assert batch.dataset == data
    return batch


def known(data: str, record: dict) -> datetime:
    return dataset(data).known_at(dataset(data).records_table([record]), NOW)[0].as_py()


@material
def test_recorded_lobbying_of_one_company():
    rows = parse_file("lobbying", needs(WIRE / "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json"))
    assert rows[0]["issue"] == "Taxation/Internal Revenue Code; Trade (domestic/foreign)"
    assert (rows[0]["report_date"], rows[0]["amount"]) == (date(2023, 1, 23), 140000.0)
    assert (rows[2]["client"], rows[2]["amount"], rows[2]["issue"]) == ("HANESBRANDS, INC.", 0.0, None)
    assert {(row["symbol"], row["matched_by"], row["ordinal"]) for row in rows} == {("HBI", "source", 0)}
    assert len({row["filing_id"] for row in rows}) == 100


@material
def test_recorded_filings_of_the_senate():
    rows = parse_file("lobbying", needs(WIRE / "senate_lda/payloads/filings_page1_recorded_2026.json"))
    first, in_house, registration = rows
    assert first["filing_id"] == "dedc9bd7-5168-4cad-8973-aece07645b9f"
    assert first["posted_at"] == datetime(2026, 4, 2, 20, 20, 15, tzinfo=UTC)
    assert known("lobbying", first) == first["posted_at"]
    assert (first["amount"], first["amount_kind"], first["symbol"]) == (50000.0, "income", "LMT")
    assert (in_house["amount"], in_house["amount_kind"]) == (2450000.0, "expenses")
    assert (in_house["client"], in_house["registrant"]) == ("BOEING COMPANY", "BOEING COMPANY")
    assert (registration["filing_type"], registration["amount"], registration["symbol"]) == ("RR", None, None)
    # Late in the evening in New York is the next day in UTC: the day of filing is New York's.
    (evening,) = parse_file("lobbying", needs(WIRE / "senate_lda/payloads/filings_page2_last_recorded_2026.json"))
    assert evening["posted_at"] == datetime(2026, 4, 3, 2, 14, 18, tzinfo=UTC)
    assert (evening["report_date"], evening["amount"]) == (date(2026, 4, 2), 31700.0)
    # Without a date of posting nothing is known before it was fetched.
    path = needs(WIRE / "senate_lda/payloads/filings_lockheed_2025_page_size_1_recorded_trimmed.json")
    (undated,) = parse_file("lobbying", path)
    assert (undated["event_date"], undated["report_date"]) == (date(2025, 3, 31), None)
    assert known("lobbying", undated) == NOW


@material
def test_recorded_contracts_of_one_company_repeat_themselves():
    rows = parse_file("gov_contracts", needs(WIRE / "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json"))
    assert len(rows) == 196
    assert sum(row["ordinal"] == 0 for row in rows) == 51
    keys = Counter((row["contract_id"], row["modification"], row["action_date"], row["ordinal"]) for row in rows)
    assert set(keys.values()) == {1}
    assert sum(row["amount"] == 0.0 for row in rows) == 10
    assert {row["symbol"] for row in rows} == {"AMRC"}
    assert (max(row["action_date"] for row in rows), rows[-1]["action_date"]) == (
        date(2021, 10, 28),
        date(2019, 10, 31),
    )
    assert sum(row["is_defence"] for row in rows) == sum("DEFENSE" in row["agency"] for row in rows)


@material
def test_documented_transactions_and_recorded_awards():
    folder = WIRE / "usaspending/payloads"
    rows = parse_file("gov_contracts", needs(folder / "spending_by_transaction/documented_response.json"))
    assert sum(row["amount"] for row in rows) == pytest.approx(_sum(folder))
    assert (rows[0]["modification"], rows[0]["amount"]) == ("P00011", 15639242.36)
    assert {row["amount_kind"] for row in rows} == {"transaction"}
    defence = next(row for row in rows if row["is_defence"])
    assert (defence["action_date"], defence["available_date"]) == (date(2008, 12, 16), date(2009, 3, 16))
    awards = parse_file("gov_contracts", needs(folder / "spending_by_award/lockheed_recorded_2026.json"))
    assert [(row["symbol"], row["amount"], row["is_defence"]) for row in awards] == [
        ("LMT", 4761000000.0, True),
        ("LMT", 424148101.88, True),
        ("LMT", 132901006.08, True),
    ]
    assert {row["amount_kind"] for row in awards} == {"award_total"}
    many = parse_file("gov_contracts", needs(folder / "spending_by_award/contracts_many_fields.json"))
    # The site's own date of change is later than any lag.
    assert many[1]["available_date"] == date(2025, 7, 16)


def _sum(folder: Path) -> float:
    document = json.loads((folder / "spending_by_transaction/documented_response.json").read_text())
    return sum(float(row["Transaction Amount"]) for row in document["results"])


LOBBY_ROW = {
    "Date": "2026-01-20",
    "Ticker": "AAA",
    "Client": "ALPHA WORKS",
    "Amount": "50000.0",
    "Issue": "Defense \n Trade",
    "Specific_Issue": None,
    "Registrant": "FIRM",
}


def test_equal_reports_are_told_apart_and_returns_are_not_read():
    batch = only_batch("quiver_api", "lobbying", [LOBBY_ROW, LOBBY_ROW, {**LOBBY_ROW, "ExcessReturn": 9.9}])
    assert [row["ordinal"] for row in batch.records] == [0, 1, 2]
    assert len({row["filing_id"] for row in batch.records}) == 1
    own = {column.name for column in dataset("lobbying").columns} | {"event_date"}
    assert all(set(row) <= own for row in batch.records)
    record = batch.records[0]
    assert (record["issue"], record["registrant"], record["amount"]) == ("Defense; Trade", "FIRM", 50000.0)
    assert known("lobbying", record) == next_session_midnight(date(2026, 1, 20))
    worse = only_batch("quiver_api", "lobbying", [LOBBY_ROW, {**LOBBY_ROW, "Amount": "much"}])
    assert (len(worse.records), worse.rejects[0].reason) == (1, "'much' is no amount")


PAGE = """<html><body><h2>Recent</h2><div class="table-inner"><table><tbody>
<tr><td><a href="#">AAA
<br><span>ALPHA &amp; SONS</span></a></td><td>$50,000</td><td>Feb. 13, 2025, 12:19 p.m.</td></tr>
<tr><td><a href="#">BB-A
<br><span>BETA MILLS</span></a></td><td>$0</td><td>Sept. 3, 2024</td></tr></tbody></table></div>
<div class="table-inner"><table><tr><td>TOP
<br>Top spender</td><td>$9,000,000</td><td>Last quarter</td></tr></table></div></body></html>"""


def test_the_lobbying_page():
    batch = only_batch("quiver_page", "lobbying", PAGE.encode())
    got = [(row["symbol"], row["client"], row["amount"], row["report_date"]) for row in batch.records]
    assert got == [
        ("AAA", "ALPHA & SONS", 50000.0, date(2025, 2, 13)),
        ("BB.A", "BETA MILLS", 0.0, date(2024, 9, 3)),
    ]


@pytest.mark.parametrize(
    ("data", "body", "said"),
    [
        ("lobbying", "<html><head><title>Just a moment...</title></head></html>", "blocked or changed: 'Just a moment"),
        ("lobbying", PAGE.replace("table-inner", "panel"), "blocked or changed"),
        ("lobbying", PAGE.replace("<td>$50,000</td>", ""), "5 cells instead of groups of three"),
        ("lobbying", '<html><div class="table-inner"></div></html>', "no reports on the page"),
        ("lobbying", PAGE[:400], "the page is cut off"),
        (
            "lobbying",
            PAGE.replace("Feb. 13, 2025, 12:19 p.m.", "?").replace("Sept. 3, 2024", "?"),
            "no row can be read",
        ),
        ("gov_contracts", "<html><table id='other'></table></html>", "blocked or changed"),
        (
            "gov_contracts",
            "<html><table id='myTable'><tr><th>Stock</th></tr></table></html>",
            "no contracts on the page",
        ),
        ("gov_contracts", "<html><table id='myTable'><tr><td>A</td><td>B</td></tr></table></html>", "2 columns"),
    ],
)
def test_pages_that_changed_are_refused_in_one_line(data, body, said):
    with pytest.raises(PayloadError) as caught:
        source("quiver_page").parse(payload("quiver_page", data, body.encode()))
    assert said in str(caught.value)
    assert str(caught.value).startswith("quiver_page:")
    assert "\n" not in str(caught.value)


def test_the_contracts_page():
    body = (
        "<html><table id='myTable'><thead><tr><th>Stock</th></tr></thead><tbody><tr><td><a>AAA</a></td>"
        "<td>Jan. 5, 2026</td><td>($1,200.50)</td><td>DEPARTMENT OF DEFENSE (DOD)</td><td>PARTS</td></tr>"
        "</tbody></table></html>"
    )
    (row,) = only_batch("quiver_page", "gov_contracts", body.encode()).records
    assert (row["symbol"], row["action_date"], row["amount"]) == ("AAA", date(2026, 1, 5), -1200.5)
    assert (row["is_defence"], row["available_date"]) == (True, date(2026, 4, 5))


def contract(**changes: object) -> dict:
    return {
        "Ticker": "AAA",
        "Date": "2025-12-10",
        "action_date": "2025-12-01",
        "Description": "PARTS",
        "Agency": "DEPARTMENT OF ENERGY",
        "Amount": 10.0,
    } | changes


def test_both_spellings_of_a_date_are_the_same_contract():
    batch = only_batch("quiver_api", "gov_contracts", [contract(), contract(Date="2025-12-10 00:00:00")])
    assert [row["ordinal"] for row in batch.records] == [0, 1]
    assert len({(row["contract_id"], row["announced_date"]) for row in batch.records}) == 1


@pytest.mark.parametrize(
    ("changes", "following", "expected"),
    [
        ({}, "false", midnight_after(date(2025, 12, 10))),  # the site's date is later than the lag
        ({"Date": "2025-12-02"}, "false", midnight_after(date(2025, 12, 6))),
        (
            {"Agency": "DEPARTMENT OF DEFENSE (DOD)", "action_date": "2025-10-01"},
            "false",
            midnight_after(date(2025, 12, 30)),
        ),
        ({"Agency": "DEPARTMENT OF DEFENSE (DOD)"}, "false", NOW),  # shown before its time: known when seen
        ({}, "true", NOW),  # appeared since the last collection
    ],
)
def test_contracts_are_known_when_seen_or_by_the_lag_of_their_agency(changes, following, expected):
    (row,) = only_batch("quiver_api", "gov_contracts", [contract(**changes)], following=following).records
    assert known("gov_contracts", row) == expected


@pytest.mark.parametrize(
    ("agencies", "expected"),
    [
        (("Department of Defense", None), True),
        (("DEPARTMENT OF DEFENSE (DOD)",), True),
        (("Department of War",), True),
        (("Department of Defense", "Department of the Army"), True),
        (("Department of the Interior",), False),
        (("Defense Nuclear Facilities Safety Board",), False),
        (("Department of Warehousing",), False),
    ],
)
def test_defence(agencies, expected):
    assert is_defence(*agencies) is expected
    day = date(2025, 1, 10)
    assert available(day, expected) - day == timedelta(days=90 if expected else 5)
    assert available(day, expected, date(2026, 1, 1), None) == date(2026, 1, 1)


def lda(**changes: object) -> dict:
    row = {
        "filing_uuid": "u1",
        "filing_type": "Q4",
        "filing_year": 2025,
        "filing_period": "fourth_quarter",
        "income": None,
        "expenses": None,
        "dt_posted": "2026-01-20T16:00:00-05:00",
        "registrant": {"id": 1, "name": "Firm &#226;&#128;&#139;One"},
        "client": {"id": 2, "name": "AT&amp;T Services"},
        "lobbying_activities": [],
    }
    return row | changes


def test_amounts_of_filings_and_double_entities():
    body = {"count": 3, "next": None, "results": [lda(), lda(income="5.5", expenses="7.5"), lda(income="bad")]}
    batch = only_batch("senate_lda", "lobbying", body)
    assert [(row["amount"], row["amount_kind"]) for row in batch.records] == [(None, None), (7.5, "expenses")]
    assert batch.records[0]["client"] == "AT&T Services"
    assert [reject.reason for reject in batch.rejects] == ["'bad' is no amount"]


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"filing_period": "third_quarter"}, date(2025, 9, 30)),
        ({"filing_year": 2026, "filing_period": "first_quarter"}, date(2026, 1, 30)),
        ({"filing_year": 2026, "filing_period": "year_end"}, date(2026, 1, 30)),
        ({"filing_period": None}, date(2026, 1, 30)),
        ({"filing_year": None}, date(2026, 1, 30)),
    ],
)
def test_a_report_without_a_date_of_posting_is_of_no_day_to_come_and_known_from_the_fetch(changes, day):
    body = {"count": 1, "next": None, "results": [lda(dt_posted=None, income="5", **changes)]}
    (row,) = only_batch("senate_lda", "lobbying", body).records
    assert (row["event_date"], row["report_date"], row["posted_at"]) == (day, None, None)
    assert known("lobbying", row) == NOW


def test_a_file_that_says_neither_when_it_was_posted_nor_of_which_period_is_refused():
    stated = payload("senate_lda", "lobbying", {"results": [lda(dt_posted=None, filing_period=None)]})
    (batch,) = source("senate_lda").parse(replace(stated, fetched_at=UNKNOWN_TIME))
    assert [reject.reason for reject in batch.rejects] == ["neither date of posting nor a known period: None"]


@pytest.mark.parametrize(
    ("site", "data", "body", "said"),
    [
        ("senate_lda", "lobbying", {"detail": "Invalid page."}, "Invalid page."),
        ("senate_lda", "lobbying", {"count": 0, "results": []}, "no filings at all"),
        ("senate_lda", "lobbying", {"results": [{"uuid": 1}]}, "results.filing_uuid"),
        ("senate_lda", "lobbying", b"<!DOCTYPE html><html></html>", "an HTML page came"),
        ("senate_lda", "lobbying", b'{"results": [', "not JSON or cut off"),
        ("senate_lda", "lobbying", b"", "the answer is empty"),
        ("usaspending", "gov_contracts", {"detail": "Missing value: 'filters'"}, "Missing value"),
        ("usaspending", "gov_contracts", {"results": [], "page_metadata": {}}, "no contracts at all"),
        ("usaspending", "gov_contracts", {"results": [{"x": 1}]}, "page_metadata"),
        ("usaspending", "gov_contracts", {"results": [{"x": 1}], "page_metadata": {}}, "results.Action Date"),
        ("usaspending", "gov_contracts", b"<html>504</html>", "an HTML page came"),
        ("quiver_api", "lobbying", "Upgrade your subscription plan", "Upgrade your subscription plan"),
        ("quiver_api", "gov_contracts", [{"Stock": "A"}], "column 'Ticker' not found"),
    ],
)
def test_answers_that_are_none_are_refused_in_one_line(site, data, body, said):
    with pytest.raises(PayloadError) as caught:
        source(site).parse(payload(site, data, body))
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{site}:")
    assert "\n" not in str(caught.value)


def ask(data: str, start: date, **settings: str) -> Ask:
    return Ask(data, load_settings(settings), NOW, start)


def test_months_are_asked_without_gaps_and_paged_to_the_end(tmp_path):
    site = source("usaspending")
    asked = list(site.requests(ask("gov_contracts", date(2025, 11, 5), PAS_HOME=str(tmp_path))))
    windows = [request.json["filters"]["time_period"][0] for request in asked]
    assert windows[-1]["end_date"] == "2026-01-30"
    assert windows[0]["start_date"] <= "2025-11-05"
    for before, after in itertools.pairwise(windows):
        gap = date.fromisoformat(after["start_date"]) - date.fromisoformat(before["end_date"])
        assert gap == timedelta(days=1)
    row = {
        "generated_internal_id": "A",
        "Recipient Name": "X",
        "Awarding Agency": "Y",
        "Transaction Amount": 1,
        "Action Date": "2026-01-02",
        "Mod": None,
    }
    full = {"results": [row], "page_metadata": {"page": 1, "hasNext": True}}
    following = site.follow(asked[-1], payload("usaspending", "gov_contracts", full, **asked[-1].context))
    assert (following.json["page"], following.context["page"]) == (2, "2")
    # No further than the site goes; what it did not give is counted, and asked for from the other end.
    deepest = replace(asked[-1], json={**asked[-1].json, "page": 500})
    counting = site.follow(deepest, payload("usaspending", "gov_contracts", full, **asked[-1].context))
    assert counting.url.endswith("/api/v2/search/spending_by_transaction_count/")
    assert counting.json == {"filters": asked[-1].json["filters"]}
    counted = payload("usaspending", "gov_contracts", {"results": {"contracts": 2}}, **counting.context)
    back = site.follow(counting, counted)
    assert (back.url, back.json["order"], back.json["page"]) == (asked[-1].url, "desc", 1)
    other = {"results": [{**row, "Mod": "1"}], "page_metadata": {"page": 1, "hasNext": False}}
    again = site.follow(back, payload("usaspending", "gov_contracts", other, **back.context))
    assert site.follow(again, replace(counted, context=again.context)) is None
    three = payload("usaspending", "gov_contracts", {"results": {"contracts": 3}}, **again.context)
    with pytest.raises(PayloadError, match="2 different records from 2025-12-31 to 2026-01-30 where 3 are counted"):
        site.follow(again, three)
    for broken in ({"results": {}}, {"detail": "no"}, {"results": []}):
        with pytest.raises(PayloadError, match="results.contracts"):
            site.parse(payload("usaspending", "gov_contracts", broken, kind="count"))
    done = payload("usaspending", "gov_contracts", {"results": [row], "page_metadata": {"hasNext": False}})
    assert site.follow(asked[-1], done) is None


def test_filings_are_asked_by_windows_and_from_the_other_end_where_some_are_missing(tmp_path):
    site = source("senate_lda")
    asked = list(site.requests(ask("lobbying", date(2025, 6, 1), PAS_HOME=str(tmp_path))))
    assert [(r.context["start"], r.context["end"]) for r in asked] == [
        ("2025-06-01", "2025-08-31"),
        ("2025-09-01", "2025-12-01"),
        ("2025-12-02", "2026-01-30"),
    ]
    assert asked[1].params["filing_dt_posted_after"] == "2025-08-31"
    assert asked[1].params["filing_dt_posted_before"] == "2025-12-02"
    # A first load begins with what a growth over a year needs.
    first = next(iter(site.requests(ask("lobbying", date(2015, 1, 1), PAS_HOME=str(tmp_path)))))
    assert first.context["start"] == "2024-10-07"

    def page(*ids: str, count: int, more: bool = False) -> Payload:
        rows = [lda(filing_uuid=name) for name in ids]
        return payload("senate_lda", "lobbying", {"count": count, "next": "u" if more else None, "results": rows})

    second = site.follow(asked[0], page("a", "b", count=4, more=True))
    assert (second.params["page"], second.params["ordering"]) == ("2", "dt_posted")
    # The second page repeats what stood on the first: something stood on none.
    back = site.follow(second, page("b", "c", count=4))
    assert (back.params["page"], back.params["ordering"]) == ("1", "-dt_posted")
    assert site.follow(back, page("d", count=4)) is None
    with pytest.raises(PayloadError, match="3 different filings where 4 are counted"):
        site.follow(back, page("c", count=4))
    assert site.follow(asked[0], page("a", count=1)) is None


@pytest.mark.parametrize(
    ("profile", "key", "lobbying", "contracts"),
    [
        ("sandbox", "", "quiver_api", "quiver_api"),
        ("public", "", "senate_lda", "usaspending"),
        ("subscribed", "", "quiver_page", "quiver_page"),
        ("subscribed", "k", "quiver_api", "quiver_api"),
    ],
)
def test_the_source_in_force_follows_the_settings(profile, key, lobbying, contracts, tmp_path):
    env = {"PAS_HOME": str(tmp_path), "PAS_SOURCES": profile} | ({"QUIVER_API_KEY": key} if key else {})
    settings = load_settings(env, root=tmp_path)
    assert [site.name for site in usable_sources(dataset("lobbying"), settings)] == [lobbying]
    assert [site.name for site in usable_sources(dataset("gov_contracts"), settings)] == [contracts]


def test_small_readings():
    assert read_amount("$1,234.50") == 1234.5
    assert read_amount("(20)") == -20.0
    assert read_amount(None) is None
    assert read_day("2021-10-28 00:00:00") == date(2021, 10, 28)
    assert read_list("A \n B\n") == "A; B"
    assert read_text("&amp;amp; more") == "& more"
    with pytest.raises(ValueError, match="is no amount"):
        read_amount(True)
