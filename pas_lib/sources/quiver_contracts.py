"""Government contracts as QuiverQuant states them, in the API and on the page.

Exact repetitions are frequent (one recorded answer has 51 different rows of 196); they are kept and numbered.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from pas_lib.sources import congress, contracts, disclosed
from pas_lib.sources.base import Batch, Payload, Reject

FIELDS = ("Date", "Amount", "Agency", "Description")
DATASET = "gov_contracts"


def from_rows(rows: list[dict[str, Any]], payload: Payload) -> Batch:
    """Return the records of the API's rows.

    Raises
    ------
    PayloadError
        If the rows are those of another dataset, or name no company.
    """
    asked = payload.context.get("symbol")
    needed = FIELDS if asked else ("Ticker", *FIELDS)
    start = payload.context.get("start")
    own = [row for row in rows if all(name in row for name in needed)]
    if rows and not own:
        missing = next(name for name in needed if name not in rows[0])
        raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}")
    stated = [
        (
            row,
            row.get("Ticker") or asked,
            row["Date"],
            row.get("action_date"),
            row["Amount"],
            row["Agency"],
            row["Description"],
        )
        for row in own
    ]
    batch = _batch(stated, payload)
    if start:
        batch.scopes.extend(_stated_completely(stated, date.fromisoformat(start)))
    return batch


def _batch(rows: Iterable[tuple[Any, ...]], payload: Payload) -> Batch:
    following = payload.context.get("following") == "true"
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for stated, ticker, day, action, amount, agency, description in rows:
        try:
            symbol = congress.read_symbol(ticker)
            if symbol is None:
                continue
            announced = disclosed.read_day(day)
            acted = disclosed.read_day(action) if action else announced
            value = disclosed.read_amount(amount)
        except (ValueError, TypeError) as error:
            rejects.append(Reject(stated if isinstance(stated, dict) else {"row": stated}, str(error)))
            continue
        office = disclosed.read_text(agency)
        defence = contracts.is_defence(office)
        record = {
            "event_date": acted,
            "modification": "",
            "symbol": symbol,
            "recipient": "",
            "amount": value,
            "amount_kind": "transaction",
            "agency": office,
            "description": disclosed.read_text(description),
            "is_defence": defence,
            "action_date": acted,
            "announced_date": announced if action else None,
            "available_date": None if following else contracts.available(acted, defence, announced),
        }
        names = ("symbol", "action_date", "agency", "description", "amount")
        record["contract_id"] = disclosed.digest(*(record[name] for name in names))
        records.append(record)
    disclosed.number_equal(records, "contract_id")
    return Batch(DATASET, records=records, rejects=rejects)


def _stated_completely(rows: Iterable[tuple[Any, ...]], since: date = date.min) -> list[dict[str, Any]]:
    """Return the days a list states completely: newest first, those after its last one, which may be cut.

    Of a longer list this page is a part of, the pages before it state what is newer. What was announced later than it
    was acted on is listed under the later day, so no action of such a day is missing.
    """
    days: list[date] = []
    for row in rows:
        try:
            days.append(disclosed.read_day(row[2]))
        except ValueError:
            continue
    if not days or any(later > earlier for earlier, later in pairwise(days)):
        return []
    return [{"scope_start": max(since, days[-1] + timedelta(days=1))}]


def from_page(payload: Payload, text: str) -> Batch:
    """Return the records of the page's table: symbol, date, amount, agency, description.

    Raises
    ------
    PayloadError
        If the table is missing, empty, or of another layout.
    """
    table = LexborHTMLParser(text).css_first("table#myTable")
    if table is None:
        raise payload.error("blocked or changed: the table is missing", field_name="myTable")
    rows = []
    for line in table.css("tr"):
        cells = line.css("td")
        if not cells:
            continue
        if len(cells) < 5:
            raise payload.error(f"{len(cells)} columns instead of 5", field_name="myTable")
        link = cells[0].css_first("a")
        ticker = link.text(strip=True) if link is not None else cells[0].text(strip=True)
        day, amount, agency, description = (cell.text(separator=" ", strip=True) for cell in cells[1:5])
        rows.append(([ticker, day, amount, agency, description], ticker, day, None, amount, agency, description))
    if not rows:
        raise payload.error("no contracts on the page", field_name="myTable")
    batch = _batch(rows, payload)
    batch.scopes.extend(_stated_completely(rows))
    if not batch.records:
        first = batch.rejects[0].reason if batch.rejects else "no symbols"
        raise payload.error(f"no row can be read: {first}", field_name="myTable")
    return batch
