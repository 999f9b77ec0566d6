"""QuiverQuant's JSON API: trades of members of Congress, transactions of insiders, lobbying, government contracts.

Returns computed after the fact (``ExcessReturn``, ``PriceChange``, ``SPYChange``) are look-ahead and never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import orjson

from pas_lib.clock import NY
from pas_lib.sources import congress, insiders, quiver_contracts, quiver_lobbying
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    key_of,
)
from pas_lib.sources.envelope import read_json, slices

_PAGE = 5000
#: Bytes that no page has.
_LONG = 16 << 20

#: The names of one field over the API's versions and years.
_FIELDS = {
    "politician": ("Representative", "Senator", "Name"),
    "symbol": ("Ticker",),
    "transaction_date": ("TransactionDate", "Traded", "Date"),
    "report_date": ("ReportDate", "Filed"),
}
_V2_ONLY = "Trade_Size_USD"
#: Returns since the trade: they differ from hour to hour.
_COMPUTED = re.compile(r"excess.?return|change", re.I)
_INSIDER_FIELDS = ("Ticker", "Date", "Name", "TransactionCode", "Shares", "PricePerShare", "fileDate")

#: Datasets asked for by a window of dates: the last part of the path, and what reads the rows.
_LIVE = {
    "lobbying": ("lobbying", quiver_lobbying.from_rows),
    "gov_contracts": ("govcontractsall", quiver_contracts.from_rows),
}
_WORDS = {"lobbying": "reports", "gov_contracts": "contracts"}


class QuiverApi(Source):
    """``/beta/{bulk|live}/congresstrading`` and ``/beta/live/{insiders|lobbying|govcontractsall}``."""

    name = "quiver_api"
    site = "quiver-api"
    host = "https://api.quiverquant.com"
    profiles = frozenset({"sandbox", "subscribed"})
    key_setting = "quiver_api_key"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the bulk question when everything is to be compared, else the one for the newest disclosures."""
        base = f"{base_url(self, ask.settings)}/beta"
        headers = {"Authorization": f"Bearer {key_of(self, ask.settings)}", "Accept": "application/json"}
        if ask.dataset in _LIVE:
            yield _windowed(self.name, ask, f"{base}/live/{_LIVE[ask.dataset][0]}", headers)
            return
        if ask.dataset == "insider_buying":
            # There is no first date to ask for: pages come newest first, and end with what is known.
            yield Request(
                self.name,
                ask.dataset,
                "insiders",
                f"{base}/live/insiders",
                params={"page": "1", "page_size": str(_PAGE)},
                headers=headers,
                context={"kind": "insiders", "since": ask.start_of("").isoformat()},
            )
        elif ask.full:
            yield Request(
                self.name,
                ask.dataset,
                "bulk",
                f"{base}/bulk/congresstrading",
                params={"version": "V1", "page": "1", "page_size": str(_PAGE)},
                headers=headers,
                context={"kind": "bulk"},
            )
        else:
            yield Request(
                self.name,
                ask.dataset,
                "live",
                f"{base}/live/congresstrading",
                headers=headers,
                context={"kind": "live"},
            )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page until one comes that is not full, or older than what was asked for."""
        if "page" not in request.params:
            return None
        if _is_long(payload):
            # Not a page, but everything at once: the next page is empty.
            return request.with_params(page=str(int(request.params["page"]) + 1))
        rows = self._rows(payload)
        if len(rows) < _PAGE:
            return None
        since = request.context.get("since")
        if since and all(str(row.get("fileDate") or "9999")[:10] < since for row in rows):
            return None
        if request.dataset in _LIVE and request.context.get("start"):
            # Newest first: what is older than the window need not be asked for.
            days = [str(row.get("Date") or "")[:10] for row in rows]
            if days and min(days) < request.context["start"]:
                return None
        return request.with_params(page=str(int(request.params["page"]) + 1))

    def rows_of(self, request: Request, payload: Payload) -> list[bytes] | None:
        """Return the rows of a page without what is computed from prices: they have no ids, and come newest first."""
        if "page" not in request.params or _is_long(payload):
            return None
        return [
            orjson.dumps({name: value for name, value in row.items() if not _COMPUTED.search(name)})
            for row in self._rows(payload)
        ]

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is an array of trades, one quoted row, or one of the API's refusals."""
        head = body[:3000].lstrip()
        if head.startswith(b'{"detail"') or b'"401_missing"' in head or head.startswith(b'"Upgrade'):
            return True
        return (head.startswith((b"[", b"{")) and b'"Ticker"' in head) or head.strip() == b"[]"

    def recognises_for(self, dataset: str, body: bytes) -> bool:
        """Return whether a body is an answer for a dataset; contracts of one company come without its ticker."""
        if self.recognises(body):
            return True
        head = body[:3000].lstrip()
        return dataset == "gov_contracts" and head.startswith(b"[") and b'"Agency"' in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not an array of trades."""
        for _ in self.batches(payload):
            pass

    def _rows(self, payload: Payload) -> list[dict[str, Any]]:
        document = read_json(payload)
        if isinstance(document, str):
            raise payload.error(document)
        if isinstance(document, dict):
            if isinstance(document.get("detail"), str):
                raise payload.error(document["detail"])
            if "Ticker" in document:
                document = [document]
            else:
                # A collection of quoted rows: objects and arrays of objects, under names.
                rows: list[Any] = []
                for value in document.values():
                    rows.extend(value if isinstance(value, list) else [value])
                document = rows
        if document == [] and payload.context and not re.search(r"[?&]page=(?!1\b)", payload.url):
            raise payload.error(f"no {_WORDS.get(payload.dataset, 'trades')} at all")
        return _objects(payload, document)

    def batches(self, payload: Payload) -> Iterator[Batch]:
        """Yield what an answer says; one that is no page but everything at once in parts."""
        if not _is_long(payload):
            yield from self.parse(payload)
            return
        for number, part in enumerate(slices(payload)):
            (batch,) = self._read(payload, _objects(payload, part))
            if number:
                batch.scopes.clear()
            yield batch

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per disclosed trade of an asset with a symbol."""
        return self._read(payload, self._rows(payload))

    def _read(self, payload: Payload, rows: list[dict[str, Any]]) -> list[Batch]:
        if payload.dataset == "insider_buying":
            return [_insider_batch(payload, rows)]
        if payload.dataset in _LIVE:
            if rows and "detail" in rows[0]:
                raise payload.error(str(rows[0]["detail"]))
            return [_LIVE[payload.dataset][1](rows, payload)]
        trades = [row for row in rows if _is_trade(row)]
        if rows and not trades:
            if "detail" in rows[0]:
                raise payload.error(str(rows[0]["detail"]))
            missing = next(name for name, spellings in _FIELDS.items() if not any(s in rows[0] for s in spellings))
            raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}")
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in trades:
            try:
                record = _record(row)
            except (ValueError, TypeError) as error:
                rejects.append(Reject(row, str(error)))
                continue
            if record is not None:
                records.append(record)
        congress.number_equal(records)
        # All pages of the bulk answer together are everything there is: what is missing was withdrawn or amended.
        scopes: list[dict[str, Any]] = [{}] if payload.context.get("kind") == "bulk" else []
        return [Batch("politician_trades", records=records, scopes=scopes, rejects=rejects)]


