"""Index pages and the fund's holdings."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest

from pas_lib.sandbox.roster import FIRST_DECISION
from tests.support.paths import WIRE, needs

HOLDINGS = "/ishares/us/products/239710/ishares-russell-2000-etf/latest-holdings.csv"


class Tables(HTMLParser):
    """Texts of all cells, by table id; footnotes are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] | None = None
        self._note = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows = self.tables.setdefault(str(dict(attrs).get("id")), [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append("")
        elif tag == "sup":
            self._note += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "sup":
            self._note -= 1
        elif tag == "table":
            self._rows = None

    def handle_data(self, data: str) -> None:
        if self._rows and self._rows[-1] and not self._note:
            self._rows[-1][-1] += data


def tables(text: str) -> dict[str, list[list[str]]]:
    parser = Tables()
    parser.feed(text)
    return parser.tables


def page(site: Any, number: int) -> dict[str, list[list[str]]]:
    answer = site.get(f"/wikipedia/wiki/List_of_S%26P_{number}_companies")
    assert answer.status_code == 200
    return tables(answer.text)


def holdings(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text[text.index("Ticker,") :].strip())))


def test_the_page_has_the_recorded_columns(site: Any) -> None:
    recorded = tables(needs(WIRE / "universe" / "sp500_wikipedia_rev1352594942_tables_trimmed.html").read_text())
    ours = page(site, 500)
    assert set(ours) == set(recorded) == {"constituents", "changes"}
    assert ours["constituents"][0] == recorded["constituents"][0]
    assert ours["changes"][:2] == recorded["changes"][:2]
    assert {len(r) for r in ours["constituents"]} == {8}
    assert {len(r) for r in ours["changes"][2:]} == {6}


def test_constituents_are_the_members_of_the_day(site: Any) -> None:
    members = site.sandbox.world.roster.members("sp500", FIRST_DECISION)
    rows = [[c.strip() for c in r] for r in page(site, 500)["constituents"][1:]]
    assert {r[0] for r in rows} == {x.symbol_on(FIRST_DECISION) for x in members}
    assert all(re.fullmatch(r"\d{10}", r[6]) for r in rows)
    assert all(r[5] == "" or date.fromisoformat(r[5]) <= FIRST_DECISION for r in rows)
    ciks = [r[6] for r in rows]
    assert len(ciks) == len(set(ciks)) + 2  # two companies with two classes
    assert any(r[1].endswith("(Class A)") for r in rows)
    assert any("." in r[0] for r in rows)
    four = page(site, 400)["constituents"]
    assert "CIK" not in " ".join(four[0])
    assert len(four) - 1 == len(site.sandbox.world.roster.members("sp400", FIRST_DECISION))


def test_changes_are_dated_and_one_sided_where_they_were(site: Any) -> None:
    rows = [[c.strip() for c in r] for r in page(site, 500)["changes"][2:]]
    assert all(re.fullmatch(r"[A-Z][a-z]+ \d{1,2}, \d{4}", r[0]) for r in rows)
    assert ["November 4, 2025", "", ""] in [r[:3] for r in rows]
    assert ["", ""] in [r[3:5] for r in rows]
    assert all(r[5] for r in rows)


def test_an_announced_change_shows_on_its_effective_day(moving: Any) -> None:
    roster = moving.sandbox.world.roster
    leaver, joiner = (roster.by_slot(s)[0].symbol_on(FIRST_DECISION) for s in ("L20", "M1"))
    moving.advance("2026-02-26T20:00")
    before = {r[0].strip() for r in page(moving, 500)["constituents"]}
    assert leaver in before
    assert joiner not in before
    moving.advance("2026-02-27T08:00")
    after = page(moving, 500)
    assert joiner in {r[0].strip() for r in after["constituents"]}
    assert [c.strip() for c in after["changes"][2][:4:3]] == ["February 27, 2026", leaver]
    entry = next(r for r in after["constituents"] if r[0].strip() == joiner)
    assert entry[5].strip() == "2026-02-27"


def test_the_api_gives_the_same_tables(site: Any) -> None:
    params = {
        "action": "parse",
        "page": "List_of_S&P_500_companies",
        "prop": "text",
        "format": "json",
        "formatversion": "2",
    }
    text = site.get("/wikipedia/w/api.php", params=params).json()["parse"]["text"]
    assert tables(text) == page(site, 500)
    assert site.get("/wikipedia/w/api.php", params={**params, "page": "Nope"}).json()["error"]["code"] == "missingtitle"
    assert site.get("/wikipedia/wiki/Nope").status_code == 404
    bare = site.get("/wikipedia/wiki/List_of_S%26P_500_companies", headers={"User-Agent": "python-requests/2"})
    assert bare.status_code == 403


def test_holdings_have_the_recorded_layout(site: Any) -> None:
    recorded = needs(WIRE / "universe" / "iwm_latest_holdings_2026-07-17_trimmed.csv").read_text().splitlines()
    answer = site.get(HOLDINGS)
    ours = answer.text.splitlines()
    assert ours[0] == recorded[0]
    assert ours[1] == 'Fund Holdings as of,"Jan 29, 2026"'
    assert ours[2:10] == recorded[2:10]
    assert answer.text.endswith("\n\n")
    kinds = {r["Asset Class"] for r in holdings(answer.text)}
    assert kinds == {"Equity", "Money Market", "Cash", "Futures", "Cash Collateral and Margins"}


def test_holdings_are_the_members_and_look_alikes(site: Any) -> None:
    world = site.sandbox.world
    rows = holdings(site.get(HOLDINGS).text)
    listed = [
        r for r in rows if r["Asset Class"] == "Equity" and r["Exchange"] in ("NYSE", "NASDAQ") and r["Price"] != "0.00"
    ]
    expected = {
        x.symbol_on(FIRST_DECISION).replace(".", "") for x in world.roster.members("russell2000", FIRST_DECISION)
    }
    assert {r["Ticker"] for r in listed} == expected
    assert any(t not in {x.symbol_on(FIRST_DECISION) for x in world.roster.listings} for t in expected)  # a class share
    assert sum(float(r["Weight (%)"]) for r in listed) == pytest.approx(99.4, abs=0.1)
    repeated = [r["Ticker"] for r in rows]
    assert len(repeated) > len(set(repeated))
    one = listed[0]
    symbol = next(
        x.symbol_on(FIRST_DECISION)
        for x in world.roster.listings
        if x.symbol_on(FIRST_DECISION).replace(".", "") == one["Ticker"]
    )
    bar = world.bar(symbol, date(2026, 1, 29))
    assert float(one["Price"].replace(",", "")) == pytest.approx(bar.close, abs=0.005)


def test_the_retired_address_gives_a_page_with_status_200(site: Any) -> None:
    answer = site.get("/ishares/us/products/239710/ishares-russell-2000-etf/1467271812596.ajax?fileType=csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv")
    assert answer.text.startswith("<!DOCTYPE html>")
