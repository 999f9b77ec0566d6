"""Trading sessions of the sandbox world as plain arrays, read once and stored with the world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pas_lib import clock as calendar


@dataclass(frozen=True)
class SessionGrid:
    """Sessions of one exchange, ascending.

    Attributes
    ----------
    days : ndarray of int64
        Proleptic ordinals (``date.toordinal``).
    opens, closes : ndarray of int64
        Epoch seconds (UTC) of open and close; early closes included.
    """

    days: NDArray[np.int64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.days.size)

    def index_of(self, day: date) -> int | None:
        """Position of `day`, or None when it is no session of the grid."""
        at = int(np.searchsorted(self.days, day.toordinal()))
        return at if at < len(self) and int(self.days[at]) == day.toordinal() else None

    def first_at_or_after(self, day: date) -> int:
        """Position of the first session on or after `day` (``len(self)`` when there is none)."""
        return int(np.searchsorted(self.days, day.toordinal(), side="left"))

    def closed_count(self, now: datetime) -> int:
        """How many sessions have closed at `now`."""
        return int(np.searchsorted(self.closes, int(now.timestamp()), side="right"))

    def day(self, index: int) -> date:
        """Date of the session at `index`."""
        return date.fromordinal(int(self.days[index]))

    def open_at(self, index: int) -> datetime:
        """Open of the session at `index`, UTC."""
        return datetime.fromtimestamp(int(self.opens[index]), UTC)

    def close_at(self, index: int) -> datetime:
        """Close of the session at `index`, UTC."""
        return datetime.fromtimestamp(int(self.closes[index]), UTC)


def load_grid(start: date, end: date) -> SessionGrid:
    """Read the sessions from `start` to `end` out of the project's trading calendar."""
    days = calendar.sessions(start, end)
    return SessionGrid(
        days=np.array([day.toordinal() for day in days], dtype=np.int64),
        opens=np.array([int(calendar.session_open(day).timestamp()) for day in days], dtype=np.int64),
        closes=np.array([int(calendar.session_close(day).timestamp()) for day in days], dtype=np.int64),
    )


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the `nth` (1-based) `weekday` (Monday is 0) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
