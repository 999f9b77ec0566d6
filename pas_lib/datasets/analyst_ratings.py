"""Ratings of analysts."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, per_time

DATASET = Dataset(
    name="analyst_ratings",
    doc="Upgrades, downgrades and other ratings of shares by brokers' analysts, with price targets as stated then.",
    columns=(
        Column("symbol", "text", "Canonical symbol."),
        Column("rating_id", "text", "The source's number of the rating; made of time and firm where it has none."),
        Column("firm", "text", "The broker.", required=True),
        Column("analyst", "text", "The person, where named."),
        Column(
            "action",
            "text",
            "`upgrade`, `downgrade`, `initiate`, `maintain`, `reiterate`, `reinstate`, `assume`, `terminate`,"
            " `suspend`, `remove` or `other`.",
            required=True,
        ),
        Column("rating_current", "text", "The rating in the firm's own words."),
        Column("rating_prior", "text", "The rating before, where stated."),
        Column("target_action", "text", "`announce`, `raise`, `lower`, `maintain` or `other`; NULL without a target."),
        Column(
            "target_current", "double precision", "Price target per share as stated, not adjusted for later splits."
        ),
        Column("target_prior", "double precision", "The target before, as stated then."),
        Column("currency", "text", "Currency of the targets."),
        Column("importance", "integer", "The source's grade of importance, 0 to 5.", hashed=False),
        Column("notes", "text", "Remarks of the source.", hashed=False),
        Column("rated_at", "timestamptz", "When the rating was published.", required=True),
        Column("updated_at", "timestamptz", "When the source last changed it; NULL where not told.", hashed=False),
    ),
    key=("symbol", "rating_id"),
    known_at=per_time("updated_at", "rated_at"),
    known_at_doc="when the source last changed it at the first load, else when it was published",
    ends_doc=(
        "Benzinga: when all pages of a window were fetched without it (the last 90 days at the end of a week);"
        " Yahoo: when a history that begins earlier leaves it out. Benzinga's page ends nothing"
    ),
    cadence="daily",
    tolerance=timedelta(days=7),
    may_be_empty=True,
    quiet=timedelta(days=7),
    moves_by="known_at",
    sources=("benzinga", "benzinga_page", "yahoo_summary"),
    max_quarantine_share=0.05,
    max_failed_share=0.05,
    history_start=date(2023, 1, 1),
    overlap=timedelta(days=1),
    scope_columns=("symbol",),
    rules=(
        Rule("a price target is not positive", lambda table: pc.less_equal(table.column("target_current"), 0.0)),
        Rule("changed before it was published", lambda t: pc.less(t.column("updated_at"), t.column("rated_at"))),
    ),
)
