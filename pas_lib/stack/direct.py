"""The same steps in one process, without Airflow: ``pas run --direct``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pas_lib.stack.progress import Progress

if TYPE_CHECKING:
    from pas_lib.settings import Settings


def run_direct(
    settings: Settings, *, sessions: int = 1, progress: Progress | None = None
) -> dict[date, dict[str, Any]]:
    """Run sessions in this process: PostgreSQL and the sandbox are started for it and stopped after it.

    Parameters
    ----------
    settings : Settings
        The configuration.
    sessions : int
        How many, one after another.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    dict
        Session -> step -> what the step returned.

    Raises
    ------
    StepFailed
        Naming the step.
    StackError
        If PostgreSQL or the sandbox does not start.
    """
    from pas_lib.clock import clock_for
    from pas_lib.stack.engine import DirectEngine
    from pas_lib.stack.job import run_session
    from pas_lib.stack.state import SessionState
    from pas_lib.stack.supervisor import Stack

    results: dict[date, dict[str, Any]] = {}
    with progress or Progress() as shown, Stack(settings, shown, airflow=False, api=False) as stack:
        state = SessionState.load(stack.state_file)
        for _ in range(sessions):
            engine = DirectEngine(settings, clock_for(settings), stack.warehouse, shown)
            session = run_session(engine, stack.world, state, shown)
            if session is None:
                break
            results[session] = engine.results
        stack.note_timings()
    return results
