"""The Senate's electronic financial disclosures: a search whose answers name the periodic transaction reports.

The site lets in who accepts its terms (no commercial use, Ethics in Government Act section 105(c)) in a session of its
own; a session that is over answers with the entrance, as HTML with status 200. Reports filed on paper are pictures of
pages, which are listed as unreadable and never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from selectolax.lexbor import LexborHTMLParser, LexborNode

from pas_lib.clock import NY
from pas_lib.errors import PayloadError
from pas_lib.sources import congress
from pas_lib.sources.base import (
    UNKNOWN_TIME,
    Ask,
    Batch,
    Listing,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    document_name,
    excerpt,
    looks_like_html,
)

if TYPE_CHECKING:
    from pas_lib.settings import Settings

#: Reports fetched per collection; what is left comes with the next ones, newest filings first.
BATCH = 300
_PAGE = 100
_YEARS_BACK = 2
_HISTORY_START = date(2012, 1, 1)
#: The day listed and the day of filing that a report states may differ: the edges of a window list not all.
_EDGE = timedelta(days=7)
#: The search's code of periodic transaction reports.
_KIND = "[11]"
_TOKEN = re.compile(rb"name=[\"']csrfmiddlewaretoken[\"']\s+value=[\"']([^\"']+)[\"']")
_ENTRANCE = b"prohibition_agreement"
_LINK = re.compile(r"href=[\"']/search/view/(ptr|paper)/([0-9a-fA-F-]{36})/[\"'][^>]*>(.*?)</a>", re.S)
_DOCUMENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AMENDMENT = re.compile(r"\(Amendment\s+(\d+)\)")
_OFFICE = re.compile(r"^\s*(?P<family>[^,()]+),\s*(?P<given>[^()]+?)\s*(?:\((?:Former )?Senator\)|$)")
#: Full hours come without minutes.
_FILED = re.compile(r"Filed\s+(\d{1,2}/\d{1,2}/\d{4})\s*@(?:\s*(\d{1,2})(?::(\d{2}))?\s*([AP]M))?", re.I)
_TOTAL = re.compile(r"\((\d+)\s+transactions?\s+total\)")
_COLUMNS = ("#", "Transaction Date", "Owner", "Ticker", "Asset Name", "Asset Type", "Type", "Amount", "Comment")
_OWNERS = {"self": "", "spouse": "Spouse", "joint": "Joint", "child": "Child", "dependent child": "Child"}
#: The House's codes for what the Senate spells out, where one means the other.
_TYPES = {"stock": "ST", "stock option": "OP"}
#: "ACN - Accenture plc": the symbol stands before the name where its own cell is empty.
_LEADING = re.compile(r"^([A-Z]{1,5}(?:\.[A-Z])?) - (?=\S)")


@dataclass(frozen=True)
class Found:
    """A report that a search names.

    Parameters
    ----------
    politician : str
        Name of the filer.
    paper : bool
        Filed on paper.
    document : str
        Its identity.
    title : str
        As listed.
    listed : date
        Day listed; that of the filing is told by the report.
    """

    politician: str
    paper: bool
    document: str
    title: str
    listed: date


def read_search(body: bytes) -> tuple[int, list[Found]]:
    """Return how many reports a search has found in all, and those of this page.

    Raises
    ------
    ValueError
        If it is no answer of the search, or a part is missing.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError(f"not JSON or cut off ({excerpt(body)!r})") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise ValueError("field 'data' not found")
    if not isinstance(document.get("recordsFiltered"), int):
        raise ValueError("field 'recordsFiltered' not found")
    return document["recordsFiltered"], [_found(row) for row in document["data"]]


def _found(row: Any) -> Found:
    if not isinstance(row, list) or len(row) < 5 or not all(isinstance(cell, str) for cell in row[:5]):
        raise ValueError(f"a row is no list of five texts: {str(row)[:60]!r}")
    link = _LINK.search(row[3])
    if link is None:
        raise ValueError(f"no link to a report in {row[3][:80]!r}")
    return Found(
        read_person(row[2], f"{row[0]} {row[1]}"),
        link[1] == "paper",
        link[2].lower(),
        " ".join(link[3].split()),
        congress.read_us_day(row[4]),
    )


