"""Which session is next, and when its orders may go out: in the sandbox's world, or in the real one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from pas_lib import clock as calendar
from pas_lib.clock import Clock
from pas_lib.stack.sandbox_client import SandboxClient
from pas_lib.stack.state import SessionState


class World(Protocol):
    """Time as the job sees it."""

    def next_session(self, state: SessionState) -> date | None:
        """Return the session to work on: the unfinished one, else the next; ``None`` if there is none yet."""
        ...

    def reach_open(self, session: date) -> bool:
        """Be at the open after a session (or later); ``False`` if that is yet to come."""
        ...


def last_evening(now: datetime) -> date:
    """Return the latest session whose collection time has come."""
    session = calendar.session_on_or_before(now.astimezone(calendar.NY).date())
    return session if calendar.collect_time(session) <= now else calendar.previous_session(session)


class SandboxWorld:
    """The clock is moved when a step needs it to be later.

    Parameters
    ----------
    sandbox : SandboxClient
        Whose clock it is.
    """

    def __init__(self, sandbox: SandboxClient) -> None:
        self._sandbox = sandbox

    def next_session(self, state: SessionState) -> date | None:
        """Go on with what is unfinished; else move to the evening after what is finished."""
        if state.unfinished is not None:
            return state.unfinished
        session = last_evening(self._sandbox.now())
        if state.session is not None and session <= state.session:
            session = last_evening(self._sandbox.advance("evening"))
        return session

    def reach_open(self, session: date) -> bool:
        """Move the clock to the open of the session after, unless it is later already."""
        opening = calendar.session_open(calendar.next_session(session))
        if self._sandbox.now() < opening:
            self._sandbox.advance(opening.isoformat())
        return True


class RealWorld:
    """Time passes by itself.

    Parameters
    ----------
    clock : Clock
        The machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def next_session(self, state: SessionState) -> date | None:
        """Return the latest evening's session unless it is done; an older unfinished one is past."""
        session = last_evening(self._clock.now())
        if state.session == session and state.unfinished is None:
            return None
        return session

    def reach_open(self, session: date) -> bool:
        """Return whether the session after has opened."""
        return self._clock.now() >= calendar.session_open(calendar.next_session(session))
