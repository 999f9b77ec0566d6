"""Reports of lobbying: who paid whom how much, about what."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, Named, Rule, next_session_midnight, per_date
from pas_lib.sources.senate_lda import HISTORY_START

_of_the_day = per_date("report_date", next_session_midnight)


def known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    """Return the time of posting, else 00:00 of the first session after the report date, else the fetch time."""
    return pc.coalesce(table.column("posted_at").combine_chunks(), _of_the_day(table, fetched_at)).cast(TIMESTAMP)


DATASET = Dataset(
    name="lobbying",
    doc="Lobbying reports per client and registrant.",
    columns=(
        Column("filing_id", "text", "The filing's own id; a digest of what is stated where the source gives none."),
        Column("symbol", "text", "Canonical symbol; NULL where the client's name maps to none."),
        Column("matched_by", "text", "How the symbol was found: `source`, `alias`, `name`, `fuzzy`, or NULL."),
        Column("client", "text", "Who paid, as stated; '' where the source names the symbol only."),
        Column("registrant", "text", "Who lobbied; the client itself when in-house; '' where not stated."),
        Column("amount", "double precision", "USD as reported; NULL is below the threshold or not applicable."),
        Column(
            "amount_kind",
            "text",
            "`income` of an outside firm, `expenses` of an in-house registrant (these include fees paid to firms), or"
            " NULL where the source does not tell them apart.",
        ),
        Column("issue", "text", "General issues, joined by `; `."),
        Column("specific_issue", "text", "Specific issues, joined by `; `."),
        Column("filing_type", "text", "The official code: `Q1`, `1A` amendment, `RR` registration, ..."),
        Column("filing_year", "integer", "Year reported on, where stated."),
        Column("filing_period", "text", "Period reported on: `first_quarter`, ..."),
        Column("registrant_id", "bigint", "The office's number of the registrant."),
        Column("client_id", "bigint", "The office's number of the client; one company has one per registrant."),
        Column("report_date", "date", "Day of filing (New York); NULL where the source does not state it."),
        Column("posted_at", "timestamptz", "Time of posting, where stated."),
        Column("ordinal", "integer", "Numbers otherwise equal rows, from 0."),
    ),
    key=("filing_id", "ordinal"),
    # Where ids are digests a corrected report has another one.
    subject=("symbol", "client", "registrant", "report_date"),
    known_at=known_at,
    known_at_doc="time of posting; a date without time: 00:00 New York of the first session after it; else the fetch",
    ends_doc=(
        "when all pages of a window of days were fetched that names it no more. A collection reaches back a week"
        " only: what was withdrawn later ends with `pas ingest lobbying --start`"
    ),
    cadence="weekly",
    tolerance=timedelta(days=120),
    quiet=timedelta(days=60),
    moves_by="known_at",
    sources=("quiver_api", "quiver_page", "senate_lda"),
    max_quarantine_share=0.05,
    history_start=HISTORY_START,
    overlap=timedelta(days=7),
    ordinal="ordinal",
    numbered_by=("senate_lda",),
    named=Named("client"),
    windowed=True,
    rules=(
        Rule("the amount is negative", lambda table: pc.less(table.column("amount"), 0.0)),
        Rule(
            "neither client nor symbol is stated",
            lambda table: pc.and_(pc.equal(table.column("client"), ""), pc.is_null(table.column("symbol"))),
        ),
    ),
)
