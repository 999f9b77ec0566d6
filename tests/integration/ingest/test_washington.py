"""Lobbying and contracts: every source over HTTP against the sandbox, with its faults, times and symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from pas_lib.clock import NY, clock_for, next_session_midnight
from pas_lib.datasets import catalogue, dataset
from pas_lib.errors import SourceError
from pas_lib.ingest import IngestResult, ingest
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.sandbox.washington import build_actions, build_filings
from pas_lib.settings import Settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)
PAIRS = [
    ("quiver_api", "lobbying"),
    ("quiver_page", "lobbying"),
    ("senate_lda", "lobbying"),
    ("quiver_api", "gov_contracts"),
    ("quiver_page", "gov_contracts"),
    ("usaspending", "gov_contracts"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "sandbox") as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.2})
    sandbox.faults.clear()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """Let a dataset come from one source alone: the official ones are not those of the sandbox's default."""

    def choose(name: str, source_name: str) -> None:
        changed = dict(catalogue()) | {name: dataclasses.replace(dataset(name), sources=(source_name,))}
        for place in ("pas_lib.ingest.road.catalogue", "pas_lib.datasets.catalogue"):
            monkeypatch.setattr(place, lambda: changed)

    return choose


def fetch(name: str, data: str, settings: Settings, start: date = date(2025, 11, 1)) -> list:
    site, now = source(name), clock_for(settings).now()
    with Client(site, settings, now) as client:
        pages = [p for pages in client.fetch_all(site.requests(Ask(data, settings, now, start))) for p in pages]
    return [batch for page in pages for batch in site.parse(page)]


def rows_of(name: str, data: str, settings: Settings, start: date = date(2025, 11, 1)) -> int:
    return sum(batch.num_rows for batch in fetch(name, data, settings, start))


@pytest.mark.parametrize(("name", "data"), PAIRS)
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, data, kind, here, sandbox):
    rows = rows_of(name, data, here)
    assert rows > 0
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        rows_of(name, data, here)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0))
    assert rows_of(name, data, here) == rows


