"""PostgreSQL away in the middle of a collection, and every fault of every site: nothing twice, nothing half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from pas_lib.clock import clock_for
from pas_lib.datasets import catalogue, dataset, leaders
from pas_lib.errors import PasError, WarehouseUnavailable
from pas_lib.ingest import load_landed
from pas_lib.ingest.replay import table_digest
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.sources import usable_sources
from pas_lib.warehouse import Warehouse
from tests.support.captures import FRIDAY, MONDAY, Collector
from tests.support.road import settings_at

ORDER = ["universe", *(entry.name for entry in leaders() if entry.name != "universe")]
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
KINDS = ["429", "500", "timeout", "truncated", "disconnect", "columns", "challenge", "empty", "blank"]


@dataclass
class Stocked(Collector):
    """With what raw held before the first fault."""

    at_first: dict[str, tuple[int, str]] = field(default_factory=dict)


def content(here: Collector) -> dict[str, tuple[int, str]]:
    with here.warehouse.connect() as conn:
        return {name: table_digest(conn, data, data.table) for name, data in catalogue().items()}


@pytest.fixture(scope="module")
def stocked(postgres_server, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    """A sandbox with every dataset collected once."""
    admin = Warehouse(postgres_server.url())
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database outage template {warehouse_template} strategy file_copy")
    warehouse, home = Warehouse(postgres_server.url("outage")), tmp_path_factory.mktemp("outage")
    with running_sandbox(home / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, home)
        here = Stocked(sandbox, settings, warehouse, clock_for(settings))
        for name in ORDER:
            here.collect(name)
        here.at_first = content(here)
        yield here
    with admin.connect(autocommit=True) as conn:
        conn.execute("drop database outage with (force)")


def counts(here: Collector) -> dict[str, int]:
    return {name: number for name, (number, _) in content(here).items()}


def marks(here: Collector) -> dict[str, tuple[int, int]]:
    """Rows and the highest row number of every raw table: nothing can be added without it showing."""
    return {
        row["name"]: (row["n"], row["last"])
        for row in here.rows(
            " union all ".join(
                f"select '{name}' as name, count(*) as n, coalesce(max(row_id), 0) as last from raw.{name}"
                for name in catalogue()
            )
        )
    }


#: Every dataset and every kind, each at least once.
SOME = [(name, KINDS[number % len(KINDS)]) for number, name in enumerate(ORDER)]
REST = [(name, kind) for name in ORDER for kind in KINDS if (name, kind) not in SOME]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), REST)
def test_no_fault_of_a_site_reaches_raw(name: str, kind: str, stocked: Stocked) -> None:
    check_fault(name, kind, stocked)


@pytest.mark.parametrize(("name", "kind"), SOME)
def test_faults_do_not_reach_raw(name: str, kind: str, stocked: Stocked) -> None:
    check_fault(name, kind, stocked)


def check_fault(name: str, kind: str, here: Collector) -> None:
    before = marks(here)
    if kind == "timeout":
        here = replace(here, settings=here.settings.model_copy(update={"http_timeout_sec": 0.2}))
    sites = [site for site in usable_sources(dataset(name), here.settings) if not hasattr(site, "read")]
    here.sandbox.faults.put(Fault("*", kind, retry_after=0, seconds=3.0))
    try:
        with pytest.raises(PasError) as caught:
            # A whole load: an increment may have nothing to ask.
            history = dataset(name).history == "full"
            here.collect(name, **({"start": date(2026, 1, 20), "end": FRIDAY} if history else {}))
    finally:
        here.sandbox.faults.clear()
    said = str(caught.value)
    assert "\n" not in said
    assert any(site.name in said for site in sites), said
    assert here.sandbox.url in said
    assert len(said) > len(here.sandbox.url) + 20
    assert marks(here) == before
    failed = here.rows(f"select note from ops.ingest_runs where dataset = '{name}' and status = 'failed'")
    assert said in {row["note"] for row in failed}


def test_after_all_faults_raw_holds_what_it_held(stocked: Stocked) -> None:
    """Beside the numbers of each fault: every value of every row."""
    assert content(stocked) == stocked.at_first


def test_what_was_collected_without_postgresql_is_loaded_exactly_once(stocked: Stocked) -> None:
    """Last of this module: time goes on."""
    here = stocked
    before = counts(here)
    assert all(number > 0 for number in before.values())
    here.sandbox.clock.advance("2026-02-02T20:00")
    away = replace(here, warehouse=Warehouse(NOWHERE))
    during = {}
    for name in ORDER:
        result = away.collect(name, MONDAY)
        assert (result.status, result.queued) == ("landed", True), name
        during[name] = result.payloads
        with pytest.raises(WarehouseUnavailable):
            load_landed(name, settings=here.settings, clock=here.clock, warehouse=away.warehouse)
    assert all(during.values())
    assert counts(here) == before
    loaded = load_landed(None, settings=here.settings, clock=here.clock, warehouse=here.warehouse)
    assert sorted(result.dataset for result in loaded) == sorted(ORDER)
    after = content(here)
    gained = {name: after[name][0] - before[name] for name in before}
    told = {result.dataset: result.new + result.changed + result.deleted for result in loaded}
    for result in loaded:
        told |= {name: found.new + found.changed + found.deleted for name, found in result.followers.items()}
    assert gained == told
    assert {name for name, number in gained.items() if number} >= {"prices", "wiki_views", "reddit_mentions"}
    # Once: neither the queue nor a new collection of the same session brings anything again.
    assert load_landed(None, settings=here.settings, clock=here.clock, warehouse=here.warehouse) == []
    for name in ORDER:
        if name == "insider_buying":
            # Nobody filed on that day, and an answer without rows is refused.
            continue
        again = here.collect(name, MONDAY)
        assert (again.new, again.changed, again.deleted) == (0, 0, 0), name
    assert content(here) == after
