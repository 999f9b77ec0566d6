"""Ages, and gates on the number of rows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pas_lib.datasets import catalogue
from pas_lib.errors import PayloadError
from pas_lib.ingest.freshness import check
from tests.support.road import EVENING, Road


def test_what_is_older_than_tolerated_is_named_with_its_age(road: Road) -> None:
    never = {one.dataset: one for one in check(road.warehouse, EVENING)}
    assert set(never) == set(catalogue())
    assert all(one.is_stale for one in never.values())
    assert str(never["prices"]) == "prices: never collected, tolerance 4 days"
    road.collect("universe")
    road.collect("prices")

    def stale_after(days: float) -> set[str]:
        found = check(road.warehouse, EVENING + timedelta(days=days))
        return {one.dataset for one in found if one.is_stale and one.collected_at is not None}

    assert stale_after(0) == stale_after(4) == set()
    assert stale_after(4.01) == {"prices", "corporate_actions"}
    assert stale_after(15.01) == {"prices", "corporate_actions", "universe", "securities"}
    old = {one.dataset: one for one in check(road.warehouse, EVENING + timedelta(days=5.25))}
    assert str(old["prices"]) == "prices: 5.25 days old, tolerance 4 days"
    assert old["prices"].is_critical


def test_a_failed_collection_makes_nothing_younger(road: Road) -> None:
    road.collect("universe")
    road.clock.at = EVENING + timedelta(days=20)
    road.world.companies = []
    with pytest.raises(PayloadError):
        road.collect("universe")
    assert next(one for one in check(road.warehouse, road.clock.at) if one.dataset == "universe").is_stale


def test_a_list_that_shrinks_to_less_than_its_share_is_refused(road: Road) -> None:
    road.world.small = [(f"SM{chr(65 + n // 26)}{chr(65 + n % 26)}", f"SMALL {n} INC") for n in range(60)]
    road.collect("universe")
    before = road.rows("select * from raw.universe order by row_id")
    road.clock.at = EVENING + timedelta(days=7)
    road.world.small = road.world.small[:15]
    with pytest.raises(PayloadError, match=r"where the collection before had \d+ \(less than 50%\)"):
        road.collect("universe")
    assert road.rows("select * from raw.universe order by row_id") == before


def test_gates_are_set_where_a_site_states_everything_each_time() -> None:
    gated = {name for name, data in catalogue().items() if data.min_count_share is not None}
    assert gated == {"universe", "securities", "reddit_mentions", "dc_insider_scores", "google_trends"}
