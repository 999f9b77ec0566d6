"""When something was seen, for sites that give neither dates nor history."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pas_lib import clock
from pas_lib.sources.base import UNKNOWN_TIME

if TYPE_CHECKING:
    from pas_lib.sources.base import Payload


def capture_session(payload: Payload) -> date | None:
    """Return the session a capture belongs to: the last one that had opened when it was fetched.

    A collection of the evening, repeated after midnight or over a weekend, stays a capture of the same session. Returns
    None for a payload whose time of fetching nobody noted.
    """
    if payload.fetched_at == UNKNOWN_TIME:
        return None
    session = clock.session_on_or_before(payload.fetched_at.astimezone(clock.NY).date())
    return session if clock.session_open(session) <= payload.fetched_at else clock.previous_session(session)
