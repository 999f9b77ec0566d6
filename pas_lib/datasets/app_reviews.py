"""Ratings of companies' apps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, Rule, next_session_midnight, per_date

_stated = per_date("rated_on", next_session_midnight)


def _known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    stated, fetched = _stated(table, fetched_at), pa.scalar(fetched_at, TIMESTAMP)
    return pc.if_else(pc.less(stated, fetched), stated, fetched)


DATASET = Dataset(
    name="app_reviews",
    doc="Rating and number of ratings per company's app.",
    columns=(
        Column("symbol", "text", "Canonical symbol."),
        Column("app", "text", "Name of the app; empty where the page names none."),
        Column("publisher", "text", "Who publishes it; empty where the source names none."),
        Column("ordinal", "integer", "Numbers rows that are otherwise equal, from 0."),
        Column("rating", "double precision", "Mean rating, 0 to 5."),
        Column("ratings", "bigint", "Number of ratings."),
        Column("hype", "double precision", "Hype score, where the page shows one instead of ratings."),
        Column("rated_on", "date", "Day the source states; NULL where it states none.", hashed=False),
        Column("capture_date", "date", "Session of the capture that saw this version first.", hashed=False),
    ),
    key=("symbol", "app", "publisher", "event_date", "ordinal"),
    known_at=_known_at,
    known_at_doc="00:00 New York of the first session after the stated day; the fetch time where that is earlier, or no"
    " day is stated",
    cadence="weekly",
    history="none",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=21),
    moves_by="content",
    sources=("quiver_appratings", "quiver_scores"),
    ordinal="ordinal",
    rules=(
        Rule(
            "the rating is outside 0 to 5",
            lambda table: pc.or_(pc.less(table.column("rating"), 0), pc.greater(table.column("rating"), 5)),
        ),
        Rule("the number of ratings is negative", lambda table: pc.less(table.column("ratings"), 0)),
        Rule(
            "neither a rating nor a hype score",
            lambda table: pc.and_(pc.is_null(table.column("rating")), pc.is_null(table.column("hype"))),
        ),
    ),
)
