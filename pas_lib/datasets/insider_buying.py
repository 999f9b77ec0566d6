"""Transactions of company insiders."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import Column, Dataset, Rule, per_time
from pas_lib.sources.insiders import HISTORY_START

_FROM, _TO = date(2000, 1, 3), date(2035, 1, 1)


def _implausible(table: pa.Table) -> Any:
    # Made here: a scalar made at import would bring pandas into every process that reads the catalogue.
    low, high = pa.scalar(_FROM, pa.date32()), pa.scalar(_TO, pa.date32())
    values = table.column("transaction_date")
    return pc.or_(pc.less(values, low), pc.greater(values, high))


def _filed_before(table: pa.Table) -> Any:
    # Filings are accepted until 22:00 New York, which may be the next day in UTC: that is lenient by some hours.
    return pc.less(pc.cast(table.column("filed_at"), pa.date32()), table.column("transaction_date"))


DATASET = Dataset(
    name="insider_buying",
    doc="Transactions in shares that insiders of companies reported on Form 4, one per line of a filing.",
    columns=(
        Column("symbol", "text", "Canonical symbol as the filing states it."),
        Column("issuer_cik", "text", "CIK of the company, ten digits.", hashed=False),
        Column("insider", "text", "Name of the (first) reporting owner as filed, surname first."),
        Column("insider_cik", "text", "CIK of the (first) reporting owner, ten digits.", hashed=False),
        Column("owners", "integer", "Number of reporting owners of the filing; the shares are theirs together."),
        Column("officer_title", "text", "Office held."),
        Column("is_director", "boolean", "Whether a reporting owner is a director."),
        Column("is_officer", "boolean", "Whether a reporting owner is an officer."),
        Column("is_ten_percent_owner", "boolean", "Whether a reporting owner holds a tenth of a class."),
        Column("is_other", "boolean", "Whether a reporting owner is an insider in another way."),
        Column("code", "text", "Code of Form 4: `P` purchase, `S` sale, `A` award, `M` exercise, `G` gift, ..."),
        Column("acquired_disposed", "text", "`A` acquired, `D` disposed of."),
        Column("shares", "double precision", "Shares of the transaction."),
        Column("price", "double precision", "Price per share in USD; 0 for awards, NULL where only a footnote tells."),
        Column("value", "double precision", "Shares times price in USD."),
        Column("shares_following", "double precision", "Shares held afterwards."),
        Column("ownership", "text", "`D` direct, `I` indirect, '' not stated."),
        Column("security_title", "text", "Class of shares as filed; '' not stated."),
        Column("transaction_date", "date", "Day of the transaction."),
        Column("filed_at", "timestamptz", "When the filing was accepted."),
        Column("is_amendment", "boolean", "Whether the filing corrects an earlier one; NULL where not told."),
        Column(
            "original_filed", "date", "Day of the filing that an amendment corrects, as it states it.", hashed=False
        ),
        Column("is_planned", "boolean", "Whether the trade followed a plan under rule 10b5-1; NULL where not told."),
        Column("accession", "text", "Number of the filing.", hashed=False),
        Column("ordinal", "integer", "Numbers lines with an equal key, from 0."),
    ),
    key=(
        "symbol",
        "insider",
        "transaction_date",
        "code",
        "ownership",
        "security_title",
        "filed_at",
        "ordinal",
    ),
    event_date="transaction_date",
    known_at=per_time("filed_at"),
    known_at_doc="when the filing was accepted",
    ends_doc=(
        "from QuiverQuant, when all pages since a day were fetched without it. EDGAR takes nothing off its"
        " indexes: a filing is ended by its amendment, in staging. An amendment that restates fewer lines than the"
        " filing, and not their sum, replaces of several equal lines as many as it restates; of lines that are"
        " alike and differ all, since which one is meant is not told"
    ),
    cadence="daily",
    tolerance=timedelta(days=7),
    may_be_empty=True,
    quiet=timedelta(days=7),
    moves_by="known_at",
    sources=("quiver_api", "quiver_page", "sec_edgar"),
    max_quarantine_share=0.05,
    history_start=HISTORY_START,
    overlap=timedelta(days=1),
    ordinal="ordinal",
    numbered_by=("sec_edgar",),
    rules=(
        Rule("the transaction's date is implausible", _implausible),
        Rule("filed before it was traded", _filed_before),
        Rule("shares are negative", lambda table: pc.less(table.column("shares"), 0.0)),
        Rule("the price is negative", lambda table: pc.less(table.column("price"), 0.0)),
    ),
)
