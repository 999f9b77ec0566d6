"""Lists in pages whose rows have no ids: what comes in while they are read is neither counted twice nor missed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pas_lib.errors import SourceError
from pas_lib.ingest import replay
from tests.integration.ingest.test_versioned_road import trade
from tests.support.loopback import Answer, Seen
from tests.support.road import Road


class Bulk:
    """Trades, newest first, two on a page; something may happen before a page is shown."""

    def __init__(self, *symbols: str) -> None:
        self.rows = [trade(Ticker=symbol) for symbol in symbols]
        self.before: Callable[[int], None] = lambda page: None
        self.asked: list[int] = []

    def __call__(self, request: Seen) -> Answer | None:
        if not request.path.endswith("/bulk/congresstrading"):
            return None
        page = int(request.query["page"])
        self.before(page)
        self.asked.append(page)
        # What is computed from prices differs each time.
        shown: list[dict[str, Any]] = [{**row, "ExcessReturn": len(self.asked)} for row in self.rows]
        return Answer(json.dumps(shown[2 * page - 2 : 2 * page]))


@pytest.fixture
def bulk(road: Road, monkeypatch: pytest.MonkeyPatch) -> Bulk:
    monkeypatch.setattr("pas_lib.sources.quiver_api._PAGE", 2)
    site = Bulk("AAA", "BBB", "BBB", "CCC", "DDD")
    road.world.instead = site
    return site


def loaded(road: Road) -> list[tuple[str, int]]:
    rows = road.rows(
        "select symbol, ordinal from raw.politician_trades where source = 'quiver_api' order by symbol, ordinal"
    )
    return [(row["symbol"], row["ordinal"]) for row in rows]


WHOLE = [("AAA", 0), ("BBB", 0), ("BBB", 1), ("CCC", 0), ("DDD", 0)]


def test_equal_rows_on_both_sides_of_a_page_are_two(road: Road, bulk: Bulk):
    assert road.collect("politician_trades").notes == ()
    assert loaded(road) == WHOLE
    # The first page once more, and nothing else.
    assert bulk.asked == [1, 2, 3, 1]


def test_what_is_pushed_to_the_next_page_counts_once(road: Road, bulk: Bulk):
    def comes(page: int) -> None:
        if page == 2 and len(bulk.rows) == 5:
            bulk.rows.insert(0, trade(Ticker="NEW"))

    bulk.before = comes
    road.collect("politician_trades")
    assert bulk.asked == [1, 2, 3, 4, 1, 1, 2, 3, 4, 1]
    assert loaded(road) == [*WHOLE, ("NEW", 0)]
    # The pages that are void are not in the landing either: a replay reads the others.
    built = replay("politician_trades", settings=road.settings, warehouse=road.warehouse).tables["politician_trades"]
    assert (built.outcome, built.rows) == ("identical", built.rows_before)
    assert len([path for path in road.landed() if "quiver_api-bulk" in path.name]) == 4


def test_what_comes_in_between_is_seen_where_the_pages_meet(road: Road, bulk: Bulk):
    def comes(page: int) -> None:
        if page == 3 and len(bulk.rows) == 5:
            bulk.rows.insert(2, trade(Ticker="MID"))

    bulk.before = comes
    road.collect("politician_trades")
    assert loaded(road) == [*WHOLE, ("MID", 0)]


def test_a_list_that_never_rests_is_refused(road: Road, bulk: Bulk):
    def comes(page: int) -> None:
        if page == 2:
            bulk.rows.insert(0, trade(Ticker=f"N{len(bulk.rows)}"))

    bulk.before = comes
    with pytest.raises(SourceError, match="the list changed whenever it was read, 3 times"):
        road.collect("politician_trades")
    assert loaded(road) == []
