"""Daily bars of every symbol the universe knows, as traded (unadjusted)."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib import clock
from pas_lib.datasets.base import Column, Dataset, Rule, per_date


def _price(name: str, doc: str) -> Column:
    return Column(name, "double precision", doc, digits=7)


COLUMNS = (
    Column("symbol", "text", "Canonical symbol, share class after a dot (BRK.B)."),
    _price("open", "First price of the session, as traded, in `currency`."),
    _price("high", "Highest price, as traded."),
    _price("low", "Lowest price, as traded."),
    _price("close", "Last price, as traded: adjusted neither for splits nor for dividends."),
    Column("volume", "double precision", "Shares traded, in shares of that day.", digits=6),
    Column("currency", "text", "ISO code."),
    Column(
        "split_factor",
        "double precision",
        "Product of the later splits that was undone (new shares per old share).",
        hashed=False,
    ),
)


def _no_session(table: pa.Table) -> pa.Array:
    days = table.column("event_date").combine_chunks().dictionary_encode()
    wrong = pa.array([not clock.is_session(day) for day in days.dictionary.to_pylist()], pa.bool_())
    return wrong.take(days.indices)


def _not_positive(table: pa.Table) -> pa.Array:
    bad = pc.less_equal(table.column("close"), 0.0)
    for name in ("open", "high", "low"):
        bad = pc.or_(bad, pc.fill_null(pc.less_equal(table.column(name), 0.0), False))
    return bad


RULES = (
    Rule("close is missing", lambda table: pc.is_null(table.column("close"), nan_is_null=True)),
    Rule("a price is not positive", _not_positive),
    Rule("high is below low", lambda table: pc.less(table.column("high"), table.column("low"))),
    Rule("volume is negative", lambda table: pc.less(table.column("volume"), 0.0)),
    Rule("not a session of the exchange", _no_session),
)

DATASET = Dataset(
    name="prices",
    doc="Daily open, high, low, close and volume per symbol, unadjusted.",
    columns=COLUMNS,
    key=("symbol", "event_date"),
    known_at=per_date("event_date", clock.session_close),
    known_at_doc="the session's close",
    cadence="daily",
    tolerance=timedelta(days=4),
    quiet=timedelta(days=6),
    moves_by="event_date",
    sources=("yahoo_chart", "alpaca_bars"),
    critical=True,
    history_start=date(2023, 1, 1),
    overlap=timedelta(days=7),
    max_failed_share=0.01,
    followers=("corporate_actions",),
    scope_columns=("symbol",),
    rules=RULES,
)
