"""Filings and dates of earnings: recorded payloads, the hour of acceptance, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError, SourceError
from pas_lib.ingest import parse_file
from pas_lib.ingest.validate import conform, find_invalid
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source, usable_sources
from pas_lib.sources.filings import read_accepted
from tests.support.paths import REAL, WIRE, needs

FETCHED = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
SEC = WIRE / "sec_edgar" / "payloads"


def payload(name: str, body: Any, status: int = 200, label: str = "CIK0000000007", **context: str) -> Payload:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload(name, "filings", label, f"http://site/{label}", status, "", FETCHED, context, raw)


def columns(*rows: tuple[str, str, str, str], **more: list[Any]) -> dict[str, Any]:
    """Columns of (accession, filed, accepted, form)."""
    names = ("accessionNumber", "filingDate", "acceptanceDateTime", "form")
    return {**{name: [row[i] for row in rows] for i, name in enumerate(names)}, **more}


ROW = ("0000000007-26-000001", "2026-01-28", "2026-01-28T21:07:34.000Z", "10-Q")


def company(*rows: tuple[str, str, str, str], **more: Any) -> dict[str, Any]:
    return {
        "cik": "0000000007",
        "name": "SEVEN CO",
        "tickers": ["SEV-A"],
        "filings": {"recent": columns(*rows)},
        **more,
    }


def parsed(name: str, body: Any, **context: str) -> list[dict[str, Any]]:
    (batch,) = source(name).parse(payload(name, body, **context))
    return conform(dataset("filings"), batch).to_pylist()


def known(row: dict[str, Any]) -> datetime:
    entry = dataset("filings")
    return entry.known_at(entry.records_table([row]), FETCHED)[0].as_py()


# -- recorded


@pytest.mark.needs_material
@pytest.mark.parametrize(
    ("path", "count"),
    [
        (SEC / "submissions" / "CIK0000789019_MSFT_trimmed.json", 86),
        (SEC / "submissions" / "CIK0001771340_individual_owner.json", 91),
        (SEC / "submissions" / "CIK0001009672-submissions-001_first25_of_205.json", 25),
        (SEC / "submissions" / "CIK0001009672_filings_files_only.json", 0),
        (SEC / "index" / "daily_form.20200318_trimmed.idx", 121),
        (SEC / "index" / "daily_form_bad_rows.idx.txt", 10),
        (SEC / "index" / "daily_form_empty.idx", 0),
        (SEC / "index" / "daily_company.20221003_first80.idx", 69),
        (REAL / "sec" / "daily_form_index_2020-03-18.idx.gz", 4084),
        (WIRE / "yahoo" / "quoteSummary_calendarEvents_AAPL.json", 1),
    ],
)
def test_recorded_payloads(path, count):
    rows = parse_file("filings", needs(path))
    assert len(rows) == count
    entry = dataset("filings")
    assert find_invalid(entry, entry.records_table(rows))[1] == {}


@pytest.mark.needs_material
def test_values_of_the_recorded_submissions():
    rows = parse_file("filings", needs(SEC / "submissions" / "CIK0000789019_MSFT_trimmed.json"))
    quarter = next(row for row in rows if row["form"] == "10-Q")
    assert {
        name: quarter[name] for name in ("entity", "cik", "symbol", "company", "accession", "filed", "report_date")
    } == {
        "entity": "cik0000789019",
        "cik": "0000789019",
        "symbol": "MSFT",
        "company": "MICROSOFT CORP",
        "accession": "0001193125-26-027207",
        "filed": date(2026, 1, 28),
        "report_date": date(2025, 12, 31),
    }
    # 16:07 New York: at 21:07 New York the report would have been dated the next day.
    assert known(quarter) == datetime(2026, 1, 28, 21, 7, 34, tzinfo=UTC)
    results = next(row for row in rows if row["accession"] == "0001193125-26-027198")
    assert (results["form"], results["items"]) == ("8-K", "2.02,9.01")
    periodic = [row for row in rows if row["form"] in ("10-K", "10-Q")]
    assert len(periodic) == sum(row["items"] is None and row["report_date"] is not None for row in periodic) == 26
    assert all((row["filed"] - row["report_date"]).days in range(20, 45) for row in periodic)


@pytest.mark.needs_material
def test_no_recorded_acceptance_is_before_the_true_one_or_refuted_by_its_date():
    for name in ("CIK0000789019_MSFT_trimmed.json", "CIK0001771340_individual_owner.json"):
        path = needs(SEC / "submissions" / name)
        stated = orjson.loads(path.read_bytes())["filings"]["recent"]["acceptanceDateTime"]
        rows = parse_file("filings", path)
        for text, row in zip(stated, rows, strict=True):
            off = row["accepted_at"] - datetime.fromisoformat(text)
            # Both files are true UTC.
            assert off in (timedelta(0), timedelta(hours=4), timedelta(hours=5))
            assert row["accepted_at"].astimezone(NY).date() <= row["filed"]


@pytest.mark.needs_material
def test_letters_of_the_staff_are_known_from_the_index_that_lists_them():
    rows = parse_file("filings", needs(REAL / "sec" / "daily_form_index_2020-03-18.idx.gz"))
    other = [row for row in rows if row["filed"] != date(2020, 3, 18)]
    assert len(other) == 144
    thursday = datetime(2020, 3, 19, tzinfo=NY)
    assert {known(row) for row in rows} == {thursday}
    assert min(row["filed"] for row in other) < date(2020, 3, 1)


@pytest.mark.needs_material
def test_values_of_the_recorded_calendar():
    (row,) = parse_file("filings", needs(WIRE / "yahoo" / "quoteSummary_calendarEvents_AAPL.json"))
    assert (row["entity"], row["kind"], row["expected_from"], row["expected_to"], row["is_estimate"]) == (
        "AAPL",
        "earnings_date",
        date(2025, 4, 30),
        date(2025, 5, 5),
        True,
    )
    assert known(row) == FETCHED


@pytest.mark.needs_material
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sec_edgar/payloads/errors/undeclared_automated_tool.html", "Undeclared Automated Tool"),
        ("sec_edgar/payloads/errors/full_index_future_quarter_403.xml", "AccessDenied"),
        ("sec_edgar/payloads/errors/submissions_unknown_cik_404.xml", "NoSuchKey"),
        ("sec_edgar/payloads/errors/exchanges.json", "in no format of filings"),
        ("sec_edgar/payloads/form4/form3_SNOW.xml", "in no format of filings"),
        ("yahoo/error_quoteSummary_404_no_fundamentals.json", "Not Found"),
        ("yahoo/error_401_invalid_crumb.json", "Invalid Crumb"),
        ("yahoo/error_429_body.txt", "Too Many Requests"),
        ("yahoo/quoteSummary_price_AAPL.json", "came with price instead"),
    ],
)
def test_what_is_no_payload_of_filings_is_refused_in_one_line(path, said):
    with pytest.raises(PayloadError) as caught:
        parse_file("filings", needs(WIRE / path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# -- the hour of acceptance


@pytest.mark.parametrize(
    ("stated", "filed", "form", "expected"),
    [
        # Both readings fit: the later one.
        ("2026-01-28T11:00:00.000Z", "2026-01-28", "10-K", "2026-01-28T16:00:00"),
        ("2026-07-28T11:00:00.000Z", "2026-07-28", "10-K", "2026-07-28T15:00:00"),
        # As New York's time it would be dated the next day.
        ("2026-01-28T21:07:34.000Z", "2026-01-28", "10-Q", "2026-01-28T21:07:34"),
        ("2026-01-28T21:07:34.000Z", "2026-01-29", "10-Q", "2026-01-29T02:07:34"),
        # Some forms are dated the same day until ten in the evening.
        ("2026-01-28T21:07:34.000Z", "2026-01-28", "4", "2026-01-29T02:07:34"),
        ("2025-12-10T00:00:14.000Z", "2025-12-09", "4", "2025-12-10T00:00:14"),
        ("2026-01-28T23:05:00.000Z", "2026-01-28", "4/A", "2026-01-28T23:05:00"),
        # Sent before half past five, accepted a little after.
        ("2026-01-28T17:41:00.000Z", "2026-01-28", "10-K", "2026-01-28T22:41:00"),
        # Dated the same day in spite of the hour.
        ("2020-07-31T00:44:46.000Z", "2020-07-30", "10-K", "2020-07-31T00:44:46"),
        # Neither fits: the later one again.
        ("2026-01-30T15:00:00.000Z", "2026-01-28", "10-K", "2026-01-30T20:00:00"),
    ],
)
def test_the_later_reading_holds_unless_the_date_refutes_it(stated, filed, form, expected):
    (found,) = read_accepted([stated], [date.fromisoformat(filed)], [form])
    assert str(found) == expected


def test_what_is_accepted_in_the_evening_is_known_the_next_morning():
    evening = ("0000000007-26-000002", "2026-02-02", "2026-01-30T23:10:00.000Z", "10-K")
    row = parsed("sec_submissions", company(evening))[0]
    assert row["accepted_at"] == datetime(2026, 1, 31, 4, 10, tzinfo=UTC)
    assert known(row) == datetime(2026, 2, 2, 6, tzinfo=NY)


def test_a_letter_among_submissions_is_known_when_fetched():
    letter = ("0000000007-26-000003", "2025-11-02", "2025-11-02T15:00:00.000Z", "CORRESP")
    assert known(parsed("sec_submissions", company(letter))[0]) == FETCHED


def test_without_an_hour_a_filing_is_known_at_the_next_session():
    row = {"form": "10-K", "kind": "filing", "filed": date(2026, 1, 30)}
    assert known(row) == datetime(2026, 2, 2, tzinfo=NY)


# -- submissions


def test_a_collection_keeps_periodic_and_current_reports():
    other = ("0000000007-26-000009", "2026-01-15", "2026-01-15T15:00:00.000Z", "424B2")
    late = ("0000000007-26-000008", "2026-01-12", "2026-01-12T15:00:00.000Z", "NT 10-K/A")
    body = company(ROW, other, late)
    assert [row["form"] for row in parsed("sec_submissions", body)] == ["10-Q", "424B2", "NT 10-K/A"]
    context = {"cik": "0000000007", "symbol": "SEV.A", "forms": "periodic", "since": "2025-01-01"}
    (batch,) = source("sec_submissions").parse(payload("sec_submissions", body, **context))
    assert [row["form"] for row in conform(dataset("filings"), batch).to_pylist()] == ["10-Q", "NT 10-K/A"]
    # Of its oldest day an older file may hold the rest.
    assert batch.scopes == [{"entity": "cik0000000007", "kind": "filing", "scope_start": date(2026, 1, 13)}]


def test_older_files_are_asked_for_as_far_as_they_reach(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}, root=tmp_path)
    site = source("sec_submissions")
    ids = {"AAA": "0000000007", "AAA.B": "0000000007", "BBB": "0000000008", "CCC": ""}
    ask = Ask(
        "filings", here, FETCHED, date(2020, 1, 1), ("AAA", "AAA.B", "BBB", "DDD"), {"BBB": date(2026, 1, 2)}, ids=ids
    )
    first, second = site.requests(ask)
    assert first.url == "https://data.sec.gov/submissions/CIK0000000007.json"
    assert (first.context["since"], second.context["since"]) == ("2020-01-01", "2026-01-02")
    files = [
        {
            "name": "CIK0000000007-submissions-001.json",
            "filingTo": "2021-05-01",
            "filingCount": 3,
            "filingFrom": "2018-01-01",
        },
        {
            "name": "CIK0000000007-submissions-002.json",
            "filingTo": "2017-12-31",
            "filingCount": 3,
            "filingFrom": "2010-01-01",
        },
    ]
    body = {**company(ROW), "filings": {"recent": columns(ROW), "files": files}}
    (older,) = site.expand(first, payload("sec_submissions", body, **first.context))
    assert older.url == "https://data.sec.gov/submissions/CIK0000000007-submissions-001.json"
    assert list(site.expand(older, payload("sec_submissions", columns(ROW), label=older.label, **older.context))) == []
    page = payload("sec_submissions", columns(ROW), label=older.label, **older.context)
    (batch,) = site.parse(page)
    assert (batch.num_rows, batch.scopes) == (1, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (b'{"cik":"0000000007","filings":{"rec', "not JSON or cut off"),
        (b"<html><title>Maintenance</title></html>", "Maintenance"),
        ([], "not an object but list"),
        ({"cik": 7, "name": "x"}, "not found among cik, name"),
        ({**company(ROW), "cik": "0000000008"}, "the filings of 0000000008, not of 0000000007"),
        ({**company(ROW), "cik": ""}, "missing"),
        ({**company(), "filings": {"recent": {**columns(ROW), "form": []}}}, "0 of form beside 1 filings"),
        ({**company(), "filings": {"recent": {"form": ["4"]}}}, "'accessionNumber' not found"),
        (company(), "has filed nothing"),
        (company(("0000000007-26-000001", "2026-01-28", "soon", "10-Q")), "a value is no time"),
    ],
)
def test_submissions_that_are_none_fail(body, said):
    with pytest.raises(PayloadError) as caught:
        source("sec_submissions").check(payload("sec_submissions", body, cik="0000000007"))
    assert said in str(caught.value)


def test_a_filing_that_cannot_be_read_is_rejected_by_itself():
    bad = [("1-2-3", *ROW[1:]), (ROW[0], "soon", *ROW[2:]), (*ROW[:2], "", "10-Q"), (*ROW[:3], "")]
    (batch,) = source("sec_submissions").parse(payload("sec_submissions", company(ROW, *bad)))
    assert batch.num_rows == 1
    assert [reject.reason for reject in batch.rejects] == [
        "'1-2-3' is not the number of a filing",
        "Invalid isoformat string: 'soon'",
        "no time of acceptance is stated",
        "no form is stated",
    ]


def test_an_unknown_company_is_missing_and_a_refusal_stops_at_once():
    site = source("sec_submissions")
    none = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><HostId>x</HostId></Error>"
    (batch,) = site.parse(payload("sec_submissions", none, 404, cik="0000000007"))
    assert batch.missing
    body = b"<html><title>SEC.gov | Request Rate Threshold Exceeded</title></html>"
    with pytest.raises(SourceError, match="Request Rate Threshold Exceeded") as caught:
        site.check(payload("sec_submissions", body, 403, cik="0000000007"))
    assert not isinstance(caught.value, PayloadError)


# -- indexes

HEAD = "Description:           Daily Index of EDGAR Dissemination Feed{by}\nLast Data Received:    Jan 30, 2026\n \n"
PATH = "edgar/data/7/0000000007-26-000001.txt"


def by_form(*lines: str, tail: str = "\n") -> bytes:
    header = "Form Type   Company Name                      CIK         Date Filed  File Name\n"
    return (HEAD.format(by=" by Form Type") + header + "-" * 60 + "\n" + "\n".join(lines) + tail).encode()


LINE = f"10-Q        Seven  Company With A Name That Overruns Its Column 7           20260130    {PATH}     "
AFTER = "SC 13G      Other Trust                       8           20260130    edgar/data/8/0000000008-26-000002.txt"


def test_all_three_indexes_tell_the_same():
    master = (
        HEAD.format(by="") + "CIK|Company Name|Form Type|Date Filed|File Name\n" + "-" * 60 + "\n"
        f"7|Seven  Company With A Name That Overruns Its Column|10-Q|20260130|{PATH}\n"
        "8|Other Trust|SC 13G|20260130|edgar/data/8/0000000008-26-000002.txt\n"
    ).encode()
    company_ = (
        HEAD.format(by=" by Company Name")
        + "Company Name                      Form Type   CIK\n      Date Filed  File Name\n"
        + "-" * 60
        + "\nOther Trust                       SC 13G      8"
        + "           20260130    edgar/data/8/0000000008-26-000002.txt\n"
        f"Seven  Company With A Name That Overruns Its Column  10-Q  7           20260130    {PATH}\n"
    ).encode()
    found = [
        sorted(
            (row["form"], row["company"], row["cik"], row["accession"], row["indexed"])
            for row in parsed("sec_index", b)
        )
        for b in (by_form(LINE, AFTER), master, company_)
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][0] == (
        "10-Q",
        "Seven  Company With A Name That Overruns Its Column",
        "0000000007",
        "0000000007-26-000001",
        date(2026, 1, 30),
    )
    kept = parsed("sec_index", by_form(LINE, AFTER), day="2026-01-30", forms="periodic")
    assert [row["form"] for row in kept] == ["10-Q"]


DAILY_MASTER = """Description:           Daily Index of EDGAR Dissemination Feed
Last Data Received:    Aug 24, 2026
Comments:              webmaster@sec.gov
Anonymous FTP:         ftp://ftp.sec.gov/edgar/

