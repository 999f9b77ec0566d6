"""Trades that members of Congress disclosed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, next_session_midnight, per_date

_FROM, _TO = date(2000, 1, 3), date(2035, 1, 1)


def _outside(column: str) -> Callable[[pa.Table], Any]:
    """Return a test for mistyped years, which filings are full of (``0021``, ``2203``)."""

    def outside(table: pa.Table) -> Any:
        # Made here: a scalar made at import would bring pandas into every process that reads the catalogue.
        low, high = pa.scalar(_FROM, pa.date32()), pa.scalar(_TO, pa.date32())
        values = table.column(column)
        return pc.or_(pc.less(values, low), pc.greater(values, high))

    return outside


DATASET = Dataset(
    name="politician_trades",
    doc="Disclosed trades per politician, symbol and day.",
    columns=(
        Column("politician", "text", "Given names first, without titles; middle names as the source has them."),
        Column("bioguide_id", "text", "Identity in the Biographical Directory of Congress.", hashed=False),
        Column("chamber", "text", "`House` or `Senate`."),
        Column("party", "text", "`D`, `R` or `I`."),
        Column("symbol", "text", "Canonical symbol; '' for an asset whose filing states none."),
        Column("asset", "text", "Name of the asset as filed; NULL where the source does not tell.", hashed=False),
        Column("asset_type", "text", "The source's code: `ST` stock, `OP` option, ..."),
        Column("transaction", "text", "`purchase`, `sale`, `sale_partial`, `sale_full` or `exchange`."),
        Column("amount_range", "text", "Disclosed bracket, `$1,001 - $15,000`."),
        Column("amount_low", "double precision", "Lower bound of the bracket in USD."),
        Column("amount_high", "double precision", "Upper bound in USD; NULL when open-ended."),
        Column("transaction_date", "date", "Day of the trade."),
        Column("report_date", "date", "Day of the disclosure."),
        Column("owner", "text", "Whose account: '' the member's own or not stated, `Spouse`, `Joint`, `Child`."),
        Column("description", "text", "Free text of the filing."),
        Column(
            "filing_status",
            "text",
            "`new`, `amended` (restates an earlier filing) or `deleted` (withdraws it); NULL where not told.",
            hashed=False,
        ),
        Column("document", "text", "Number of the official filing; '' where the source does not tell.", default=""),
        Column("filed_at", "timestamptz", "Time of filing, where the source tells the hour.", hashed=False),
        Column(
            "amendment",
            "integer",
            "Number of the amendment of a report, 0 for the report itself; NULL where not told.",
            hashed=False,
        ),
        Column("ordinal", "integer", "Numbers otherwise equal rows, from 0."),
    ),
    key=(
        "politician",
        "symbol",
        "transaction_date",
        "report_date",
        "transaction",
        "amount_range",
        "owner",
        "document",
        "ordinal",
    ),
    subject=("politician", "symbol", "transaction_date", "report_date"),
    event_date="transaction_date",
    known_at=per_date("report_date", next_session_midnight),
    known_at_doc="00:00 New York of the first session after the report date",
    ends_doc=(
        "when a complete list was fetched that names its document no more: the Clerk's index of its year, all"
        " pages of the Senate's search (but for the first week of its window). QuiverQuant states no ids: a full"
        " comparison ends what is gone, and what comes in its place is known from then on, counted as disclosed"
        " since the first of a chain of corrections"
    ),
    cadence="daily",
    tolerance=timedelta(days=14),
    quiet=timedelta(days=21),
    moves_by="known_at",
    sources=("quiver_api", "quiver_page"),
    official=("house_clerk", "senate_efd"),
    parse_only=("congress_mirrors",),
    all_sources=True,
    max_quarantine_share=0.05,
    history_start=date(2012, 1, 1),
    scope_columns=("politician",),
    ordinal="ordinal",
    numbered_by=("house_clerk", "senate_efd"),
    document="document",
    document_day="report_date",
    rules=(
        Rule("the trade's date is implausible", _outside("transaction_date")),
        Rule("the report's date is implausible", _outside("report_date")),
        Rule(
            "reported before it was traded",
            lambda table: pc.less(table.column("report_date"), table.column("transaction_date")),
        ),
    ),
)
