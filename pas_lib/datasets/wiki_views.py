"""Daily page views of the companies' Wikipedia articles."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, per_date


def _two_days_later(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=2), time(0), UTC)


DATASET = Dataset(
    name="wiki_views",
    doc="Page views per article and day (UTC); a day without views has no row.",
    columns=(
        Column("project", "text", "Wiki, e.g. `en.wikipedia`."),
        Column("article", "text", "Title with underscores."),
        Column("access", "text", "`all-access`, `desktop`, `mobile-web` or `mobile-app`."),
        Column("agent", "text", "`user`, `automated`, `spider` or `all-agents`."),
        Column("views", "bigint", "Views of the day.", required=True),
    ),
    key=("project", "article", "access", "agent", "event_date"),
    known_at=per_date("event_date", _two_days_later),
    known_at_doc="the second day after, 00:00 UTC",
    ends_doc="when an answer skips its day between days that it states",
    cadence="daily",
    tolerance=timedelta(days=7),
    quiet=timedelta(days=7),
    moves_by="event_date",
    sources=("wikimedia",),
    history_start=date(2024, 6, 1),
    overlap=timedelta(days=3),
    max_failed_share=0.01,
    scope_columns=("article",),
    rules=(Rule("views are negative", lambda table: pc.less(table.column("views"), 0)),),
)
