"""The Senate's electronic financial disclosures: terms to accept, a search, and reports as pages."""

# ruff: noqa: E501 - lines of markup are kept whole

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pas_lib.sandbox.reports import SENATE, FiledReport, Row
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.sites.house import published_until

PREFIX: Final = "/senate-efd"
TOKEN: Final = "sandboxcsrftoken0123456789abcdef"  # noqa: S105 - the sandbox's own, no secret
SESSION: Final = "accepted"
HTML: Final = "text/html; charset=utf-8"
_OWNERS: Final = {"": "Self", "SP": "Spouse", "JT": "Joint", "DC": "Child"}
_TYPES: Final = {"ST": "Stock", "OP": "Stock Option", "CS": "CS", "GS": "GS"}
_KINDS: Final = {"Sale": "Sale (Full)"}
_COLUMNS: Final = (
    "&#35;",
    "Transaction Date",
    "Owner",
    "Ticker",
    "Asset Name",
    "Asset Type",
    "Type",
    "Amount",
    "Comment",
)


class SenateSite:
    """``/search/home/``, ``/search/``, ``/search/report/data/`` and ``/search/view/...``."""

    def __init__(self, context: Context, reports: Callable[[], tuple[FiledReport, ...]]) -> None:
        self.context = context
        self._reports = reports

    def _public(self) -> list[FiledReport]:
        until = published_until(self.context)
        return [r for r in reversed(self._reports()) if r.chamber == SENATE and r.filed <= until]

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path_params["path"].strip("/")
        if path == "search/home":
            return await self._home(request)
        if request.cookies.get("sessionid") != SESSION:
            return RedirectResponse(f"{PREFIX}/search/home/", 302)
        if path == "search":
            return reply(
                "<!DOCTYPE HTML>\n<html><head><title>eFD: Find Reports</title></head><body></body></html>\n", 200, HTML
            )
        if path == "search/report/data" and request.method == "POST":
            return await self._search(request)
        found = re.fullmatch(r"search/view/(ptr|paper)/([0-9a-f-]{36})", path)
        if found:
            for report in self._public():
                if report.document == found[2] and report.paper == (found[1] == "paper"):
                    return reply(paper_page(report) if report.paper else report_page(report), 200, HTML)
        return reply(
            "<!DOCTYPE HTML>\n<html><head><title>eFD: Page Not Found</title></head><body></body></html>\n", 404, HTML
        )

    async def _home(self, request: Request) -> Response:
        if request.method == "POST":
            form = dict(parse_qsl((await request.body()).decode()))
            allowed = (
                request.cookies.get("csrftoken") == TOKEN
                and form.get("csrfmiddlewaretoken") == TOKEN
                and "/search/" in request.headers.get("referer", "")
            )
            if not allowed:
                return _forbidden()
            if form.get("prohibition_agreement") == "1":
                answer = RedirectResponse(f"{PREFIX}/search/", 302)
                answer.set_cookie("sessionid", SESSION, path="/", httponly=True)
                return answer
        page = reply(
            '<!DOCTYPE HTML>\n<html lang="en"><head><title>eFD: Home</title></head><body><form id="agreement_form" method="post">'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{TOKEN}">'
            '<input type="checkbox" name="prohibition_agreement" value="1" id="agree_statement"> I understand the prohibitions'
            "</form></body></html>\n",
            200,
            HTML,
        )
        page.set_cookie("csrftoken", TOKEN, path="/")
        return page

    async def _search(self, request: Request) -> Response:
        if request.headers.get("x-csrftoken") != TOKEN or "/search/" not in request.headers.get("referer", ""):
            return _forbidden()
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        first, last = _day(form.get("submitted_start_date", "")), _day(form.get("submitted_end_date", ""))
        found = [
            r
            for r in self._public()
            if "11" in form.get("report_types", "")
            and (first is None or r.filed >= first)
            and (last is None or r.filed <= last)
        ]
        try:
            start, length = int(form.get("start", "0")), min(100, int(form.get("length", "25")))
        except ValueError:
            return _forbidden()
        shown = [_listed(r) for r in found[start : start + length]]
        return reply(
            {"draw": 0, "recordsTotal": len(found), "recordsFiltered": len(found), "data": shown, "result": "ok"}
        )


