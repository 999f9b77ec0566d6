"""What every page has, and how a page goes on where a part of it is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from api.errors import NotReady
from api.store import Reader

T = TypeVar("T")


@dataclass(frozen=True)
class Panel(Generic[T]):
    """A part of a page: its content, or why there is none yet."""

    content: T | None
    missing: str = ""


@dataclass(frozen=True)
class State:
    """The trading state, by whom and why."""

    state: str
    set_by: str
    set_at: datetime | None
    reason: str


@dataclass(frozen=True)
class Frame:
    """What every page shows above its own content."""

    session: date | None
    origin: str | None
    state: State
    open_alerts: int


def panel(reader: Reader, answer: Callable[[Reader], T]) -> Panel[T]:
    """Return a part of a page, or why it is not there yet."""
    found = reader.attempt(answer)
    return Panel(None, str(found)) if isinstance(found, NotReady) else Panel(found)


def states(reader: Reader, limit: int = 1) -> list[State]:
    """Return the latest trading states, the newest first."""
    rows = reader.records(
        "select state, set_by, set_at, reason from ops.trading_state order by state_id desc limit %(n)s", {"n": limit}
    )
    return [State(**row) for row in rows]


def frame(reader: Reader) -> Frame:
    """Return what every page has.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    newest = states(reader)
    return Frame(
        session=reader.scalar("select max(session) from ops.decisions where origin = 'live'"),
        origin=reader.scalar("select origin from ops.warehouse_identity"),
        state=newest[0] if newest else State("ACTIVE", "", None, "never lowered"),
        open_alerts=int(reader.scalar("select count(*) from ops.risk_alerts where acknowledged_at is null") or 0),
    )
