"""Macroeconomic series with the day on which each value became known."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa

from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, next_session_midnight
from pas_lib.sources.fred_lags import lag_known_at


def _known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    known: dict[tuple[date | None, bool], datetime] = {}
    found: list[datetime] = []
    days = table.column("realtime_start").to_pylist()
    for day, vintage in zip(days, table.column("vintage").to_pylist(), strict=True):
        slot = (day, vintage == "lag_rule")
        if slot not in known:
            if day is None:
                known[slot] = fetched_at
            else:
                known[slot] = lag_known_at(day) if slot[1] else next_session_midnight(day)
        found.append(known[slot])
    return pa.array(found, TIMESTAMP)


DATASET = Dataset(
    name="macro_series",
    doc="Observations per series and period, one row per vintage where the source keeps vintages.",
    columns=(
        Column("series_id", "text", "FRED's id."),
        Column("value", "double precision", "In the series' own unit.", required=True),
        Column("realtime_start", "date", "First day on which this value was the current one."),
        Column("vintage", "text", "`alfred` all vintages, `initial` first print, `lag_rule` day derived from a lag."),
    ),
    key=("series_id", "event_date", "realtime_start"),
    known_at=_known_at,
    known_at_doc=(
        "vintages: 00:00 New York of the first session after realtime_start; "
        "lag rule: 16:30 New York of the day the lag table gives"
    ),
    cadence="daily",
    tolerance=timedelta(days=7),
    quiet=timedelta(days=10),
    moves_by="event_date",
    sources=("fred", "fredgraph"),
    history_start=None,
    scope_columns=("series_id",),
)