def _forbidden() -> Response:
    return reply(
        "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head><body>CSRF verification failed.</body></html>\n",
        403,
        HTML,
    )


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text[:10], "%m/%d/%Y").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _title(report: FiledReport) -> str:
    again = f" (Amendment {report.amendment})" if report.amendment else ""
    return f"Periodic Transaction Report for {report.about:%m/%d/%Y}{again}"


def _listed(report: FiledReport) -> list[str]:
    kind = "paper" if report.paper else "ptr"
    given, family = report.given, report.family
    office = f"{family}, {given} (Senator)"
    if report.paper:
        # Who files on paper is listed carelessly, too.
        given, family, office = f"{given.upper()} ", family.upper(), "Senator"
    link = f'<a href="/search/view/{kind}/{report.document}/" target="_blank">{_title(report)}</a>'
    return [given, family, office, link, f"{report.filed:%m/%d/%Y}"]


def _row(number: int, row: Row) -> str:
    trade = row.trade
    ticker = (
        f'<a href="https://finance.yahoo.com/quote/{trade.symbol}"\n target="_blank">{trade.symbol}</a>'
        if trade.symbol not in ("-", "--")
        else "--"
    )
    about = (
        f'\n<div class="text-muted"><em>Description:</em>&nbsp;{html.escape(trade.description)}</div>'
        if trade.description
        else ""
    )
    return (
        f"<tr>\n<td>{number}</td>\n<td>\n {trade.traded:%m/%d/%Y}\n</td>\n<td>{_OWNERS[row.owner]}</td>\n<td>\n {ticker}\n</td>\n"
        f"<td>\n {html.escape(trade.company)}\n{about}</td>\n<td>{_TYPES.get(trade.asset_type, trade.asset_type)}</td>\n"
        f"<td>{_KINDS.get(trade.transaction, trade.transaction)}</td>\n<td>{trade.amount_range}</td>\n<td>--</td>\n</tr>"
    )


def report_page(report: FiledReport) -> str:
    """Return an electronic report as its page."""
    minute = int(hashlib.blake2b(report.document.encode(), digest_size=2).hexdigest(), 16) % 600
    clock = "3 PM" if minute < 60 else f"{(minute // 60) % 12 or 12}:{minute % 60:02d} PM"
    counts = "".join(
        f'<li class="list-inline-item">{sum(r.owner == code for r in report.rows)} {name}</li>\n'
        for code, name in _OWNERS.items()
    )
    heads = "\n".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    rows = "\n".join(_row(number, row) for number, row in sorted(enumerate(report.rows, start=1), reverse=True))
    title = _title(report).replace(" for ", "\n for ")
    return (
        '<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<title>eFD: Print Periodic Transaction Report</title>\n</head>\n<body>\n'
        f'<main class="container-fluid pgContent" id="content">\n<h1 class="mb-2">\n {title}\n</h1>\n'
        f'<h2 class="filedReport">\n Ms. {report.given}\n {report.family}\n ({report.family}, {report.given})\n</h2>\n'
        f'<p class="muted">\n<strong class="noWrap"><i class="fa fa-folder"></i> Filed  {report.filed:%m/%d/%Y} @ {clock}</strong>\n</p>\n'
        f'<section class="card">\n<ul class="unstyled list-inline">\n<li class="list-inline-item">({len(report.rows)} transactions total)</li>\n{counts}</ul>\n'
        f'<div class="table-responsive">\n<table class="table table-striped">\n<thead>\n<tr class="header">\n{heads}\n</tr>\n</thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n</section>\n</main>\n</body>\n</html>\n"
    )


def paper_page(report: FiledReport) -> str:
    """Return a paper report as its page: pictures and nothing to read."""
    pictures = "\n".join(
        f'<img class="filingImage" src="https://efd-media-public.senate.gov/media/{report.filed.year}/{number:09d}.gif" alt="filing document" />'
        for number in range(1, 4)
    )
    return (
        '<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<title>eFD: View Paper Report</title>\n</head>\n<body>\n'
        f'<h1 class="sr-only">Filing Document - Print View</h1>\n<div id="myCarousel">\n{pictures}\n</div>\n</body>\n</html>\n'
    )
