"""Splits and cash distributions, parsed out of what comes with the prices."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from pas_lib import clock
from pas_lib.datasets.base import Column, Dataset, Rule, per_date

DATASET = Dataset(
    name="corporate_actions",
    doc="Splits, dividends and capital gains per symbol by ex-date.",
    columns=(
        Column("symbol", "text", "Canonical symbol."),
        Column("action", "text", "`split`, `dividend` or `capital_gain`."),
        Column("ratio", "double precision", "Splits: new shares per old share.", digits=7),
        Column("amount", "double precision", "Cash per share held at the ex-date, in shares of that day.", digits=6),
        Column("currency", "text", "ISO code."),
        Column("ordinal", "integer", "Numbers equal actions of one day, from 0."),
    ),
    key=("symbol", "action", "event_date", "ordinal"),
    known_at=per_date("event_date", clock.ny_midnight),
    known_at_doc="00:00 New York of the ex-date (announced before it)",
    cadence="daily",
    tolerance=timedelta(days=4),
    sources=("yahoo_chart", "alpaca_bars"),
    critical=True,
    may_be_empty=True,
    leader="prices",
    scope_columns=("symbol",),
    ordinal="ordinal",
    rules=(
        Rule("the split ratio is not positive", lambda table: pc.less_equal(table.column("ratio"), 0.0)),
        Rule("the amount is not positive", lambda table: pc.less_equal(table.column("amount"), 0.0)),
    ),
)
