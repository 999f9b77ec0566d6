"""The Clerk of the House: the yearly index of financial disclosures and the periodic transaction reports it names.

The index tells the official day of each filing; the day in a report's rows is the one on which the member was notified
of the trade, days before the public is. Reports are PDFs: those filed on paper are scans without text, which are listed
as unreadable and never guessed.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from xml.etree import ElementTree

from pas_lib.clock import NY
from pas_lib.sources import congress, ptr
from pas_lib.sources.base import (
    NOT_THERE,
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

#: Reports fetched per index and collection; what is left comes with the next ones, newest filings first.
BATCH = 200
#: A first load without dates covers so many years before this one; earlier ones are asked for by their dates.
_YEARS_BACK = 2
_HISTORY_START = date(2012, 1, 1)
_REPORT = "P"
_FIELDS = ("Prefix", "Last", "First", "Suffix", "FilingType", "StateDst", "Year", "FilingDate", "DocID")


@dataclass(frozen=True)
class Filing:
    """One line of the yearly index.

    Parameters
    ----------
    politician : str
        Name of the filer.
    kind : str
        ``P`` is a periodic transaction report.
    district : str
        State and district, ``GA12``.
    year : int
        Year of the index.
    filed : date, optional
        Official day of the filing; some lines have none.
    document : str
        Number of the document.
    """

    politician: str
    kind: str
    district: str
    year: int
    filed: date | None
    document: str


def read_index(body: bytes) -> list[Filing]:
    """Return the lines of an index: the ZIP as published, or its XML or tab separated part.

    Raises
    ------
    ValueError
        If it is none, is damaged, or a field is missing.
    """
    if body.startswith(b"PK"):
        body = _unzipped(body)
    if body.lstrip(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        rows = _from_xml(body)
    else:
        table = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = [name for name in _FIELDS if name not in (table.fieldnames or ())]
        if missing:
            raise ValueError(f"column {missing[0]!r} not found")
        rows = [{name: (row[name] or "").strip() for name in _FIELDS} for row in table]
    return [_filing(row) for row in rows]


def _unzipped(body: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            name = next((n for n in archive.namelist() if n.lower().endswith("fd.xml")), None)
            if name is None:
                raise ValueError(f"the archive holds no index, only {', '.join(archive.namelist()) or 'nothing'}")
            return archive.read(name)
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"the archive is damaged or cut off ({error})") from None


def _from_xml(body: bytes) -> list[dict[str, str]]:
    if b"<!ENTITY" in body:
        raise ValueError("the index declares entities")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML or cut off ({error})") from None
    if root.tag != "FinancialDisclosure":
        raise ValueError(f"the root is {root.tag!r}, not 'FinancialDisclosure'")
    rows = []
    for member in root.iterfind("Member"):
        row = {child.tag: (child.text or "").strip() for child in member}
        missing = [name for name in _FIELDS if name not in row]
        if missing:
            raise ValueError(f"field {missing[0]!r} not found in a member")
        rows.append(row)
    return rows


def _filing(row: dict[str, str]) -> Filing:
    if not row["DocID"] or not row["Year"].isdigit():
        raise ValueError(f"a line without document or year: {row}")
    try:
        name = congress.read_name(f"{row['First']} {row['Last']} {row['Suffix']}")
    except ValueError:
        name = ""
    filed = congress.read_us_day(row["FilingDate"]) if row["FilingDate"] else None
    return Filing(name, row["FilingType"], row["StateDst"], int(row["Year"]), filed, row["DocID"])


class HouseClerk(Source):
    """``/public_disc/financial-pdfs/{year}FD.zip`` and ``/public_disc/ptr-pdfs/{year}/{document}.pdf``."""

    name = "house_clerk"
    site = "house-clerk"
    host = "https://disclosures-clerk.house.gov"
    accepts = frozenset({404})
    has_documents = True

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per yearly index, the newest first."""
        base = base_url(self, ask.settings)
        today = ask.now.astimezone(NY).date()
        last = min(ask.end, today) if ask.end else today
        begin = max(ask.start, _HISTORY_START)
        if ask.end is None and begin <= _HISTORY_START:
            begin = date(today.year - (_YEARS_BACK if ask.full else 1), 1, 1)
        for year in range(last.year, begin.year - 1, -1):
            yield Request(
                self.name,
                ask.dataset,
                f"{year}FD",
                f"{base}/public_disc/financial-pdfs/{year}FD.zip",
                context={
                    "kind": "index",
                    "year": str(year),
                    "since": begin.isoformat(),
                    "until": last.isoformat(),
                },
                skip=ask.known,
            )

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:
        """Yield one request per report that is not loaded yet, the newest first, so many at a time."""
        if request.context.get("kind") != "index" or payload.status != 200:
            return
        base = request.url.partition("/financial-pdfs/")[0]
        for filed, filing in _wanted(payload, request.skip)[:BATCH]:
            yield Request(
                self.name,
                request.dataset,
                filing.document,
                f"{base}/ptr-pdfs/{filing.year}/{filing.document}.pdf",
                context={
                    "kind": "report",
                    "document": filing.document,
                    "politician": filing.politician,
                    "filed": filed.isoformat(),
                },
            )

    def leaves(self, request: Request, payload: Payload) -> str:
        """Return how many reports are left for the next collections."""
        if request.context.get("kind") != "index" or payload.status != 200:
            return ""
        rest = len(_wanted(payload, request.skip)) - BATCH
        return f"{rest} reports of {request.context['year']} are left for the next collections" if rest > 0 else ""

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a PDF, an archive or one of the two forms of the index."""
        head = body[:400].lstrip(b"\xef\xbb\xbf")
        return head.startswith((b"%PDF", b"PK\x03\x04", b"Prefix\tLast")) or b"<FinancialDisclosure" in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is neither an index nor a report; the index of a year that just began may be missing."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per transaction of a report; none for an index."""
        if payload.status == 404:
            return [self._absent(payload)]
        if looks_like_html(payload.body):
            raise payload.error(f"an HTML page came ({excerpt(payload.body)!r})")
        if not payload.body.strip():
            raise payload.error("the answer is empty")
        wants = payload.context.get("kind")
        if payload.body.startswith(b"%PDF"):
            if wants == "index":
                raise payload.error("a report came instead of the index")
            return [_report(payload)]
        if wants == "report":
            raise payload.error(f"not a PDF ({excerpt(payload.body)!r})")
        return [_listing(payload)]

    def _absent(self, payload: Payload) -> Batch:
        day = payload.fetched_at.astimezone(NY).date() if payload.fetched_at != UNKNOWN_TIME else None
        if payload.context.get("kind") == "report":
            record = {"document": payload.context.get("document"), "politician": payload.context.get("politician")}
            refused = Reject(record, NOT_THERE, expected=True)
            note = f"{record['document']}: {NOT_THERE}"
            return Batch("politician_trades", rejects=[refused], listing=True, missing=True, note=note)
        if day is not None and day.month == 1 and payload.context.get("year") == str(day.year):
            return Batch("politician_trades", listing=True, note=f"no index of {day.year} yet")
        raise payload.error("there is no such index (HTTP 404)")


