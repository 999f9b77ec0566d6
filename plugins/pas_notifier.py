"""Failed tasks are recorded in the warehouse, beside the decisions they kept from being made."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pas_lib.clock import Clock
    from pas_lib.settings import Settings

_INSERT = """
insert into ops.alloc_log (logged_at, session, event, reason, details)
values (%s, %s, 'task_failed', %s, %s::jsonb)
"""
_LONGEST_REASON = 500


class PasNotifier(BaseNotifier):
    """Write one ``task_failed`` row to ``ops.alloc_log``, and tell the channels of PAS_NOTIFY_URLS.

    The exception may be missing (a task that was killed from outside is reported by another process), and the warehouse
    may be what failed: then the channels are told all the same, and the log of the task is all else there is.
    """

    def notify(self, context: Context) -> None:
        """Record the failure a context describes."""
        from pas_operators import runtime

        from pas_lib.errors import PasError
        from pas_lib.notify import Message, announce, send

        values = dict(context)
        task = values.get("task_instance") or values.get("ti")
        details = {
            name: getattr(task, name, None) for name in ("dag_id", "task_id", "run_id", "try_number", "map_index")
        }
        settings: Settings | None = None
        try:
            here = runtime()
            settings = here.settings
            here.warehouse.execute(
                _INSERT, (_now(here.clock), _session(values), _reason(values), json.dumps(details, default=str))
            )
            announce(here.settings, here.clock, here.warehouse)
        except PasError as error:
            self.log.error("the failure could not be recorded in the warehouse: %s", error)
            if settings is not None:
                name = ".".join(str(details[part]) for part in ("dag_id", "task_id") if details[part]) or "a task"
                key = f"task:{details['run_id']}:{name}:{details['try_number']}"
                send(Message("task_failed", key, f"{name} failed", _reason(values)), settings)


def _now(clock: Clock) -> dt.datetime:
    """Return the clock's time; the machine's if it is the clock that failed."""
    from pas_lib.clock import SystemClock
    from pas_lib.errors import PasError

    try:
        return clock.now()
    except PasError:
        return SystemClock().now()


def _reason(values: dict[str, Any]) -> str:
    error = values.get("exception") or values.get("reason") or "ended without an exception"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0] if isinstance(error, str) else f"{type(error).__name__}: {lines[0]}"
    return text[:_LONGEST_REASON]


def _session(values: dict[str, Any]) -> dt.date | None:
    key = values.get("partition_key") or getattr(values.get("dag_run"), "partition_key", None)
    try:
        return dt.date.fromisoformat(str(key))
    except ValueError:
        return None
