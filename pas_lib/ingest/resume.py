"""Going on with a collection that was interrupted.

A first load or a backfill asks thousands of questions. What it asks is kept in the landing before it begins, each
answer is landed as it comes, and a run that was killed goes on where it stopped: the same questions again, but for
those whose answers lie in its folder. Answers older than a day are not used; then it begins anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from pas_lib.errors import PasError
from pas_lib.landing import Landing
from pas_lib.sources import Ask

if TYPE_CHECKING:
    from pas_lib.settings import Settings

_GOES_ON_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Begun:
    """A collection that was begun.

    Parameters
    ----------
    name : str
        Under which it is kept.
    folder : str
        Where its answers are landed.
    ask : Ask
        What it asks.
    answers : dict
        Identity of a question -> path of its answer, for those that have come.
    """

    name: str
    folder: str
    ask: Ask
    answers: dict[str, str]

    @property
    def run_id(self) -> str:
        """The run's identity."""
        return self.folder.rpartition("/")[2]


def begin(landing: Landing, ask: Ask, session: date | None, wish: dict[str, Any], *, may_go_on: bool) -> Begun:
    """Return the interrupted collection with the same wish, or a new one.

    Parameters
    ----------
    landing : Landing
        Where it is kept.
    ask : Ask
        What a new one asks.
    session : date, optional
        For which session.
    wish : dict
        What tells collections apart: dates, items, sources.
    may_go_on : bool
        Whether it is kept at all.
    """
    text = orjson.dumps({**wish, "session": session}, option=orjson.OPT_SORT_KEYS)
    name = f"begun-{ask.dataset}-{hashlib.sha256(text).hexdigest()[:12]}"
    if not may_go_on:
        return Begun(name, landing.new_folder(ask.dataset, session, ask.now), ask, {})
    state = landing.load_state(name)
    if state is not None and ask.now - datetime.fromisoformat(state["now"]) <= _GOES_ON_FOR:
        return Begun(name, state["folder"], _asked(state, ask.settings), _answers(landing, state["folder"]))
    begun = Begun(name, landing.new_folder(ask.dataset, session, ask.now), ask, {})
    landing.save_state(name, {**_state(ask), "folder": begun.folder})
    return begun


def _state(ask: Ask) -> dict[str, Any]:
    return {
        "dataset": ask.dataset,
        "now": ask.now,
        "start": ask.start,
        "end": ask.end,
        "items": list(ask.items),
        "starts": dict(ask.starts),
        "full": ask.full,
        "following": ask.following,
        "ids": dict(ask.ids),
        "known": sorted(ask.known),
    }


def _asked(state: dict[str, Any], settings: Settings) -> Ask:
    return Ask(
        state["dataset"],
        settings,
        datetime.fromisoformat(state["now"]),
        date.fromisoformat(state["start"]),
        tuple(state["items"]),
        {item: date.fromisoformat(day) for item, day in state["starts"].items()},
        date.fromisoformat(state["end"]) if state["end"] else None,
        state["full"],
        state["following"],
        state["ids"],
        frozenset(state["known"]),
    )


def _answers(landing: Landing, folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in landing.list(folder):
        path = f"{folder}/{name}"
        try:
            key = landing.read(path).key
        except PasError:
            continue
        if key:
            found[key] = path
    return found
