"""The sandbox's time: it stands still until it is moved, and survives a restart."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pas_lib import clock as calendar
from pas_lib.clock import COLLECT_TIME, NY, kept_time
from pas_lib.errors import PasError


class SandboxTime:
    """A clock kept in ``clock.json`` of the sandbox's home.

    Parameters
    ----------
    start : datetime
        Where a fresh sandbox stands (aware).
    home : Path or None
        Directory of the state; None keeps it in memory.
    """

    def __init__(self, start: datetime, home: Path | None = None) -> None:
        self._file = home / "clock.json" if home else None
        self._lock = threading.Lock()
        self._now = (kept_time(home) if home else None) or start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time of the world, in UTC."""
        return self._now

    def today(self) -> date:
        """Return the date in New York."""
        return self._now.astimezone(NY).date()

    def session(self) -> date:
        """Return the session of today, or the last one before."""
        return calendar.session_on_or_before(self.today())

    def set(self, at: datetime) -> datetime:
        """Move the clock forward to `at`.

        Raises
        ------
        PasError
            When `at` lies before the present: nothing that was seen can be unseen.
        """
        at = at.astimezone(UTC)
        with self._lock:
            if at < self._now:
                raise PasError(f"the sandbox's clock cannot go back from {self._now.isoformat()} to {at.isoformat()}")
            self._now = at
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                draft = self._file.with_suffix(".tmp")
                draft.write_text(json.dumps({"now": at.isoformat()}))
                draft.replace(self._file)
        return at

    def advance(self, to: str) -> datetime:
        """Move to the next ``open``, ``close`` or ``evening`` (20:00 New York of a session), or to an ISO time.

        Each is the first of its kind after now. A time without zone is New York's.
        """
        now = self._now
        if to in ("open", "close", "evening"):
            day = calendar.session_on_or_before(self.today())
            for _ in range(3):
                at = {
                    "open": calendar.session_open(day),
                    "close": calendar.session_close(day),
                    "evening": datetime.combine(day, COLLECT_TIME, tzinfo=NY).astimezone(UTC),
                }[to]
                if at > now:
                    return self.set(at)
                day = calendar.next_session(day)
            raise PasError(f"no next {to} found")  # unreachable with a sound calendar
        try:
            at = datetime.fromisoformat(to)
        except ValueError as error:
            raise PasError(f"'{to}' is neither open, close, evening nor an ISO time") from error
        return self.set(at if at.tzinfo else at.replace(tzinfo=NY))


def new_york_midnight(day: date) -> datetime:
    """00:00 New York of `day`, in UTC."""
    return datetime.combine(day, time(), tzinfo=NY).astimezone(UTC)


def central_today(now: datetime) -> date:
    """Return the date in US Central time, one hour behind New York."""
    return (now.astimezone(NY) - timedelta(hours=1)).date()
