"""iShares fund holdings: the Russell 2000 through the fund IWM, by its daily holdings file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date

from pas_lib.sources import members
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    excerpt,
    looks_like_html,
)

_FUNDS = {"russell2000": "/us/products/239710/ishares-russell-2000-etf/latest-holdings.csv"}
_COLUMNS = {
    "ticker": ("ticker", "symbol"),
    "name": ("name",),
    "sector": ("sector",),
    "asset_class": ("asset class", "asset_class"),
    "weight": ("weight (%)", "weight_pct"),
    "price": ("price",),
    "exchange": ("exchange",),
}
#: Exchanges on which nothing can be traded.
_UNLISTED = ("NO MARKET", "NON-NMS", "UNLISTED")
_EXCHANGES = {"NEW YORK STOCK EXCHANGE INC.": "NYSE", "NYSE": "NYSE", "NASDAQ": "NASDAQ"}
#: What all weights of a fund add to, in percent; a file that adds to less was cut off.
_WHOLE = (95.0, 105.0)
#: The file writes share classes without a separator.
_CLASS_SHARES = (
    "AGM.A", "BF.A", "BF.B", "BH.A", "BIO.B", "BRK.A", "BRK.B", "CRD.A", "CRD.B", "CWEN.A", "GEF.B", "GTN.A", "HEI.A",
    "HVT.A", "LEN.B", "LGF.A", "LGF.B", "MKC.V", "MOG.A", "MOG.B", "PBR.A", "STZ.B", "TAP.A", "UHAL.B", "WSO.B",
)  # fmt: skip
_CLASSES = {symbol.replace(".", ""): symbol for symbol in _CLASS_SHARES}


class IShares(Source):
    """``latest-holdings.csv``."""

    name = "ishares"
    site = "ishares"
    host = "https://www.ishares.com"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per fund."""
        for index_name, path in _FUNDS.items():
            yield Request(
                source=self.name,
                dataset=ask.dataset,
                label=index_name,
                url=base_url(self, ask.settings) + path,
                context={"index_name": index_name, "whole": "yes"},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a holdings file of either generation."""
        head = body[:2000].lower()
        return b"fund holdings as of" in head or b"asset class" in head or b"asset_class" in head

    def check(self, payload: Payload) -> None:
        """Refuse the product page that the retired address answers with, and files that are cut off."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return membership rows and securities: listed shares only."""
        as_of, head, rows = _lines(payload)
        at: dict[str, int] = {}
        for field, names in _COLUMNS.items():
            position = next((head.index(name) for name in names if name in head), None)
            if position is None:
                raise payload.error(f"column {names[0]!r} not found among {', '.join(head)}", field_name="header")
            at[field] = position
        if payload.context.get("whole") and not payload.body.endswith(b"\n") and (not rows or len(rows[-1]) > 1):
            # Both generations end with a line of their own; the older one with legal text.
            raise payload.error("the file is cut off")
        rejects: list[Reject] = []
        total = 0.0
        found: dict[str, members.Member] = {}
        for row in rows:
            if len(row) < len(head):
                if len(row) > 1:
                    rejects.append(Reject({"row": row}, f"{len(row)} fields instead of {len(head)}"))
                continue
            try:
                total += _number(row[at["weight"]])
                member = _member(row, at)
            except ValueError as error:
                rejects.append(Reject({"row": row}, str(error)))
                continue
            if member is not None and (
                member.symbol not in found or (member.weight or 0.0) > (found[member.symbol].weight or 0.0)
            ):
                found[member.symbol] = member
        if not found:
            raise payload.error("no listed share in the file", field_name="Ticker")
        if payload.context.get("whole") and not _WHOLE[0] <= total <= _WHOLE[1]:
            raise payload.error(f"the weights add to {total:.1f} %: the file is cut off", field_name="Weight (%)")
        return members.batches(
            payload.context.get("index_name", "russell2000"),
            list(found.values()),
            [],
            payload.fetched_at,
            rejects,
            # Beside a line that cannot be read nobody is taken off the list.
            complete=not rejects,
            as_of=as_of,
        )


def _member(row: list[str], at: dict[str, int]) -> members.Member | None:
    """Return a listed share, or None for cash, futures, collateral, escrows and what is not listed."""
    ticker = row[at["ticker"]].strip()
    exchange = row[at["exchange"]].strip().upper()
    if row[at["asset_class"]] != "Equity" or ticker in ("", "-") or exchange in ("", "-"):
        return None
    if any(word in exchange for word in _UNLISTED) or _number(row[at["price"]]) <= 0:
        return None
    symbol = members.canonical(_CLASSES.get(ticker, ticker))
    return members.Member(
        symbol=symbol,
        name=row[at["name"]].strip(),
        sector=_sector(row[at["sector"]]),
        exchange=_EXCHANGES.get(exchange, exchange.title()),
        weight=round(_number(row[at["weight"]]) / 100.0, 10),
    )


def _sector(text: str) -> str | None:
    text = text.strip()
    return {"Communication": "Communication Services", "-": None, "": None}.get(text, text)


def _number(text: str) -> float:
    text = text.strip().replace(",", "")
    return 0.0 if text in ("", "-") else float(text)


def _lines(payload: Payload) -> tuple[date | None, list[str], list[list[str]]]:
    """Return the date of the holdings, the lower-case header and the rows below it."""
    if looks_like_html(payload.body):
        raise payload.error("an HTML page came instead of the holdings file")
    text = payload.body.decode("utf-8-sig", "replace")
    lines = list(csv.reader(io.StringIO(text)))
    as_of: date | None = None
    for number, line in enumerate(lines):
        if line and line[0].strip().lower().startswith("fund holdings as of"):
            stated = line[1].strip() if len(line) > 1 else ""
            if stated in ("", "-"):
                raise payload.error("no holdings for this date", field_name="Fund Holdings as of")
            try:
                as_of = members.read_date(stated)
            except ValueError as error:
                raise payload.error(str(error), field_name="Fund Holdings as of") from None
        head = [cell.strip().lower() for cell in line]
        if ("ticker" in head or "symbol" in head) and ("name" in head):
            rows = lines[number + 1 :]
            if as_of is None and "date" in head and rows:
                as_of = members.read_date(rows[0][head.index("date")])
            return as_of, head, rows
    said = excerpt(payload.body)
    raise payload.error(f"column 'Ticker' not found ({said!r})" if said else "the answer is empty")


SOURCE = IShares()
