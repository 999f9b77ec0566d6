"""How old the data is, and whether that is too old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pas_lib.datasets import catalogue

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

#: Last good collection of each dataset: what was fetched then, not when it was loaded, is how old it is. One that asked
#: up to an earlier day only is as old as the end of that day.
LAST_COLLECTED = """
select
    dataset,
    max(least(started_at, cast(watermark + 1 as timestamp) at time zone 'America/New_York')) as collected_at
from ops.ingest_runs
where status in ('loaded', 'unchanged') and session is not null
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
    """

    dataset: str
    collected_at: datetime | None
    age: timedelta | None
    tolerance: timedelta
    is_critical: bool

    @property
    def is_stale(self) -> bool:
        """Whether it is older than tolerated, or was never collected."""
        return self.age is None or self.age > self.tolerance

    def __str__(self) -> str:
        """Say so in words."""
        old = "never collected" if self.age is None else f"{_days(self.age)} old"
        return f"{self.dataset}: {old}, tolerance {_days(self.tolerance)}"


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:.3g} days"


def ages(rows: Iterable[Mapping[str, Any]], now: datetime) -> list[Age]:
    """Return the age of every dataset of the catalogue, by the rows of :data:`LAST_COLLECTED`."""
    collected = {str(row["dataset"]): row["collected_at"] for row in rows}
    found = []
    for name, data in catalogue().items():
        at = collected.get(name)
        age = None if at is None else max(now - at, timedelta())
        found.append(Age(name, at, age, data.tolerance, data.critical))
    return found


def check(warehouse: Warehouse, now: datetime) -> list[Age]:
    """Return the age of every dataset in a warehouse.

    Raises
    ------
    WarehouseUnavailable
        If it cannot be reached.
    """
    return ages(warehouse.rows(LAST_COLLECTED), now)
