"""Index membership: who is listed now, and dated additions and removals."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib import clock
from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, per_date

_stated = per_date("effective_date", clock.ny_midnight)


def _known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    fetched = pa.scalar(fetched_at, TIMESTAMP)
    return pc.if_else(table.column("is_assumed").combine_chunks(), fetched, _stated(table, fetched_at))


def _keep_assumed_dates(parsed: pa.Table, current: pa.Table) -> pa.Table:
    """Give a member without a stated date the date under which it is already known.

    Without this, a list that states no dates would make a new key at every collection.
    """
    known = {
        (row["index_name"], row["symbol"], row["event"]): row["effective_date"]
        for row in current.select(["index_name", "symbol", "event", "effective_date", "is_assumed"]).to_pylist()
        if row["is_assumed"]
    }
    dates = []
    columns = ["index_name", "symbol", "event", "effective_date", "is_assumed"]
    for row in parsed.select(columns).to_pylist():
        day = row["effective_date"]
        if row["is_assumed"]:
            day = known.get((row["index_name"], row["symbol"], row["event"]), day)
        dates.append(day)
    days = pa.array(dates, pa.date32())
    for name in ("event_date", "effective_date"):
        parsed = parsed.set_column(parsed.schema.get_field_index(name), name, days)
    return parsed


DATASET = Dataset(
    name="universe",
    doc="Membership events per index and symbol.",
    columns=(
        Column("index_name", "text", "`sp500`, `sp400`, `russell2000` or `etf`."),
        Column("symbol", "text", "Canonical symbol."),
        Column("event", "text", "`listed` on the current list, `added` or `removed` in the table of changes."),
        Column("effective_date", "date", "Day from which it holds, before the open."),
        Column("is_assumed", "boolean", "True where the list states no date: the day it was first seen."),
        Column("weight", "double precision", "Share of the fund, 0 to 1, where a fund is the source.", hashed=False),
        Column("security_name", "text", "Name as listed."),
    ),
    key=("index_name", "symbol", "event", "effective_date"),
    event_date="effective_date",
    known_at=_known_at,
    known_at_doc="00:00 New York of the effective date where stated, else the fetch time",
    ends_doc="when a list was fetched without it; a list with a line that cannot be read takes nobody off",
    cadence="weekly",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=120),
    moves_by="event_date",
    min_count_share=0.5,
    sources=("wikipedia", "ishares", "package"),
    parse_only=("universe_csv",),
    all_sources=True,
    critical=True,
    followers=("securities",),
    scope_columns=("index_name",),
    resolve=_keep_assumed_dates,
)
