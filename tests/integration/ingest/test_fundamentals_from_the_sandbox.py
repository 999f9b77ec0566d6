"""Companies' figures by all three roads against the sandbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.clock import clock_for, next_session, next_session_midnight
from pas_lib.errors import PasError, SourceError
from pas_lib.ingest import ingest
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.statements import Statements
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, Batch, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)
NAMES = ("sec_facts", "yahoo_summary", "yahoo_timeseries")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.5})
    sandbox.faults.clear()


def listed(sandbox: RunningSandbox) -> dict[str, str]:
    return {symbol: item.cik for symbol, item in sandbox.world.symbols_on(FRIDAY).items() if item.cik}


def collect(name: str, settings: Settings, items: tuple[str, ...], **more: Any) -> Rows:
    site, now = source(name), clock_for(settings).now()
    ask = Ask("fundamentals", settings, now, date(1900, 1, 1), items, **more)
    with Client(site, settings, now) as client:
        asked = site.requests(site.prepare(ask, client.look_up))
        pages = [page for pages in client.fetch_all(asked) for page in pages]
    found: Rows = []
    for page in pages:
        for batch in site.parse(page):
            assert not batch.rejects
            found += batch.records + (batch.table.to_pylist() if batch.table is not None else [])
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, kind, here, sandbox):
    items = tuple(sorted(listed(sandbox)))[:3]
    rows = len(collect(name, here, items))
    assert rows > 20
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        collect(name, here, items)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0))
    assert len(collect(name, here, items)) == rows


def known(rows: Rows, day: date) -> dict[str, dict[Any, float]]:
    """Return figures as known on a day: (start, end) -> value by concept, the newest filing first."""
    found: dict[str, dict[Any, float]] = defaultdict(dict)
    for row in sorted(rows, key=lambda r: r["filed"]):
        if row["filed"] <= day:
            found[row["concept"]][row["period_start"], row["event_date"]] = row["value"]
    return found


def test_statements_add_up_in_every_filing(here, sandbox):
    """Assets are liabilities plus equity, and a year is the sum of its quarters, as far as each filing tells."""
    rows = collect("sec_facts", here, tuple(sorted(listed(sandbox))))
    by_filing: dict[str, dict[tuple[str, Any], float]] = defaultdict(dict)
    for row in rows:
        by_filing[row["accession"]][row["concept"], row["event_date"]] = row["value"]
    checked = 0
    for filing in by_filing.values():
        for (concept, end), owed in filing.items():
            if concept == "Liabilities":
                assert filing["Assets", end] == owed + filing["StockholdersEquity", end]
                checked += 1
    assert checked > 300
    years = 0
    for cik in set(listed(sandbox).values()):
        figures = known([row for row in rows if row["cik"] == cik], FRIDAY)
        profit = figures["NetIncomeLoss"]
        for (start, end), value in profit.items():
            if start is not None and 350 <= (end - start).days <= 380:
                parts = [v for (s, e), v in profit.items() if s >= start and e <= end and (e - s).days < 100]
                nine = [v for (s, e), v in profit.items() if s == start and 260 <= (e - s).days <= 285]
                if len(parts) == 3 and nine:
                    assert sum(parts) == nine[0]
                    assert value != nine[0]
                    years += 1
    assert years > 100


def test_filings_and_the_time_series_tell_the_same(here, sandbox):
    """Quarters and balances, but for the end of the period, which the site moves to the end of the month."""
    items = tuple(sorted(listed(sandbox)))
    official, site = collect("sec_facts", here, items), collect("yahoo_timeseries", here, items)
    pairs = {"Assets": "TotalAssets", "StockholdersEquity": "StockholdersEquity"}
    matched = 0
    for cik, symbol in {cik: symbol for symbol, cik in sorted(listed(sandbox).items(), reverse=True)}.items():
        figures = known([row for row in official if row["cik"] == cik], FRIDAY)
        series = {(r["concept"], r["event_date"]): r["value"] for r in site if r["symbol"] == symbol}
        for mine, theirs in pairs.items():
            for (_, end), value in figures[mine].items():
                month_end = (end.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
                if (theirs, month_end) in series:
                    assert series[theirs, month_end] == value
                    matched += 1
    assert matched > 200


def test_an_amended_report_shows_both_values_and_a_split_both_bases(here, sandbox):
    statements = Statements(sandbox.world)
    rows = collect("sec_facts", here, tuple(sorted(listed(sandbox))))
    restated = [row for row in rows if row["form"].endswith("/A") and row["concept"] == "Assets"]
    assert len(restated) > 5
    for row in restated:
        same = [
            (r["filed"], r["value"])
            for r in rows
            if r["cik"] == row["cik"] and r["concept"] == "Assets" and r["event_date"] == row["event_date"]
        ]
        assert len(same) == 2
        assert min(same)[1] > max(same)[1]
    first = sandbox.world.grid.day(0)
    split = next(s for s in sandbox.world.roster.splits if s[0].startswith("L") and first < s[1] < date(2025, 12, 1))
    listing = sandbox.world.roster.by_slot(split[0])[0]
    company = statements.company(listing.cik)
    assert company is not None
    covers = {
        row["event_date"]: row["value"]
        for row in rows
        if row["cik"] == listing.cik and row["concept"] == "EntityCommonStockSharesOutstanding"
    }
    before = max(day for day in covers if day < split[1])
    after = min(day for day in covers if day >= split[1])
    assert covers[after] / covers[before] == pytest.approx(split[2] / split[3], rel=0.05)


def test_companies_without_a_cik_are_looked_up(here, sandbox):
    symbols = listed(sandbox)
    some = tuple(sorted(symbols))[:4]
    rows = collect("sec_facts", here, some, ids={some[0]: symbols[some[0]]})
    assert {row["cik"] for row in rows} == {symbols[symbol] for symbol in some}
    classes = [symbol for symbol in symbols if list(symbols.values()).count(symbols[symbol]) == 2]
    one = collect("sec_facts", here, tuple(classes))
    # Two classes are one company, which tells no number of shares on the cover.
    assert len({row["cik"] for row in one}) == len(classes) // 2
    assert not [row for row in one if row["concept"] == "EntityCommonStockSharesOutstanding"]


def step(sandbox: RunningSandbox) -> None:
    for to in ("open", "evening"):
        requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()


def test_weeks_are_collected_exactly_once_and_a_fault_leaves_raw_as_it_was(warehouse: Warehouse, tmp_path: Path):
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path).model_copy(update={"http_timeout_sec": 1.0})
        clock = clock_for(settings)
        with pytest.raises(SourceError, match="collect the dataset universe first"):
            ingest("fundamentals", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        ingest("universe", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        first = ingest("fundamentals", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        assert (first.changed, first.deleted, first.quarantined) == (0, 0, 0)
        again = ingest("fundamentals", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        assert (again.status, again.new) == ("unchanged", 0)
        known_rows = warehouse.rows(
            "select source, filed, known_at, count(*) as n from raw.fundamentals group by 1, 2, 3 order by 1, 2, 3"
        )
        for row in known_rows:
            if row["filed"] is None:
                assert row["known_at"] == clock.now()
            else:
                assert row["known_at"] == next_session_midnight(row["filed"])
        assert {row["source"] for row in known_rows} == set(NAMES)
        before = warehouse.rows("select count(*) as n, max(row_id) as last from raw.fundamentals")
        for site in ("sec", "yahoo"):
            for kind in ("challenge", "empty", "blank", "columns", "truncated", "disconnect", "429", "500"):
                sandbox.faults.put(Fault(site, kind, retry_after=0))
                with pytest.raises(PasError):
                    ingest("fundamentals", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
                sandbox.faults.clear()
        assert warehouse.rows("select count(*) as n, max(row_id) as last from raw.fundamentals") == before
        # Later: what was filed since is new, nothing that was filed before changes, snapshots have days of their own.
        session = FRIDAY
        for _ in range(15):
            step(sandbox)
            session = next_session(session)
        later = ingest("fundamentals", session, settings=settings, clock=clock, warehouse=warehouse)
        assert later.new > 500
        assert later.deleted == 0
        rows = warehouse.rows(
            "select source, min(filed) as first, count(*) as n from raw.fundamentals where ingested_at = %s group by 1",
            (clock.now(),),
        )
        assert {row["source"]: row["first"] for row in rows}["sec_facts"] >= FRIDAY
        days = warehouse.rows("select distinct event_date as day from raw.fundamentals where frequency = 'snapshot'")
        assert {row["day"] for row in days} == {FRIDAY, session}
        late = warehouse.rows("select max(known_at) as newest from raw.fundamentals")[0]["newest"]
        assert late <= next_session_midnight(session)
        assert clock.now() < datetime(2026, 3, 1, tzinfo=UTC)


def test_a_source_that_says_nothing_is_missed_beside_the_others(here, sandbox, warehouse: Warehouse, monkeypatch):
    settings = here.model_copy(update={"database_url": warehouse.url, "http_timeout_sec": 10.0})
    ingest("universe", FRIDAY, settings=settings, clock=clock_for(settings), warehouse=warehouse)
    site = source("yahoo_timeseries")
    with monkeypatch.context() as patch:
        patch.setattr(site, "parse", lambda payload: [Batch("fundamentals", note="nothing")])
        with pytest.raises(PasError, match="no rows in [0-9]+ answers of yahoo_timeseries; nothing was"):
            ingest("fundamentals", FRIDAY, settings=settings, clock=clock_for(settings), warehouse=warehouse)
    assert warehouse.rows("select 1 from raw.fundamentals limit 1") == []
