"""The Clerk's index and transaction reports: recorded ones and hand-made ones."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.sandbox.reports import Row
from pas_lib.sandbox.sites.house import index_archive, report_pdf, scan
from pas_lib.sources import Payload, congress, ptr, source
from pas_lib.sources.base import NOT_THERE
from pas_lib.sources.house_clerk import read_index
from tests.support.filings import report, trade
from tests.support.paths import REAL, WIRE, needs

HOUSE = WIRE / "congress_disclosures" / "payloads" / "house"
NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)

# File, politician, document, day of signature, rows as (symbol, kind, transaction, low, day, owner).
REPORTS = {
    "ptr_20034195_text_layer.pdf": (
        ("Sheri Biggs", "20034195", date(2026, 3, 21)),
        [
            ("", "OT", "purchase", 1001, date(2026, 2, 4), "Spouse"),
            ("", "CS", "sale", 100001, date(2026, 2, 19), "Spouse"),
            ("KRSOX", "PS", "purchase", 1001, date(2026, 2, 4), "Spouse"),
            ("", "OT", "purchase", 1001, date(2026, 2, 27), "Spouse"),
            ("", "OT", "purchase", 1001, date(2026, 2, 6), "Spouse"),
            ("", "GS", "purchase", 15001, date(2026, 2, 18), "Spouse"),
            ("", "GS", "sale", 1001, date(2026, 2, 15), "Spouse"),
            ("", "GS", "sale", 15001, date(2026, 2, 17), "Spouse"),
        ],
    ),
    "ptr_comments_and_subholding_of_report.pdf": (
        ("George Whitesides", "20030886", date(2025, 8, 13)),
        [("PL", "ST", "sale", 50001, date(2025, 3, 27), "")],
    ),
    "ptr_long_subholding_of_section_report.pdf": (
        ("David J. Taylor", "20033395", date(2025, 11, 3)),
        [
            ("AAPL", "ST", "sale", 1001, date(2025, 10, 30), ""),
            ("AAPL", "ST", "sale", 1001, date(2025, 10, 30), ""),
            ("T", "ST", "purchase", 1001, date(2025, 10, 30), ""),
            ("T", "ST", "purchase", 1001, date(2025, 10, 30), ""),
        ],
    ),
    "ptr_new_transaction_type_report.pdf": (
        ("Richard W. Allen", "20026727", date(2025, 2, 20)),
        [
            ("AZO", "ST", "purchase", 15001, date(2025, 1, 17), "Spouse"),
            ("", "GS", "sale_partial", 15001, date(2025, 1, 8), ""),
            ("", "GS", "sale_partial", 15001, date(2025, 1, 8), ""),
            ("", "GS", "purchase", 100001, date(2025, 1, 27), ""),
            ("", "GS", "purchase", 100001, date(2025, 1, 27), ""),
        ],
    ),
    "ptr_single_page_transactions_only_report.pdf": (
        ("Robert B. Aderholt", "20032062", date(2025, 9, 10)),
        [("GSK", "ST", "sale", 1001, date(2025, 7, 28), "")],
    ),
}


@pytest.mark.needs_material
@pytest.mark.parametrize("name", REPORTS)
def test_every_recorded_report(name):
    (politician, document, signed), expected = REPORTS[name]
    rows = parse_file("politician_trades", needs(HOUSE / name))
    assert {(r["politician"], r["document"], r["report_date"], r["chamber"]) for r in rows} == {
        (politician, document, signed, "House")
    }
    assert [
        (r["symbol"], r["asset_type"], r["transaction"], r["amount_low"], r["transaction_date"], r["owner"])
        for r in rows
    ] == expected
    assert {r["filing_status"] for r in rows} == {"new"}


@pytest.mark.needs_material
def test_cells_that_break_over_lines_are_joined_and_comments_stay_out():
    rows = parse_file("politician_trades", needs(HOUSE / "ptr_20034195_text_layer.pdf"))
    assert (rows[1]["asset"], rows[1]["amount_range"]) == (
        "BARCLAYS BANK PLC TAR-SS INTL BASKET",
        "$100,001 - $250,000",
    )
    # The page turns between this row and its details.
    assert rows[4]["asset"] == "OAKTREE STRATEGIC CREDIT FUND CLASS S"
    assert rows[4]["description"].startswith("Dividend reinvestment")
    told = parse_file("politician_trades", HOUSE / "ptr_comments_and_subholding_of_report.pdf")[0]
    assert told["asset"] == "Planet Labs PBC Class A Common Stock"
    assert told["description"].endswith("hold any single company publicly-traded stocks.")
    equal = parse_file("politician_trades", HOUSE / "ptr_long_subholding_of_section_report.pdf")
    assert [row["ordinal"] for row in equal] == [0, 1, 0, 1]


@pytest.mark.needs_material
@pytest.mark.parametrize("name", ["ptr_8221321_paper_scan.pdf", "ptr_physical_scan_digitally_filled.pdf"])
def test_scans_are_not_read(name):
    with pytest.raises(PayloadError, match=f"house_clerk: .*a scan without text, unreadable in {name}"):
        parse_file("politician_trades", needs(HOUSE / name))


@pytest.mark.needs_material
def test_every_recorded_index():
    full = read_index(needs(HOUSE / "2026FD.zip").read_bytes())
    assert Counter(f.kind for f in full) == {"C": 678, "P": 318, "X": 243, "W": 96, "D": 61, "A": 33, "H": 2, "T": 2}
    assert sum(f.filed is None for f in full) == 33
    reports = [f for f in full if f.kind == "P"]
    assert sum(f.document.startswith("20") and len(f.document) == 8 for f in reports) == 285
    found = next(f for f in full if f.document == "20034195")
    assert (found.politician, found.district, found.filed) == ("Sheri Biggs", "SC03", date(2026, 3, 21))
    trimmed = read_index((HOUSE / "2023FD_trimmed_120_of_1549.xml").read_bytes())
    assert len(trimmed) == 120
    assert trimmed[0].politician == "Richard W. Allen"
    assert parse_file("politician_trades", HOUSE / "2026FD.zip") == []
    text = read_index(needs(REAL / "congress" / "house_fd_index_2023.txt").read_bytes())
    assert (len(text), sum(f.kind == "P" for f in text), sum(f.filed is None for f in text)) == (1549, 460, 9)


def payload(body: bytes, **context: str) -> Payload:
    return Payload("house_clerk", "politician_trades", "x", "https://site/x", 200, "", NOW, context, body)


def read(*rows: Row) -> ptr.Report:
    found = ptr.read_report(ptr.read_pages(report_pdf(report(*rows))))
    assert found is not None
    return found


def test_rows_that_break_over_pages_are_whole():
    many = [
        Row(
            trade(
                n,
                symbol=f"S{n}",
                company=f"Company number {n} with a name of three lines, Class A",
                description="x" * 20,
            ),
            "SP",
        )
        for n in range(60)
    ]
    pages = ptr.read_pages(report_pdf(report(*many)))
    assert len(pages) > 5
    found = ptr.read_report(pages)
    assert found is not None
    assert found.refused == []
    assert [row["symbol"] for row in found.rows] == [f"S{n}" for n in range(60)]
    assert {row["amount_range"] for row in found.rows} == {"$100,001 - $250,000"}
    assert [row["asset"] for row in found.rows] == [row.trade.company for row in many]
    # Somewhere the page turns inside a row: its last line is no detail.
    assert any(page[-1].text.startswith("Filing ID") and not page[-2].text.startswith("F S") for page in pages[:-1])


@pytest.mark.parametrize(
    ("change", "owner", "expected"),
    [
        ({}, "SP", ("AAA", "ST", "purchase", "$100,001 - $250,000", "Spouse")),
        ({"transaction": "Sale (Partial)"}, "JT", ("AAA", "ST", "sale_partial", "$100,001 - $250,000", "Joint")),
        ({"transaction": "Sale", "asset_type": "OP"}, "DC", ("AAA", "OP", "sale", "$100,001 - $250,000", "Child")),
        ({"transaction": "Exchange"}, "", ("AAA", "ST", "exchange", "$100,001 - $250,000", "")),
        ({"symbol": "BRK.B"}, "", ("BRK.B", "ST", "purchase", "$100,001 - $250,000", "")),
        ({"symbol": "BRK/B"}, "", ("BRK.B", "ST", "purchase", "$100,001 - $250,000", "")),
        ({"symbol": "--", "asset_type": "GS"}, "", ("", "GS", "purchase", "$100,001 - $250,000", "")),
        ({"amount_range": "Over $50,000,000"}, "", ("AAA", "ST", "purchase", "Over $50,000,000", "")),
        ({"amount_range": "Spouse/DC Over $1,000,000"}, "SP", ("AAA", "ST", "purchase", "Over $1,000,000", "Spouse")),
        ({"company": "SP Plus Corporation", "symbol": "SP"}, "", ("SP", "ST", "purchase", "$100,001 - $250,000", "")),
        (
            {"company": "SP Plus Corporation", "symbol": "SP"},
            "SP",
            ("SP", "ST", "purchase", "$100,001 - $250,000", "Spouse"),
        ),
        ({"company": "AT&T Inc. (Delaware)", "symbol": "T"}, "", ("T", "ST", "purchase", "$100,001 - $250,000", "")),
    ],
)
def test_cells(change, owner, expected):
    row = read(Row(trade(1, **change), owner)).rows[0]
    assert (row["symbol"], row["asset_type"], row["transaction"], row["amount_range"], row["owner"]) == expected
    assert row["asset"] == trade(1, **change).company


def test_amendments_say_so_and_a_wrapped_comment_is_no_asset():
    comment = "A comment that goes on and on over the width of the page until it breaks into the next line, SP " * 2
    found = read(
        Row(trade(1, description=comment), "", "Amended"),
        Row(trade(2, symbol="BBB"), "JT", "Deleted"),
        Row(trade(3), ""),
    )
    assert [(r["symbol"], r["filing_status"]) for r in found.rows] == [
        ("AAA", "amended"),
        ("BBB", "deleted"),
        ("AAA", "new"),
    ]
    assert found.rows[0]["description"] == " ".join(comment.split())


def test_what_cannot_be_told_apart_is_refused():
    pages = ptr.read_pages(report_pdf(report(Row(trade(1), ""), Row(trade(2, symbol="BBB"), ""))))
    # Without the details between them two rows would be one.
    glued = [[line for line in page if not line.text.startswith("F S")] for page in pages]
    found = ptr.read_report(glued)
    assert found is not None
    assert found.rows == []
    assert "cannot be told apart" in found.refused[0][1]
    renamed = [[replace(line, text=line.text.replace("New", "Odd")) for line in page] for page in pages]
    found = ptr.read_report(renamed)
    assert found is not None
    assert [reason for _, reason in found.refused] == ["unknown filing status 'Odd'"] * 2
    batch = source("house_clerk").parse(payload(report_pdf(report(Row(trade(1), "", "Odd")))))[0]
    assert [(reject.reason, reject.expected) for reject in batch.rejects] == [("unknown filing status 'Odd'", False)]


def test_the_official_day_counts_not_the_notification():
    body = report_pdf(report(Row(trade(1), "")))
    context = {"kind": "report", "document": "20040001", "politician": "Ann Example", "filed": "2026-01-22"}
    row = source("house_clerk").parse(payload(body, **context))[0].records[0]
    assert row["report_date"] == date(2026, 1, 22)
    assert b"01/16/2026" not in body  # compressed
    assert any("01/16/2026" in line.text for page in ptr.read_pages(body) for line in page)


def test_a_scan_is_listed_with_its_number_and_day():
    context = {"kind": "report", "document": "8220001", "politician": "Ann Example", "filed": "2026-01-22"}
    batch = source("house_clerk").parse(payload(scan(), **context))[0]
    assert batch.num_rows == 0
    assert [(dict(r.record), r.reason, r.expected) for r in batch.rejects] == [
        (
            {"document": "8220001", "politician": "Ann Example", "filed": "2026-01-22"},
            "a scan without text, unreadable",
            True,
        )
    ]


def archive(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr(name, content)
    return made.getvalue()


INDEX = index_archive(2026, [report(Row(trade(1), ""))])
REPORT = report_pdf(report(Row(trade(1), "")))


@pytest.mark.parametrize(
    ("body", "context", "reason"),
    [
        (b"", {"kind": "index"}, "the answer is empty"),
        (b"<!DOCTYPE html><html><head><title>Just a moment...</title>", {"kind": "report"}, "an HTML page came"),
        (INDEX[: len(INDEX) // 2], {"kind": "index"}, "damaged or cut off"),
        (archive("readme.txt", b"x"), {"kind": "index"}, "the archive holds no index, only readme.txt"),
        (archive("2026FD.xml", b"<FinancialDisclosure><Member>"), {"kind": "index"}, "not XML or cut off"),
        (archive("2026FD.xml", b"<FinancialDisclosure/>"), {"kind": "index"}, "the index names no filings"),
        (archive("2026FD.xml", b"<Other/>"), {"kind": "index"}, "the root is 'Other'"),
        (
            archive("2026FD.xml", b"<FinancialDisclosure><Member><Last>A</Last></Member></FinancialDisclosure>"),
            {"kind": "index"},
            "field 'Prefix' not found",
        ),
        (b"Prefix\tLast\tFirst\tSuffix\tFilingType\tStateDst\tYear\tDocID\r\n", {}, "column 'FilingDate' not found"),
        (INDEX, {"kind": "index", "year": "2025"}, "it is the index of 2026, not of 2025"),
        (INDEX, {"kind": "report"}, "not a PDF"),
        (REPORT, {"kind": "index"}, "a report came instead of the index"),
        (REPORT[: len(REPORT) // 2], {"kind": "report"}, "the PDF is cut off"),
        (b"%PDF-1.4 nonsense %%EOF", {"kind": "report"}, "not a readable PDF"),
        (REPORT, {"kind": "report", "document": "20040002"}, "it is document 20040001, not 20040002"),
    ],
)
def test_other_answers_are_errors_of_one_line(body, context, reason, tmp_path: Path):
    with pytest.raises(PayloadError) as caught:
        source("house_clerk").parse(payload(body, **context))
    assert str(caught.value).startswith("house_clerk:")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_index_is_an_error_but_for_a_new_year():
    def absent(year: str, now: datetime) -> Payload:
        return replace(payload(b"gone", kind="index", year=year), status=404, fetched_at=now)

    january, july = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 7, 5, tzinfo=UTC)
    site = source("house_clerk")
    assert site.parse(absent("2026", january))[0].listing
    for year, now in (("2025", january), ("2026", july)):
        with pytest.raises(PayloadError, match="there is no such index"):
            site.parse(absent(year, now))
    missing = replace(payload(b"gone", kind="report", document="1"), status=404)
    batch = site.parse(missing)[0]
    # Too many of them are an error of the load, one is a note.
    assert (batch.missing, [reject.reason for reject in batch.rejects]) == (True, [NOT_THERE])


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("Hon. Sheri  Biggs", "Sheri Biggs"),
        ("RICHARD  BLUMENTHAL", "Richard Blumenthal"),
        ("William F Hagerty, Iv", "William F Hagerty IV"),
        ("A. Mitchell McConnell, Jr.", "A. Mitchell McConnell Jr."),
        ("Hon. Neal Patrick Dunn MD, FACS", "Neal Patrick Dunn"),
        ("Mr. Thomas H. Kean Jr", "Thomas H. Kean Jr."),
        ("Jerry Moran,  ", "Jerry Moran"),
        ("Shelley Moore Capito", "Shelley Moore Capito"),
    ],
)
def test_names_have_one_spelling(spelled, name):
    assert congress.read_name(spelled) == name
    assert congress.read_name(name) == name


def test_no_name_is_an_error():
    with pytest.raises(ValueError, match="no name"):
        congress.read_name(" , ")