def test_what_the_sources_show_is_what_is_public(here, sandbox):
    """Nothing of the future, nothing missing: counts by the world itself."""
    now = sandbox.clock.now()
    filings = [f for f in build_filings(sandbox.world) if f.posted <= now]
    assert rows_of("senate_lda", "lobbying", here, date(2025, 1, 1)) == len(filings)
    reports = [f for f in filings if f.symbol and f.kind != "RR"]
    assert rows_of("quiver_api", "lobbying", here, date(2025, 1, 1)) == len(reports)
    today = now.astimezone(NY).date()
    days = (today - date(2025, 1, 1)).days + 1  # whole windows of 31 days, the last one ending today
    first = today - timedelta(days=31 * -(-days // 31) - 1)
    actions = [a for a in build_actions(sandbox.world) if a.visible <= today and not (a.hidden and a.hidden <= today)]
    assert rows_of("quiver_api", "gov_contracts", here, date(2025, 1, 1)) == sum(a.copies for a in actions if a.symbol)
    large = [a for a in actions if a.total >= 1_000_000 and a.day >= first]
    assert rows_of("usaspending", "gov_contracts", here, date(2025, 1, 1)) == len(large)
    assert any(a.copies > 1 for a in actions)


def collect(name: str, settings: Settings, warehouse: Warehouse, session: date = FRIDAY) -> IngestResult:
    return ingest(name, session, settings=settings, clock=clock_for(settings), warehouse=warehouse)


@pytest.mark.parametrize("data", ["lobbying", "gov_contracts"])
def test_the_users_site_fills_the_table_and_twice_changes_nothing(data, here, warehouse, sandbox):
    settings = here.model_copy(update={"database_url": warehouse.url, "http_timeout_sec": 10.0})
    before = sandbox.faults.requests["quiver-api"]
    first = collect(data, settings, warehouse)
    assert first.status == "loaded"
    assert first.new == first.parsed > 100
    assert sandbox.faults.requests["quiver-api"] - before <= 2
    again = collect(data, settings, warehouse)
    assert (again.status, again.new, again.changed, again.deleted) == ("unchanged", 0, 0, 0)
    facts = warehouse.rows(
        f"select count(*) as n, count(distinct source) as sources, min(matched_by) as basis,"
        f" bool_and(symbol is not null) as symbols, max(known_at) as last from raw.{data}"
    )[0]
    assert (facts["n"], facts["sources"], facts["basis"], facts["symbols"]) == (first.new, 1, "source", True)
    assert facts["last"] <= max(sandbox.clock.now(), next_session_midnight(FRIDAY))


def test_reports_are_known_from_the_session_after_their_date(here, warehouse):
    settings = here.model_copy(update={"database_url": warehouse.url, "http_timeout_sec": 10.0})
    collect("lobbying", settings, warehouse)
    rows = warehouse.rows("select report_date, known_at, registrant, amount, issue from raw.lobbying")
    assert all(row["known_at"] == next_session_midnight(row["report_date"]) for row in rows)
    assert all(row["registrant"] for row in rows)
    assert any(row["amount"] == 0.0 and row["issue"] is None for row in rows) or all(row["amount"] for row in rows)


def test_official_filings_are_known_when_posted_and_named_clients_get_symbols(only, here, warehouse, sandbox):
    settings = here.model_copy(update={"database_url": warehouse.url, "http_timeout_sec": 10.0})
    only("lobbying", "senate_lda")
    with pytest.raises(SourceError, match="no names to look up yet"):
        collect("lobbying", settings, warehouse)
    collect("universe", settings, warehouse)
    result = collect("lobbying", settings, warehouse)
    now = sandbox.clock.now()
    filings = {f.uuid: f for f in build_filings(sandbox.world) if f.posted <= now}
    rows = warehouse.rows("select * from raw.lobbying")
    assert len(rows) == result.new == len(filings)
    wrong, found, listed = [], 0, 0
    for row in rows:
        filing = filings[row["filing_id"]]
        assert row["known_at"] == filing.posted == row["posted_at"]
        assert row["event_date"] == filing.posted.date()
        assert (row["amount"], row["client"]) == (filing.amount, filing.client)
        assert row["amount_kind"] == (None if filing.amount is None else "expenses" if filing.in_house else "income")
        listed += filing.symbol is not None
        found += row["symbol"] is not None
        if row["symbol"] is not None and row["symbol"] != filing.symbol:
            wrong.append((row["client"], row["symbol"], filing.symbol))
    assert wrong == []
    assert found >= 0.9 * listed
    assert {row["matched_by"] for row in rows} >= {"name", None}
    assert any("name no known company" in note and "TARN COUNTY" in note for note in result.notes)


def test_official_contracts_are_known_by_the_lag_as_history_and_when_seen_afterwards(only, moving, warehouse, tmp_path):
    settings = settings_at(moving.url, warehouse.url, tmp_path)
    only("gov_contracts", "usaspending")
    collect("universe", settings, warehouse)
    first = collect("gov_contracts", settings, warehouse)
    seen = moving.clock.now()
    rows = warehouse.rows("select * from raw.gov_contracts")
    assert len(rows) == first.new
    for row in rows:
        lag = timedelta(days=90 if row["is_defence"] else 5)
        by_rule = next_session_midnight(row["action_date"] + lag)
        assert row["known_at"] == min(by_rule, seen)
        assert row["is_defence"] == (row["agency"] == "Department of Defense")
    assert min(seen.date() - r["action_date"] for r in rows if r["is_defence"]) >= timedelta(days=89)
    assert any(row["amount"] < 0 for row in rows)
    moving.clock.advance("2026-02-06T20:00")
    later = collect("gov_contracts", settings, warehouse, date(2026, 2, 6))
    assert later.new > 5
    assert later.deleted == 0
    fresh = warehouse.rows("select * from raw.gov_contracts where ingested_at > %s", (seen,))
    assert {row["known_at"] for row in fresh} == {moving.clock.now()}
    assert any(row["is_defence"] and row["action_date"] < date(2025, 11, 20) for row in fresh)
    symbols = {(a.award, a.mod): a.symbol for a in build_actions(moving.world)}
    named = [row for row in rows if row["symbol"]]
    assert all(row["symbol"] == symbols[row["contract_id"], row["modification"]] for row in named)
    assert len(named) > 0.7 * len(rows)


def test_new_reports_arrive_in_the_next_season(moving, warehouse, tmp_path):
    settings = settings_at(moving.url, warehouse.url, tmp_path)
    first = collect("lobbying", settings, warehouse)
    moving.clock.advance("2026-04-24T20:00")
    later = collect("lobbying", settings, warehouse, date(2026, 4, 24))
    assert later.new > 10
    assert (later.changed, later.deleted) == (0, 0)
    assert later.parsed < first.parsed
    newest = warehouse.rows("select max(report_date) as day, max(known_at) as known from raw.lobbying")[0]
    assert newest["day"] <= date(2026, 4, 24)
    assert newest["known"] <= datetime.combine(date(2026, 4, 27), time(), NY)


def test_another_source_begins_with_its_own_history(only, here, warehouse):
    settings = here.model_copy(update={"database_url": warehouse.url, "http_timeout_sec": 10.0})
    collect("universe", settings, warehouse)
    collect("lobbying", settings, warehouse)
    only("lobbying", "senate_lda")
    second = collect("lobbying", settings, warehouse)
    spans = warehouse.rows("select source, min(event_date) as first from raw.lobbying group by 1 order by 1")
    assert [row["source"] for row in spans] == ["quiver_api", "senate_lda"]
    assert spans[1]["first"] < date(2025, 5, 1)
    assert second.deleted == 0


def test_contracts_as_the_users_site_last_corrected_them_are_what_counts(moving, warehouse, tmp_path):
    settings = settings_at(moving.url, warehouse.url, tmp_path)
    collect("gov_contracts", settings, warehouse)
    actions = [a for a in build_actions(moving.world) if a.symbol]
    corrected = [a for a in actions if a.hidden and FRIDAY < a.hidden <= date(2026, 3, 6) and a.visible <= FRIDAY]
    assert corrected
    for to in ("2026-02-20", "2026-03-06"):
        moving.clock.advance(f"{to}T20:00")
        result = collect("gov_contracts", settings, warehouse, date.fromisoformat(to))
        assert (result.changed, result.status) == (0, "loaded")
    today = date(2026, 3, 6)
    public = [a for a in actions if a.visible <= today and not (a.hidden and a.hidden <= today)]
    expected = sorted((a.symbol, a.day, a.amount) for a in public for _ in range(a.copies))
    rows = warehouse.rows(
        "select symbol, action_date, amount from (select distinct on (contract_id, modification, action_date, ordinal)"
        " * from raw.gov_contracts order by contract_id, modification, action_date, ordinal, known_at desc,"
        " row_id desc) latest where not is_deleted"
    )
    first = min(row["action_date"] for row in rows)
    assert sorted(tuple(row.values()) for row in rows) == [row for row in expected if row[1] >= first]