CIK|Company Name|Form Type|Date Filed|File Name
--------------------------------------------------------------------------------
1000184|SAP SE|S-8|20260824|edgar/data/1000184/0001104659-26-100300.txt
1001085|BROOKFIELD Corp /ON/|4|20260824|edgar/data/1001085/0001193125-26-362969.txt
"""
QUARTER_MASTER = """Description:           Master Index of EDGAR Dissemination Feed
Last Data Received:    March 31, 2021
Comments:              webmaster@sec.gov
Anonymous FTP:         ftp://ftp.sec.gov/edgar/
Cloud HTTP:            https://www.sec.gov/Archives/



CIK|Company Name|Form Type|Date Filed|Filename
--------------------------------------------------------------------------------
1838675|A-Game Beverages, Inc.|1-A|2021-02-05|edgar/data/1838675/0001213900-21-007106.txt
1225152|Securities & Co. of "X"|X-17A-5|2021-02-25|edgar/data/1225152/9999999997-21-000002.txt
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DAILY_MASTER,
            [
                ("0001000184", "SAP SE", "S-8", date(2026, 8, 24), "0001104659-26-100300", date(2026, 8, 24)),
                (
                    "0001001085",
                    "BROOKFIELD Corp /ON/",
                    "4",
                    date(2026, 8, 24),
                    "0001193125-26-362969",
                    date(2026, 8, 24),
                ),
            ],
        ),
        (
            QUARTER_MASTER,
            [
                ("0001838675", "A-Game Beverages, Inc.", "1-A", date(2021, 2, 5), "0001213900-21-007106", None),
                ("0001225152", 'Securities & Co. of "X"', "X-17A-5", date(2021, 2, 25), "9999999997-21-000002", None),
            ],
        ),
    ],
)
def test_masters_of_a_day_and_of_a_quarter(text, expected, tmp_path):
    rows = parsed("sec_index", text.encode("latin-1"))
    columns = ("cik", "company", "form", "filed", "accession", "indexed")
    assert [tuple(row[name] for name in columns) for row in rows] == expected
    file = tmp_path / "master.idx"
    file.write_text(text, encoding="latin-1")
    assert [row["accession"] for row in parse_file("filings", file)] == [row[4] for row in expected]
    cut = text.rpartition("|")[0]
    with pytest.raises(PayloadError, match="a line is cut off or has other columns"):
        parsed("sec_index", cut.encode("latin-1"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (b"<html><title>Maintenance</title></html>", "Maintenance"),
        (b"CIK,Form\n", "not an index of filings"),
        (by_form(LINE, AFTER).replace(b"Company Name", b"Registrant  "), "not an index of filings"),
        (by_form(LINE), "cut off"),
        (by_form(LINE, AFTER, tail=""), "cut off"),
        (by_form(LINE, AFTER[:70]), "a line is cut off"),
        (by_form(), "names no filings"),
        (by_form(LINE, AFTER).replace(b"Jan 30", b"Jan 29"), "index of 2026-01-29 came"),
    ],
)
def test_an_index_that_is_none_fails(body, said):
    with pytest.raises(PayloadError) as caught:
        source("sec_index").check(payload("sec_index", body, day="2026-01-30", forms="periodic"))
    assert said in str(caught.value)


