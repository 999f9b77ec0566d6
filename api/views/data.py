"""The pages of the data: how old it is, what was refused, what the programs did, and samples of every table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api import catalogue, freshness, models
from api.catalogue import Table
from api.errors import NotReady
from api.store import Reader
from api.values import cell
from api.views.frame import Frame, frame

#: Rows of a sample.
SAMPLE = 50
_LONGEST = 160


@dataclass(frozen=True)
class Collection:
    """Everything on the page of the data."""

    frame: Frame
    freshness: list[freshness.Freshness]
    quarantine: list[models.QuarantineGroup]
    events: list[dict[str, Any]]
    tables: list[tuple[str, list[Table]]]


@dataclass(frozen=True)
class Sample:
    """Some rows of one table, as text."""

    frame: Frame
    table: Table
    columns: list[tuple[str, str]]
    rows: list[list[str]]
    order: str


def build(reader: Reader, now: datetime) -> Collection:
    """Return the page's content.

    Parameters
    ----------
    now : datetime
        For the age of what was collected.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    distinct = {(t.schema, t.name): t for t in catalogue.tables().values()}
    schemas = ("marts", "ops", "raw")
    return Collection(
        frame=frame(reader),
        freshness=freshness.datasets(reader, now),
        quarantine=_quarantine(reader),
        events=reader.records(
            "select logged_at, level, program, event, session from ops.system_logs order by log_id desc limit 30"
        ),
        tables=[(one, [table for place, table in sorted(distinct.items()) if place[0] == one]) for one in schemas],
    )


def _quarantine(reader: Reader) -> list[models.QuarantineGroup]:
    """Return the open records of the quarantine by dataset and reason, the most frequent first."""
    rows = reader.records(
        "select q.dataset, q.reason, count(*) as count, max(q.quarantined_at) as newest from ops.quarantine q"
        " where not exists (select 1 from ops.quarantine_states s where s.quarantine_id = q.quarantine_id)"
        " group by q.dataset, q.reason order by count(*) desc, q.dataset, q.reason limit 50"
    )
    return [models.QuarantineGroup(**row) for row in rows]


def sample(reader: Reader, name: str) -> Sample:
    """Return some rows of a catalogued table: the newest where its key says which they are.

    Marts are shown as they lie: ordering millions of rows for a sample would take longer than it is worth.

    Raises
    ------
    NotFound
        If there is no such table.
    NotReady
        If it has not been built yet.
    """
    table = catalogue.find(name)
    columns = catalogue.columns_of(reader, table)
    if not columns:
        raise NotReady(f"{table.schema}.{table.name} is not there yet", hint="`make run` or `pas build` creates it")
    is_ordered = table.schema != "marts" and len(table.key) == 1 and table.key[0] in columns
    by = f' order by "{table.key[0]}" desc' if is_ordered else ""
    selected = ", ".join(f'{table.value(one)} as "{one}"' for one in columns)
    found = reader.fetch(
        f"select {selected} from {table.qualified}{by} limit %(n)s",  # noqa: S608 - names of the catalogue
        {"n": SAMPLE},
    )
    shown = catalogue.decoded(found)
    return Sample(
        frame=frame(reader),
        table=table,
        columns=list(columns.items()),
        rows=[[_short(cell(value)) for value in row] for row in shown.rows],
        order=f"the newest by {table.key[0]}" if is_ordered else "in no particular order",
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
