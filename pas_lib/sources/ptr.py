"""Periodic transaction reports of the House as text PDFs: one record per transaction; pure.

The form is a table whose cells break over lines and pages, with details in smaller print under each row. What is a
row and what a detail shows from the size of the print, relative to the table's header: a wrapped comment is never taken
for an asset. A row whose cells cannot be told apart is refused, not guessed; a report without text is a scan.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pas_lib.sources import congress

#: PDFium is not thread-safe.
_PDFIUM = threading.Lock()
_HEADER = re.compile(r"^ID\s+Owner\s+Asset\s+Transaction\b")
#: The rest of the header, which repeats on every page: its cells have two or three lines.
_HEADER_REST = frozenset({"Type", "Date Notification", "Date", "Amount Cap.", "Gains >", "$200?"})
_END = "* For the complete list of asset type abbreviations"
#: Small capitals have no text in the file: "FILING STATUS" comes as "F S".
_LABEL = re.compile(
    r"^(F(?:ILING)? S(?:TATUS)?|S(?:UBHOLDING)? O(?:F)?|D(?:ESCRIPTION)?|L(?:OCATION)?|C(?:OMMENTS)?)\s*: ?(.*)$"
)
_ROW = re.compile(
    r"^(?:(?P<id>\d{6,})\s+)?(?:\x1f |(?P<owner>SP|JT|DC)\b\s*)?(?P<asset>.*?)\s*(?<![A-Za-z0-9&.])"
    r"(?P<kind>P|S\s*\(partial\)|S|E)\s*(?P<traded>\d{1,2}/\d{1,2}/\d{4})\s*(?P<notified>\d{1,2}/\d{1,2}/\d{4})"
    r"\s*(?P<rest>.*)$"
)
_DATES = re.compile(r"\d{1,2}/\d{1,2}/\d{4}\s*\d{1,2}/\d{1,2}/\d{4}")
_AMOUNT = re.compile(
    r"(?:(?:Spouse/DC\s+)?Over\s+\$[\d,]+(?:\.\d\d)?)"
    r"|(?P<low>\$[\d,]+(?:\.\d\d)?)(?P<dash>\s*-)?"
)
_MONEY = re.compile(r"\$[\d,]+(?:\.\d\d)?")
#: How old forms spell a box that is ticked or not.
_BOX = re.compile(r"\bgfedcb?\b|[☐☑☒]")
_TYPE = re.compile(r"\[\s*([A-Z0-9]{2})\s*\]")
_SYMBOL = re.compile(r"\(\s*([A-Z][A-Z0-9]{0,5}(?:[.\-/][A-Z0-9]{1,3})?)\s*\)\s*$")
_OWNERS = {"SP": "Spouse", "JT": "Joint", "DC": "Child"}
_KINDS = {"P": "purchase", "S": "sale", "E": "exchange"}
_STATUSES = frozenset({"new", "amended", "deleted"})
#: Print at most that large, as a share of the header's, is a detail (rows have 0.952 of it, details 0.905).
_DETAIL_SHARE = 0.93
#: Cells begin within so many points of their column's title.
_COLUMN_GAP = 8.0
_NO_OWNER = "\x1f"


@dataclass(frozen=True)
class Line:
    """A line of text.

    Parameters
    ----------
    text : str
        White space folded.
    size : float
        Of the print of its first character, in points.
    left : float
        Where it begins, in points from the left.
    assets : float
        Of a table's header: where its column of assets begins.
    """

    text: str
    size: float
    left: float = 0.0
    assets: float = 0.0


@dataclass
class Report:
    """What a report states.

    Parameters
    ----------
    politician : str
        Name of the filer.
    document : str
        Number of the filing.
    signed : date, optional
        Day of the signature; the day of the filing is told by the yearly index.
    rows : list of dict
        One per transaction: owner, symbol, asset, asset type, transaction, dates, amount, filing status, description.
    refused : list of tuple
        Text of rows that cannot be read, and why.
    """

    politician: str
    document: str
    signed: date | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def read_pages(body: bytes) -> list[list[Line]]:
    """Return the lines of each page of a PDF; of a scanned page none.

    Raises
    ------
    ValueError
        If it is no PDF, or damaged.
    """
    with _PDFIUM:
        try:
            document = pdfium.PdfDocument(body)
        except pdfium.PdfiumError as error:
            raise ValueError(f"not a readable PDF ({error})") from None
        try:
            return [_lines(page) for page in document]
        except pdfium.PdfiumError as error:
            raise ValueError(f"a page cannot be read ({error})") from None
        finally:
            document.close()


def _lines(page: Any) -> list[Line]:
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        found, at = [], 0
        for part in text.split("\n"):
            plain = " ".join(part.replace("\ufffe", "").replace("\x00", "").split())
            if plain:
                first = next((i for i, char in enumerate(part) if char not in " \r\x00\ufffe"), 0)
                size = round(pdfium_c.FPDFText_GetFontSize(text_page.raw, at + first), 2)
                header = part.index("Asset") if _HEADER.match(plain) and "Asset" in part else -1
                assets = text_page.get_charbox(at + header)[0] if header >= 0 else 0.0
                found.append(Line(plain, size, text_page.get_charbox(at + first)[0], assets))
            at += len(part) + 1
        return found
    finally:
        text_page.close()
        page.close()


def read_report(pages: list[list[Line]]) -> Report | None:
    """Return what a report states, or None for a scan.

    Raises
    ------
    ValueError
        If it is not the form, or a part of it is missing.
    """
    lines = [line for page in pages for line in page]
    if not lines:
        return None
    politician = _after(lines, r"^Name:\s*(.+)$")
    document = _after(lines, r"Filing ID #\s*(\d+)")
    header = next((line for line in lines if _HEADER.match(line.text)), None)
    if header is None:
        raise ValueError("the table's header 'ID Owner Asset Transaction' is missing")
    if politician is None:
        raise ValueError("the filer's name is missing")
    if not any(line.text.startswith(_END) for line in lines):
        raise ValueError("the report is cut off: the footnote under the table is missing")
    signed = re.search(
        r"Digitally Signed:.*?(\d{1,2}/\d{1,2}/\d{4})", " ".join(line.text for line in lines[-12:] + lines)
    )
    report = Report(congress.read_name(politician), document or "", congress.read_us_day(signed[1]) if signed else None)
    _read_table(report, _table(lines), header)
    if not report.rows and not report.refused:
        raise ValueError("the table holds no transactions")
    return report


def _after(lines: list[Line], pattern: str) -> str | None:
    compiled = re.compile(pattern)
    found = next((match for line in lines if (match := compiled.search(line.text))), None)
    return found[1].strip() if found else None


def _table(lines: list[Line]) -> list[Line]:
    """Return the lines of the table: from its first header to the footnote, without the headers of later pages."""
    kept: list[Line] = []
    inside = False
    header = 0.0
    for line in lines:
        if _HEADER.match(line.text):
            inside, header = True, line.size
        elif line.text.startswith(_END):
            break
        elif not inside or re.match(r"^Filing ID #", line.text):
            continue
        elif not (line.text in _HEADER_REST and abs(line.size - header) < 0.05):
            kept.append(line)
    return kept


def _read_table(report: Report, lines: list[Line], header: Line) -> None:
    detail_size = header.size * _DETAIL_SHARE
    block: list[str] = []
    details: list[list[str]] = []
    for line in lines:
        label = _LABEL.match(line.text)
        if label and line.size <= detail_size:
            details.append([label[1][0] + (" S" if label[1].startswith("F") else ""), label[2]])
        elif line.size <= detail_size:
            if details:
                details[-1][1] = f"{details[-1][1]} {line.text}".strip()
        else:
            if details:
                _read_row(report, " ".join(block), details)
                block, details = [], []
            if not block and header.assets and line.left > header.assets - _COLUMN_GAP:
                # The cell of the owner is empty: "SP Plus" is a company then.
                block.append(_NO_OWNER)
            block.append(line.text)
    if block or details:
        _read_row(report, " ".join(block), details)


def _read_row(report: Report, text: str, details: list[list[str]]) -> None:
    try:
        report.rows.append(_row(text, details))
    except ValueError as error:
        said = "; ".join(f"{label}: {value}" for label, value in details)
        report.refused.append((f"{text} {said}".replace(_NO_OWNER, "").strip(), str(error)))


def _row(text: str, details: list[list[str]]) -> dict[str, Any]:
    found = _ROW.match(text)
    if found is None or len(_DATES.findall(text)) != 1:
        raise ValueError("the cells of a row cannot be told apart")
    status = next((value for label, value in details if label == "F S"), "")
    if status.lower() not in _STATUSES:
        raise ValueError(f"unknown filing status {status!r}")
    amount, rest = _amount(_BOX.sub("", found["rest"]))
    # A cell that breaks over the page continues after the row.
    asset = " ".join(f"{found['asset']} {rest}".split())
    asset_type = _TYPE.findall(asset)
    name = _TYPE.sub(" ", asset).strip()
    symbol = _SYMBOL.search(name)
    amount_range, low, high = congress.read_amount(amount)
    traded = congress.read_us_day(found["traded"])
    partial = "partial" in found["kind"]
    told = [value for label, value in details if label in ("D", "C") and value]
    return {
        "event_date": traded,
        "symbol": congress.read_symbol(symbol[1].replace("/", ".")) or "" if symbol else "",
        "asset": " ".join(_SYMBOL.sub("", name).split()) or None,
        "asset_type": asset_type[-1] if asset_type else None,
        "transaction": "sale_partial" if partial else _KINDS[found["kind"][0]],
        "amount_range": amount_range,
        "amount_low": low,
        "amount_high": high,
        "transaction_date": traded,
        "owner": _OWNERS.get(found["owner"] or "", ""),
        "description": congress.text_or_none("; ".join(told)),
        "filing_status": status.lower(),
    }


@lru_cache(maxsize=4096)
def _amount(text: str) -> tuple[str, str]:
    """Return the amount and what else stands there: ``$100,001 - BASKET [CS] $250,000`` of a broken row."""
    found = _AMOUNT.search(text)
    if found is None:
        raise ValueError(f"no amount in {text!r}")
    before, after = text[: found.start()], text[found.end() :]
    if not found["low"]:
        return found[0], f"{before} {after}"
    if not found["dash"]:
        if after.strip().startswith("+"):
            return f"{found['low']} +", f"{before} {after.strip()[1:]}"
        return found["low"], f"{before} {after}"
    upper = _MONEY.search(after)
    if upper is None:
        raise ValueError(f"the amount has no upper bound in {text!r}")
    return f"{found['low']} - {upper[0]}", f"{before} {after[: upper.start()]} {after[upper.end() :]}"


__all__ = ["Line", "Report", "read_pages", "read_report"]