def test_a_holiday_has_no_index_and_the_first_load_goes_back_five_weeks(tmp_path):
    site = source("sec_index")
    denied = b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><HostId>x</HostId></Error>'
    site.check(payload("sec_index", denied, 403, day="2026-01-19"))
    with pytest.raises(PayloadError, match="there is none"):
        site.check(payload("sec_index", denied, 403, day="2026-01-20"))
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}, root=tmp_path)

    def days(**more: Any) -> list[str]:
        ask = Ask("filings", here, FETCHED, more.pop("start", date(2023, 1, 1)), **more)
        return [request.label[5:] for request in site.requests(ask)]

    first = days(starts={"AAA": date(2023, 5, 1)})
    assert (first[0], first[-1], len(first)) == ("20251225", "20260129", 26)
    assert days(starts={"": date(2026, 1, 28)}) == ["20260128", "20260129"]
    assert days(start=date(2024, 3, 30), end=date(2024, 4, 2)) == ["20240401", "20240402"]


# -- the calendar


def calendar(**earnings: Any) -> dict[str, Any]:
    return {"quoteSummary": {"result": [{"calendarEvents": {"earnings": earnings}}], "error": None}}


def test_announced_days_and_guesses():
    def of(body: Any) -> dict[str, Any]:
        (batch,) = source("yahoo_calendar").parse(payload("yahoo_calendar", body, symbol="AAA"))
        assert batch.scopes == [{"entity": "AAA", "kind": "earnings_date"}]
        return batch.records[0]

    told = of(calendar(earningsDate=[1746010740], isEarningsDateEstimate=False))
    assert (told["expected_from"], told["expected_to"], told["is_estimate"]) == (
        date(2025, 4, 30),
        date(2025, 4, 30),
        False,
    )
    # One in the morning UTC is the evening before in New York.
    guess = of(calendar(earningsDate=[{"raw": 1746061200, "fmt": "x"}, {"raw": 1746446400}]))
    assert (guess["expected_from"], guess["expected_to"], guess["is_estimate"]) == (
        date(2025, 4, 30),
        date(2025, 5, 5),
        True,
    )


