"""``/logs``: what the programs did and what went wrong, from ``ops.system_logs``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query

from api import models, queries
from api.dependencies import Read
from api.listing import Paged

router = APIRouter(tags=["system"])

Level = Literal["debug", "info", "warning", "error", "critical"]
_LEVELS: tuple[Level, ...] = get_args(Level)


@router.get("/logs")
def logs(
    read: Read,
    window: Paged,
    level: Annotated[Level, Query(description="this level and worse ones")] = "debug",
    program: Annotated[str | None, Query(max_length=120, description="e.g. decide.decide, freshness")] = None,
    event: Annotated[str | None, Query(max_length=120)] = None,
    session: Annotated[date | None, Query(description="session the program worked for")] = None,
    run_id: Annotated[str | None, Query(max_length=250)] = None,
) -> models.Listing[models.LogEntry]:
    """Return the programs' events, the newest first; kept for PAS_LOG_RETENTION_DAYS."""
    levels = _LEVELS[_LEVELS.index(level) :] if level != "debug" else ()
    return window.pick(
        read(
            lambda r: queries.logs(
                r, levels=levels, program=program, event=event, session=session, run_id=run_id, window=window
            )
        )
    )