def _is_long(payload: Payload) -> bool:
    """Return whether an answer is a list far longer than any page, of trades."""
    return payload.dataset == "politician_trades" and len(payload.body) > _LONG and payload.body.startswith(b"[")


def _objects(payload: Payload, document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        details = [row.get("detail") for row in document if isinstance(row, dict)] if document else []
        raise payload.error(str(next((d for d in details if d), "not an array of objects")))
    return document


def _windowed(name: str, ask: Ask, url: str, headers: dict[str, str]) -> Request:
    """Return the question for everything since the start, newest first, in pages."""
    params = {"page": "1", "page_size": str(_PAGE)}
    context = {"kind": "live", "start": ask.start.isoformat(), "following": str(ask.following).lower()}
    if ask.dataset == "lobbying":
        end = ask.end or ask.now.astimezone(NY).date()
        params |= {"all": "true", "date_from": f"{ask.start:%Y%m%d}", "date_to": f"{end:%Y%m%d}"}
        context["end"] = end.isoformat()
    return Request(name, ask.dataset, "live", url, params=params, headers=headers, context=context)


def _is_trade(row: dict[str, Any]) -> bool:
    return all(any(spelling in row for spelling in spellings) for spellings in _FIELDS.values()) and (
        "Transaction" in row or _V2_ONLY in row
    )


def _get(row: dict[str, Any], name: str) -> Any:
    return next((row[spelling] for spelling in _FIELDS[name] if spelling in row), None)


def _record(row: dict[str, Any]) -> dict[str, Any] | None:
    symbol = congress.read_symbol(_get(row, "symbol"))
    if symbol is None:
        return None
    amount_range, low, high = congress.read_amount(row.get("Range"), row.get("Amount", row.get(_V2_ONLY)))
    traded = congress.read_day(_get(row, "transaction_date"))
    return {
        "event_date": traded,
        "politician": congress.read_name(_get(row, "politician")),
        "bioguide_id": row.get("BioGuideID"),
        "chamber": congress.read_chamber(row.get("House", row.get("Chamber"))),
        "party": congress.text_or_none(row.get("Party")),
        "symbol": symbol,
        "asset_type": congress.text_or_none(row.get("TickerType")),
        "transaction": congress.read_transaction(row["Transaction"]) if "Transaction" in row else None,
        "amount_range": amount_range,
        "amount_low": low,
        "amount_high": high,
        "transaction_date": traded,
        "report_date": congress.read_day(_get(row, "report_date")),
        "owner": "",
        "description": congress.text_or_none(row.get("Description")) or congress.text_or_none(row.get("Comments")),
    }


def _insider_batch(payload: Payload, rows: list[dict[str, Any]]) -> Batch:
    found = [row for row in rows if all(name in row for name in _INSIDER_FIELDS)]
    if rows and not found:
        if "detail" in rows[0]:
            raise payload.error(str(rows[0]["detail"]))
        missing = next(name for name in _INSIDER_FIELDS if name not in rows[0])
        raise payload.error(f"column {missing!r} not found among {', '.join(rows[0])}")
    since = date.fromisoformat(payload.context["since"]) if "since" in payload.context else None
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for row in found:
        symbol = insiders.read_symbol(row["Ticker"])
        if symbol is None:
            continue
        try:
            record = _insider(row, symbol)
        except (ValueError, TypeError) as error:
            rejects.append(Reject(row, str(error)))
            continue
        # The last page reaches back further than was asked for.
        if since is None or record["filed_at"].astimezone(NY).date() >= since:
            records.append(record)
    insiders.number_equal(records)
    # Whatever was traded since then was filed since then: all pages together state it completely.
    scopes = [{"scope_start": since}] if since is not None else []
    return Batch("insider_buying", records=records, scopes=scopes, rejects=rejects)


def _insider(row: dict[str, Any], symbol: str) -> dict[str, Any]:
    return insiders.make(
        symbol=symbol,
        insider=str(row["Name"]),
        code=insiders.read_code(row["TransactionCode"]),
        traded=congress.read_day(row["Date"]),
        # Not marked with a zone; read as New York's, which is the later of the two it could be.
        filed_at=insiders.read_time(row["fileDate"]),
        shares=insiders.read_number(row["Shares"]),
        price=insiders.read_number(row["PricePerShare"]),
        shares_following=insiders.read_number(row.get("SharesOwnedFollowing")),
        acquired_disposed=insiders.text_or_none(row.get("AcquiredDisposedCode")),
        ownership=insiders.text_or_none(row.get("directOrIndirectOwnership")) or "",
        officer_title=insiders.text_or_none(row.get("officerTitle")),
        is_director=row.get("isDirector"),
        is_officer=row.get("isOfficer"),
        is_ten_percent_owner=row.get("isTenPercentOwner"),
        is_other=row.get("isOther"),
    )


SOURCE = QuiverApi()
