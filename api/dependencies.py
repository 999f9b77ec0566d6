"""What handlers ask for: the store, with the answer's provenance written into its headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from api.errors import Unprocessable
from api.store import Provenance, Reader, Store
from pas_lib import clock as calendar
from pas_lib.errors import PasError

T = TypeVar("T")


class Reading:
    """Computes answers for one request and remembers where they came from.

    Parameters
    ----------
    store : Store
    request : Request
        Its state takes the provenance; a middleware turns it into headers, also of failures.
    """

    def __init__(self, store: Store, request: Request) -> None:
        self._store = store
        self._request = request

    def __call__(self, answer: Callable[[Reader], T]) -> T:
        """Return what ``answer`` computes from one state of the store that can be read."""
        return self._store.read(answer, self._remember)

    def point(self, answer: Callable[[Reader], T]) -> T:
        """Return what ``answer`` computes with a single statement, which sees one state by itself."""
        return self._store.read(answer, self._remember, steady=False)

    def primary(self, answer: Callable[[Reader], T]) -> T:
        """Return what ``answer`` computes from PostgreSQL itself."""
        found = self._store.read_primary(answer)
        self._remember(Provenance("postgres"))
        return found

    def _remember(self, provenance: Provenance) -> None:
        self._request.state.provenance = provenance

    @property
    def provenance(self) -> Provenance | None:
        """Where the last answer came from."""
        found: Any = getattr(self._request.state, "provenance", None)
        return found if isinstance(found, Provenance) else None


async def _reading(request: Request) -> Reading:  # a coroutine needs no thread of its own
    store: Any = request.app.state.store
    assert isinstance(store, Store)  # noqa: S101 - the factory sets it
    return Reading(store, request)


Read = Annotated[Reading, Depends(_reading)]


def world_now(request: Request) -> datetime:
    """Return the time of the world that is collected and traded; the machine's where that cannot be asked.

    In the sandbox the data bears the sandbox's time: its age by the machine's clock would say nothing.
    """
    try:
        now: datetime = request.app.state.market_clock.now()
    except PasError:
        now = request.app.state.clock.now()
    return now


def closed_session(day: date | None, now: datetime) -> date:
    """Return a session that is asked about, or the last one that has closed.

    Raises
    ------
    Unprocessable
        When the day is no session, or one that has not closed yet.
    """
    if day is None:
        return calendar.last_closed_session(now)
    if not calendar.is_session(day):
        raise Unprocessable(f"{day} is not a session of the exchange")
    if calendar.session_close(day) > now:
        raise Unprocessable(f"session {day} has not closed yet")
    return day
