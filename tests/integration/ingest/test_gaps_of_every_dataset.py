"""Whatever is asked by dates: the gap that a window leaves is closed by the next collection, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from pas_lib.clock import clock_for
from pas_lib.datasets import dataset
from pas_lib.ingest import plan as planning
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.warehouse import Warehouse
from tests.support.captures import Collector
from tests.support.road import settings_at

pytestmark = pytest.mark.slow

BY_DATES = ("prices", "sp500_index", "wiki_views", "macro_series", "gov_contracts", "insider_buying")
LATER = date(2026, 2, 27)


@pytest.fixture(scope="module")
def here(postgres_server, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A sandbox in which all was collected at the end of January, and then the last week of February."""
    admin = Warehouse(postgres_server.url())
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database gaps template {warehouse_template} strategy file_copy")
    warehouse, home = Warehouse(postgres_server.url("gaps")), tmp_path_factory.mktemp("gaps")
    with running_sandbox(home / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, home)
        collector = Collector(sandbox, settings, warehouse, clock_for(settings))
        for name in ("universe", *BY_DATES):
            collector.collect(name)
        sandbox.clock.advance("2026-02-27T20:00")
        yield collector
    with admin.connect(autocommit=True) as conn:
        conn.execute("drop database gaps with (force)")


def between(here: Collector, name: str) -> set[date]:
    column = "filed_at::date" if name == "insider_buying" else "event_date"
    rows = here.rows(
        f"select distinct {column} as day from raw.{name} where {column} > '2026-01-31' and {column} < '2026-02-13'"
    )
    return {row["day"] for row in rows}


@pytest.mark.parametrize("name", BY_DATES)
def test_the_gap_before_a_window_is_closed(here: Collector, name: str) -> None:
    already = between(here, name)
    window = here.collect(name, LATER, start=date(2026, 2, 20))
    beside = here.rows(
        f"select * from raw.{name} where run_id = '{window.run_id}' and event_date > '2026-01-31'"
        " and event_date < '2026-02-13'"
    )
    if name == "gov_contracts":
        # The site begins with the newest and ends with a page, not with a day.
        assert already <= between(here, name)
    elif name == "macro_series":
        # Daily values are always asked for a month back.
        assert all(row["vintage"] == "lag_rule" for row in beside)
    elif name == "insider_buying":
        assert between(here, name) == already, "the window itself"
    else:
        assert (beside, between(here, name)) == ([], already)
    result = here.collect(name, LATER)
    assert len(between(here, name)) > len(already), result
    # Row for row: the whole time asked for once more says nothing new.
    again = here.collect(name, LATER, start=date(2026, 1, 26))
    assert (again.new, again.changed, again.deleted) == (0, 0, 0)
    reached = here.rows(f"select max(watermark) as day from ops.ingest_runs where dataset = '{name}'")
    assert reached == [{"day": LATER}]


def test_lobbying_is_asked_from_where_all_of_it_was_collected(here: Collector) -> None:
    def asked_from() -> date:
        return planning.plan(dataset("lobbying"), here.settings, here.now, here.warehouse).start

    assert asked_from() == date(2015, 1, 1)
    here.collect("lobbying", LATER, end=date(2025, 10, 31))
    reached = asked_from()
    assert date(2025, 7, 1) < reached <= date(2025, 10, 31)
    here.collect("lobbying", LATER, start=date(2026, 1, 5))
    assert here.rows("select count(*) > 0 as found from raw.lobbying where event_date > '2026-01-05'")[0]["found"]
    assert asked_from() == reached
    here.collect("lobbying", LATER)
    assert asked_from() > date(2026, 1, 5)
