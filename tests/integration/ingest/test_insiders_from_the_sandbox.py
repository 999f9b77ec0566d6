"""Insider transactions by all three roads against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.clock import NY, clock_for, decision_time, next_session
from pas_lib.errors import PayloadError, SourceError
from pas_lib.ingest import ingest, road
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)
SINCE = date(2026, 1, 12)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.5})
    sandbox.faults.clear()


def collect(name: str, settings: Settings, since: date = SINCE) -> list[dict[str, Any]]:
    site, now = source(name), clock_for(settings).now()
    ask = Ask("insider_buying", settings, now, since, starts={"": since})
    with Client(site, settings, now) as client:
        pages = [page for pages in client.fetch_all(site.requests(ask)) for page in pages]
    return [row for page in pages for batch in site.parse(page) for row in batch.records]


@pytest.mark.parametrize("name", ["quiver_api", "quiver_page", "sec_edgar"])
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, kind, here, sandbox):
    rows = len(collect(name, here))
    assert rows > 0
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        collect(name, here)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0))
    assert len(collect(name, here)) == rows


def test_the_three_roads_tell_the_same(here, sandbox):
    def slots(rows: list[dict[str, Any]], minutes: bool = False) -> list[tuple[Any, ...]]:
        return sorted(
            (
                row["symbol"],
                row["insider"].upper(),
                row["code"],
                row["transaction_date"],
                row["shares"],
                row["price"] if row["price"] is not None else -1.0,
                row["filed_at"].replace(second=0) if minutes else row["filed_at"],
            )
            for row in rows
            # EDGAR's index of today comes out later in the evening.
            if SINCE <= row["filed_at"].astimezone(NY).date() < FRIDAY and (not minutes or row["code"] in "PS")
        )

    api, page, official = (collect(name, here) for name in ("quiver_api", "quiver_page", "sec_edgar"))
    assert len(slots(api)) > 20
    assert slots(api) == slots(official)
    assert slots(api, minutes=True) == slots(page, minutes=True)
    assert {row["issuer_cik"] for row in official} <= {item.cik for item in sandbox.world.roster.listings}


def test_edgar_wants_to_know_who_asks(here, sandbox):
    answer = requests.get(
        f"{sandbox.url}/sec/Archives/edgar/daily-index/2026/QTR1/form.20260129.idx",
        headers={"User-Agent": "something/1.0"},
        timeout=5,
    )
    assert answer.status_code == 403
    assert "Undeclared Automated Tool" in answer.text
    before = sandbox.faults.requests["sec"]
    sandbox.faults.put(Fault("sec", "500", status=403, times=1))
    with pytest.raises(SourceError, match="HTTP 403"):
        collect("sec_edgar", here, FRIDAY - timedelta(days=1))
    assert sandbox.faults.requests["sec"] == before + 1


def test_no_future_and_no_days_off(sandbox):
    def index(day: str) -> int:
        path = f"/sec/Archives/edgar/daily-index/2026/QTR1/form.{day}.idx"
        return requests.get(sandbox.url + path, headers={"User-Agent": "t (t@example.org)"}, timeout=5).status_code

    assert [index(day) for day in ("20260129", "20260130", "20260119", "20260124", "20260202")] == [
        200,
        403,
        403,
        403,
        403,
    ]


def step(sandbox: RunningSandbox) -> None:
    for to in ("open", "evening"):
        requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()


@pytest.mark.parametrize("name", ["quiver_api", "sec_edgar"])
def test_sessions_are_collected_exactly_once(name, warehouse: Warehouse, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(road, "usable_sources", lambda data, settings: [source(name)])
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        clock, session = clock_for(settings), FRIDAY
        loaded = 0
        for number in range(4):
            result = ingest("insider_buying", session, settings=settings, clock=clock, warehouse=warehouse)
            assert (result.changed, result.deleted, result.quarantined) == (0, 0, 0)
            loaded += result.new
            if number == 0:
                again = ingest("insider_buying", session, settings=settings, clock=clock, warehouse=warehouse)
                assert (again.status, again.new) == ("unchanged", 0)
            late = warehouse.rows("select count(*) as n from raw.insider_buying where known_at > %s", (clock.now(),))
            assert late == [{"n": 0}]
            assert clock.now() < decision_time(session)
            step(sandbox)
            session = next_session(session)
        first = date(2023, 1, 1) if name == "quiver_api" else FRIDAY - timedelta(days=37)
        last = clock.now() - timedelta(days=1)
        rows = warehouse.rows(
            "select count(*) as n, count(distinct filed_at) as filings, bool_and(known_at = filed_at) as right_time,"
            " max(filed_at) as newest from raw.insider_buying"
        )[0]
        assert (rows["n"], rows["right_time"]) == (loaded, True)
        assert rows["newest"] <= last + timedelta(days=1)
        expected = expected_lines(sandbox, first, rows["newest"])
        assert rows["n"] == expected


def expected_lines(sandbox: RunningSandbox, first: date, newest: datetime) -> int:
    from pas_lib.sandbox.insiders import build_filings

    return sum(
        len(filing.lines)
        for filing in build_filings(sandbox.world)
        if first < filing.filed and filing.accepted <= newest
    )


def test_a_challenge_leaves_raw_as_it_was(warehouse: Warehouse, here: Settings, sandbox):
    settings = here.model_copy(update={"database_url": warehouse.url})
    clock = clock_for(settings)
    ingest("insider_buying", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
    before = warehouse.rows("select count(*) as n, max(row_id) as last from raw.insider_buying")
    for kind in ("challenge", "empty", "columns", "truncated"):
        sandbox.faults.put(Fault("quiver-api", kind))
        with pytest.raises(PayloadError):
            ingest("insider_buying", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        sandbox.faults.clear()
    assert warehouse.rows("select count(*) as n, max(row_id) as last from raw.insider_buying") == before
    failed = warehouse.rows("select count(*) as n from ops.ingest_runs where status = 'failed'")
    assert failed == [{"n": 1}]  # the clock stands still: all four have one identity
