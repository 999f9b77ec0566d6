"""The Clerk of the House: the yearly index of financial disclosures and the transaction reports as PDFs."""

from __future__ import annotations

import io
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.reports import HOUSE, FiledReport, Row
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.sites.quiver import UPLOAD_HOUR

_KEPT: Final = 400
_CODES: Final = {"Purchase": "P", "Sale": "S", "Sale (Full)": "S", "Sale (Partial)": "S (partial)", "Exchange": "E"}
_NOT_FOUND: Final = (
    "<!DOCTYPE html>\n<html><head><title>404 - File or directory not found.</title></head><body></body></html>\n"
)
_FIELDS: Final = ("Prefix", "Last", "First", "Suffix", "FilingType", "StateDst", "Year", "FilingDate", "DocID")
_STAMP: Final = (2026, 1, 30, 9, 0, 0)


def published_until(context: Context) -> date:
    """Return the last day whose filings are public: those of a day are from the same hour on as everywhere."""
    local = context.now.astimezone(NY)
    return local.date() if local.hour >= UPLOAD_HOUR else local.date() - timedelta(days=1)


class HouseSite:
    """``/public_disc/financial-pdfs/{year}FD.zip`` and ``/public_disc/ptr-pdfs/{year}/{document}.pdf``."""

    def __init__(self, context: Context, reports: Callable[[], tuple[FiledReport, ...]]) -> None:
        self.context = context
        self._reports = reports
        self._documents: OrderedDict[str, bytes] = OrderedDict()

    def _public(self) -> list[FiledReport]:
        until = published_until(self.context)
        return [report for report in self._reports() if report.chamber == HOUSE and report.filed <= until]

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path_params["path"]
        found = re.fullmatch(r"public_disc/financial-pdfs/(\d{4})FD\.zip", path)
        if found:
            lines = [report for report in self._public() if report.filed.year == int(found[1])]
            if lines:
                return reply(index_archive(int(found[1]), lines), 200, "application/x-zip-compressed")
        found = re.fullmatch(r"public_disc/ptr-pdfs/(\d{4})/(\d+)\.pdf", path)
        if found:
            for report in self._public():
                if report.document == found[2] and report.filed.year == int(found[1]):
                    return reply(self._document(report), 200, "application/pdf")
        return reply(_NOT_FOUND, 404, "text/html")

    def _document(self, report: FiledReport) -> bytes:
        if report.document not in self._documents:
            self._documents[report.document] = scan() if report.paper else report_pdf(report)
            if len(self._documents) > _KEPT:
                self._documents.popitem(last=False)
        return self._documents[report.document]


def index_archive(year: int, reports: list[FiledReport]) -> bytes:
    """Return the index as published: one archive with the same lines as XML and as text."""
    lines: list[tuple[str, ...]] = []
    for report in reports:
        filed = f"{report.filed.month}/{report.filed.day}/{report.filed.year}"
        lines.append(
            ("Hon.", report.family, report.given, "", "P", report.district or "", str(year), filed, report.document)
        )
    lines += [
        ("", "Aspirant", "Ada", "", "C", "OH03", str(year), f"1/9/{year}", f"1006{year}"),
        ("Mr.", "Later", "Lou", "Jr.", "X", "TX07", str(year), f"1/12/{year}", f"3002{year}"),
        # Withdrawals carry no day.
        ("", "Gone", "Guy", "", "W", "NV01", str(year), "", f"910{year}"),
    ]
    lines.sort(key=lambda line: (line[1], line[2], line[8]))
    members = "\r\n".join(
        "  <Member>\r\n"
        + "\r\n".join(
            f"    <{name}>{escape(value)}</{name}>" if value else f"    <{name} />"
            for name, value in zip(_FIELDS, line, strict=True)
        )
        + "\r\n  </Member>"
        for line in lines
    )
    xml = f'<?xml version="1.0" encoding="utf-8"?>\r\n<FinancialDisclosure>\r\n{members}\r\n</FinancialDisclosure>'
    text = "\r\n".join("\t".join(line) for line in (_FIELDS, *lines)) + "\r\n"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in ((f"{year}FD.txt", text), (f"{year}FD.xml", xml)):
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, b"\xef\xbb\xbf" + content.encode() if name.endswith("xml") else content.encode())
    return made.getvalue()


# Where the columns of the form begin, in points: owner, asset, type, date, notification, amount, gains.
_AT: Final = {
    "id": 25.6,
    "owner": 65.4,
    "asset": 103.8,
    "type": 261.6,
    "day": 326.4,
    "told": 382.5,
    "amount": 446.6,
    "cap": 525.2,
}
_HEAD, _CELL, _DETAIL, _FOOT = 9.45, 9.0, 8.55, 8.25
_TOP, _BOTTOM = 712.0, 60.0


def _canvas(made: io.BytesIO) -> Any:
    from reportlab.pdfgen.canvas import Canvas

    return Canvas(made, pagesize=(612.0, 792.0), invariant=1)


