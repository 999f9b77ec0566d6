"""Trading calendar, decision times and the injected clock.

This is the only module that reads the wall clock. Sessions of the New York Stock Exchange, with early closes, come
from a packaged table (``nyse_sessions.csv``), because building a calendar at run time costs seconds.
"""

from __future__ import annotations

import bisect
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from pas_lib.errors import PasError, SourceError

if TYPE_CHECKING:
    from pas_lib.settings import Settings

NY = ZoneInfo("America/New_York")
REGULAR_OPEN = time(9, 30)
REGULAR_CLOSE = time(16, 0)
DECISION_TIME = time(22, 30)
COLLECT_TIME = time(20, 0)


class Clock(Protocol):
    """Where a program learns what time it is."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that stands still until told otherwise.

    Parameters
    ----------
    at : datetime
        Timezone-aware time.
    """

    at: datetime

    def now(self) -> datetime:
        """Return the time set."""
        return self.at.astimezone(UTC)


@dataclass(frozen=True)
class SandboxClock:
    """The clock of the sandbox's world, asked over HTTP at every reading.

    Parameters
    ----------
    base_url : str
        The sandbox's address.
    """

    base_url: str
    timeout: float = 10.0

    def now(self) -> datetime:
        """Return the sandbox's time in UTC.

        Raises
        ------
        SourceError
            If the sandbox does not answer.
        """
        import requests

        try:
            answer = requests.get(f"{self.base_url}/sandbox/clock", timeout=self.timeout)
            answer.raise_for_status()
            return datetime.fromisoformat(str(answer.json()["now"])).astimezone(UTC)
        except (requests.RequestException, ValueError, KeyError) as error:
            raise SourceError(
                f"the sandbox at {self.base_url} does not tell the time: {type(error).__name__}",
                hint="start it with `pas sandbox` or `make run`",
            ) from None


def kept_time(home: Path) -> datetime | None:
    """Return the time at which the sandbox of a home was left, in UTC; None where there is none yet.

    Raises
    ------
    PasError
        When its file cannot be read.
    """
    file = home / "clock.json"
    if not file.exists():
        return None
    try:
        return datetime.fromisoformat(json.loads(file.read_text())["now"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError) as error:
        raise PasError(f"the sandbox's clock cannot be read from {file}: {error}; remove the file") from error


def clock_for(settings: Settings) -> Clock:
    """Return the clock that belongs to the configured sources."""
    return SandboxClock(settings.sandbox_url) if settings.sources == "sandbox" else SystemClock()


# ---------------------------------------------------------------------------------------------------- calendar


@dataclass(frozen=True)
class _Calendar:
    sessions: tuple[date, ...]
    early_close: dict[date, time]


@lru_cache(maxsize=1)
def _calendar() -> _Calendar:
    text = resources.files("pas_lib").joinpath("nyse_sessions.csv").read_text(encoding="ascii")
    days: list[date] = []
    early: dict[date, time] = {}
    for row in csv.reader(text.splitlines()[1:]):
        day = date.fromisoformat(row[0])
        days.append(day)
        if row[1]:
            early[day] = time.fromisoformat(row[1])
    return _Calendar(tuple(days), early)


def _index(day: date) -> int:
    days = _calendar().sessions
    if not days[0] <= day <= days[-1]:
        raise PasError(f"{day} lies outside the trading calendar {days[0]} to {days[-1]}")
    return bisect.bisect_left(days, day)


def is_session(day: date) -> bool:
    """Return whether the exchange trades on ``day``."""
    days = _calendar().sessions
    i = bisect.bisect_left(days, day)
    return i < len(days) and days[i] == day


def sessions(start: date, end: date) -> Sequence[date]:
    """Return all sessions from ``start`` to ``end``, both included."""
    days = _calendar().sessions
    return days[bisect.bisect_left(days, start) : bisect.bisect_right(days, end)]


def session_on_or_before(day: date) -> date:
    """Return the latest session that is not after ``day``."""
    i = _index(day)
    days = _calendar().sessions
    return days[i] if days[i] == day else days[i - 1]


def next_session(day: date) -> date:
    """Return the first session after ``day``."""
    return _calendar().sessions[_index(day + timedelta(days=1))]


def previous_session(day: date) -> date:
    """Return the last session before ``day``."""
    return _calendar().sessions[_index(day) - 1]


def last_closed_session(now: datetime) -> date:
    """Return the newest session whose close has passed."""
    day = session_on_or_before(now.astimezone(NY).date())
    return day if session_close(day) <= now else previous_session(day)


def _at(day: date, clock_time: time) -> datetime:
    return datetime.combine(day, clock_time, tzinfo=NY).astimezone(UTC)


def session_open(session: date) -> datetime:
    """Return the opening time of a session in UTC."""
    _require(session)
    return _at(session, REGULAR_OPEN)


def session_close(session: date) -> datetime:
    """Return the closing time of a session in UTC, early closes included."""
    _require(session)
    return _at(session, _calendar().early_close.get(session, REGULAR_CLOSE))


def decision_time(session: date) -> datetime:
    """Return 22:30 New York time of a session, in UTC: what a decision of that session may know."""
    _require(session)
    return _at(session, DECISION_TIME)


def collect_time(session: date) -> datetime:
    """Return 20:00 New York time of a session, in UTC: when collection starts."""
    _require(session)
    return _at(session, COLLECT_TIME)


def next_session_midnight(day: date) -> datetime:
    """Return 00:00 New York time of the first session after ``day``, in UTC.

    This is the ``known_at`` of anything that states a date without a time.
    """
    return _at(next_session(day), time(0))


def ny_midnight(day: date) -> datetime:
    """Return 00:00 New York time of ``day``, in UTC."""
    return _at(day, time(0))


def is_week_end(session: date) -> bool:
    """Return whether a session is the last one of its calendar week."""
    _require(session)
    return next_session(session).isocalendar()[:2] != session.isocalendar()[:2]


def is_month_end(session: date) -> bool:
    """Return whether a session is the last one of its month."""
    _require(session)
    return next_session(session).month != session.month


def is_quarter_end(session: date) -> bool:
    """Return whether a session is the last one of its quarter."""
    return is_month_end(session) and session.month % 3 == 0


def _require(session: date) -> None:
    if not is_session(session):
        raise PasError(
            f"{session} is not a session of the exchange",
            hint=f"the one before is {session_on_or_before(session)}",
        )
