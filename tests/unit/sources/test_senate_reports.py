"""The Senate's search and reports, and the copies of both chambers' filings: recorded ones and hand-made ones."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.sandbox.reports import Row
from pas_lib.sandbox.sites.senate import paper_page, report_page
from pas_lib.sources import Ask, Payload, Request, senate_efd, source
from pas_lib.sources.senate_efd import read_person, read_search
from tests.support.filings import report as house_report
from tests.support.filings import trade
from tests.support.paths import REAL, WIRE, needs

SENATE = WIRE / "congress_disclosures" / "payloads" / "senate_efd"
MIRRORS = WIRE / "congress_disclosures" / "payloads" / "mirrors"
NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)
DOCUMENT = "00000000-0000-4000-8000-000000000001"


@pytest.mark.needs_material
def test_the_recorded_reports():
    first = parse_file("politician_trades", needs(SENATE / "ptr_electronic.html"))
    assert [(r["politician"], r["symbol"], r["asset"], r["asset_type"], r["transaction"]) for r in first] == [
        ("Bernardo Moreno", "", "BofA Finance LLC Trigger Autocallable Contingent Yield Notes", "Other", "sale_full"),
        (
            "Bernardo Moreno",
            "",
            "Canadian Imperial Bank of Commerce Trigger Autocallable Contingent Yield Notes",
            "Other",
            "sale_full",
        ),
    ]
    # Without minutes, too; the day of the filing counts, not that of the title.
    assert {r["report_date"] for r in first} == {date(2026, 7, 24)}
    assert {(r["filed_at"], r["amendment"]) for r in first} == {(datetime(2026, 7, 24, 19, tzinfo=UTC), 0)}
    assert "EURO STOXX 50" in first[1]["description"]
    second = parse_file("politician_trades", SENATE / "ptr_electronic_tickers.html")
    assert [r["symbol"] for r in second] == ["WAB", "ACN", "AWK", "CSX", "DUK", "LMT", "MA", "NEE", "PFE", "PG", "TSCO"]
    assert [r["owner"] for r in second] == [""] + ["Joint"] * 10
    assert {(r["politician"], r["report_date"], r["filing_status"], r["asset_type"]) for r in second} == {
        ("Tommy Tuberville", date(2026, 7, 16), "new", "ST")
    }
    assert {r["filed_at"] for r in second} == {datetime(2026, 7, 16, 4, 36, tzinfo=UTC)}
    assert [r["amount_low"] for r in second] == [1001, 1001, *[15001] * 8, 1001]


@pytest.mark.needs_material
def test_the_recorded_search_and_paper():
    total, found = read_search(needs(SENATE / "search_report_data_response.json").read_bytes())
    assert (total, len(found), sum(report.paper for report in found)) == (23, 23, 2)
    assert [report.politician for report in found[:5]] == [
        "Bernardo Moreno",
        "Alan Armstrong",
        "Jerry Moran",
        "Richard Blumenthal",
        "Tommy Tuberville",
    ]
    assert found[12].politician == "A. Mitchell McConnell Jr."
    assert found[13].title.endswith("06/27/2026")
    assert found[13].listed == date(2026, 6, 26)
    assert "(Amendment 1)" in found[15].title
    assert parse_file("politician_trades", SENATE / "search_report_data_response.json") == []
    with pytest.raises(PayloadError, match=r"filed on paper, 5 scanned pages, unreadable in ptr_paper\.html"):
        parse_file("politician_trades", SENATE / "ptr_paper.html")


def payload(body: bytes | str, **context: str) -> Payload:
    content = body.encode() if isinstance(body, str) else body
    return Payload("senate_efd", "politician_trades", "x", f"https://site/{DOCUMENT}/", 200, "", NOW, context, content)


def page(*rows: Row, amendment: int = 0) -> str:
    filed = replace(house_report(*rows), chamber="Senate", document=DOCUMENT, amendment=amendment)
    return report_page(replace(filed, about=date(2026, 1, 2)))


def test_cells_of_a_report():
    rows = (
        Row(trade(1), "SP"),
        Row(trade(2), "SP"),
        Row(trade(3, symbol="BRK.B", transaction="Sale (Partial)", asset_type="OP", description="A & B"), "DC"),
        Row(trade(4, symbol="--", asset_type="GS", amount_range="Over $50,000,000"), ""),
    )
    batch = source("senate_efd").parse(payload(page(*rows, amendment=1)))[0]
    assert batch.rejects == []
    got = [
        (r["symbol"], r["asset_type"], r["transaction"], r["amount_range"], r["owner"], r["ordinal"])
        for r in reversed(batch.records)
    ]
    assert got == [
        ("AAA", "ST", "purchase", "$100,001 - $250,000", "Spouse", 1),
        ("AAA", "ST", "purchase", "$100,001 - $250,000", "Spouse", 0),
        ("BRK.B", "OP", "sale_partial", "$100,001 - $250,000", "Child", 0),
        ("", "GS", "purchase", "Over $50,000,000", "", 0),
    ]
    assert {(r["report_date"], r["filing_status"], r["document"], r["politician"]) for r in batch.records} == {
        (date(2026, 1, 20), "amended", DOCUMENT, "Ann Example")
    }
    assert batch.records[1]["description"] == "Description: A & B"


@pytest.mark.parametrize(
    ("shown", "at"),
    [
        ("3 PM", datetime(2026, 1, 20, 20, tzinfo=UTC)),
        ("12:05 am", datetime(2026, 1, 20, 5, 5, tzinfo=UTC)),
        ("12 PM", datetime(2026, 1, 20, 17, tzinfo=UTC)),
        ("13:05 PM", None),
        ("noon", None),
    ],
)
def test_the_hour_and_the_number_of_an_amendment(shown, at):
    body = re.sub(r"@ [^<]*<", f"@ {shown}<", page(Row(trade(1), ""), amendment=2))
    (row,) = source("senate_efd").parse(payload(body))[0].records
    assert (row["filed_at"], row["amendment"], row["filing_status"]) == (at, 2, "amended")


def test_a_symbol_before_the_name_counts_for_stocks_only():
    names = "ACN - Accenture plc"
    for kind, symbol in (("ST", "ACN"), ("CS", "")):
        body = page(Row(trade(1, symbol="--", company=names, asset_type=kind), ""))
        assert source("senate_efd").parse(payload(body))[0].records[0]["symbol"] == symbol


def test_rows_that_cannot_be_read_are_refused():
    body = page(Row(trade(1), ""), Row(trade(2, amount_range="Unknown"), ""))
    batch = source("senate_efd").parse(payload(body))[0]
    assert len(batch.records) == 1
    assert [(r.reason, r.expected) for r in batch.rejects] == [("'Unknown' is no amount", False)]
    body = page(Row(trade(1), "")).replace("<td>Self</td>", "<td>Nobody</td>")
    assert source("senate_efd").parse(payload(body))[0].rejects[0].reason == "unknown owner 'Nobody'"


PAGE = page(Row(trade(1), ""), Row(trade(2), "JT"))
HOME = '<!DOCTYPE HTML><html><head><title>eFD: Home</title></head><form><input name="prohibition_agreement"></html>'


@pytest.mark.parametrize(
    ("body", "context", "reason"),
    [
        ("", {}, "the answer is empty"),
        (HOME, {"kind": "search"}, "the session is over: the site's terms came instead"),
        (HOME, {"kind": "ptr"}, "the session is over: the site's terms came instead"),
        ("<!DOCTYPE html><html><title>Just a moment...</title></html>", {"kind": "search"}, "'Just a moment...'"),
        ("<!DOCTYPE html><html><title>Just a moment...</title></html>", {"kind": "ptr"}, "'Just a moment...'"),
        (PAGE[: len(PAGE) // 2], {"kind": "ptr"}, "the page is cut off"),
        (PAGE.replace("Filed  01/20/2026", "Filed"), {}, "field 'Filed': missing"),
        (PAGE.replace(">Ticker<", ">Code<"), {}, "column 'Ticker' not found"),
        (PAGE.replace("(2 transactions total)", "(3 transactions total)"), {}, "2 rows where 3 transactions are told"),
        ("nonsense", {"kind": "search"}, "not JSON or cut off"),
        ('{"recordsTotal":1}', {"kind": "search"}, "field 'data' not found"),
        ('{"data":[]}', {"kind": "search"}, "field 'recordsFiltered' not found"),
        ('{"recordsTotal":0,"recordsFiltered":0,"data":[]}', {"kind": "search"}, "the search found no reports"),
        ('{"recordsFiltered":1,"data":[["a","b"]]}', {"kind": "search"}, "no list of five texts"),
        ('{"recordsFiltered":1,"data":[["a","b","c","d","01/01/2026"]]}', {"kind": "search"}, "no link to a report"),
        ('{"recordsFiltered":1,"data":[]}', {"kind": "ptr"}, "no page of a report"),
    ],
)
def test_other_answers_are_errors_of_one_line(body, context, reason):
    with pytest.raises(PayloadError) as caught:
        source("senate_efd").parse(payload(body, **context))
    assert str(caught.value).startswith("senate_efd:")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pages_of_the_search_share_one_limit(monkeypatch, tmp_path):
    from pas_lib.settings import load_settings

    monkeypatch.setattr(senate_efd, "BATCH", 3)
    site = source("senate_efd")
    here = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)

    def answer(*numbers: int) -> Payload:
        data = [
            ["A", "B", "B, A (Senator)", f'<a href="/search/view/ptr/{DOCUMENT[:-1]}{n}/">Periodic</a>', "01/02/2026"]
            for n in numbers
        ]
        return payload(json.dumps({"recordsFiltered": 6, "data": data}), kind="search")

    known = frozenset({f"{DOCUMENT[:-1]}2"})
    first = next(iter(site.requests(Ask("politician_trades", here, NOW, date(2026, 1, 1), known=known))))
    assert first.form is not None
    assert (first.form["submitted_start_date"], first.form["start"]) == ("01/01/2026 00:00:00", "0")
    pages = [answer(1, 2, 3), answer(4, 5, 6)]
    asked: list[str] = []
    left: list[str] = []
    following: Request | None = first
    for page_of in pages:
        assert following is not None
        asked += [further.label[-1] for further in site.expand(following, page_of)]
        left.append(site.leaves(following, page_of))
        following = site.follow(following, page_of)
    assert following is None
    assert asked == ["1", "3", "4"]
    assert left == ["", "2 reports of the Senate are left for the next collections"]
    # A report that was filed meanwhile pushes the last one of a page to the next: it is fetched once.
    pushed = site.follow(first, answer(1, 2, 3))
    assert pushed is not None
    assert [further.label[-1] for further in site.expand(pushed, answer(3, 4, 5))] == ["4"]


@pytest.mark.parametrize(
    ("office", "otherwise", "name"),
    [
        ("Capito, Shelley Moore (Senator)", "Shelley M Capito", "Shelley Moore Capito"),
        ("McConnell, A. Mitchell Jr. (Senator)", "A. Mitchell McConnell, Jr.", "A. Mitchell McConnell Jr."),
        ("Senator", "RICHARD  BLUMENTHAL", "Richard Blumenthal"),
        ("Moran, Jerry (Former Senator)", "Jerry Moran,  ", "Jerry Moran"),
    ],
)
def test_names(office, otherwise, name):
    assert read_person(office, otherwise) == name


def test_paper_is_listed():
    filed = replace(house_report(), chamber="Senate", document=DOCUMENT, paper=True)
    context = {"kind": "paper", "document": DOCUMENT, "politician": "Ann Example", "listed": "2026-01-20"}
    batch = source("senate_efd").parse(payload(paper_page(filed), **context))[0]
    assert [(dict(r.record), r.reason, r.expected) for r in batch.rejects] == [
        (
            {"document": DOCUMENT, "politician": "Ann Example", "listed": "2026-01-20"},
            "filed on paper, 3 scanned pages, unreadable",
            True,
        )
    ]


COPIES = [
    (MIRRORS / "capitol_watch_house_first80.json", 80, 0),
    (MIRRORS / "capitol_watch_senate_first80.json", 80, 80),
    (MIRRORS / "house_stock_watcher_all_transactions_first150_from_csv.json", 150, 0),
    (MIRRORS / "kadoa_trades_first150.json", 137, 137),
    (MIRRORS / "senate_stock_watcher_all_transactions_first200.json", 197, 0),
    (MIRRORS / "senate_stock_watcher_daily_summaries_first20.json", 94, 94),
    (REAL / "congress" / "house_stock_watcher_2020_2022.csv.gz", 15_672, 0),
    (REAL / "congress" / "senate_stock_watcher_2012_2021.csv.gz", 8_499, 8_499),
    (REAL / "congress" / "capitol_watch_house_to_2026-08.json.gz", 10_224, 0),
    (REAL / "congress" / "capitol_watch_senate_2025_2026.json.gz", 2_527, 2_527),
    (REAL / "congress" / "kadoa_trades_300_2026-07.json.gz", 275, 275),
]


@pytest.mark.needs_material
@pytest.mark.parametrize(("path", "count", "dated"), COPIES, ids=[path.name for path, _, _ in COPIES])
def test_copies_state_no_official_day_of_house_reports(path, count, dated):
    rows = parse_file("politician_trades", needs(path))
    assert len(rows) == count
    assert sum(row["report_date"] is not None for row in rows) == dated
    assert all("<" not in (row["asset"] or "") for row in rows)


@pytest.mark.needs_material
def test_a_list_of_filers_holds_no_trades():
    with pytest.raises(PayloadError, match="is in no format of politician_trades"):
        parse_file("politician_trades", needs(MIRRORS / "kadoa_filers_first20.json"))
