"""Days on which nothing is filed: a holiday is no failure, a week without anything is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pas_lib.clock import clock_for
from pas_lib.errors import PayloadError
from pas_lib.ingest import ingest
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer, Seen
from tests.support.road import Road, settings_at


def purchase(filed: str, day: str = "2026-01-27") -> dict[str, Any]:
    return {
        "Ticker": "AAA",
        "Date": f"{day}T00:00:00.000Z",
        "Name": "DOE JANE",
        "AcquiredDisposedCode": "A",
        "TransactionCode": "P",
        "Shares": 100.0,
        "PricePerShare": 10.0,
        "fileDate": filed,
        "directOrIndirectOwnership": "D",
    }


def at_path(end: str, body: Callable[[Seen], object]) -> Callable[[Seen], Answer | None]:
    return lambda request: Answer(json.dumps(body(request))) if request.path.endswith(end) else None


def test_insiders_of_a_quiet_weekend_are_no_failure_those_of_a_quiet_week_are(road: Road) -> None:
    rows = [purchase("2026-01-29T16:30:00")]
    road.world.instead = at_path("/live/insiders", lambda _: rows)
    assert road.collect("insider_buying").new == 1
    # Friday evening to Monday morning: asked from Friday on, and nobody filed.
    road.at(2026, 1, 31, 12)
    assert road.collect("insider_buying").status == "unchanged"
    road.at(2026, 2, 2, 13)
    again = road.collect("insider_buying", date(2026, 1, 30))
    assert (again.status, again.parsed, again.deleted) == ("unchanged", 0, 0)
    # The same old page ten days later is no quiet any more.
    road.at(2026, 2, 9, 1)
    with pytest.raises(PayloadError, match="nor any since 2026-01-29: longer than 7 days"):
        road.collect("insider_buying", date(2026, 2, 6))
    rows.insert(0, purchase("2026-02-06T17:00:00", "2026-02-05"))
    assert road.collect("insider_buying", date(2026, 2, 6)).new == 1
    assert [row["n"] for row in road.rows("select count(*) as n from raw.insider_buying")] == [2]


def test_an_empty_table_is_not_filled_by_nothing(road: Road) -> None:
    road.world.instead = at_path("/live/insiders", lambda _: [purchase("2019-01-29T16:30:00", "2019-01-28")])
    with pytest.raises(PayloadError, match="no rows in 1 payloads, nor any ever"):
        road.collect("insider_buying")


def test_ratings_changed_on_a_quiet_day_may_be_none(road: Road) -> None:
    rating = {
        "id": "1", "date": "2026-01-29", "time": "08:00:00", "ticker": "AAA", "analyst": "A Bank",
        "analyst_name": "J Doe", "action_company": "Upgrades", "rating_current": "Buy", "rating_prior": "Hold",
        "pt_current": "10", "pt_prior": "9", "action_pt": "Raises", "currency": "USD", "importance": 1,
        "updated": 1769691600,
    }  # fmt: skip
    shown = [rating]
    road.world.instead = at_path("/calendar/ratings", lambda _: {"ratings": shown})
    thursday = date(2026, 1, 29)
    road.at(2026, 1, 30, 1)
    assert road.collect("analyst_ratings", thursday).new == 1
    shown.clear()
    road.at(2026, 1, 31, 12)
    assert road.collect("analyst_ratings", thursday).status == "unchanged"
    with pytest.raises(PayloadError, match="no ratings at all"):
        road.collect("analyst_ratings", start=date(2026, 1, 19), end=date(2026, 1, 30))


def test_the_index_of_a_holiday_alone_is_no_failure(warehouse: Warehouse, tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path).model_copy(
            update={"dataset_sources": {"insider_buying": ("sec_edgar",)}}
        )
        clock = clock_for(settings)

        def collect(session: date, **window: date) -> Any:
            return ingest("insider_buying", session, settings=settings, clock=clock, warehouse=warehouse, **window)

        sandbox.clock.advance("2026-02-15T20:00")
        friday = date(2026, 2, 13)
        first = collect(friday)
        assert first.new > 0
        # Sunday again: Friday's index is asked for, its filings are not fetched twice.
        before = sandbox.faults.requests["sec"]
        assert collect(friday).status == "unchanged"
        assert sandbox.faults.requests["sec"] - before == 1
        # Presidents' Day is all that is new on Tuesday morning.
        sandbox.clock.advance("2026-02-17T08:00")
        holiday = collect(friday)
        assert (holiday.status, holiday.payloads, holiday.parsed) == ("unchanged", 1, 0)
        assert collect(friday, start=date(2026, 2, 14), end=date(2026, 2, 15)).status == "unchanged"
