"""After a session's orders: returns and metrics, the DuckDB mirror, the documentation page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pas_lib.clock import Clock
from pas_lib.errors import PasError
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse, identity


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation did.

    Attributes
    ----------
    session
        The session evaluated.
    models
        dbt nodes built.
    mirror
        Rows by table of the mirror that was published, as the mirror tells them.
    docs
        Path of the documentation page; None when it was not written anew.
    problems
        What did not work without making the evaluation useless, one line each.
    payloads_removed
        Payloads that were older than PAS_LANDING_RETENTION_DAYS.
    """

    session: date
    models: int
    mirror: Any = None
    docs: Path | None = None
    problems: tuple[str, ...] = field(default=())
    payloads_removed: int = 0


def docs_page(settings: Settings) -> Path:
    """Return where the dbt documentation page is."""
    return settings.home / "docs" / "index.html"


def _is_current(page: Path) -> bool:
    """Whether the page is newer than every file of the dbt project: it shows models, not data."""
    from pas_lib.dbt import PROJECT_DIR

    if not page.exists():
        return False
    made = page.stat().st_mtime
    kinds = {".sql", ".yml", ".md", ".csv"}
    files = (file for file in PROJECT_DIR.rglob("*") if file.suffix in kinds and "target" not in file.parts)
    return all(file.stat().st_mtime < made for file in files)


def evaluate(
    session: date,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    *,
    docs: bool = True,
) -> Evaluation:
    """Evaluate the books after a session.

    Parameters
    ----------
    session
        A decided session.
    settings, clock, warehouse
        Configuration, time, and the store of record.
    docs
        False leaves the documentation page as it is; it is also left when no model changed since it was written.

    Returns
    -------
    Evaluation

    Raises
    ------
    WarehouseUnavailable
        When PostgreSQL cannot be reached.
    PasError
        When dbt or the mirror failed. A failed documentation page is a problem, not a failure.
    """
    from pas_lib.access import forget_ended_sessions
    from pas_lib.dbt import Dbt
    from pas_lib.ingest.retention import prune_landing
    from pas_lib.warehouse.mirror import refresh
    from pas_lib.warehouse.system_log import prune

    identity(warehouse)
    prune(warehouse, clock, settings.log_retention_days)
    forget_ended_sessions(warehouse, clock)
    removed = prune_landing(settings, clock, warehouse)
    runner = Dbt.from_settings(settings)
    built = runner.build(session, part="evaluate")
    published = refresh(settings, clock, warehouse)
    problems: list[str] = []
    page: Path | None = None
    if docs and not _is_current(docs_page(settings)):
        try:
            page = runner.docs(session, docs_page(settings))
        except PasError as error:
            problems.append(str(error))
    return Evaluation(session, len(built.statuses), published, page, tuple(problems), removed.payloads)
