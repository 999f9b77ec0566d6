"""Trades of Congress from the official filings of the sandbox, beside those QuiverQuant shows of the same world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.clock import NY, clock_for, decision_time
from pas_lib.dbt import Dbt
from pas_lib.errors import PasError, SourceError
from pas_lib.ingest import IngestResult, ingest, replay
from pas_lib.sandbox.faults import KINDS, Fault
from pas_lib.sandbox.sites import house, senate
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.sandbox.world import World
from pas_lib.settings import Settings
from pas_lib.sources import Ask, congress, house_clerk, senate_efd, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)
SINCE = date(2025, 12, 22)
OFFICIAL = ("house_clerk", "senate_efd")
#: What only the documents of a site answer with, not its list.
DOCUMENTS = {"house_clerk": "/ptr-pdfs/", "senate_efd": "/search/view/ptr/"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    house.scan()  # what the first PDF pays for its imports is no time-out of the site
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.5})
    sandbox.faults.clear()


def official(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update={"dataset_sources": {"politician_trades": OFFICIAL}, **more})


def collect(name: str, settings: Settings, since: date = SINCE) -> list[dict[str, Any]]:
    site, now = source(name), clock_for(settings).now()
    ask = Ask("politician_trades", settings, now, since)
    with Client(site, settings, now) as client:
        pages = [page for pages in client.fetch_all(site.requests(ask)) for page in pages]
    return [row for page in pages for batch in site.parse(page) for row in batch.records]


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("where", ["list", "document"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "timeout"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, where, kind, here, sandbox):
    path = DOCUMENTS[name] if where == "document" else ""
    rows = len(collect(name, here))
    assert rows > 5
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0, path=path))
    with pytest.raises(SourceError) as caught:
        collect(name, here)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0, path=path))
    assert len(collect(name, here)) == rows


def pull(settings: Settings, warehouse: Warehouse, session: date = FRIDAY, **more: Any) -> IngestResult:
    return ingest(
        "politician_trades", session, settings=settings, clock=clock_for(settings), warehouse=warehouse, **more
    )


def raw_state(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.rows(
        "select count(*) as n, max(row_id) as last, (select count(*) from ops.quarantine) as refused,"
        " (select count(*) from ops.landing_files) as landed from raw.politician_trades"
    )


def test_each_fault_leaves_raw_as_it_was(here, sandbox, warehouse: Warehouse):
    settings = official(here, database_url=warehouse.url)
    pull(settings, warehouse, start=date(2026, 1, 20))
    before = raw_state(warehouse)
    assert before[0]["n"] > 0
    for name in OFFICIAL:
        for kind in KINDS:
            for path in ("", DOCUMENTS[name]) if kind != "timeout" else ("",):
                sandbox.faults.put(Fault(source(name).site, kind, retry_after=0, seconds=1.0, path=path))
                with pytest.raises(PasError, match=f"^{name}:"):
                    pull(settings, warehouse, start=date(2026, 1, 12))
                sandbox.faults.clear()
                assert raw_state(warehouse) == before, (name, kind, path)
    assert pull(settings, warehouse, start=date(2026, 1, 12)).new > 0


def test_only_what_is_new_is_fetched_and_scans_are_listed(warehouse: Warehouse, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(house_clerk, "BATCH", 30)
    monkeypatch.setattr(senate_efd, "BATCH", 15)
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = official(settings_at(sandbox.url, warehouse.url, tmp_path))
        asked = sandbox.faults.requests
        window = {"start": date(2025, 9, 1), "end": FRIDAY}
        first = pull(settings, warehouse, **window)
        assert asked["house-clerk"] == 2 + 60 - (30 - reports_of(warehouse, 2026))
        assert sum(url_count(warehouse, f"%/view/{kind}/%") for kind in ("ptr", "paper")) == 15
        assert any("reports of 2025 are left for the next collections" in note for note in first.notes)
        assert any("reports of the Senate are left for the next collections" in note for note in first.notes)
        while any("are left" in note for note in pull(settings, warehouse, **window).notes):
            pass
        before = Counter(asked)
        again = pull(settings, warehouse, **window)
        assert (again.status, again.parsed) == ("unchanged", 0)
        # Two indexes; the terms, their acceptance, the page it leads to, and one page of the search.
        assert asked - before == {"house-clerk": 2, "senate-efd": 4}
        # The paper filings of November: listed with their addresses, and asked for once.
        paper = warehouse.rows("select source, reason, source_url, record from ops.quarantine order by source")
        assert [(row["source"], row["reason"]) for row in paper] == [
            ("house_clerk", "a scan without text, unreadable"),
            ("senate_efd", "filed on paper, 3 scanned pages, unreadable"),
        ]
        assert (paper[0]["record"]["filed"], paper[1]["record"]["listed"]) == ("2025-11-12", "2025-11-12")
        assert paper[0]["source_url"].endswith(f"/ptr-pdfs/2025/{paper[0]['record']['document']}.pdf")
        assert paper[1]["source_url"].endswith(f"/search/view/paper/{paper[1]['record']['document']}/")
        loaded = documents(warehouse)
        # The next week brings its filings and nothing else.
        requests.post(f"{sandbox.url}/sandbox/advance", json={"to": "2026-02-06T20:00"}, timeout=10).raise_for_status()
        before = Counter(asked)
        week = pull(settings, warehouse, date(2026, 2, 5))
        older = warehouse.rows("select count(*) as n from raw.politician_trades where report_date < '2025-09-01'")
        assert week.new > 0
        assert older[0]["n"] > 0  # following takes what is left of the year before, too
        fetched = sum((asked - before).values()) - documents(warehouse) + loaded
        assert fetched - (week.quarantined) in (2 + 4, 2 + 4 + 1)  # the list of two years may have a second page
        # Filings were fetched in several collections; the landing gives the same rows, whatever came together.
        rebuilt = replay("politician_trades", settings=settings, warehouse=warehouse).tables["politician_trades"]
        assert (rebuilt.outcome, rebuilt.rows) == ("identical", rebuilt.rows_before)


def url_count(warehouse: Warehouse, pattern: str) -> int:
    statement = "select count(*) as n from ops.landing_files where url like %s"
    return int(warehouse.rows(statement, (pattern,))[0]["n"])


def reports_of(warehouse: Warehouse, year: int) -> int:
    return url_count(warehouse, f"%ptr-pdfs/{year}/%")


def documents(warehouse: Warehouse) -> int:
    return int(warehouse.rows("select count(distinct document) as n from raw.politician_trades")[0]["n"])


def test_a_session_that_ends_is_begun_anew(here, sandbox, monkeypatch):
    site, now = source("senate_efd"), clock_for(here).now()
    with Client(site, here, now) as client:
        request = next(iter(site.requests(Ask("politician_trades", here, now, SINCE))))
        before = Counter(sandbox.faults.requests)
        assert client.fetch(request)
        monkeypatch.setattr(senate, "SESSION", "another")
        found = client.fetch(request)
    assert sum(batch.num_rows for page in found for batch in site.parse(page)) > 0
    # Twice: the terms, their acceptance, the page it leads to; once the way back to the entrance.
    once = (sandbox.faults.requests - before)["senate-efd"]
    assert once == 2 * len(found) + 2 * 3 + 2


Slot = tuple[Any, ...]


def slots(rows: list[dict[str, Any]]) -> Counter[Slot]:
    """What both roads tell of a trade: a form has one word for a sale and a full sale."""
    return Counter(
        (
            row["politician"],
            row["symbol"],
            row["transaction_date"],
            row["transaction"].removesuffix("_full"),
            row["amount_range"],
            row["asset_type"],
        )
        for row in rows
        if row["symbol"]
    )


def unfiled(world: World) -> list[dict[str, Any]]:
    """Trades of the Senate that were withdrawn and were alone in their report."""
    found = []
    for trade in world.trades:
        beside = [t for t in world.trades if (t.politician, t.filed) == (trade.politician, trade.filed)]
        if (
            trade.chamber == "Senate"
            and trade.hidden
            and not any(t.visible <= trade.hidden and (t.hidden is None or t.hidden > trade.hidden) for t in beside)
        ):
            transaction = congress.read_transaction(trade.transaction)
            symbol = congress.read_symbol(trade.symbol) or ""
            about = {"transaction": transaction, "symbol": symbol, "transaction_date": trade.traded}
            found.append({**vars(trade), **about})
    return found


@pytest.fixture
def warehouse(dbt_warehouse: Warehouse) -> Warehouse:
    return dbt_warehouse


def test_the_official_filings_tell_what_quiver_tells(warehouse: Warehouse, dbt_work: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(house_clerk, "BATCH", 1000)
    monkeypatch.setattr(senate_efd, "BATCH", 1000)
    begin = date(2025, 6, 2)
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = official(settings_at(sandbox.url, warehouse.url, tmp_path))
        shown: dict[date, Counter[Slot]] = {}
        for session in (FRIDAY, date(2026, 4, 30)):
            at = f"{session}T20:00"
            if session != FRIDAY:
                requests.post(f"{sandbox.url}/sandbox/advance", json={"to": at}, timeout=30).raise_for_status()
            quiver = collect("quiver_api", settings, date(2012, 1, 1))
            # What Quiver shows of a day is known from the next session on; so are the filings of that day.
            today = clock_for(settings).now().astimezone(NY).date()
            shown[session] = slots([row for row in quiver if begin <= row["report_date"] < today])
            # A report of the Senate that would be empty is not filed: what it withdraws stays.
            shown[session] += slots(
                [row for row in unfiled(sandbox.world) if begin <= row["filed"] <= row["hidden"] < today]
            )
            pull(settings, warehouse, session, start=begin)
    model = "stg_raw__politician_trades"
    result = Dbt(warehouse.url, dbt_work, threads=1).build(FRIDAY, unit_tests=True, select=(model,))
    assert result.count("error") == result.count("fail") == 0
    for session, expected in shown.items():
        at = decision_time(session)
        current = warehouse.rows(
            f"select * from staging.{model} where known_at <= %s and (superseded_at is null or superseded_at > %s)",
            (at, at),
        )
        # An amendment of a report from before the window restates what was never loaded.
        current = [r for r in current if r["filing_status"] == "new" or r["first_known_at"] < r["known_at"]]
        assert len(current) > 120
        assert {row["chamber"] for row in current} == {"House", "Senate"}
        assert slots(current) == expected
    restated = warehouse.rows(
        f"select first_known_at < known_at as earlier from staging.{model} where filing_status = 'amended'"
    )
    assert any(row["earlier"] for row in restated)
    # The official day of the filing and nothing else says when a row became known.
    wrong = warehouse.rows(
        "select count(*) as n from raw.politician_trades where known_at <= report_date or not is_deleted and"
        " known_at > report_date + interval '5 days 12 hours'"
    )
    assert wrong == [{"n": 0}]
