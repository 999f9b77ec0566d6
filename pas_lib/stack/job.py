"""One session from its evening to the evaluation of its orders, going on where an earlier job was cut off."""

from __future__ import annotations

from datetime import date

from pas_lib import clock as calendar
from pas_lib.stack.engine import Engine
from pas_lib.stack.progress import Progress
from pas_lib.stack.state import STEPS, SessionState
from pas_lib.stack.world import World

_EVENING = STEPS[:3]


def run_session(engine: Engine, world: World, state: SessionState, progress: Progress) -> date | None:
    """Run the next session's steps that are not done yet.

    Every step may be run again without harm, and those of the evening are one chain: if one of them is missing, all
    three are run.

    Returns
    -------
    date or None
        The session worked on; ``None`` if there is nothing to do yet.
    """
    session = world.next_session(state)
    if session is None:
        progress.say(f"session {state.session} is done; the next one is collected in the evening")
        return None
    going_on = session == state.unfinished and state.done
    progress.say(f"session {session}{f', going on after {state.done[-1]}' if going_on else ''}")
    state.begin(session)
    if not set(_EVENING) <= set(state.done):
        engine.evening(session, state.finish)
    if not world.reach_open(session):
        opening = calendar.session_open(calendar.next_session(session)).astimezone(calendar.NY)
        progress.say(f"orders of {session} go out at {opening:%Y-%m-%d %H:%M} New York time")
        return session
    if STEPS[-1] not in state.done:
        engine.next_day(session, state.finish)
    return session
