"""Deadlines of runs: one that is not over in time is told, while it still may be helped."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

log = logging.getLogger(__name__)


def over_within(hours: float) -> DeadlineAlert:
    """Return the deadline of a DAG's runs.

    Parameters
    ----------
    hours : float
        From the moment a run is queued to its end.
    """
    return DeadlineAlert(
        name=f"over within {hours:g} h",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=AsyncCallback(missed, kwargs={"hours": hours}),
    )


async def missed(hours: float, context: dict[str, Any] | None = None, **_: Any) -> None:
    """Record a run that is not over in time, and tell the channels of PAS_NOTIFY_URLS; runs in the triggerer."""
    run = (context or {}).get("dag_run") or {}
    await asyncio.to_thread(tell, _of(run, "dag_id"), _of(run, "dag_run_id") or _of(run, "run_id"), hours)


def tell(dag_id: str, run_id: str, hours: float) -> None:
    """Write a warning to ``ops.system_logs`` and send it."""
    from pas_operators import runtime

    from pas_lib.errors import PasError
    from pas_lib.notify import Message, send
    from pas_lib.warehouse.system_log import SystemLog

    text = f"{dag_id} is not over {hours:g} hours after it was asked for ({run_id})"
    log.warning(text)
    here = runtime()
    try:
        SystemLog(here.warehouse, here.clock, dag_id or "airflow", run_id=run_id or None).write(
            "warning", "deadline missed", hours=hours
        )
    except PasError as error:
        log.error("the missed deadline could not be recorded: %s", error)
    send(Message("task_failed", f"deadline:{dag_id}:{run_id}", f"{dag_id} is late", text), here.settings)


def _of(run: Any, name: str) -> str:
    found = run.get(name) if isinstance(run, dict) else getattr(run, name, None)
    return str(found or "")