def _filings(payload: Payload) -> list[Filing]:
    try:
        filings = read_index(payload.body)
    except (ValueError, UnicodeDecodeError) as error:
        raise payload.error(str(error), field_name="index") from None
    year = payload.context.get("year")
    if not filings:
        raise payload.error("the index names no filings", field_name="Member")
    if year is not None and all(filing.year != int(year) for filing in filings):
        raise payload.error(f"it is the index of {filings[0].year}, not of {year}", field_name="Year")
    return filings


def _wanted(payload: Payload, known: frozenset[str]) -> list[tuple[date, Filing]]:
    """Return the transaction reports of the window that are not known with their days, the newest first."""
    since, until = payload.context.get("since", ""), payload.context.get("until", "9999")
    found = [
        (filing.filed, filing)
        for filing in _filings(payload)
        if filing.kind == _REPORT
        and filing.filed is not None
        and since <= filing.filed.isoformat() <= until
        and f"{filing.document}.pdf" not in known
    ]
    return sorted(found, key=lambda pair: (pair[0], pair[1].document), reverse=True)


def _listing(payload: Payload) -> Batch:
    filings = _filings(payload)
    reports = [filing for filing in filings if filing.kind == _REPORT]
    undated = [
        Reject({"document": f.document, "politician": f.politician}, "a report without a day of filing", expected=True)
        for f in reports
        if f.filed is None
    ]
    note = f"{len(reports)} transaction reports among {len(filings)} filings"
    # The whole year stands in it, whatever window is asked for. One without any report says nothing about those known.
    years = {filing.year for filing in reports}
    named = frozenset(filing.document for filing in reports)
    listed = None
    if len(years) == 1 and "year" in payload.context:
        year = payload.context["year"]
        listed = Listing(f"{year}FD", named, len(named), f"/ptr-pdfs/{year}/")
    return Batch("politician_trades", listing=True, listed=listed, rejects=undated, note=note)


def _report(payload: Payload) -> Batch:
    if b"%%EOF" not in payload.body[-1024:]:
        raise payload.error("the PDF is cut off")
    try:
        report = ptr.read_report(ptr.read_pages(payload.body))
    except ValueError as error:
        raise payload.error(str(error)) from None
    document = payload.context.get("document") or (report.document if report else "")
    document = document or document_name(payload.url).removesuffix(".pdf")
    if report is None:
        record = {
            "document": document,
            **{k: payload.context[k] for k in ("politician", "filed") if k in payload.context},
        }
        return Batch(
            "politician_trades",
            rejects=[Reject(record, "a scan without text, unreadable", expected=True)],
            listing=True,
        )
    if "document" in payload.context and report.document not in ("", payload.context["document"]):
        raise payload.error(f"it is document {report.document}, not {document}", field_name="Filing ID")
    # Without the index there is only the day of the signature.
    filed = date.fromisoformat(payload.context["filed"]) if "filed" in payload.context else report.signed
    about = {
        "politician": payload.context.get("politician") or report.politician,
        "chamber": "House",
        "report_date": filed,
        "document": document,
    }
    records = [{**row, **about} for row in report.rows]
    congress.number_equal(records)
    rejects = [Reject({"document": document, "row": text}, reason) for text, reason in report.refused]
    return Batch("politician_trades", records=records, rejects=rejects)


SOURCE = HouseClerk()
