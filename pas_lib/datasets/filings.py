"""Filings of companies at the SEC, and the dates on which their earnings are expected."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.clock import NY
from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, Rule, next_session_midnight, per_date
from pas_lib.sources.filings import RELEASED_LATER

#: EDGAR shows nothing of a filing date before this hour of it, New York.
_OPENS = time(6)


def _opening(day: date) -> datetime:
    return datetime.combine(day, _OPENS, NY)


def _known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
    """Return when a filing could be read, or when an expected date was fetched.

    What is accepted after half past five is dated the next working day and shown from its opening hour on. Letters of
    the staff are released weeks after the date they carry: only an index tells when.
    """
    fetched = pa.scalar(fetched_at, TIMESTAMP)
    opening = per_date("filed", _opening)(table, fetched_at)
    accepted = table.column("accepted_at").combine_chunks()
    shown = pc.if_else(pc.less(accepted, opening), opening, accepted)
    filed, indexed = table.column("filed").combine_chunks(), table.column("indexed").combine_chunks()
    later = pc.if_else(pc.fill_null(pc.greater(indexed, filed), False), indexed, filed)
    dated = per_date("day", next_session_midnight)(pa.table({"day": later}), fetched_at)
    letter = pc.is_in(table.column("form"), pa.array(sorted(RELEASED_LATER))).combine_chunks()
    unknown = pc.and_(letter, pc.is_null(indexed))
    return pc.if_else(unknown, fetched, pc.coalesce(shown, dated))


def _accepted_after_filing(table: pa.Table) -> Any:
    # Up to 22:30 New York, which may be the next day in UTC: that is lenient by some hours.
    return pc.greater(
        pc.cast(pc.subtract(table.column("accepted_at"), timedelta(hours=6)), pa.date32()), table.column("filed")
    )


DATASET = Dataset(
    name="filings",
    doc="Filings of companies as EDGAR accepted them, and the next date of earnings as a calendar shows it.",
    columns=(
        Column("entity", "text", "Whose: `cik` and ten digits from EDGAR, the symbol from Yahoo."),
        Column(
            "kind",
            "text",
            "`filing` as accepted by EDGAR, or `earnings_date`: the next one a calendar shows.",
        ),
        Column("accession", "text", "Number of the filing; '' for a date of earnings."),
        Column("symbol", "text", "Canonical symbol it was asked under; NULL where none was.", hashed=False),
        Column("cik", "text", "Ten digits; NULL from Yahoo.", hashed=False),
        Column("company", "text", "Name as stated.", hashed=False),
        Column("form", "text", "`10-K`, `10-Q`, `8-K`, `NT 10-K`, ... with `/A` for amendments; NULL from Yahoo."),
        Column("items", "text", "Items of an 8-K, comma separated (2.02: results); NULL where not told."),
        Column("report_date", "date", "End of the period a report is about, or day of the event of an 8-K."),
        Column("filed", "date", "Official filing date; NULL from Yahoo."),
        Column("accepted_at", "timestamptz", "When EDGAR accepted it; NULL from an index."),
        Column("indexed", "date", "Day of the daily index that lists it; NULL elsewhere.", hashed=False),
        Column("document", "text", "Main document within the filing.", hashed=False),
        Column("expected_from", "date", "First day on which earnings are expected, New York."),
        Column("expected_to", "date", "Last such day; the same where one day is stated."),
        Column("is_estimate", "boolean", "Whether the date is the site's estimate, not the company's word."),
    ),
    key=("entity", "kind", "accession"),
    known_at=_known_at,
    known_at_doc=(
        "a filing: its acceptance, not before 06:00 New York of its filing date; without a time, 00:00 New York of the"
        " first session after its date; a date of earnings, and letters of the staff: the fetch time"
    ),
    ends_doc=(
        "a filing when its company's list, which begins earlier, leaves it out; a date of earnings when the"
        " calendar shows another one or none. An index ends nothing: EDGAR takes nothing off"
    ),
    cadence="weekly",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=15),
    moves_by="event_date",
    sources=("sec_submissions", "sec_index", "yahoo_calendar"),
    all_sources=True,
    max_quarantine_share=0.02,
    max_missing_share=0.25,
    max_failed_share=0.05,
    history_start=date(2023, 1, 1),
    overlap=timedelta(days=7),
    scope_columns=("entity", "kind"),
    rules=(
        Rule(
            "neither a filing with form and date nor an expected date",
            lambda t: pc.invert(
                pc.or_(
                    pc.and_(
                        pc.equal(t.column("kind"), "filing"),
                        pc.and_(pc.is_valid(t.column("form")), pc.is_valid(t.column("filed"))),
                    ),
                    pc.and_(pc.equal(t.column("kind"), "earnings_date"), pc.is_valid(t.column("expected_from"))),
                )
            ),
        ),
        Rule("accepted after its filing date", _accepted_after_filing),
        Rule(
            "the expected days are in the wrong order",
            lambda t: pc.less(t.column("expected_to"), t.column("expected_from")),
        ),
    ),
)
