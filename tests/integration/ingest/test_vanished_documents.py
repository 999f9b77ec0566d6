"""Documents that a list names no more: their rows end when that was seen, and begin anew when they come back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.errors import PayloadError
from pas_lib.ingest import replay
from pas_lib.landing import Accepted
from pas_lib.sandbox.congress import Trade
from pas_lib.sandbox.reports import HOUSE, SENATE, FiledReport, Row
from pas_lib.sandbox.sites.house import index_archive, report_pdf
from pas_lib.sandbox.sites.senate import TOKEN, report_page
from tests.support.loopback import Answer, Seen
from tests.support.road import Road


def report(number: int, filed: date, chamber: str = HOUSE, symbols: tuple[str, ...] = ("AAA",)) -> FiledReport:
    """A report of purchases that were made ten days before."""
    rows = []
    for symbol in symbols:
        trade = Trade(
            id=number,
            politician="Jane Doe",
            bioguide_id="D000001",
            chamber=chamber,
            party="D",
            district="OH03",
            state="Ohio",
            symbol=symbol,
            company=f"{symbol} Works",
            sector="Energy",
            asset_type="ST",
            transaction="Purchase",
            amount_range="$1,001 - $15,000",
            amount=1001.0,
            traded=filed - timedelta(days=10),
            filed=filed,
            visible=filed,
            hidden=None,
            **{name: None for name in Trade.__dataclass_fields__ if name not in _GIVEN},
        )
        rows.append(Row(trade, ""))
    document = str(20030000 + number) if chamber == HOUSE else str(uuid.UUID(int=number))
    return FiledReport(document, chamber, "Jane Doe", "OH03", "Ohio", filed, filed, 0, tuple(rows))


_GIVEN = {
    "id", "politician", "bioguide_id", "chamber", "party", "district", "state", "symbol", "company", "sector",
    "asset_type", "transaction", "amount_range", "amount", "traded", "filed", "visible", "hidden",
}  # fmt: skip


@dataclass
class Capitol:
    """The two sites; ``listed`` may be changed between collections, documents stay."""

    house: list[FiledReport] = field(default_factory=list)
    senate: list[FiledReport] = field(default_factory=list)
    #: What the search says there is, where that is not true, and how many it shows on a page.
    told: int | None = None
    page: int = 100
    before_page: Callable[[int], None] = lambda number: None
    asked: list[str] = field(default_factory=list)
    documents: dict[str, FiledReport] = field(default_factory=dict)

    def __call__(self, request: Seen) -> Answer | None:
        path = request.path
        self.documents |= {one.document: one for one in (*self.house, *self.senate)}
        last = path.rstrip("/").rpartition("/")[2]
        if path.endswith("FD.zip"):
            year = int(last[:4])
            lines = [one for one in self.house if one.filed.year == year]
            return Answer(index_archive(year, lines), content_type="application/zip")
        if "/ptr-pdfs/" in path:
            self.asked.append(last)
            return Answer(report_pdf(self.documents[last.removesuffix(".pdf")]), content_type="application/pdf")
        if path.endswith("/search/home/"):
            return Answer(f'<html><input name="csrfmiddlewaretoken" value="{TOKEN}"></html>', content_type="text/html")
        if path.endswith("/report/data/"):
            return self._search(dict(part.split("=") for part in request.body.decode().split("&")))
        if "/search/view/" in path:
            self.asked.append(last)
            return Answer(report_page(self.documents[last]), content_type="text/html")
        return None

    def _search(self, form: dict[str, str]) -> Answer:
        start = int(form["start"])
        self.before_page(start)
        since, until = (
            datetime.strptime(form[f"submitted_{edge}_date"].replace("%2F", "/")[:10], "%m/%d/%Y").date()  # noqa: DTZ007
            for edge in ("start", "end")
        )
        found = [one for one in self.senate if since <= one.filed <= until]
        rows = [
            ["Jane", "Doe", "Doe, Jane (Senator)", f'<a href="/search/view/ptr/{one.document}/">PTR</a>',
             f"{one.filed:%m/%d/%Y}"]
            for one in found[start : start + self.page]
        ]  # fmt: skip
        total = self.told if self.told is not None else len(found)
        return Answer(json.dumps({"recordsTotal": total, "recordsFiltered": total, "data": rows}))


@pytest.fixture
def capitol(road: Road) -> Capitol:
    road.settings = road.settings.model_copy(
        update={"dataset_sources": {"politician_trades": ("house_clerk", "senate_efd")}}
    )
    filed = [date(2025, 11, 20), date(2026, 1, 7), date(2026, 1, 8), date(2026, 1, 9), date(2026, 1, 20)]
    made = Capitol(
        house=[report(number, day) for number, day in enumerate(filed)],
        senate=[report(100 + number, day, SENATE) for number, day in enumerate(filed)],
    )
    road.world.instead = made
    return made


def versions(road: Road, document: str) -> list[tuple[bool, datetime]]:
    rows = road.rows(
        f"select is_deleted, known_at from raw.politician_trades where document = '{document}' order by row_id"
    )
    return [(row["is_deleted"], row["known_at"]) for row in rows]


def ended(road: Road) -> set[str]:
    rows = road.rows("select distinct document from raw.politician_trades where is_deleted")
    return {row["document"] for row in rows}


@pytest.mark.parametrize("chamber", ["house", "senate"])
def test_a_withdrawn_report_ends_when_that_was_seen_and_may_come_back(road: Road, capitol: Capitol, chamber: str):
    listed: list[FiledReport] = getattr(capitol, chamber)
    gone = listed[2]
    first, seen, back = (datetime(2026, *parts, tzinfo=UTC) for parts in ((1, 31, 1), (2, 4, 1), (2, 11, 1)))
    assert road.collect("politician_trades").new == 10
    listed.remove(gone)
    road.clock.at = seen
    result = road.collect("politician_trades", date(2026, 2, 3))
    assert (result.new, result.deleted) == (0, 1)
    known = datetime(2026, 1, 9, tzinfo=NY)
    assert versions(road, gone.document) == [(False, known), (True, seen)]
    assert ended(road) == {gone.document}
    road.at(2026, 2, 5, 1)
    assert road.collect("politician_trades", date(2026, 2, 4)).status == "unchanged"
    # It comes back: it is read once more, and known again from then on, not from its day of filing on.
    listed.append(gone)
    capitol.asked.clear()
    road.clock.at = back
    result = road.collect("politician_trades", date(2026, 2, 10))
    assert (result.changed, result.deleted) == (1, 0)
    assert [name.removesuffix(".pdf") for name in capitol.asked] == [gone.document]
    assert versions(road, gone.document) == [(False, known), (True, seen), (False, back)]
    road.at(2026, 2, 12, 1)
    assert road.collect("politician_trades", date(2026, 2, 11)).status == "unchanged"
    assert first < seen < back
    built = replay("politician_trades", settings=road.settings, warehouse=road.warehouse).tables["politician_trades"]
    assert built.outcome == "identical"


def test_a_report_filed_in_its_place_is_known_from_when_it_came(road: Road, capitol: Capitol):
    road.collect("politician_trades")
    gone = capitol.house[2]
    rows = tuple(replace(row, trade=replace(row.trade, amount_range="$15,001 - $50,000")) for row in gone.rows)
    capitol.house[2] = replace(gone, document="20039999", rows=rows)
    road.at(2026, 2, 4, 1)
    assert road.collect("politician_trades", date(2026, 2, 3)).deleted == 1
    seen = road.clock.now()
    assert versions(road, gone.document)[-1] == (True, seen)
    assert versions(road, "20039999") == [(False, seen)]


def test_a_window_says_nothing_about_what_it_does_not_list(road: Road, capitol: Capitol):
    capitol.house.append(report(9, date(2025, 11, 21)))
    road.collect("politician_trades")
    del capitol.senate[4], capitol.senate[1], capitol.house[0]
    road.at(2026, 2, 4, 1)
    # From the eighth on: the index of 2026 says nothing about 2025; the search nothing about the days before, nor about
    # those at its edges, and only what was filed on the twentieth is missing.
    road.collect("politician_trades", date(2026, 2, 3), start=date(2026, 1, 8))
    assert ended(road) == {str(uuid.UUID(int=104))}
    road.at(2026, 2, 5, 1)
    road.collect("politician_trades", date(2026, 2, 4))
    assert ended(road) == {str(uuid.UUID(int=104)), str(uuid.UUID(int=101)), "20030000"}


def test_a_search_that_shifts_between_its_pages_ends_nothing(road: Road, capitol: Capitol, monkeypatch):
    road.collect("politician_trades")
    monkeypatch.setattr("pas_lib.sources.senate_efd._PAGE", 2)
    capitol.page = 2
    gone = capitol.senate.pop(0)
    first = capitol.senate[0]
    road.at(2026, 2, 4, 1)

    def shift(start: int) -> None:
        # What is withdrawn pulls the first of the next page onto the one that was read.
        if start == 2 and first in capitol.senate:
            capitol.senate.remove(first)

    capitol.before_page = shift
    result = road.collect("politician_trades", date(2026, 2, 3))
    assert any("has shifted while it was read: it ends nothing" in note for note in result.notes)
    assert ended(road) == set()
    capitol.before_page = lambda number: None
    road.at(2026, 2, 5, 1)
    road.collect("politician_trades", date(2026, 2, 4))
    assert gone.document in ended(road)


@pytest.mark.parametrize("chamber", ["house", "senate"])
def test_a_list_that_lost_most_of_its_reports_is_refused(road: Road, capitol: Capitol, chamber: str):
    listed: list[FiledReport] = getattr(capitol, chamber)
    base = 0 if chamber == "house" else 100
    code = HOUSE if chamber == "house" else SENATE
    listed += [report(base + 10 + number, date(2026, 1, 12), code) for number in range(15)]
    road.collect("politician_trades")
    whole = list(listed)
    del listed[10:]
    road.at(2026, 2, 4, 1)
    before = road.rows("select count(*) as n from raw.politician_trades")
    site = {"house": "house_clerk", "senate": "senate_efd"}[chamber]
    known = {"house": 19, "senate": 20}[chamber]
    with pytest.raises(PayloadError, match=f"{site}: 10 of {known} known rows would vanish; nothing was loaded"):
        road.collect("politician_trades", date(2026, 2, 3))
    assert road.rows("select count(*) as n from raw.politician_trades") == before
    # An index without any report is none.
    if chamber == "house":
        listed.clear()
        assert road.collect("politician_trades", date(2026, 2, 3)).deleted == 0
        listed[:] = whole[:10]
    # A person's word is kept, and what is true is loaded.
    result = road.collect("politician_trades", date(2026, 2, 3), accepted=Accepted("withdrawn indeed", "ann"))
    assert result.deleted == 10
    kept = road.rows("select gate, rows_found, who from ops.gate_overrides")
    assert kept == [{"gate": "vanished", "rows_found": 10, "who": "ann"}]


def test_what_vanished_during_an_outage_is_known_from_when_it_was_fetched(road: Road, capitol: Capitol):
    road.collect("politician_trades")
    gone = capitol.house.pop(2)
    there = road.warehouse.url
    road.at(2026, 2, 4, 1)
    road.warehouse.url = "postgresql://127.0.0.1:1/nowhere"
    assert road.collect("politician_trades", date(2026, 2, 3)).queued
    road.warehouse.url = there
    road.at(2026, 2, 6, 9)
    road.load("politician_trades")
    seen = datetime(2026, 2, 4, 1, tzinfo=UTC)
    rows = road.rows("select known_at, ingested_at from raw.politician_trades where is_deleted")
    assert rows == [{"known_at": seen, "ingested_at": road.clock.now()}]
    assert versions(road, gone.document)[-1] == (True, seen)


@dataclass
class Lobby:
    """The Senate's list of lobbying filings."""

    filings: list[dict[str, Any]]

    def __call__(self, request: Seen) -> Answer | None:
        if not request.path.endswith("/api/v1/filings/"):
            return None
        after, before = request.query["filing_dt_posted_after"], request.query["filing_dt_posted_before"]
        found = [one for one in self.filings if after <= one["dt_posted"][:10] <= before]
        return Answer(json.dumps({"count": len(found), "next": None, "results": found}))


