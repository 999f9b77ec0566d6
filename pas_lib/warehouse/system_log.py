"""The log that is kept beside the data: structured events in ``ops.system_logs``.

It never gets in the way: an event that cannot be stored is passed to the ordinary log of the program and forgotten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

import psycopg

from pas_lib.clock import Clock
from pas_lib.errors import PasError
from pas_lib.warehouse.connection import Warehouse

Level = Literal["debug", "info", "warning", "error", "critical"]

_INSERT = """
insert into ops.system_logs (logged_at, level, program, event, session, run_id, fields)
values (%s, %s, %s, %s, %s, %s, %s::jsonb)
"""
#: A longer text in a field is cut: the log tells what happened, it is no copy of the data.
_LONGEST_TEXT = 2_000
_log = logging.getLogger("pas.system_log")


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes
    ----------
    logged_at : datetime
        When, with time zone.
    level, program, event : str
        How grave, in which program, what.
    session, run_id
        What it belongs to, where it belongs to one.
    fields : Mapping[str, Any]
        Plain values; never secrets.
    """

    logged_at: datetime
    level: Level
    program: str
    event: str
    session: date | None = None
    run_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class SystemLog:
    """Writes events of one program.

    Parameters
    ----------
    warehouse : Warehouse
        The store of record.
    clock : Clock
        Time of the events.
    program : str
        Who speaks, e.g. ``collect.prices`` or ``api``.
    session, run_id
        Stored with every event.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        clock: Clock,
        program: str,
        *,
        session: date | None = None,
        run_id: str | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self.program = program
        self.session = session
        self.run_id = run_id

    def write(self, level: Level, event: str, **fields: Any) -> bool:
        """Store an event; return whether it could be."""
        try:
            entry = Event(self._clock.now(), level, self.program, event, self.session, self.run_id, fields)
            self._warehouse.execute(_INSERT, _row(entry))
        except (PasError, psycopg.Error, OSError) as error:
            _log.warning("%s: %s could not be kept in system_logs: %s", self.program, event, _one_line(error))
            return False
        return True

    @contextmanager
    def step(self, event: str, *, skips: type[BaseException] | None = None) -> Iterator[dict[str, Any]]:
        """Log how a piece of work ended; what is put into the yielded dictionary is stored with it.

        Parameters
        ----------
        event : str
            What is done.
        skips : exception class, optional
            Means that there was nothing to do. Any other exception is stored as a failure; all are raised on.
        """
        began = self._clock.now()
        result: dict[str, Any] = {}
        try:
            yield result
        except BaseException as error:
            if skips is not None and isinstance(error, skips):
                self.write("info", f"{event} skipped", reason=_one_line(error))
                raise
            self.write("error", f"{event} failed", **result, error=_one_line(error), error_type=type(error).__name__)
            raise
        self.write("info", f"{event} finished", **result, began_at=began.isoformat())


def prune(warehouse: Warehouse, clock: Clock, keep_days: int) -> int:
    """Delete the events older than ``keep_days`` days, and return how many there were."""
    return warehouse.execute(
        "delete from ops.system_logs where logged_at < %s", (clock.now() - timedelta(days=keep_days),)
    )


def _row(entry: Event) -> tuple[Any, ...]:
    return (
        entry.logged_at,
        entry.level,
        entry.program,
        entry.event,
        entry.session,
        entry.run_id,
        json.dumps(_short(dict(entry.fields)), default=str, allow_nan=False),
    )


def _short(value: Any) -> Any:
    """Cut long texts, and turn what JSON cannot carry (NaN, infinities) into text."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "..."
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return value
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _short(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(item) for item in value]
    return value


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
