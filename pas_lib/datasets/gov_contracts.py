"""Contracts of the federal government: what was obligated to whom, by action date."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, Named, Rule, next_session_midnight, per_date

_published = per_date("available_date", next_session_midnight)


def known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    """Return 00:00 New York of the first session after the day of publication, or the fetch time if that is earlier.

    Rows without a day of publication are known from the time they were first seen.
    """
    published, seen = _published(table, fetched_at), pa.scalar(fetched_at, TIMESTAMP)
    return pc.if_else(pc.less(published, seen), published, seen)


def _implausible(table: pa.Table) -> pa.ChunkedArray:
    days = table.column("action_date")
    low, high = pa.scalar(date(1978, 1, 1), pa.date32()), pa.scalar(date(2035, 1, 1), pa.date32())
    return pc.or_(pc.less(days, low), pc.greater(days, high))


DATASET = Dataset(
    name="gov_contracts",
    doc="Obligations of federal contracts per company and action date.",
    columns=(
        Column("contract_id", "text", "The award's own id; a digest of what is stated where the source gives none."),
        Column("modification", "text", "Number of the modification; '' where not stated."),
        Column("symbol", "text", "Canonical symbol; NULL where the recipient's name maps to none."),
        Column("matched_by", "text", "How the symbol was found: `source`, `alias`, `name`, `fuzzy`, or NULL."),
        Column("recipient", "text", "Who gets the money, as stated; '' where the source names the symbol only."),
        Column("amount", "double precision", "USD; negative takes an obligation back.", required=True),
        Column(
            "amount_kind",
            "text",
            "`transaction` (obligated on the action date) or `award_total` (of the award's life, restated later).",
        ),
        Column("agency", "text", "Awarding agency."),
        Column("sub_agency", "text", "Awarding sub-agency."),
        Column("award_type", "text", "`DELIVERY ORDER`, `DEFINITIVE CONTRACT`, ..."),
        Column("description", "text", "Free text."),
        Column("is_defence", "boolean", "Awarded by the Department of Defense: published 90 days late."),
        Column("action_date", "date", "Day of the obligation."),
        Column("announced_date", "date", "The source's own second date, where it has one.", hashed=False),
        Column(
            "available_date",
            "date",
            "Day of publication by rule, for rows loaded as history; NULL: known when first seen.",
            hashed=False,
        ),
        Column("ordinal", "integer", "Numbers otherwise equal rows, from 0."),
    ),
    key=("contract_id", "modification", "action_date", "ordinal"),
    # Where ids are digests a corrected contract has another one.
    subject=("symbol", "action_date"),
    event_date="action_date",
    known_at=known_at,
    known_at_doc=(
        "first seen; of history: 00:00 New York of the first session after the publication, which is 5 days after the"
        " action (90 for defence) or the site's later date"
    ),
    ends_doc=(
        "when everything acted on since a day (USAspending: in a month) was fetched without it, paged to the end"
        " and counted; what QuiverQuant states in its place is known from then on. An award whose total falls"
        " below what is asked for (1 million) leaves the list, too"
    ),
    cadence="weekly",
    tolerance=timedelta(days=30),
    quiet=timedelta(days=30),
    moves_by="event_date",
    sources=("quiver_api", "quiver_page", "usaspending"),
    max_quarantine_share=0.05,
    history_start=date(2018, 1, 1),
    # Defence appears 90 days after the action, and corrections weeks later.
    overlap=timedelta(days=140),
    ordinal="ordinal",
    numbered_by=("usaspending",),
    named=Named("recipient"),
    windowed=True,
    rules=(Rule("the action's date is implausible", _implausible),),
)