def filing(number: int, day: str, income: str = "50000.00") -> dict[str, Any]:
    return {
        "filing_uuid": f"uuid-{number}",
        "filing_type": "Q4",
        "filing_year": 2025,
        "filing_period": "fourth_quarter",
        "income": income,
        "expenses": None,
        "dt_posted": f"{day}T16:20:15-05:00",
        "registrant": {"id": 1, "name": "A FIRM"},
        "client": {"id": number, "name": f"CLIENT {number}"},
        "lobbying_activities": [],
    }


def test_a_filing_of_lobbying_that_is_listed_no_more_ends_within_its_window(road: Road):
    road.settings = road.settings.model_copy(update={"dataset_sources": {"lobbying": ("senate_lda",)}})
    road.collect("universe")
    days = ["2026-01-05", "2026-01-27", "2026-01-28", "2026-01-29"]
    lobby = Lobby([filing(number, day) for number, day in enumerate(days)])
    road.world.instead = lobby
    assert road.collect("lobbying", start=date(2026, 1, 2)).new == 4
    old, gone = lobby.filings[0], lobby.filings[2]
    lobby.filings = [one for one in lobby.filings if one not in (old, gone)]
    road.at(2026, 2, 4, 1)
    result = road.collect("lobbying", date(2026, 2, 3), start=date(2026, 1, 27))
    assert (result.new, result.changed, result.deleted) == (0, 0, 1)

    def told() -> list[tuple[str, bool, datetime]]:
        rows = road.rows("select filing_id, is_deleted, known_at from raw.lobbying order by filing_id, row_id")
        return [(row["filing_id"], row["is_deleted"], row["known_at"]) for row in rows if row["filing_id"] != "uuid-1"]

    posted = [datetime.fromisoformat(f"{day}T16:20:15-05:00") for day in days]
    seen = datetime(2026, 2, 4, 1, tzinfo=UTC)
    assert told() == [
        ("uuid-0", False, posted[0]),  # before the window: nothing is concluded
        ("uuid-2", False, posted[2]),
        ("uuid-2", True, seen),
        ("uuid-3", False, posted[3]),
    ]
    lobby.filings.append(gone)
    road.at(2026, 2, 5, 1)
    assert road.collect("lobbying", date(2026, 2, 4), start=date(2026, 1, 27)).changed == 1
    assert told()[1:4] == [
        ("uuid-2", False, posted[2]),
        ("uuid-2", True, seen),
        ("uuid-2", False, datetime(2026, 2, 5, 1, tzinfo=UTC)),
    ]
    # A filing that cannot be read is there all the same.
    lobby.filings[-1] = {**gone, "income": "much"}
    lobby.filings += [filing(50 + number, "2026-01-30") for number in range(30)]
    road.at(2026, 2, 6, 1)
    result = road.collect("lobbying", date(2026, 2, 5), start=date(2026, 1, 27))
    assert (result.deleted, result.quarantined) == (0, 1)