def read_person(office: str, otherwise: str) -> str:
    """Return a name from ``Capito, Shelley Moore (Senator)``, or from another text where that says only ``Senator``."""
    found = _OFFICE.match(office)
    if found is None:
        return congress.read_name(otherwise)
    given, family = found["given"].strip(" ,"), found["family"].strip()
    suffix = re.search(r",?\s+(Jr|Sr|II|III|IV)\.?$", given, re.I)
    if suffix:
        given, family = given[: suffix.start()].strip(" ,"), f"{family} {suffix[1]}"
    return congress.read_name(f"{given} {family}")


class SenateEfd(Source):
    """``/search/home/``, ``/search/report/data/`` and ``/search/view/{ptr|paper}/{document}/``."""

    name = "senate_efd"
    site = "senate-efd"
    host = "https://efdsearch.senate.gov"
    signs_in = True
    admitted_by = "headers"
    has_documents = True

    def sign_in(self, get: Callable[..., tuple[int, bytes]], settings: Settings) -> Mapping[str, str]:
        """Accept the terms; return the headers that go with every request of the session.

        Raises
        ------
        PayloadError
            If the entrance is another one.
        """
        url = f"{base_url(self, settings)}/search/home/"
        status, body = get(url)
        token = _TOKEN.search(body)
        if status != 200 or token is None:
            raise PayloadError(f"{self.name}: no form with terms but HTTP {status} {excerpt(body)!r} from {url}")
        text = token[1].decode()
        status, body = get(
            url, form={"prohibition_agreement": "1", "csrfmiddlewaretoken": text}, headers={"Referer": url}
        )
        if status != 200 or _ENTRANCE in body:
            raise PayloadError(f"{self.name}: the terms were accepted, but HTTP {status} {excerpt(body)!r} from {url}")
        return {"X-CSRFToken": text, "Referer": f"{base_url(self, settings)}/search/"}

    def session_over(self, payload: Payload) -> bool:
        """Return whether the entrance came instead of an answer."""
        return _ENTRANCE in payload.body and looks_like_html(payload.body)

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one search over the days of filing."""
        today = ask.now.astimezone(NY).date()
        last = min(ask.end, today) if ask.end else today
        begin = max(ask.start, _HISTORY_START)
        if ask.end is None and begin <= _HISTORY_START:
            begin = date(today.year - (_YEARS_BACK if ask.full else 1), 1, 1)
        yield self._page(ask.dataset, base_url(self, ask.settings), begin, last, 0, 0, ask.known)

    def _page(
        self, dataset: str, base: str, begin: date, last: date, start: int, taken: int, known: frozenset[str]
    ) -> Request:
        return Request(
            self.name,
            dataset,
            f"search-{start}",
            f"{base}/search/report/data/",
            form={
                "start": str(start),
                "length": str(_PAGE),
                "report_types": _KIND,
                "filer_types": "[]",
                "submitted_start_date": f"{begin:%m/%d/%Y} 00:00:00",
                "submitted_end_date": f"{last:%m/%d/%Y} 23:59:59",
                "candidate_state": "",
                "senator_state": "",
                "office_id": "",
                "first_name": "",
                "last_name": "",
            },
            context={
                "kind": "search",
                "since": begin.isoformat(),
                "until": last.isoformat(),
                "start": str(start),
                "taken": str(taken),
            },
            skip=known,
        )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the search's next page until all that was found was listed."""
        context = request.context
        if context.get("kind") != "search":
            return None
        total, found = _search(payload)
        start = int(context["start"]) + len(found)
        if start >= total:
            return None
        return self._page(
            request.dataset,
            request.url.removesuffix("/search/report/data/"),
            date.fromisoformat(context["since"]),
            date.fromisoformat(context["until"]),
            start,
            int(context["taken"]) + len(self._wanted(request, found)),
            # What is filed meanwhile pushes the last ones of this page to the next.
            request.skip | {report.document for report in found},
        )

    def _wanted(self, request: Request, found: list[Found]) -> list[Found]:
        return [report for report in found if report.document not in request.skip]

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:
        """Yield one request per report that is not loaded yet, so many in one collection."""
        if request.context.get("kind") != "search":
            return
        room = max(0, BATCH - int(request.context["taken"]))
        for report in self._wanted(request, _search(payload)[1])[:room]:
            kind = "paper" if report.paper else "ptr"
            yield Request(
                self.name,
                request.dataset,
                report.document,
                f"{request.url.removesuffix('/report/data/')}/view/{kind}/{report.document}/",
                context={
                    "kind": kind,
                    "document": report.document,
                    "politician": report.politician,
                    "listed": report.listed.isoformat(),
                },
            )

    def leaves(self, request: Request, payload: Payload) -> str:
        """Return how many reports of a page are left for the next collections."""
        if request.context.get("kind") != "search":
            return ""
        wanted = len(self._wanted(request, _search(payload)[1]))
        rest = wanted - max(0, BATCH - int(request.context["taken"]))
        return f"{min(rest, wanted)} reports of the Senate are left for the next collections" if rest > 0 else ""

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is an answer of the search, a report, pictures of one, or the entrance."""
        head = body[:4000].lstrip()
        if head.startswith(b"{"):
            return b'"recordsTotal"' in head and (b"/search/view/" in head or b'"data"' in head)
        return b"eFD:" in head or b"efd-media" in body or (_ENTRANCE in body and looks_like_html(body))

    def check(self, payload: Payload) -> None:
        """Refuse whatever is neither an answer of the search nor a report."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per transaction of a report; none for an answer of the search."""
        if not payload.body.strip():
            raise payload.error("the answer is empty")
        wants = payload.context.get("kind")
        if not looks_like_html(payload.body):
            if wants in ("ptr", "paper"):
                raise payload.error(f"no page of a report ({excerpt(payload.body)!r})")
            total, found = _search(payload)
            if not total or (not found and payload.context.get("start", "0") == "0"):
                raise payload.error("the search found no reports", field_name="data")
            note = f"{len(found)} of {total} reports, {sum(report.paper for report in found)} of them on paper"
            return [Batch("politician_trades", listing=True, listed=_listed(payload, total, found), note=note)]
        if self.session_over(payload):
            raise payload.error("the session is over: the site's terms came instead")
        if wants == "search":
            raise payload.error(f"an HTML page came instead of JSON ({_title(payload)!r})")
        return [_report(payload)]


