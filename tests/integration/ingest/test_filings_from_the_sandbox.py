"""Filings and expected dates of earnings against the sandbox, and as staging shows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests

from pas_lib.clock import NY, clock_for, next_session
from pas_lib.dbt import Dbt
from pas_lib.errors import SourceError
from pas_lib.ingest import ingest
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.filing_dates import reports_of
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.marts import mirrored
from tests.support.road import EVENING, settings_at

FRIDAY = date(2026, 1, 30)
SINCE = date(2024, 6, 1)
SITES = {"sec_submissions": "sec", "sec_index": "sec", "yahoo_calendar": "yahoo"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 10.0})
    sandbox.faults.clear()


def companies(sandbox: RunningSandbox, count: int = 100) -> dict[str, str]:
    """Symbols of the day and their CIKs."""
    on = sandbox.world.symbols_on(FRIDAY)
    return {s: on[s].cik for s in sorted(on) if on[s].tier != "F" and on[s].listed is None and on[s].cik}


def collect(name: str, settings: Settings, ids: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    site, now = source(name), more.pop("now", None) or clock_for(settings).now()
    ask = Ask("filings", settings, now, more.pop("start", SINCE), tuple(ids), ids=ids, **more)
    with Client(site, settings, now) as client:
        pages = [page for pages in client.fetch_all(site.requests(ask)) for page in pages]
    found = []
    for page in pages:
        for batch in site.parse(page):
            found += batch.records + (batch.table.to_pylist() if batch.table is not None else [])
    return found


@pytest.mark.parametrize("name", list(SITES))
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, kind, here, sandbox):
    two = dict(list(companies(sandbox).items())[:2])
    rows = len(collect(name, here, two))
    assert rows > 0
    sandbox.faults.put(Fault(SITES[name], kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        collect(name, here, two)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    assert "\n" not in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(SITES[name], kind, times=1, retry_after=0))
    assert len(collect(name, here, two)) == rows


def test_every_report_is_told_with_the_hour_of_its_acceptance(here, sandbox):
    ids = companies(sandbox)
    rows = collect("sec_submissions", here, ids)
    told = {row["accession"]: row for row in rows}
    assert len(told) == len(rows)
    now, exact, later, evenings = clock_for(here).now(), 0, 0, 0
    by_cik = {item.cik: item for item in sandbox.world.roster.listings if item.cik}
    for cik in set(ids.values()):
        for report in reports_of(by_cik[cik], SINCE, FRIDAY):
            if report.accepted > now or report.filed > FRIDAY:
                assert report.accession not in told
                continue
            row = told[report.accession]
            assert (row["form"], row["filed"], row["report_date"]) == (report.form, report.filed, report.end)
            assert row["entity"] == f"cik{cik}"
            # True, or later by what New York is behind: never earlier.
            off = row["accepted_at"] - report.accepted
            assert off in (timedelta(0), timedelta(hours=4), timedelta(hours=5)), row
            exact += off == timedelta(0)
            later += off > timedelta(0)
            evenings += report.filed > report.accepted.astimezone(NY).date()
            announced = told[report.announcement_accession]
            assert (announced["form"], announced["items"]) == ("8-K", "2.02,9.01")
    assert exact > 200
    assert later > 0
    assert evenings > 5


def test_the_index_tells_the_same_reports(here, sandbox):
    ids = companies(sandbox)
    index = collect("sec_index", here, ids, starts={"": date(2025, 10, 20)})
    assert {row["form"] for row in index} >= {"8-K", "10-Q"}
    mine = {row["accession"]: row for row in index if row["cik"] in set(ids.values())}
    # The index of today comes out later in the evening.
    days = (date(2025, 10, 20), date(2026, 1, 29))
    other = {
        row["accession"]: row for row in collect("sec_submissions", here, ids) if days[0] <= row["filed"] <= days[1]
    }
    assert len(other) > 60
    assert set(mine) == set(other)
    assert all(mine[n]["filed"] == other[n]["filed"] and mine[n]["form"] == other[n]["form"] for n in mine)
    assert all(row["indexed"] == row["filed"] for row in mine.values())


def test_the_calendar_knows_announced_dates_and_guesses_the_others(here, sandbox):
    ids = companies(sandbox)
    rows = {row["symbol"]: row for row in collect("yahoo_calendar", here, ids)}
    now = clock_for(here).now()
    exact = guessed = right = 0
    for symbol in ids:
        item = sandbox.world.listing(symbol, FRIDAY)
        coming = [r for r in reports_of(item, date(2025, 6, 1), date(2026, 12, 31)) if r.announced > now]
        if not coming:
            assert symbol not in rows
            continue
        row, day = rows[symbol], coming[0].announced.astimezone(NY).date()
        if row["is_estimate"]:
            guessed += 1
            right += row["expected_from"] == day
            assert (row["expected_to"] - row["expected_from"]).days == 4
        else:
            exact += 1
            assert row["expected_from"] == row["expected_to"] == day
            assert day - FRIDAY <= timedelta(days=22)
    assert exact > 5
    assert guessed > 5
    assert right < guessed


def step(sandbox: RunningSandbox) -> None:
    for to in ("open", "evening"):
        requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()


@pytest.fixture
def warehouse(dbt_warehouse: Warehouse) -> Warehouse:
    return dbt_warehouse


def test_sessions_are_collected_exactly_once_and_staging_shows_them(
    warehouse: Warehouse, dbt_work: Path, slot: Path, tmp_path: Path
):
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        clock, session, written = clock_for(settings), FRIDAY, 0
        ingest("universe", session, settings=settings, clock=clock, warehouse=warehouse)
        for number in range(4):
            result = ingest("filings", session, settings=settings, clock=clock, warehouse=warehouse)
            assert result.quarantined == 0
            if number == 0:
                assert (result.changed, result.deleted) == (0, 0)
                again = ingest("filings", session, settings=settings, clock=clock, warehouse=warehouse)
                assert (again.status, again.new) == ("unchanged", 0)
            written += result.new + result.changed + result.deleted
            early = warehouse.rows(
                "select count(*) as n from raw.filings where known_at > %s and indexed is null", (clock.now(),)
            )
            assert early == [{"n": 0}]
            for _ in range(5):
                step(sandbox)
                session = next_session(session)
        rows = warehouse.rows("select source, kind, count(*) as n from raw.filings group by 1, 2 order by 1")
        assert {row["source"] for row in rows} == set(SITES)
        moved = warehouse.rows(
            "select entity, count(distinct expected_from) as n from raw.filings where kind = 'earnings_date'"
            " group by 1 having count(distinct expected_from) > 1"
        )
        assert len(moved) > 5
        assert written == sum(row["n"] for row in rows)

        before = warehouse.rows("select count(*) as n, max(row_id) as last from raw.filings")
        for site, kind in (("sec", "challenge"), ("sec", "columns"), ("yahoo", "columns"), ("yahoo", "truncated")):
            sandbox.faults.put(Fault(site, kind))
            with pytest.raises(SourceError):
                ingest("filings", session, settings=settings, clock=clock, warehouse=warehouse)
            sandbox.faults.clear()
        assert warehouse.rows("select count(*) as n, max(row_id) as last from raw.filings") == before

    models = ("stg_raw__filings", "+int_filings_mapped")
    result_ = Dbt(warehouse.url, dbt_work, threads=1).build(FRIDAY, unit_tests=True, select=models)
    assert result_.count("error") == result_.count("fail") == 0
    doubled = warehouse.rows(
        "select count(*) as n from (select entity, accession from staging.stg_raw__filings where kind = 'filing'"
        " and superseded_at is null group by 1, 2 having count(*) > 1) twice"
    )
    assert doubled == [{"n": 0}]
    dropped = warehouse.rows(
        "select (select count(*) from raw.filings where not is_deleted)"
        " - (select count(*) from staging.stg_raw__filings) as dropped,"
        " (select count(*) from raw.filings i where source = 'sec_index' and exists (select 1 from raw.filings s"
        " where s.source = 'sec_submissions' and s.entity = i.entity and s.accession = i.accession)) as twice"
    )[0]
    assert dropped["dropped"] == dropped["twice"] > 30
    late = warehouse.rows(
        "select count(*) as n from staging.stg_raw__filings where kind = 'filing' and accepted_at is not null"
        " and (known_at < accepted_at or (known_at at time zone 'America/New_York')::date < filed)"
    )
    assert late == [{"n": 0}]
    mapped = warehouse.rows(
        "select matched_by, count(*) as n, count(distinct security_id) as securities"
        " from intermediate.int_filings_mapped group by 1 order by 1"
    )
    assert {row["matched_by"] for row in mapped} == {"cik", "symbol"}
    assert sum(row["securities"] for row in mapped) > 40

    mirror = mirrored(slot, warehouse, EVENING)
    Dbt(str(mirror), dbt_work, target="duckdb", threads=1).build(FRIDAY, data_tests=False, select=models)
    with duckdb.connect(str(mirror), read_only=True) as conn:
        for query in (
            "select row_id, extract(epoch from superseded_at), form, filed, is_estimate from staging.stg_raw__filings"
            " order by row_id",
            "select row_id, security_id, matched_by from intermediate.int_filings_mapped order by 1, 2",
        ):
            theirs = [
                tuple(float(v) if isinstance(v, Decimal) else v for v in row.values()) for row in warehouse.rows(query)
            ]
            assert conn.execute(query).fetchall() == theirs


def test_what_is_dated_the_next_day_waits_for_it(here, sandbox):
    """A report of the evening is neither in the submissions nor in an index before its day."""
    world = sandbox.world
    by_cik = {item.cik: item for item in world.roster.listings if item.cik and item.tier != "F"}
    report = next(
        r
        for item in by_cik.values()
        for r in reports_of(item, date(2025, 9, 1), date(2026, 6, 1))
        if r.filed > r.accepted.astimezone(NY).date() and r.accepted > clock_for(here).now()
    )
    symbol = by_cik[report.cik].symbol_on(report.filed)
    ids = {symbol: report.cik}
    with running_sandbox(here.home / "evening") as other:
        settings = settings_at(other.url, "postgresql://unused/unused", here.home)
        for at, count in (
            (report.accepted + timedelta(minutes=5), 0),
            (datetime.combine(report.filed, time(7), NY), 1),
        ):
            requests.post(f"{other.url}/sandbox/advance", json={"to": at.isoformat()}, timeout=10).raise_for_status()
            rows = collect("sec_submissions", settings, ids, now=at)
            assert sum(row["accession"] == report.accession for row in rows) == count