def test_a_list_of_lobbying_that_is_cut_is_refused_and_so_is_one_that_lost_most(road: Road):
    road.settings = road.settings.model_copy(update={"dataset_sources": {"lobbying": ("senate_lda",)}})
    road.collect("universe")
    lobby = Lobby([filing(number, "2026-01-28") for number in range(120)])
    road.world.instead = lobby
    road.collect("lobbying", start=date(2026, 1, 20))
    whole, lobby.filings = lobby.filings, lobby.filings[:60]
    road.at(2026, 2, 4, 1)
    with pytest.raises(PayloadError, match="60 of 120 known rows would vanish"):
        road.collect("lobbying", date(2026, 2, 3), start=date(2026, 1, 20))

    def cut(request: Seen) -> Answer | None:
        if not request.path.endswith("/api/v1/filings/"):
            return None
        shown = whole[:100][:: -1 if request.query["ordering"].startswith("-") else 1]
        return Answer(json.dumps({"count": 120, "next": None, "results": shown}))

    road.world.instead = cut
    with pytest.raises(PayloadError, match="100 different filings where 120 are counted"):
        road.collect("lobbying", date(2026, 2, 3), start=date(2026, 1, 20))
    assert road.rows("select count(*) as n from raw.lobbying where is_deleted") == [{"n": 0}]