def _search(payload: Payload) -> tuple[int, list[Found]]:
    try:
        return read_search(payload.body)
    except ValueError as error:
        raise payload.error(str(error), field_name="data") from None


def _listed(payload: Payload, total: int, found: list[Found]) -> Listing | None:
    """Return what a page of a search lists, and of which days of filing all pages together list everything."""
    context = payload.context
    if "since" not in context or "until" not in context or payload.fetched_at == UNKNOWN_TIME:
        return None
    since, until = (date.fromisoformat(context[name]) for name in ("since", "until"))
    named = frozenset(report.document for report in found)
    # Nothing is filed after today.
    last = until - _EDGE if until < payload.fetched_at.astimezone(NY).date() else until
    return Listing(f"{since}_{until}", named, total, "/search/view/", since + _EDGE, last)


def _title(payload: Payload) -> str:
    found = re.search(rb"<title>(.*?)</title>", payload.body[:4000], re.S | re.I)
    return excerpt(found[1], 120) if found else ""


def _report(payload: Payload) -> Batch:
    if b"</html" not in payload.body[-400:].lower():
        raise payload.error("the page is cut off")
    tree = LexborHTMLParser(payload.body.decode("utf-8", "replace"))
    named = document_name(payload.url)
    document = payload.context.get("document") or (named if _DOCUMENT.fullmatch(named) else "")
    pictures = tree.css("img.filingImage")
    if pictures:
        told = {name: payload.context[name] for name in ("politician", "listed") if name in payload.context}
        reason = f"filed on paper, {len(pictures)} scanned pages, unreadable"
        refused = Reject({"document": document, **told}, reason, expected=True)
        return Batch("politician_trades", listing=True, rejects=[refused])
    heading = _text(tree.css_first("h1"))
    if not heading.startswith("Periodic Transaction Report"):
        raise payload.error(f"no transaction report but {heading or _title(payload)!r}", field_name="h1")
    filed = _FILED.search(_text(tree.css_first("main") or tree.body))
    if filed is None:
        raise payload.error("missing", field_name="Filed")
    table = next((t for t in tree.css("table") if "Transaction Date" in _text(t.css_first("thead"))), None)
    if table is None:
        raise payload.error("column 'Transaction Date' not found", field_name="table")
    names = [_text(cell) for cell in table.css("thead th")]
    missing = next((name for name in _COLUMNS if name not in names), None)
    if missing is not None:
        raise payload.error(f"column {missing!r} not found among {', '.join(names)}", field_name="table")
    rows = table.css("tbody tr")
    total = _TOTAL.search(_text(tree.css_first("main") or tree.body))
    if total is not None and int(total[1]) != len(rows):
        raise payload.error(f"{len(rows)} rows where {total[1]} transactions are told", field_name="table")
    amendment = _AMENDMENT.search(heading)
    about = {
        "politician": payload.context.get("politician") or _filer(payload, tree),
        "chamber": "Senate",
        "report_date": congress.read_us_day(filed[1]),
        "filed_at": _filed_at(filed),
        "filing_status": "amended" if amendment else "new",
        "amendment": int(amendment[1]) if amendment else 0,
        "document": document,
    }
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    at = {name: names.index(name) for name in _COLUMNS}
    for row in rows:
        cells = row.css("td")
        try:
            records.append({**_row(cells, at), **about})
        except (ValueError, IndexError) as error:
            rejects.append(Reject({"document": document, "row": [_text(cell) for cell in cells]}, str(error)))
    congress.number_equal(records)
    return Batch("politician_trades", records=records, rejects=rejects)


