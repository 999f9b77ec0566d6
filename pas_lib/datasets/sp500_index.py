"""Daily bars of the S&P 500 index itself."""

from __future__ import annotations

from datetime import date, timedelta

from pas_lib import clock
from pas_lib.datasets.base import Dataset, per_date
from pas_lib.datasets.prices import COLUMNS, RULES

DATASET = Dataset(
    name="sp500_index",
    doc="Daily open, high, low, close and volume of the index ^GSPC.",
    columns=COLUMNS,
    key=("symbol", "event_date"),
    known_at=per_date("event_date", clock.session_close),
    known_at_doc="the session's close",
    cadence="daily",
    tolerance=timedelta(days=4),
    quiet=timedelta(days=6),
    moves_by="event_date",
    sources=("yahoo_chart",),
    history_start=date(2023, 1, 1),
    scope_columns=("symbol",),
    rules=RULES,
)
