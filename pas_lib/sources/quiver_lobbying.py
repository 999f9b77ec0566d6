"""Lobbying as QuiverQuant states it, in the API and on the page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from pas_lib.sources import congress, disclosed
from pas_lib.sources.base import Batch, Payload, Reject

FIELDS = ("Ticker", "Date", "Amount", "Client")
DATASET = "lobbying"


def from_rows(rows: list[dict[str, Any]], payload: Payload) -> Batch:
    """Return the records of the API's rows.

    Raises
    ------
    PayloadError
        If the rows are those of another dataset.
    """
    own = [row for row in rows if all(name in row for name in FIELDS)]
    if rows and not own:
        # A quoted row may lack the ticker; a whole answer without it has changed.
        missing = next(name for name in FIELDS if name not in rows[0])
        raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}")
    batch = _batch(
        (
            row,
            row["Ticker"],
            row["Client"],
            row.get("Registrant"),
            row["Amount"],
            row["Date"],
            row.get("Issue"),
            row.get("Specific_Issue"),
        )
        for row in own
    )
    if "end" in payload.context:
        # All pages together state the window completely: what is missing was withdrawn, or corrected.
        start, end = (date.fromisoformat(payload.context[name]) for name in ("start", "end"))
        batch.scopes.append({"scope_start": start, "scope_end": end})
    return batch


def _batch(rows: Iterable[tuple[Any, ...]]) -> Batch:
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for stated, ticker, client, registrant, amount, day, issue, specific in rows:
        try:
            symbol = congress.read_symbol(ticker)
            if symbol is None:
                continue
            reported = disclosed.read_day(day)
            value = disclosed.read_amount(amount)
        except (ValueError, TypeError) as error:
            rejects.append(Reject(stated if isinstance(stated, dict) else {"row": stated}, str(error)))
            continue
        record = {
            "event_date": reported,
            "symbol": symbol,
            "client": disclosed.read_text(client) or "",
            "registrant": disclosed.read_text(registrant) or "",
            "amount": value,
            "issue": disclosed.read_list(issue),
            "specific_issue": disclosed.read_list(specific),
            "report_date": reported,
        }
        names = ("symbol", "client", "registrant", "report_date", "amount", "issue", "specific_issue")
        record["filing_id"] = disclosed.digest(*(record[name] for name in names))
        records.append(record)
    disclosed.number_equal(records, "filing_id")
    return Batch(DATASET, records=records, rejects=rejects)


def from_page(payload: Payload, text: str) -> Batch:
    """Return the records of the page's first table: symbol with company, amount, date.

    Raises
    ------
    PayloadError
        If the table is missing, empty, or of another layout.
    """
    tables = LexborHTMLParser(text).css("div.table-inner")
    if not tables:
        raise payload.error("blocked or changed: the table is missing", field_name="table-inner")
    cells = tables[0].css("td")
    if not cells:
        raise payload.error("no reports on the page", field_name="table-inner")
    if len(cells) % 3:
        raise payload.error(f"{len(cells)} cells instead of groups of three", field_name="table-inner")
    rows = []
    for at in range(0, len(cells), 3):
        ticker, _, company = cells[at].text(separator="\n", strip=True).partition("\n")
        amount, day = (cells[at + i].text(strip=True) for i in (1, 2))
        rows.append(([ticker, amount, day], ticker, company.replace("\n", " "), None, amount, day, None, None))
    batch = _batch(rows)
    if not batch.records:
        first = batch.rejects[0].reason if batch.rejects else "no symbols"
        raise payload.error(f"no row can be read: {first}", field_name="table-inner")
    return batch