def scan() -> bytes:
    """Return a page as a scanner leaves it: a picture and no text."""
    made = io.BytesIO()
    page = _canvas(made)
    for step in range(12):
        page.line(40, 700 - 50 * step, 570, 702 - 50 * step)
    page.showPage()
    page.save()
    return made.getvalue()


class _Form:
    """The form on a page; begins a new one where rows do not fit, in the middle of a row if need be."""

    def __init__(self, made: io.BytesIO, document: str) -> None:
        self.page = _canvas(made)
        self.document = document
        self.y = _TOP

    def line(self, cells: list[tuple[str, str]], size: float, step: float = 11.0) -> None:
        """Write cells side by side, in the order in which a reader of the file meets them."""
        if self.y < _BOTTOM:
            self.turn()
        self.page.setFont("Helvetica", size)
        for column, text in cells:
            self.page.drawString(_AT[column], self.y, text)
        self.y -= step

    def turn(self) -> None:
        """Begin the next page with the table's header."""
        self.number()
        self.page.showPage()
        self.y = _TOP
        self.header()

    def number(self) -> None:
        """Write the number of the filing into the page's corner."""
        self.page.setFont("Helvetica", _CELL)
        self.page.drawString(485.0, 740.0, f"Filing ID #{self.document}")

    def header(self) -> None:
        """Write the table's header of three lines."""
        self.page.setFont("Helvetica-Bold", _HEAD)
        # Column by column, as the form is written: a cell's lines before the next cell.
        for column, parts in (
            ("id", ("ID",)),
            ("owner", ("Owner",)),
            ("asset", ("Asset",)),
            ("type", ("Transaction", "Type")),
            ("day", ("Date",)),
            ("told", ("Notification", "Date")),
            ("amount", ("Amount",)),
            ("cap", ("Cap.", "Gains >", "$200?")),
        ):
            for number, part in enumerate(parts):
                self.page.drawString(_AT[column], self.y - 11.3 * number, part)
        self.y -= 46


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def report_pdf(report: FiledReport) -> bytes:
    """Return a transaction report laid out like the Clerk's form."""
    made = io.BytesIO()
    form = _Form(made, report.document)
    page = form.page
    page.setFont("Helvetica", 21)
    page.drawString(118.1, 690, "P T R")
    page.setFont("Helvetica", 9)
    page.drawString(
        69.6, 648, "Clerk of the House of Representatives • Legislative Resource Center • B81 Cannon Building"
    )
    for number, text in enumerate(
        (f"Name: Hon. {report.politician}", "Status: Member", f"State/District: {report.district or ''}")
    ):
        page.setFont("Helvetica", 9.75)
        page.drawString(21.9, 594 - 16 * number, text)
    form.y = 505.0
    form.header()
    for row in report.rows:
        _write_row(form, row, report.filed)
    form.y -= 8
    page.setFont("Helvetica", _FOOT)
    page.drawString(
        25.8,
        form.y,
        "* For the complete list of asset type abbreviations, please visit https://fd.house.gov/reference/asset-type-codes.aspx.",
    )
    page.setFont("Helvetica", _CELL)
    page.drawString(
        22,
        form.y - 20,
        "I CERTIFY that the statements I have made on the attached report are true, complete, and correct.",
    )
    page.drawString(22, form.y - 32, f"Digitally Signed: Hon. {report.politician} , {report.filed:%m/%d/%Y}")
    form.number()
    page.showPage()
    page.save()
    return made.getvalue()


def _write_row(form: _Form, row: Row, filed: date) -> None:
    trade = row.trade
    symbol = f" ({trade.symbol})" if trade.symbol not in ("-", "--") else ""
    asset = _wrapped(f"{trade.company}{symbol} [{trade.asset_type}]", 30)
    amount = _wrapped(trade.amount_range, 18) if len(trade.amount_range) > 18 else [trade.amount_range]
    if len(amount) == 2 and not amount[0].endswith("-"):
        amount = [" ".join(amount)]
    told = min(trade.traded + timedelta(days=11), filed)
    if row.owner:
        form.page.setFont("Helvetica", _CELL)
    height = max(len(asset), len(amount))
    for number in range(height):
        cells: list[tuple[str, str]] = []
        if number == 0 and row.owner:
            cells.append(("owner", row.owner))
        if number < len(asset):
            cells.append(("asset", asset[number]))
        if number == 0:
            cells += [
                ("type", _CODES[trade.transaction]),
                ("day", f"{trade.traded:%m/%d/%Y}"),
                ("told", f"{told:%m/%d/%Y}"),
            ]
        if number < len(amount):
            cells.append(("amount", amount[number]))
        form.line(cells, _CELL, 11.8)
    details = [f"F S: {row.status}"]
    if trade.subholding:
        details.append(f"S O: {trade.subholding}")
    if trade.description:
        details.append(f"D: {trade.description}")
    form.y -= 4
    for text in details:
        for part in _wrapped(text, 95):
            form.line([("asset", part)], _DETAIL, 12.7)
    form.y -= 12
