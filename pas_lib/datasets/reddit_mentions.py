"""How often symbols are mentioned on Reddit."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, fetch_time

DATASET = Dataset(
    name="reddit_mentions",
    doc="Mentions per symbol in the 24 hours before a capture; one capture per session.",
    columns=(
        Column("forum", "text", "The site's filter: a group of forums (`all-stocks`) or one of them."),
        Column("symbol", "text", "Canonical symbol. Matched by word: `IT`, `ALL` or `DTE` count ordinary English too."),
        Column("capture_date", "date", "Session of the capture."),
        Column("name", "text", "Name as the site spells it, sometimes cut.", hashed=False),
        Column("rank", "integer", "1 for the most mentioned.", required=True),
        Column("mentions", "bigint", "Mentions in the 24 hours before the capture.", required=True),
        Column("upvotes", "bigint", "Votes of these mentions; may be negative."),
        Column("rank_24h_ago", "integer", "Rank a day earlier, as the site says; NULL if it was not ranked."),
        Column("mentions_24h_ago", "bigint", "Mentions a day earlier, as the site says; NULL if it was not ranked."),
    ),
    key=("forum", "symbol", "capture_date"),
    event_date="capture_date",
    known_at=fetch_time,
    known_at_doc="the fetch time: the site states none",
    cadence="daily",
    history="none",
    tolerance=timedelta(days=4),
    quiet=timedelta(days=6),
    moves_by="content",
    min_count_share=0.3,
    sources=("apewisdom",),
    rules=(
        Rule("mentions are negative", lambda table: pc.less(table.column("mentions"), 0)),
        Rule("rank is below 1", lambda table: pc.less(table.column("rank"), 1)),
    ),
)
