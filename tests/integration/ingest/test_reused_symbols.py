"""A company that left and another one that took its symbol: two identities, each in its time."""

from __future__ import annotations

from datetime import datetime

from pas_lib.clock import NY
from tests.support.road import EVENING, Road


def test_a_company_named_only_by_its_removal_is_known_by_that_day_not_by_the_fetch(road: Road) -> None:
    road.world.changes = [("June 5, 2015", "", "", "AAA", "Ancient Anvils")]
    road.collect("universe")
    rows = road.rows("select security_id, known_at from raw.securities where symbol = 'AAA' order by known_at")
    assert [(row["security_id"], row["known_at"]) for row in rows] == [
        ("sym:AAA:ancient-anvils", datetime(2015, 6, 5, tzinfo=NY)),
        ("cik0000000001", datetime(2020, 1, 2, tzinfo=NY)),
    ]
    assert all(row["known_at"] < EVENING for row in rows)