def test_no_date_replaces_the_one_before():
    site = source("yahoo_calendar")
    for body in (calendar(earningsDate=[]), {"quoteSummary": {"result": [{}], "error": None}}):
        (batch,) = site.parse(payload("yahoo_calendar", body, symbol="AAA"))
        assert (batch.num_rows, batch.missing) == (0, False)
        assert batch.scopes == [{"entity": "AAA", "kind": "earnings_date"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (calendar(), "missing"),
        (calendar(earningsDate=["soon"]), "'soon' is not a time"),
        (calendar(earningsDate=[None]), "None is not a time"),
        ({"quoteSummary": {"result": [{"price": {}}]}}, "came with price instead"),
    ],
)
def test_a_calendar_that_is_none_fails(body, said):
    with pytest.raises(PayloadError) as caught:
        source("yahoo_calendar").check(payload("yahoo_calendar", body, symbol="AAA"))
    assert said in str(caught.value)


def test_public_reads_edgar_alone(tmp_path):
    def names(profile: str) -> list[str]:
        here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": profile}, root=tmp_path)
        return [entry.name for entry in usable_sources(dataset("filings"), here)]

    assert names("public") == ["sec_submissions", "sec_index"]
    assert names("subscribed") == names("sandbox") == ["sec_submissions", "sec_index", "yahoo_calendar"]


def test_rows_that_are_neither_are_refused():
    entry = dataset("filings")
    base = {"event_date": date(2026, 1, 28), "entity": "x", "kind": "filing", "accession": ""}
    table: pa.Table = entry.records_table(
        [
            {**base, "form": "10-K", "filed": date(2026, 1, 28)},
            {**base, "form": "10-K"},
            {**base, "kind": "earnings_date"},
            {**base, "kind": "earnings_date", "expected_from": date(2026, 1, 2), "expected_to": date(2026, 1, 1)},
            {**base, "form": "4", "filed": date(2026, 1, 28), "accepted_at": datetime(2026, 1, 30, 12, tzinfo=UTC)},
        ]
    )
    reasons = find_invalid(entry, table)[1]
    assert sorted(reasons) == [1, 2, 3, 4]
    assert reasons[4] == "accepted after its filing date"
