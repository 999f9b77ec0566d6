"""Insider transactions: recorded payloads, spellings, times, and answers that are none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError, SourceError
from pas_lib.ingest import parse_file
from pas_lib.ingest.validate import find_invalid
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source, usable_sources
from pas_lib.sources.insiders import read_code, read_symbol, read_time
from tests.support.paths import WIRE, needs

SEC = WIRE / "sec_edgar" / "payloads"
FETCHED = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)


def payload(name: str, body: bytes, status: int = 200, **context: str) -> Payload:
    return Payload(name, "insider_buying", "x", "http://site/x", status, "", FETCHED, context, body)


def filing(document: str, accepted: str = "20260120173000") -> bytes:
    return (
        f"<SEC-DOCUMENT>\n<SEC-HEADER>\n<ACCEPTANCE-DATETIME>{accepted}\nACCESSION NUMBER:\t\t0000000001-26-000009\n"
        f"</SEC-HEADER>\n<XML>\n{document}\n</XML>\n</SEC-DOCUMENT>\n"
    ).encode()


def document(form: str = "4", symbol: str = "AAA", lines: str = "", owners: int = 1) -> str:
    owner = (
        "<reportingOwner><reportingOwnerId><rptOwnerCik>12</rptOwnerCik><rptOwnerName>Doe  Jane {}</rptOwnerName>"
        "</reportingOwnerId><reportingOwnerRelationship><isTenPercentOwner>{}</isTenPercentOwner>"
        "</reportingOwnerRelationship></reportingOwner>"
    )
    return (
        f"<ownershipDocument><documentType>{form}</documentType><issuer><issuerCik>77</issuerCik>"
        f"<issuerTradingSymbol>{symbol}</issuerTradingSymbol></issuer>"
        + "".join(owner.format(k, "true" if k else "0") for k in range(owners))
        + f"<nonDerivativeTable>{lines}</nonDerivativeTable></ownershipDocument>"
    )


def line(day: str = "2026-01-16", price: str = "<value>10</value>", shares: str = "100", code: str = "P") -> str:
    return (
        f"<nonDerivativeTransaction><securityTitle><value>Common</value></securityTitle><transactionDate><value>{day}"
        f"</value></transactionDate><transactionCoding><transactionCode>{code}</transactionCode></transactionCoding>"
        f"<transactionAmounts><transactionShares><value>{shares}</value></transactionShares><transactionPricePerShare>"
        f"{price}</transactionPricePerShare></transactionAmounts></nonDerivativeTransaction>"
    )


# -- recorded payloads


@pytest.mark.needs_material
@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("form4_SCWO_2025-04-30_award_X0508.xml", 1),
        ("form4_SNOW_2022-12-13_option_exercise_and_sales.xml", 6),
        ("form3_SNOW.xml", 0),
        ("form5_SNOW.xml", 0),
    ],
)
def test_recorded_ownership_documents(path, count):
    assert len(parse_file("insider_buying", needs(SEC / "form4" / path))) == count


@pytest.mark.needs_material
def test_values_of_the_recorded_filings():
    award = parse_file("insider_buying", needs(SEC / "form4" / "form4_SCWO_2025-04-30_award_X0508.xml"))[0]
    assert {
        name: award[name]
        for name in ("symbol", "issuer_cik", "insider", "code", "shares", "price", "is_officer", "is_director")
    } == {
        "symbol": "SCWO",
        "issuer_cik": "0000933972",
        "insider": "Melkote Rajesh Ramaswamy",
        "code": "A",
        "shares": 757756.0,
        "price": 0.0,
        "is_officer": True,
        "is_director": False,
    }
    assert (award["transaction_date"], award["is_planned"], award["filed_at"]) == (date(2025, 4, 30), False, None)
    rows = parse_file("insider_buying", SEC / "form4" / "form4_SNOW_2022-12-13_option_exercise_and_sales.xml")
    assert [(row["code"], row["acquired_disposed"]) for row in rows] == [("M", "A")] + 5 * [("S", "D")]
    assert [row["ordinal"] for row in rows] == [0, 0, 1, 2, 3, 4]
    assert sum(row["shares"] for row in rows[1:]) == 200_000.0
    assert rows[0]["value"] == pytest.approx(1_776_000.0)
    assert rows[0]["is_planned"] is None


@pytest.mark.needs_material
def test_the_quoted_row_of_the_api_is_filed_at_new_york_time():
    (row,) = parse_file("insider_buying", needs(WIRE / "quiverquant" / "api_rows_quoted_2025_2026.json"))
    assert (row["symbol"], row["insider"], row["code"], row["shares"]) == ("NUS", "WOODBURY EDWINA D", "A", 10.0)
    assert row["filed_at"] == datetime(2025, 12, 11, 21, 44, 37, tzinfo=NY)
    assert row["is_amendment"] is None


@pytest.mark.needs_material
def test_the_recorded_indexes_name_their_filings(tmp_path):
    site = source("sec_edgar")
    with pytest.raises(PayloadError, match="names no filings"):
        empty = needs(SEC / "index" / "daily_form_empty.idx").read_bytes()
        site.parse(payload("sec_edgar", empty, kind="index", day="2025-03-28"))
    body = needs(SEC / "index" / "daily_form.20200318_trimmed.idx").read_bytes()
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}, root=tmp_path)
    ask = Ask("insider_buying", here, FETCHED, date(2020, 3, 18), end=date(2020, 3, 18))
    (request,) = site.requests(ask)
    assert request.url == "https://www.sec.gov/Archives/edgar/daily-index/2020/QTR1/form.20200318.idx"
    named = list(site.expand(request, payload("sec_edgar", body, kind="index", day="2020-03-18")))
    assert named
    assert all(again.context["form"] in ("4", "4/A") for again in named)
    assert len({again.label for again in named}) == len(named)
    assert all("/Archives/edgar/data/" in again.url and again.url.endswith(f"{again.label}.txt") for again in named)


@pytest.mark.needs_material
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sec_edgar/payloads/errors/undeclared_automated_tool.html", "Undeclared Automated Tool"),
        ("sec_edgar/payloads/errors/full_index_future_quarter_403.xml", "AccessDenied"),
        ("sec_edgar/payloads/errors/submissions_unknown_cik_404.xml", "NoSuchKey"),
        ("sec_edgar/payloads/form4/form4_index-headers.html", "no ownership document"),
        ("sec_edgar/payloads/index/daily_company.20221003_first80.idx", "not an index by form"),
        ("quiverquant/api_error_bodies.json", "credentials were not provided"),
        ("quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json", "'Name' not found"),
        ("quiverquant/api_historical_congresstrading_COIN_2021-12-11.json", "'Date' not found"),
    ],
)
def test_what_is_no_insider_payload_is_refused_in_one_line(path, said):
    with pytest.raises(PayloadError) as caught:
        parse_file("insider_buying", needs(WIRE / path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# -- EDGAR


def test_the_header_tells_when_a_filing_was_known():
    (batch,) = source("sec_edgar").parse(
        payload("sec_edgar", filing(document(lines=line() + line(price='<footnoteId id="F1"/>'))))
    )
    first, second = batch.records
    assert first["filed_at"] == datetime(2026, 1, 20, 17, 30, tzinfo=NY)
    assert (first["value"], first["ordinal"], first["accession"]) == (1000.0, 0, "0000000001-26-000009")
    assert (second["price"], second["value"], second["ordinal"]) == (None, None, 1)
    entry = dataset("insider_buying")
    table = entry.records_table(batch.records)
    assert entry.known_at(table, FETCHED).to_pylist() == [datetime(2026, 1, 20, 22, 30, tzinfo=UTC)] * 2
    assert entry.known_at(entry.records_table([{**first, "filed_at": None}]), FETCHED)[0].as_py() == FETCHED


def test_joint_filers_count_once_and_an_amendment_says_so():
    (batch,) = source("sec_edgar").parse(payload("sec_edgar", filing(document("4/A", lines=line(), owners=3))))
    (row,) = batch.records
    assert (row["owners"], row["insider"], row["insider_cik"]) == (3, "Doe Jane 0", "0000000012")
    assert (row["is_ten_percent_owner"], row["is_director"], row["is_amendment"]) == (True, False, True)


@pytest.mark.needs_material
def test_a_recorded_filing_amended_says_which_one_it_corrects():
    path = needs(SEC / "form4" / "form4_SNOW_2022-12-13_option_exercise_and_sales.xml")
    text = path.read_text(encoding="utf-8")
    original = parse_file("insider_buying", path)
    lines = text.split("<nonDerivativeTransaction>")
    corrected = (
        lines[0] + "<nonDerivativeTransaction>" + lines[3].replace("<value>74907</value>", "<value>74970</value>")
    )
    corrected += text[text.index("</nonDerivativeTable>") :]
    amended = corrected.replace("<documentType>4</documentType>", "<documentType>4/A</documentType>").replace(
        "<issuer>", "<dateOfOriginalSubmission>2022-12-15</dateOfOriginalSubmission><issuer>", 1
    )
    (batch,) = source("sec_edgar").parse(payload("sec_edgar", filing(amended, "20221222181500")))
    (row,) = batch.records
    assert (row["is_amendment"], row["original_filed"]) == (True, date(2022, 12, 15))
    assert row["shares"] == 74970.0
    same = ("symbol", "insider", "transaction_date", "code", "ownership", "security_title", "price", "shares_following")
    assert [row[name] for name in same] == [original[2][name] for name in same]
    assert {line["original_filed"] for line in original} == {None}
    for stated in ("", "<value/>", "last week"):
        odd = amended.replace(">2022-12-15<", f">{stated}<")
        assert source("sec_edgar").parse(payload("sec_edgar", filing(odd)))[0].records[0]["original_filed"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (filing(document(lines=line()))[:400], "cut off"),
        (b"<html><title>Maintenance</title></html>", "Maintenance"),
        (b"", "the answer is empty"),
        (b"<SEC-DOCUMENT>\n" + document().encode(), "time of acceptance is missing"),
        (filing(document().replace("<issuer>", "<issuer")), "not XML"),
        (b"<!ENTITY a 'b'>" + filing(document()), "declares entities"),
        (filing(document(owners=0)), "rptOwnerName"),
        (filing("<ownershipReport></ownershipReport>"), "no ownership document"),
    ],
)
def test_a_filing_that_is_none_fails(body, said):
    with pytest.raises(PayloadError, match=said):
        source("sec_edgar").parse(payload("sec_edgar", body, kind="filing", accession="1"))


def test_lines_that_cannot_be_read_are_rejected_one_by_one():
    body = filing(document(lines=line() + line(day="soon") + line(shares="many") + line(code="?")))
    (batch,) = source("sec_edgar").parse(payload("sec_edgar", body))
    assert len(batch.records) == 1
    assert [reject.reason for reject in batch.rejects] == [
        "Invalid isoformat string: 'soon'",
        "could not convert string to float: 'many'",
        "'?' is not a transaction code",
    ]


def test_other_forms_and_companies_without_a_symbol_give_nothing():
    for body in (
        document("3"),
        document("5/A"),
        document(symbol="N/A", lines=line()),
        document(symbol="none", lines=line()),
    ):
        (batch,) = source("sec_edgar").parse(payload("sec_edgar", filing(body)))
        assert batch.num_rows == 0
        assert batch.note


DENIED = b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><HostId>x</HostId></Error>'


def test_a_holiday_has_no_index_and_a_working_day_must():
    site = source("sec_edgar")
    for day in ("2026-01-01", "2026-01-19", "2025-10-13", "2025-11-11", "2025-12-24"):
        site.check(payload("sec_edgar", DENIED, 403, kind="index", day=day))
    with pytest.raises(PayloadError, match="there is none"):
        site.check(payload("sec_edgar", DENIED, 403, kind="index", day="2026-01-20"))


def test_a_refusal_of_the_caller_stops_at_once():
    body = b"<html><title>SEC.gov | Request Rate Threshold Exceeded</title></html>"
    with pytest.raises(SourceError, match="Request Rate Threshold Exceeded") as caught:
        source("sec_edgar").check(payload("sec_edgar", body, 403, kind="index", day="2026-01-20"))
    # Not the kind of error that is asked again.
    assert not isinstance(caught.value, PayloadError)


def test_which_days_are_asked_for(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}, root=tmp_path)
    site = source("sec_edgar")

    def days(now: datetime, **more) -> list[str]:
        ask = Ask("insider_buying", here, now, more.pop("start", date(2023, 1, 1)), **more)
        return [request.label[5:] for request in site.requests(ask)]

    # At 20:00 New York the index of the day is still to come.
    assert days(FETCHED, starts={"": date(2026, 1, 28)}) == ["20260128", "20260129"]
    assert days(FETCHED + timedelta(hours=3), starts={"": date(2026, 1, 29)}) == ["20260129", "20260130"]
    first = days(FETCHED)
    assert (first[0], first[-1], len(first)) == ("20251225", "20260129", 26)
    window = days(FETCHED, start=date(2024, 3, 30), end=date(2024, 4, 2))
    assert window == ["20240401", "20240402"]
    ask = Ask("insider_buying", here, FETCHED, date(2024, 4, 1), end=date(2024, 4, 1))
    assert [request.url for request in site.requests(ask)] == [
        "https://www.sec.gov/Archives/edgar/daily-index/2024/QTR2/form.20240401.idx"
    ]


# -- QuiverQuant


def test_the_page_holds_dicts_as_python_writes_them():
    entry = {
        "rptOwnerName": "O'Brien Ann",
        "rptOwnerCik": "77",
        "officerTitle": "-",
        "issuerTradingSymbol": "BRK.B",
        "transactionCode": "Purchase",
        "transactionShares": 10.0,
        "transactionPricePerShare": None,
        "transactionValue": None,
        "transactionDate": "Jun 20, 2026",
        "fileDate": "Jan 26, 2026 (02:46 PM)",
    }
    body = f"<html><script>let recentInsiderTransactionsData = [{entry!r}];</script></html>".encode()
    (batch,) = source("quiver_page").parse(payload("quiver_page", body))
    (row,) = batch.records
    assert (row["insider"], row["insider_cik"], row["code"], row["symbol"]) == (
        "O'Brien Ann",
        "0000000077",
        "P",
        "BRK.B",
    )
    assert row["filed_at"] == datetime(2026, 1, 26, 14, 46, tzinfo=NY)
    assert (row["officer_title"], row["value"], batch.scopes) == (None, None, [])
    table = dataset("insider_buying").records_table(batch.records)
    assert find_invalid(dataset("insider_buying"), table)[1] == {0: "filed before it was traded"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html><title>Just a moment...</title></html>", "blocked or changed: 'Just a moment...'"),
        ("<html><script>let recentInsiderTransactionsData = [];</script></html>", "no transactions on the page"),
        ("<html><script>let recentInsiderTransactionsData = [{'a': 1}];</script></html>", "'rptOwnerName' not found"),
        ("<html><script>let recentInsiderTransactionsData = [{'a': 1}", "cut off"),
        ("", "the answer is empty"),
    ],
)
def test_a_page_without_transactions_fails(body, said):
    with pytest.raises(PayloadError) as caught:
        source("quiver_page").parse(payload("quiver_page", body.encode()))
    assert said in str(caught.value)


def test_pages_end_with_what_is_known(tmp_path):
    site = source("quiver_api")
    here = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    ask = Ask("insider_buying", here, FETCHED, date(2023, 1, 1), starts={"": date(2026, 1, 20)})
    (request,) = site.requests(ask)

    def page(filed: str, count: int = 5000) -> Payload:
        row = (
            '{"Ticker":"A","Date":"2026-01-16","Name":"N","TransactionCode":"P","Shares":1,"PricePerShare":2,'
            f'"fileDate":"{filed}"}}'
        )
        return payload("quiver_api", f"[{','.join([row] * count)}]".encode(), **request.context)

    following = site.follow(request, page("2026-01-21T10:00:00"))
    assert following is not None
    assert following.params["page"] == "2"
    assert site.follow(request, page("2026-01-21T10:00:00", 4999)) is None
    assert site.follow(request, page("2026-01-19T10:00:00")) is None
    (batch,) = site.parse(page("2026-01-19T10:00:00", 2))
    assert (batch.num_rows, batch.scopes) == (0, [{"scope_start": date(2026, 1, 20)}])


# -- spellings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("snow", "SNOW"),
        ("BRK.A, BRK.B", "BRK.A"),
        ("BRK-B", "BRK.B"),
        ("bf/b", "BF.B"),
        ("NYSE: ABC", "ABC"),
        ("(NASDAQ:XYZ)", "XYZ"),
        ("NULL", "NULL"),
        ("NONE", None),
        ("N/A", None),
        ("", None),
        (None, None),
        ("not yet listed", None),
    ],
)
def test_symbols_as_filers_write_them(text, expected):
    assert read_symbol(text) == expected


@pytest.mark.parametrize(
    ("text", "filed", "expected"),
    [
        ("20240607181030", None, datetime(2024, 6, 7, 18, 10, 30, tzinfo=NY)),
        ("2025-12-11T21:44:37.000", None, datetime(2025, 12, 11, 21, 44, 37, tzinfo=NY)),
        # A Z that may be New York's: the later reading...
        ("2026-01-28T21:07:32.000Z", date(2026, 1, 28), datetime(2026, 1, 28, 21, 7, 32, tzinfo=NY)),
        ("2026-01-28T21:07:32.000Z", None, datetime(2026, 1, 28, 21, 7, 32, tzinfo=NY)),
        # ... unless that would be after the official filing date.
        ("2025-12-10T00:00:14.000Z", date(2025, 12, 9), datetime(2025, 12, 10, 0, 0, 14, tzinfo=UTC)),
        ("2025-12-12T18:02:43-05:00", None, datetime(2025, 12, 12, 18, 2, 43, tzinfo=NY)),
        ("Jan 26, 2026 (02:46 PM)", None, datetime(2026, 1, 26, 14, 46, tzinfo=NY)),
        ("Sept. 3, 2025 (11:05 AM)", None, datetime(2025, 9, 3, 11, 5, tzinfo=NY)),
    ],
)
def test_times_of_acceptance(text, filed, expected):
    assert read_time(text, filed) == expected
    assert read_time(text, filed).utcoffset() == timedelta(0)


def test_what_is_neither_time_nor_code_is_said():
    for text in ("yesterday", "", None):
        with pytest.raises(ValueError, match="is not a time"):
            read_time(text)
    with pytest.raises(ValueError, match="transaction code"):
        read_code("Buy")
    assert (read_code("Purchase"), read_code("s")) == ("P", "S")


@pytest.mark.parametrize(
    ("sources", "keys", "expected"),
    [
        ("sandbox", {}, ["quiver_api"]),
        ("public", {"QUIVER_API_KEY": "q"}, ["sec_edgar"]),
        ("subscribed", {}, ["quiver_page"]),
        ("subscribed", {"QUIVER_API_KEY": "q"}, ["quiver_api"]),
    ],
)
def test_which_source_is_used(sources, keys, expected, tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": sources, **keys}, root=tmp_path)
    assert [entry.name for entry in usable_sources(dataset("insider_buying"), here)] == expected
