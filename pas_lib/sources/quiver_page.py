"""QuiverQuant's pages: trades of single members of Congress and the newest of all; insiders; lobbying; contracts.

The rows are arrays in the page's script. Columns that hold returns computed after the fact are never read.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser

from pas_lib.sources import congress, insiders, quiver_contracts, quiver_lobbying
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url, excerpt

POLITICIANS = (
    ("Nancy Pelosi", "P000197"),
    ("Daniel Meuser", "M001204"),
    ("Shelley Moore Capito", "C001047"),
)
_PARTY = {"D": "D", "R": "R", "I": "I"}
#: Datasets with one page: its path, what it cannot be without, and what reads it.
_PAGES = {
    "lobbying": ("/lobbying/", b"table-inner", quiver_lobbying.from_page),
    "gov_contracts": ("/sources/govcontracts", b"myTable", quiver_contracts.from_page),
}
#: Where a politician's page was seen to keep the kind of transaction.
_TRANSACTION_AT = (8, 1, 6, 10, 13)
_INSIDERS = "recentInsiderTransactionsData"
_INSIDER_FIELDS = (
    "rptOwnerName",
    "issuerTradingSymbol",
    "transactionCode",
    "transactionShares",
    "transactionPricePerShare",
    "transactionDate",
    "fileDate",
)


class QuiverPage(Source):
    """``/congresstrading/politician/{Name}-{BioGuideID}`` and ``/insiders/``."""

    name = "quiver_page"
    site = "quiver"
    host = "https://www.quiverquant.com"
    profiles = frozenset({"sandbox", "subscribed"})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per politician, or the one for the page of the dataset."""
        base = base_url(self, ask.settings)
        if ask.dataset == "insider_buying":
            yield Request(self.name, ask.dataset, "insiders", f"{base}/insiders/", context={"page": "insiders"})
            return
        if ask.dataset in _PAGES:
            path, _, _ = _PAGES[ask.dataset]
            yield Request(
                self.name,
                ask.dataset,
                path.strip("/"),
                f"{base}{path}",
                context={"following": str(ask.following).lower()},
            )
            return
        for name, member in POLITICIANS:
            yield Request(
                self.name,
                ask.dataset,
                member,
                f"{base}/congresstrading/politician/{quote(name)}-{member}",
                context={"politician": name, "bioguide_id": member},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page with one of the two arrays, or with the table."""
        return any(name in body for name in (b"tradeData", b"recentTradesData", b"table-congress", _INSIDERS.encode()))

    def recognises_for(self, dataset: str, body: bytes) -> bool:
        """Return whether a body is the page of a dataset."""
        if dataset in _PAGES:
            return _PAGES[dataset][1] in body
        return self.recognises(body)

    def check(self, payload: Payload) -> None:
        """Refuse a page without the array: it is a block page, not an empty one."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per disclosed trade of an asset with a symbol."""
        if payload.dataset == "insider_buying":
            return [_insider_batch(payload)]
        if payload.dataset in _PAGES:
            _, mark, read_page = _PAGES[payload.dataset]
            _refuse_other_pages(payload, (mark.decode(),))
            return [read_page(payload, payload.body.decode("utf-8", "replace"))]
        _refuse_other_pages(payload)
        text = payload.body.decode("utf-8", "replace")
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        if re.search(r"\blet recentTradesData\b", text):
            rows, width, read = _array(payload, text, "recentTradesData"), 16, _recent
        elif "tradeData" in text:
            rows, width, read = _array(payload, text, "tradeData"), 12, _single
        else:
            rows, width, read = _table(text), 6, _from_table
        if not rows:
            raise payload.error("no trades on the page", field_name="tradeData")
        name = payload.context.get("politician") or _constant(text, "directOrderName")
        about = {
            "politician": congress.read_name(name) if name else None,
            "bioguide_id": payload.context.get("bioguide_id") or _constant(text, "bioguideID"),
        }
        for row in rows:
            if not isinstance(row, list) or len(row) < width:
                count = len(row) if isinstance(row, list) else 0
                raise payload.error(f"{count} columns instead of at least {width}", field_name="tradeData")
            try:
                record = read(row, about)
            except (ValueError, TypeError) as error:
                rejects.append(Reject({"row": [str(cell) for cell in row]}, str(error)))
                continue
            if record is not None:
                records.append(record)
        congress.number_equal(records)
        scopes = [{"politician": about["politician"]}] if read is _single and about["politician"] else []
        return [Batch("politician_trades", records=records, scopes=scopes, rejects=rejects)]


def _refuse_other_pages(
    payload: Payload, names: tuple[str, ...] = ("tradeData", "recentTradesData", "table-congress")
) -> None:
    text = payload.body.decode("utf-8", "replace")
    if not any(name in text for name in names):
        title = LexborHTMLParser(text).css_first("title") if text.strip() else None
        said = title.text(strip=True) if title is not None else excerpt(payload.body)
        raise payload.error(f"blocked or changed: {said!r}" if said else "the answer is empty", field_name=names[0])
    if "<html" in text[:2000].lower() and "</html" not in text[-2000:].lower():
        raise payload.error("the page is cut off", field_name=names[0])


def _insider_batch(payload: Payload) -> Batch:
    _refuse_other_pages(payload, (_INSIDERS,))
    rows = _array(payload, payload.body.decode("utf-8", "replace"), _INSIDERS)
    if not rows:
        raise payload.error("no transactions on the page", field_name=_INSIDERS)
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for row in rows:
        if not isinstance(row, dict):
            raise payload.error("an entry is no object", field_name=_INSIDERS)
        missing = next((name for name in _INSIDER_FIELDS if name not in row), None)
        if missing is not None:
            raise payload.error(f"column {missing!r} not found among {', '.join(row)}", field_name=_INSIDERS)
        symbol = insiders.read_symbol(row["issuerTradingSymbol"])
        if symbol is None:
            continue
        try:
            records.append(_insider(row, symbol))
        except (ValueError, TypeError) as error:
            rejects.append(Reject(row, str(error)))
    insiders.number_equal(records)
    # The page shows the newest only: what is not there has not vanished.
    return Batch("insider_buying", records=records, rejects=rejects)


def _insider(row: dict[str, Any], symbol: str) -> dict[str, Any]:
    code = insiders.read_code(row["transactionCode"])
    cik = insiders.text_or_none(row.get("rptOwnerCik"))
    return insiders.make(
        symbol=symbol,
        insider=str(row["rptOwnerName"]),
        insider_cik=cik.zfill(10) if cik else None,
        code=code,
        acquired_disposed={"P": "A", "S": "D"}.get(code),
        traded=congress.read_day(row["transactionDate"]),
        filed_at=insiders.read_time(row["fileDate"]),
        shares=insiders.read_number(row["transactionShares"]),
        price=insiders.read_number(row["transactionPricePerShare"]),
        officer_title=insiders.text_or_none(row.get("officerTitle")),
    )


def _constant(text: str, name: str) -> str | None:
    found = re.search(rf"\b{name}\s*=\s*(['\"])(.*?)\1", text)
    return found[2].strip() if found else None


def _array(payload: Payload, text: str, name: str) -> list[Any]:
    """Return the array literal assigned to ``name``: found by balancing brackets, read as JSON or as Python."""
    found = re.search(rf"\b{name}\s*=\s*\[", text)
    if found is None:
        raise payload.error("the array is missing", field_name=name)
    start = found.end() - 1
    end = _closing(text, start)
    if end is None:
        raise payload.error("the page is cut off", field_name=name)
    literal = text[start : end + 1]
    try:
        rows = json.loads(literal)
    except json.JSONDecodeError:
        plain = re.sub(r"(?<![\w'\"])(NaN|null|undefined)(?![\w'\"])", "None", literal)
        plain = re.sub(r"(?<![\w'\"])true(?![\w'\"])", "True", plain)
        plain = re.sub(r"(?<![\w'\"])false(?![\w'\"])", "False", plain)
        try:
            rows = ast.literal_eval(plain)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise payload.error("the array cannot be read", field_name=name) from None
    return list(rows)


def _closing(text: str, start: int) -> int | None:
    """Return the position of the bracket that closes the one at ``start``, strings skipped."""
    depth, quote_mark, i = 0, "", start
    while i < len(text):
        char = text[i]
        if quote_mark:
            if char == "\\":
                i += 1
            elif char == quote_mark:
                quote_mark = ""
        elif char in "'\"":
            quote_mark = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return None


def _make(
    symbol: Any, transaction: Any, amount: Any, traded: Any, filed: Any, low: Any = None, **more: Any
) -> dict[str, Any] | None:
    name = congress.read_symbol(symbol)
    if name is None:
        return None
    amount_range, lower, upper = congress.read_amount(amount, low)
    day = congress.read_day(traded)
    return {
        "event_date": day,
        "symbol": name,
        "transaction": congress.read_transaction(transaction),
        "amount_range": amount_range,
        "amount_low": lower,
        "amount_high": upper,
        "transaction_date": day,
        "report_date": congress.read_day(filed),
        "owner": "",
        **more,
    }


def _single(row: list[Any], about: dict[str, str | None]) -> dict[str, Any] | None:
    kind = None
    for position in _TRANSACTION_AT:
        if position < len(row):
            try:
                kind = congress.read_transaction(row[position])
            except ValueError:
                continue
            kind = row[position]
            break
    asset = congress.text_or_none(row[1])
    return _make(
        row[0],
        kind,
        row[9],
        row[3],
        row[2],
        row[14] if len(row) > 14 else None,
        politician=about["politician"],
        bioguide_id=about["bioguide_id"],
        chamber=congress.read_chamber(row[11]),
        asset_type=None if asset == kind else asset,
        description=congress.text_or_none(row[4]),
    )


def _recent(row: list[Any], about: dict[str, str | None]) -> dict[str, Any] | None:  # noqa: ARG001 - as its peers
    return _make(
        row[0],
        row[3],
        row[4],
        row[9],
        row[8],
        politician=congress.read_name(row[13] or row[5]),
        bioguide_id=congress.text_or_none(row[15]),
        chamber=congress.read_chamber(row[6]),
        party=_PARTY.get(str(row[7]).strip()[:1].upper()),
        asset_type=congress.text_or_none(row[2]),
        description=congress.text_or_none(row[10]),
    )


def _table(text: str) -> list[list[str]]:
    tree = LexborHTMLParser(text)
    rows = []
    for line in tree.css("table.table-congress.table-politician > tbody > tr"):
        cells = line.css("td")
        if len(cells) < 6:
            rows.append([""] * len(cells))
            continue
        mark = cells[0].css_first("span.positive, span.negative")
        link = cells[2].css_first("a")
        rows.append(
            [
                mark.text(strip=True) if mark is not None else "-",
                cells[1].text(separator=" ", strip=True),
                link.text(strip=True) if link is not None else "",
                cells[2].text(separator=" ", strip=True),
                cells[3].text(strip=True),
                cells[4].text(strip=True),
                cells[5].text(strip=True),
                (link.attributes.get("href") or "").rpartition("-")[2] if link is not None else "",
            ]
        )
    return rows


def _from_table(row: list[Any], about: dict[str, str | None]) -> dict[str, Any] | None:  # noqa: ARG001 - as its peers
    kind, _, amount = str(row[1]).partition("$")
    found = re.search(r"\b(House|Senate)\s*/\s*([DRI])", str(row[3]))
    return _make(
        row[0],
        kind.replace(" Over", ""),
        f"{'Over ' if 'Over' in kind else ''}${amount}",
        row[5],
        row[4],
        politician=congress.read_name(row[2]),
        bioguide_id=row[7] or None,
        chamber=found[1] if found else None,
        party=found[2] if found else None,
        description=congress.text_or_none(row[6]),
    )


SOURCE = QuiverPage()
