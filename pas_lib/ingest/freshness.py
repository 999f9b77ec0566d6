"""How old the data is, and whether that is too old.

Two ages count. A dataset is late when nobody collected it well for longer than tolerated. It is still when its site
answers and says nothing new for longer than the dataset's measure allows: a page that is served from a cache for ever
is collected well every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pas_lib.clock import NY
from pas_lib.datasets import catalogue

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

#: Last good collection of each dataset: what was fetched then, not when it was loaded, is how old it is. One that asked
#: up to an earlier day only is as old as the end of that day. Beside it the newest thing that any collection said.
LAST_COLLECTED = """
select
    dataset,
    max(least(started_at, cast(watermark + 1 as timestamp) at time zone 'America/New_York'))
        filter (where session is not null) as collected_at,
    max(newest_at) as newest_at
from ops.ingest_runs
where status in ('loaded', 'unchanged')
group by dataset
"""


@dataclass(frozen=True)
class Age:
    """How old one dataset is.

    Parameters
    ----------
    dataset : str
        Its name.
    collected_at : datetime or None
        When it was last collected well; None before the first time.
    age, tolerance : timedelta or None, timedelta
        Time since then, and how much of it the catalogue allows.
    is_critical : bool
        Nothing is decided without it.
    newest_at : datetime or None
        Time of the newest thing its site said (of a date its midnight in New York); for captures that state no time,
        since when they say the same. None where nothing tells.
    still_for, within : timedelta or None
        Time since then, and how much of it the catalogue allows; None where a site may say the same for long.
    """

    dataset: str
    collected_at: datetime | None
    age: timedelta | None
    tolerance: timedelta
    is_critical: bool
    newest_at: datetime | None = None
    still_for: timedelta | None = None
    within: timedelta | None = None

    @property
    def is_late(self) -> bool:
        """Whether it was last collected longer ago than tolerated, or never."""
        return self.age is None or self.age > self.tolerance

    @property
    def is_still(self) -> bool:
        """Whether its site answers and has said nothing new for too long."""
        return self.still_for is not None and self.within is not None and self.still_for > self.within

    @property
    def is_stale(self) -> bool:
        """Whether it is late or still."""
        return self.is_late or self.is_still

    @property
    def why(self) -> str:
        """Say why it is stale; empty where it is not. What nobody collects cannot be still."""
        if self.is_late:
            old = "never collected" if self.age is None else f"{_days(self.age)} old"
            return f"{old}, tolerance {_days(self.tolerance)}"
        if self.newest_at is None or self.still_for is None or self.within is None or not self.is_still:
            return ""
        since = f"{self.newest_at.astimezone(NY):%Y-%m-%d}"
        return f"its site says nothing new since {since}, {_days(self.still_for)}, at most {_days(self.within)}"

    def __str__(self) -> str:
        """Say so in words."""
        if self.is_stale:
            return f"{self.dataset}: {self.why}"
        old = "never collected" if self.age is None else f"{_days(self.age)} old"
        return f"{self.dataset}: {old}, tolerance {_days(self.tolerance)}"


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:.3g} days"


def ages(rows: Iterable[Mapping[str, Any]], now: datetime) -> list[Age]:
    """Return the age of every dataset of the catalogue, by the rows of :data:`LAST_COLLECTED`."""
    told = {str(row["dataset"]): row for row in rows}
    found = []
    for name, data in catalogue().items():
        row = told.get(name, {})
        at, newest = row.get("collected_at"), row.get("newest_at")
        age = None if at is None else max(now - at, timedelta())
        within = data.quiet if data.moves_by is not None else None
        still_for = None if newest is None or within is None else max(now - newest, timedelta())
        found.append(Age(name, at, age, data.tolerance, data.critical, newest, still_for, within))
    return found


def check(warehouse: Warehouse, now: datetime) -> list[Age]:
    """Return the age of every dataset in a warehouse.

    Raises
    ------
    WarehouseUnavailable
        If it cannot be reached.
    """
    return ages(warehouse.rows(LAST_COLLECTED), now)
