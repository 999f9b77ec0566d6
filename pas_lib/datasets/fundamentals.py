"""Figures of companies' statements as filed, and the figures a quote page shows."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, next_session_midnight, per_date

DATASET = Dataset(
    name="fundamentals",
    doc="Figures per company, concept and period, one row per filing that states them; snapshots of quote pages.",
    columns=(
        Column("entity", "text", "Whose figure: `cik` and ten digits from SEC filings, the symbol from Yahoo."),
        Column(
            "symbol",
            "text",
            "Canonical symbol it was asked under; NULL in a file that does not tell.",
            hashed=False,
        ),
        Column("cik", "text", "Ten digits; NULL from Yahoo.", hashed=False),
        Column("taxonomy", "text", "`us-gaap` or `dei` from filings, `yahoo` otherwise.", required=True),
        Column("concept", "text", "Name of the figure in its taxonomy, as stated."),
        Column("unit", "text", "`USD` or another currency, `shares`, `USD/shares`, or `pure` for ratios."),
        Column(
            "frequency",
            "text",
            "`instant`; `quarter`, `half`, `nine_months`, `year` or `other` by the length of the period; `trailing`"
            " twelve months; `snapshot` what a page showed when fetched. Yahoo's quarters and years hold balances too.",
        ),
        Column("period_start", "date", "First day of the period; NULL for instants and where the site tells none."),
        Column("period_days", "integer", "Days from its first to its last day; 0 where period_start is NULL."),
        Column("value", "double precision", "In `unit`. Yahoo's debtToEquity is in percent.", required=True),
        Column("filed", "date", "Day of the filing; NULL from Yahoo."),
        Column("form", "text", "`10-K`, `10-Q`, `8-K`, ...; NULL from Yahoo.", hashed=False),
        Column("accession", "text", "Number of the filing; empty from Yahoo."),
        Column("fiscal_year", "integer", "Fiscal year of the filing, not of the period.", hashed=False),
        Column("fiscal_period", "text", "Fiscal period of the filing, not of the period.", hashed=False),
    ),
    key=("entity", "concept", "unit", "frequency", "event_date", "period_days", "accession"),
    known_at=per_date("filed", next_session_midnight),
    known_at_doc="00:00 New York of the first session after the filing date; the fetch time where none is stated",
    cadence="weekly",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=21),
    moves_by="known_at",
    sources=("yahoo_summary", "yahoo_timeseries", "sec_facts"),
    all_sources=True,
    max_quarantine_share=0.02,
    max_failed_share=0.05,
    overlap=timedelta(days=14),
    scope_columns=("entity",),
    rules=(
        Rule("the period begins after its end", lambda t: pc.greater(t.column("period_start"), t.column("event_date"))),
        Rule("filed before the period ended", lambda t: pc.less(t.column("filed"), t.column("event_date"))),
        Rule(
            "a number of shares is not positive",
            lambda t: pc.and_(
                pc.equal(t.column("concept"), "EntityCommonStockSharesOutstanding"),
                pc.less_equal(t.column("value"), 0.0),
            ),
        ),
    ),
)
