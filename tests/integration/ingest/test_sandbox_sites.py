"""The sources against the sandbox: every dataset, every fault."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from pas_lib.clock import clock_for, decision_time
from pas_lib.datasets import leaders
from pas_lib.errors import SourceError
from pas_lib.ingest import ingest
from pas_lib.ingest.freshness import check
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.road import settings_at

FRIDAY = date(2026, 1, 30)

#: Source, dataset it is asked for, items.
ASKS = [
    ("yahoo_chart", "prices", ("SPY",)),
    ("wikimedia", "wiki_views", ()),
    ("wikipedia", "universe", ()),
    ("ishares", "universe", ()),
    ("fred", "macro_series", ("DGS10",)),
    ("fredgraph", "macro_series", ("DGS10",)),
    ("quiver_api", "politician_trades", ()),
    ("quiver_page", "politician_trades", ()),
    ("apewisdom", "reddit_mentions", ()),
    ("finviz", "news_headlines", ()),
    ("quiver_scores", "google_trends", ()),
    ("quiver_scores", "dc_insider_scores", ()),
    ("quiver_scores", "app_reviews", ()),
    ("quiver_appratings", "app_reviews", ()),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.2})
    sandbox.faults.clear()


def parse_all(name: str, dataset: str, items: tuple[str, ...], settings: Settings, sandbox: RunningSandbox) -> int:
    site, now = source(name), clock_for(settings).now()
    if name == "wikimedia":
        items = (sandbox.world.views.titles[0].replace(" ", "_"),)
    ask = Ask(dataset, settings, now, date(2025, 6, 1), items)
    with Client(site, settings, now) as client:
        pages = [page for pages in client.fetch_all(site.requests(ask)) for page in pages]
    return sum(batch.num_rows for page in pages for batch in site.parse(page))


@pytest.mark.parametrize(("name", "dataset", "items"), ASKS, ids=[f"{ask[0]}-{ask[1]}" for ask in ASKS])
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, dataset, items, kind, here, sandbox):
    rows = parse_all(name, dataset, items, here, sandbox)
    assert rows > 0
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        parse_all(name, dataset, items, here, sandbox)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0))
    assert parse_all(name, dataset, items, here, sandbox) == rows


def test_a_site_that_does_not_answer_is_given_up(here, sandbox):
    sandbox.faults.put(Fault("yahoo", "timeout", seconds=2.0))
    with pytest.raises(SourceError, match=r"yahoo_chart: no answer within 0\.2 s"):
        parse_all("yahoo_chart", "prices", ("SPY",), here, sandbox)


def test_every_dataset_over_three_sessions(sandbox: RunningSandbox, warehouse: Warehouse, tmp_path: Path):
    import requests

    from pas_lib.clock import next_session

    settings = settings_at(sandbox.url, warehouse.url, tmp_path)
    clock = clock_for(settings)
    session = FRIDAY
    order = ["universe", *(entry.name for entry in leaders() if entry.name != "universe")]
    for number in range(3):
        stale = [str(one) for one in check(warehouse, clock.now()) if one.is_stale] if number else []
        assert stale == [], "before the next collection"
        for name in order:
            result = ingest(name, session, settings=settings, clock=clock, warehouse=warehouse)
            assert result.parsed > 0
            assert result.quarantined == 0
            # The target of a rating may be corrected some hours later; an expected day of earnings is announced.
            may_change = name in ("analyst_ratings", "filings")
            # A corrected contract is another row than the one it corrects.
            assert (result.deleted if name != "gov_contracts" else 0, 0 if may_change else result.changed) == (0, 0), (
                name
            )
            if number == 0:
                again = ingest(name, session, settings=settings, clock=clock, warehouse=warehouse)
                assert (again.status, again.new) == ("unchanged", 0), name
        newest = warehouse.rows("select max(event_date) as day, count(distinct symbol) as n from raw.prices")[0]
        assert newest["day"] == session
        late = warehouse.rows("select count(*) as n from raw.prices where known_at > %s", (decision_time(session),))
        assert late == [{"n": 0}]
        for to in ("open", "evening"):
            requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()
        session = next_session(session)
    assert [str(one) for one in check(warehouse, clock.now()) if one.is_stale] == []
    gaps = warehouse.rows("select max(event_date) as day from raw.wiki_views")[0]
    assert session - gaps["day"] <= timedelta(days=7)
    vintages = warehouse.rows(
        "select vintage, count(*) as n, count(distinct series_id) as series from raw.macro_series group by 1 order by 1"
    )
    assert [(row["vintage"], row["series"]) for row in vintages] == [("alfred", 4), ("lag_rule", 10)]