def _filed_at(filed: re.Match[str]) -> datetime | None:
    """Return the time of filing, Eastern; None where the page states the day only, or no such time."""
    if filed[2] is None or not 1 <= int(filed[2]) <= 12 or int(filed[3] or 0) > 59:
        return None
    hour = int(filed[2]) % 12 + (12 if filed[4].upper() == "PM" else 0)
    day = congress.read_us_day(filed[1])
    return datetime.combine(day, time(hour, int(filed[3] or 0)), NY).astimezone(UTC)


def _filer(payload: Payload, tree: LexborHTMLParser) -> str:
    """Return the name in the heading: ``Mr. Thomas H Tuberville (Tuberville, Tommy)``."""
    heading = _text(tree.css_first("h2.filedReport"))
    plain, _, listed = heading.partition("(")
    try:
        return read_person(listed.rstrip(") "), plain)
    except ValueError:
        raise payload.error("the filer's name is missing", field_name="h2") from None


def _text(node: LexborNode | None) -> str:
    return " ".join(node.text(separator=" ").split()) if node is not None else ""


def _row(cells: list[LexborNode], at: dict[str, int]) -> dict[str, Any]:
    def cell(name: str) -> str:
        text: str = cells[at[name]].text()
        return " ".join(text.split())

    owner = cell("Owner").lower()
    if owner not in _OWNERS:
        raise ValueError(f"unknown owner {cell('Owner')!r}")
    whole = cells[at["Asset Name"]]
    muted = [_text(part) for part in whole.css("div.text-muted")]
    asset = " ".join(whole.text(deep=False).split()) or _text(whole)
    kind = cell("Asset Type")
    symbol = congress.read_symbol(cell("Ticker"))
    leading = _LEADING.match(asset)
    if symbol is None and leading is not None and kind.lower() in _TYPES:
        symbol = leading[1]
    amount_range, low, high = congress.read_amount(_amount(cell("Amount")))
    traded = congress.read_us_day(cell("Transaction Date"))
    told = [*muted, congress.text_or_none(cell("Comment").replace("--", "")) or ""]
    return {
        "event_date": traded,
        "symbol": symbol or "",
        "asset": asset or None,
        "asset_type": _TYPES.get(kind.lower(), congress.text_or_none(kind)),
        "transaction": congress.read_transaction(cell("Type")),
        "amount_range": amount_range,
        "amount_low": low,
        "amount_high": high,
        "transaction_date": traded,
        "owner": _OWNERS[owner],
        "description": congress.text_or_none("; ".join(part for part in told if part)),
    }


def _amount(text: str) -> str:
    if "$" not in text:
        raise ValueError(f"{text!r} is no amount")
    return text


SOURCE = SenateEfd()
