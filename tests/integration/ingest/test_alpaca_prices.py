"""Alpaca's bars and corporate actions beside Yahoo's, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.clock import clock_for, next_session
from pas_lib.datasets import dataset
from pas_lib.errors import SourceError
from pas_lib.ingest import ingest
from pas_lib.ingest.validate import conform
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, alpaca_bars, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)
START = date(2025, 1, 2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 10.0})
    sandbox.faults.clear()


def symbols(sandbox: RunningSandbox) -> tuple[str, ...]:
    return tuple(sorted(sandbox.world.symbols_on(FRIDAY)))


Found = dict[str, list[dict[str, Any]]]


def collect(
    name: str, settings: Settings, items: tuple[str, ...], start: date = START
) -> dict[str, list[dict[str, Any]]]:
    site, now = source(name), clock_for(settings).now()
    with Client(site, settings, now) as client:
        asked = site.requests(Ask("prices", settings, now, start, items))
        pages = [page for pages in client.fetch_all(asked) for page in pages]
    assert not any("secret" in f"{page.url}{page.context}" for page in pages)
    found: Found = {"prices": [], "corporate_actions": []}
    for page in pages:
        for batch in site.parse(page):
            found[batch.dataset] += conform(dataset(batch.dataset), batch).to_pylist()
    return found


@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(kind, here, sandbox):
    items = symbols(sandbox)[:10]
    rows = len(collect("alpaca_bars", here, items)["prices"])
    assert rows > 500
    sandbox.faults.put(Fault("alpaca-data", kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        collect("alpaca_bars", here, items)
    assert str(caught.value).startswith("alpaca_bars:")
    assert sandbox.url in str(caught.value)
    assert "\n" not in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault("alpaca-data", kind, times=1, retry_after=0))
    assert len(collect("alpaca_bars", here, items)["prices"]) == rows


def test_both_sites_tell_the_same_bars_and_actions(here, sandbox, monkeypatch):
    # Small pages, so that symbols go on from one to the next.
    monkeypatch.setattr(alpaca_bars, "_BARS_PER_PAGE", 700)
    items = symbols(sandbox)
    one, other = collect("alpaca_bars", here, items), collect("yahoo_chart", here, items)

    def bars(found: Found) -> dict[tuple[str, date], tuple[float, float]]:
        return {(row["symbol"], row["event_date"]): (row["close"], row["volume"]) for row in found["prices"]}

    mine, theirs = bars(one), bars(other)
    assert len(mine) == len(one["prices"]) > 10_000
    # Days without a close at Yahoo, placed on purpose.
    gaps = set(mine) - set(theirs)
    assert 0 < len(gaps) <= len(sandbox.world.roster.gaps) + 1
    assert set(theirs) < set(mine)
    for slot, (close, volume) in theirs.items():
        # Yahoo's are 32-bit floats in today's shares.
        assert mine[slot][0] == pytest.approx(close, rel=1e-4, abs=6e-3)
        assert mine[slot][1] == pytest.approx(volume, rel=1e-3, abs=30)

    def actions(found: Found) -> dict[tuple[str, str, date], float]:
        return {
            (row["symbol"], "split" if row["action"] == "split" else "cash", row["event_date"]): row["ratio"]
            or row["amount"]
            for row in found["corporate_actions"]
        }

    mine_, theirs_ = actions(one), actions(other)
    assert set(mine_) == set(theirs_)
    assert {kind for _, kind, _ in mine_} == {"split", "cash"}
    assert all(mine_[slot] == pytest.approx(theirs_[slot], rel=1e-4, abs=1e-4) for slot in mine_)


def test_chosen_by_configuration_it_begins_with_its_own_history(warehouse: Warehouse, tmp_path: Path):
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        usual = settings_at(sandbox.url, warehouse.url, tmp_path)
        clock, session = clock_for(usual), FRIDAY
        ingest("universe", session, settings=usual, clock=clock, warehouse=warehouse)
        first = ingest("prices", session, settings=usual, clock=clock, warehouse=warehouse)
        chosen = usual.model_copy(update={"dataset_sources": {"prices": ("alpaca_bars",)}})
        other = ingest("prices", session, settings=chosen, clock=clock, warehouse=warehouse)
        assert other.new == pytest.approx(first.new, rel=0.01)
        assert (other.changed, other.deleted, other.quarantined) == (0, 0, 0)
        assert other.followers["corporate_actions"].new > 20
        again = ingest("prices", session, settings=chosen, clock=clock, warehouse=warehouse)
        assert (again.status, again.new) == ("unchanged", 0)
        for to in ("open", "evening"):
            requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()
        later = ingest("prices", next_session(session), settings=chosen, clock=clock, warehouse=warehouse)
        assert 0 < later.new < 100
        assert (later.changed, later.deleted) == (0, 0)
        before = warehouse.rows("select count(*) as n, max(row_id) as last from raw.prices")
        for kind in ("challenge", "columns", "empty", "truncated"):
            sandbox.faults.put(Fault("alpaca-data", kind))
            with pytest.raises(SourceError):
                ingest("prices", next_session(session), settings=chosen, clock=clock, warehouse=warehouse)
            sandbox.faults.clear()
        assert warehouse.rows("select count(*) as n, max(row_id) as last from raw.prices") == before
