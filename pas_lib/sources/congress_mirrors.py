"""Community copies of Congress's filings (House and Senate Stock Watcher, capitol-watch, kadoa): read, never collected.

What the copies of House reports call the day of disclosure is the day on which the member was notified of the trade,
days before anybody else could know of it. The official day comes from the Clerk's yearly index, by the number of the
report: ``context["filed"]`` holds it as JSON (number -> ISO date). Without it the day stays open. Returns computed
after the fact are never read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson

from pas_lib.sources import congress, senate_efd
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, document_name, excerpt

_TAG = re.compile(r"<[^>]+>")
_OPEN_BRACKET = re.compile(r"^\$([\d,]+)\s*-$")
_OWNERS = {
    "": "",
    "--": "",
    "self": "",
    "spouse": "Spouse",
    "sp": "Spouse",
    "joint": "Joint",
    "jt": "Joint",
    "child": "Child",
    "dependent": "Child",
    "dependent child": "Child",
    "dc": "Child",
}
_HEADS = (b"disclosure_year,disclosure_date,", b"transaction_date,owner,ticker,")
_NAMES = (b'"representative"', b'"senator"', b'"filer_name"', b'"date_recieved"')


class CongressMirrors(Source):
    """Files of the copies, as JSON or CSV."""

    name = "congress_mirrors"
    site = "congress-mirrors"
    host = ""
    profiles = frozenset()

    def requests(self, ask: Ask) -> Iterable[Request]:  # noqa: ARG002 - part of the contract
        """Return nothing: files of copies are only read."""
        return ()

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a list of trades of one of the copies."""
        head = body[:3000].lstrip(b"\xef\xbb\xbf \r\n\t")
        if head.startswith(_HEADS):
            return True
        return head.startswith(b"[") and b'"transaction_date"' in head and any(name in head for name in _NAMES)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is no list of trades."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per trade."""
        filed = _filed(payload)
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in _rows(payload):
            try:
                found = _record(row, filed)
            except (ValueError, TypeError) as error:
                rejects.append(Reject(row, str(error)))
                continue
            if isinstance(found, str):
                rejects.append(Reject(row, found, expected=True))
            else:
                records.append(found)
        congress.number_equal(records)
        return [Batch("politician_trades", records=records, rejects=rejects)]


def _filed(payload: Payload) -> dict[str, date] | None:
    told = payload.context.get("filed")
    return {name: date.fromisoformat(day) for name, day in json.loads(told).items()} if told else None


def _rows(payload: Payload) -> list[dict[str, Any]]:
    body = payload.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body.startswith(_HEADS):
        return list(csv.DictReader(io.StringIO(body.decode("utf-8", "replace"))))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise payload.error(f"not JSON or cut off ({excerpt(body)!r})") from None
    if not isinstance(document, list) or not document or not all(isinstance(row, dict) for row in document):
        raise payload.error("no list of trades")
    rows: list[dict[str, Any]] = []
    for row in document:
        if "transactions" in row:
            # A day's summary of the Senate: who filed, and the trades within.
            about = {key: value for key, value in row.items() if key != "transactions"}
            rows.extend({**about, **inner} for inner in row["transactions"])
        else:
            rows.append(row)
    return rows


def _plain(value: Any) -> str:
    return " ".join(_TAG.sub(" ", str(value or "")).split())


def _record(row: dict[str, Any], filed: dict[str, date] | None) -> dict[str, Any] | str:
    """Return a record, or why a row of a known kind is not read."""
    kind = _plain(row.get("type", row.get("transaction_type"))).lower().replace("_", " ")
    if kind == "n/a":
        return "filed on paper, not read"
    if row.get("branch") == "executive":
        return "a filer of the executive branch"
    link = str(row.get("ptr_link") or row.get("source_url") or row.get("doc_url") or "")
    document = document_name(link).removesuffix(".pdf")
    house = "representative" in row or row.get("chamber") == "house"
    report_date = _report_date(row, house, document, filed)
    if house and filed is not None and report_date is None:
        return "no official day of filing is known"
    owner = _plain(row.get("owner")).lower()
    if owner not in _OWNERS:
        raise ValueError(f"unknown owner {row['owner']!r}")
    traded = _day(row["transaction_date"])
    amount_range, low, high = _amount(row)
    return {
        "event_date": traded,
        "politician": _person(row),
        "chamber": "House" if house else "Senate",
        "party": row.get("party") or None,
        "symbol": congress.read_symbol(_plain(row.get("ticker"))) or "",
        "asset": _plain(row.get("asset_description", row.get("asset_name"))) or None,
        "asset_type": congress.text_or_none(row.get("asset_type")),
        "transaction": congress.read_transaction(re.sub(r"^sale (full|partial)$", r"sale (\1)", kind)),
        "amount_range": amount_range,
        "amount_low": low,
        "amount_high": high,
        "transaction_date": traded,
        "report_date": report_date,
        "owner": _OWNERS[owner],
        "description": congress.text_or_none(_plain(row.get("comment")).replace("--", "")),
        "document": document,
    }


def _report_date(row: dict[str, Any], house: bool, document: str, filed: dict[str, date] | None) -> date | None:
    if filed is not None and document in filed:
        return filed[document]
    if "filing_date" in row:
        return _day(row["filing_date"])
    told = None if house else row.get("disclosure_date", row.get("date_recieved"))
    return _day(told) if told else None


def _day(value: Any) -> date:
    text = str(value or "").strip()
    return congress.read_us_day(text) if "/" in text else date.fromisoformat(text)


def _amount(row: dict[str, Any]) -> tuple[str, float | None, float | None]:
    text = str(row.get("amount", row.get("amount_range_label")) or "")
    low = row.get("amount_range_low")
    cut = _OPEN_BRACKET.match(text.strip())
    if cut is not None:
        # The upper bound was lost: the bracket that begins there.
        text, low = "", cut[1].replace(",", "")
    if "$" not in text and low is None:
        raise ValueError(f"{text!r} is no amount")
    return congress.read_amount(text, low)


def _person(row: dict[str, Any]) -> str:
    if "first_name" in row:
        return senate_efd.read_person(str(row.get("office") or ""), f"{row['first_name']} {row.get('last_name')}")
    name = str(row.get("representative") or row.get("senator") or row.get("filer_name") or "")
    suffix = re.search(r",\s*(jr|sr|ii|iii|iv)\.?$", name, re.I)
    return congress.read_name(name) if suffix else senate_efd.read_person(name, name)


SOURCE = CongressMirrors()
