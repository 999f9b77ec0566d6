"""News headlines of companies, with a sentiment score."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, fetch_time

DATASET = Dataset(
    name="news_headlines",
    doc="Headlines per address and symbol; the page shows about the last day, and each headline counts once.",
    columns=(
        Column("url", "text", "Address of the article."),
        Column("symbol", "text", "Canonical symbol the page names beside the headline; empty where it names none."),
        Column("headline", "text", "As shown; an edited one is a new version.", required=True),
        Column("publisher", "text", "Who published it, as shown.", hashed=False),
        Column(
            "published_at",
            "timestamptz",
            "Time of publication as far as the page tells: it shows `6 min`, `2 hours` or a date.",
            hashed=False,
        ),
        Column("published_precision", "text", "`minute`, `hour` or `day`.", hashed=False),
        Column("capture_date", "date", "Session of the capture that saw this version first.", hashed=False),
        Column("sentiment", "double precision", "Score of the headline, -1 to 1.", hashed=False),
        Column("sentiment_library", "text", "Library that scored it.", hashed=False),
        Column("sentiment_version", "text", "Its release.", hashed=False),
    ),
    key=("url", "symbol"),
    known_at=fetch_time,
    known_at_doc="the fetch time: the page's times are relative, and it may be later than they say",
    cadence="daily",
    history="none",
    tolerance=timedelta(days=4),
    quiet=timedelta(days=6),
    moves_by="event_date",
    sources=("finviz",),
    rules=(
        Rule(
            "the score is outside -1 to 1",
            lambda table: pc.greater(pc.abs(table.column("sentiment")), 1.0),
        ),
    ),
)
