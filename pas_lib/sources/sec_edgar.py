"""SEC EDGAR: insider transactions from the daily index of forms and the filings it names.

A filing's complete text holds the time of acceptance (always New York's) in its header and the ownership document as
XML. Only Form 4 and its amendments tell transactions in time; Forms 3 (holdings) and 5 (yearly) are skipped. Derivative
securities are not shares and are skipped too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree import ElementTree

from pas_lib import clock
from pas_lib.clock import NY
from pas_lib.sources import insiders
from pas_lib.sources.base import (
    UNKNOWN_TIME,
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
    document_name,
    excerpt,
)
from pas_lib.sources.edgar import absent, error_code, is_index, refuse_other_pages, stop_if_refused

#: The day's index appears then.
INDEX_TIME = time(22, 15)
#: A first load without dates goes back this far: every filing is a request of its own.
FIRST_LOAD = timedelta(days=35)
_FORMS = frozenset({"4", "4/A"})
_LINE = re.compile(r"\s(?P<cik>\d{1,10})\s+(?P<filed>\d{8}|\d{4}-\d{2}-\d{2})\s+(?P<path>edgar/data/\S+\.txt)\s*$")
_ACCESSION = re.compile(r"(\d{10}-\d{2}-\d{6})")
_ACCEPTED = re.compile(rb"<ACCEPTANCE-DATETIME>\s*(\d{14})")
_DOCUMENT = re.compile(rb"<ownershipDocument\b.*?</ownershipDocument>", re.S)
_TRUE = frozenset({"1", "true"})


class SecEdgar(Source):
    """``/Archives/edgar/daily-index/.../form.YYYYMMDD.idx`` and the Form 4 filings in it."""

    name = "sec_edgar"
    site = "sec"
    host = "https://www.sec.gov"
    accepts = frozenset({403, 404})
    has_documents = True

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per weekday whose index is out."""
        first = ask.start_of("")
        if not ask.starts and ask.end is None and ask.start <= insiders.HISTORY_START:
            first = max(first, index_out(ask) - FIRST_LOAD)
        yield from index_requests(self, ask, first, {"kind": "index"})

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:
        """Yield one request per filing the index names; each is listed under the company and every owner."""
        if request.context.get("kind") != "index" or payload.status != 200:
            return
        archives = request.url.partition("/edgar/daily-index/")[0]
        seen: set[str] = set()
        for form, path in _index(payload):
            accession = _ACCESSION.search(path)
            if form not in _FORMS or accession is None or accession[1] in seen:
                continue
            seen.add(accession[1])
            if document_name(path) in request.skip:
                continue
            yield Request(
                self.name,
                request.dataset,
                accession[1],
                f"{archives}/{path}",
                context={"kind": "filing", "accession": accession[1], "form": form},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is an ownership document, a filing, an index of forms or one of EDGAR's refusals."""
        head = body[:3000]
        return b"<ownershipDocument" in head or b"<SEC-HEADER>" in head or b"<SEC-DOCUMENT>" in head or is_index(body)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is neither an index nor a filing; a day without an index is no error.

        Raises
        ------
        SourceError
            If EDGAR refuses the caller: asking again at once would only prolong that.
        """
        stop_if_refused(payload)
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per transaction in shares of a Form 4 filing; none for an index."""
        refuse_other_pages(payload)
        if absent(payload):
            return [Batch("insider_buying", note=absent_day(payload))]
        if b"EDGAR Dissemination Feed" in payload.body[:3000] or payload.context.get("kind") == "index":
            lines = _index(payload)
            if payload.context:
                _check_whole(payload, lines)
            return [Batch("insider_buying", note=f"{sum(form in _FORMS for form, _ in lines)} listings of Form 4")]
        return [_filing(payload)]


def index_out(ask: Ask) -> date:
    """Return the last day whose index is out."""
    local = ask.now.astimezone(NY)
    return local.date() if local.time() >= INDEX_TIME else local.date() - timedelta(days=1)


def index_requests(site: Source, ask: Ask, first: date, context: Mapping[str, str]) -> Iterable[Request]:
    """Yield one request per weekday from ``first`` on whose index is out; over a weekend the one before it."""
    base = base_url(site, ask.settings)
    last = index_out(ask)
    if ask.end is not None:
        last = min(last, ask.end)
    day = min(first, last - timedelta(days=max(0, last.weekday() - 4)))
    while day <= last:
        if day.weekday() < 5:
            yield Request(
                site.name,
                ask.dataset,
                f"form.{day:%Y%m%d}",
                f"{base}/Archives/edgar/daily-index/{day.year}/QTR{(day.month + 2) // 3}/form.{day:%Y%m%d}.idx",
                context={"day": day.isoformat(), **context},
                skip=ask.known,
            )
        day += timedelta(days=1)


def absent_day(payload: Payload) -> str:
    """Return a note about a day without an index.

    Raises
    ------
    PayloadError
        If there should be one.
    """
    day = payload.context.get("day")
    if day is None or _is_working_day(date.fromisoformat(day)):
        raise payload.error(f"there is none ({error_code(payload)})")
    return f"no index on {day}, a holiday"


def _is_working_day(day: date) -> bool:
    """Return whether EDGAR works: when the exchange does, but for the holidays and bridge days of the government."""
    columbus = day.month == 10 and day.weekday() == 0 and 8 <= day.day <= 14
    veterans = day.month == 11 and (
        day.day == 11 or (day.day == 10 and day.weekday() == 4) or (day.day == 12 and day.weekday() == 0)
    )
    bridge = day.month == 12 and day.day in (24, 26)
    return clock.is_session(day) and not (columbus or veterans or bridge)


def _index(payload: Payload) -> list[tuple[str, str]]:
    """Return (form, path) of every line of an index by form.

    The width of the columns differs between indexes, and names overrun theirs: the form ends where the header says, the
    rest is read from the right.
    """
    text = payload.body.decode("latin-1")
    head, dashes, body = text.partition("\n-----")
    header = head.rpartition("\n")[2]
    if not dashes or not header.startswith("Form Type") or "Company Name" not in header:
        raise payload.error("not an index by form", field_name="Form Type")
    width = header.index("Company Name")
    found: list[tuple[str, str]] = []
    for line in body.splitlines()[1:]:
        if not line.strip():
            continue
        match = _LINE.search(line)
        if match is None:
            raise payload.error(
                f"a line is cut off or has other columns: {line.strip()[:60]!r}", field_name="File Name"
            )
        found.append((line[:width].strip(), match["path"]))
    return found


def _check_whole(payload: Payload, lines: list[tuple[str, str]]) -> None:
    """Refuse an index that may be cut off: it is sorted by form, and no working day ends with Form 4."""
    if not lines:
        raise payload.error("the index names no filings")
    if max(form for form, _ in lines) <= max(_FORMS) or not payload.body.endswith(b"\n"):
        raise payload.error("the index is cut off")


def _filing(payload: Payload) -> Batch:
    body = payload.body
    if b"<!ENTITY" in body:
        raise payload.error("the document declares entities")
    document = _DOCUMENT.search(body)
    if document is None:
        cut = b"<ownershipDocument" in body
        raise payload.error("the document is cut off" if cut else f"no ownership document ({excerpt(body)!r})")
    try:
        root = ElementTree.fromstring(document[0])  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise payload.error(f"not XML ({error})") from None
    form = _text(root, "documentType") or ""
    if form not in _FORMS:
        return Batch("insider_buying", note=f"a Form {form} is no Form 4")
    header = _ACCEPTED.search(body)
    if header is None and payload.fetched_at != UNKNOWN_TIME:
        raise payload.error("the time of acceptance is missing", field_name="ACCEPTANCE-DATETIME")
    accepted = insiders.read_time(header[1].decode()) if header else None
    symbol = insiders.read_symbol(_text(root, "issuer/issuerTradingSymbol"))
    if symbol is None:
        return Batch("insider_buying", note="a company without a symbol")
    owners = root.findall("reportingOwner")
    name = _text(owners[0], "reportingOwnerId/rptOwnerName") if owners else None
    if name is None:
        raise payload.error("missing", field_name="rptOwnerName")
    accession = payload.context.get("accession")
    if accession is None:
        found = re.search(rb"(?:ACCESSION NUMBER:\s*|<ACCESSION-NUMBER>)(\d{10}-\d{2}-\d{6})", body)
        accession = found[1].decode() if found else None
    about = {
        "issuer_cik": _cik(_text(root, "issuer/issuerCik")),
        "insider_cik": _cik(_text(owners[0], "reportingOwnerId/rptOwnerCik")),
        "owners": len(owners),
        "officer_title": next((t for o in owners if (t := _text(o, "reportingOwnerRelationship/officerTitle"))), None),
        "is_director": _flag(owners, "isDirector"),
        "is_officer": _flag(owners, "isOfficer"),
        "is_ten_percent_owner": _flag(owners, "isTenPercentOwner"),
        "is_other": _flag(owners, "isOther"),
        "is_amendment": form.endswith("/A"),
        "original_filed": _original(root),
        "is_planned": None if root.find("aff10b5One") is None else (_text(root, "aff10b5One") or "").lower() in _TRUE,
        "accession": accession,
    }
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for line in root.iterfind("nonDerivativeTable/nonDerivativeTransaction"):
        try:
            records.append(_transaction(line, symbol, name, accepted, about))
        except (ValueError, TypeError) as error:
            rejects.append(Reject({"accession": accession, "line": len(records) + len(rejects)}, str(error)))
    insiders.number_equal(records)
    return Batch("insider_buying", records=records, rejects=rejects)


def _transaction(
    line: ElementTree.Element, symbol: str, name: str, accepted: datetime | None, about: dict[str, Any]
) -> dict[str, Any]:
    amounts = "transactionAmounts"
    return insiders.make(
        symbol=symbol,
        insider=name,
        code=insiders.read_code(_text(line, "transactionCoding/transactionCode")),
        # Now and then a date carries an offset.
        traded=date.fromisoformat((_text(line, "transactionDate") or "")[:10]),
        filed_at=accepted,
        shares=insiders.read_number(_text(line, f"{amounts}/transactionShares")),
        price=insiders.read_number(_text(line, f"{amounts}/transactionPricePerShare")),
        shares_following=insiders.read_number(_text(line, "postTransactionAmounts/sharesOwnedFollowingTransaction")),
        acquired_disposed=_text(line, f"{amounts}/transactionAcquiredDisposedCode"),
        ownership=_text(line, "ownershipNature/directOrIndirectOwnership") or "",
        security_title=_text(line, "securityTitle") or "",
        **about,
    )


def _text(node: ElementTree.Element, path: str) -> str | None:
    """Return a leaf's value, which may be wrapped in ``value``; None where only a footnote tells it."""
    found = node.find(path)
    if found is None:
        return None
    value = found.find("value")
    return insiders.text_or_none((value if value is not None else found).text)


def _original(root: ElementTree.Element) -> date | None:
    """Return the day of the filing that is amended; None where none, or no day, is stated."""
    stated = _text(root, "dateOfOriginalSubmission")
    try:
        return date.fromisoformat(stated[:10]) if stated else None
    except ValueError:
        return None


def _flag(owners: list[ElementTree.Element], name: str) -> bool:
    return any((_text(o, f"reportingOwnerRelationship/{name}") or "").lower() in _TRUE for o in owners)


def _cik(text: str | None) -> str | None:
    return text.zfill(10) if text else None


SOURCE = SecEdgar()
