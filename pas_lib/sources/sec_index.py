"""SEC EDGAR's indexes: what was filed on a day, by whom, without the hour.

The index of a day tells of every filer, also of those whose CIK nobody stated. It comes by form, by company or as a
master with bars between the columns; the widths of the fixed ones differ, and names overrun theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime

import pyarrow as pa

from pas_lib.clock import NY
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source
from pas_lib.sources.edgar import absent, is_index, refuse_other_pages, stop_if_refused
from pas_lib.sources.filings import ACCESSION, PERIODIC, read_day
from pas_lib.sources.sec_edgar import FIRST_LOAD, absent_day, index_out, index_requests

_TAIL = re.compile(r"\s(\d{1,10})\s+(\d{8}|\d{4}-\d{2}-\d{2})\s+(edgar/data/\S+)\s*$")
_RECEIVED = re.compile(r"^Last Data Received:\s+([A-Z][a-z]{2})[a-z]* +(\d{1,2}), (\d{4})", re.M)
_GAP = re.compile(r"\s{2,}")
#: An index is sorted by form, and every day goes on after the last one that is kept.
_LAST_KEPT = max(PERIODIC)


class SecIndex(Source):
    """``/Archives/edgar/daily-index/{year}/QTR{n}/form.{YYYYMMDD}.idx``."""

    name = "sec_index"
    site = "sec"
    host = "https://www.sec.gov"
    accepts = frozenset({403, 404})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per weekday whose index is out."""
        first = ask.start_of("")
        if "" not in ask.starts and ask.end is None:
            first = max(first, index_out(ask) - FIRST_LOAD)
        yield from index_requests(self, ask, first, {"forms": "periodic"})

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is an index of EDGAR or one of its refusals."""
        return is_index(body)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is no index; a day without one is no error when EDGAR rests.

        Raises
        ------
        SourceError
            If EDGAR refuses the caller: asking again at once would only prolong that.
        """
        stop_if_refused(payload)
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per filer and filing; of a collection, of the periodic and current reports only."""
        refuse_other_pages(payload)
        if absent(payload):
            return [Batch("filings", note=absent_day(payload))]
        return [_rows(payload)]


def _rows(payload: Payload) -> Batch:
    text = payload.body.decode("latin-1")
    head, dashes, body = text.partition("\n-----")
    # The master of a whole quarter writes the last heading in one word.
    if not dashes or "Form Type" not in head or not ("File Name" in head or "|Filename" in head):
        raise payload.error("not an index of filings", field_name="Form Type")
    collected = "day" in payload.context
    only = PERIODIC if payload.context.get("forms") == "periodic" else None
    received = _RECEIVED.search(head)
    daily = "Daily Index" in head
    listed = read_day(payload.context["day"]) if collected else _day(received) if daily else None
    if collected and daily and received is not None and _day(received) != listed:
        raise payload.error(
            f"the index of {_day(received)} came instead of {listed}'s", field_name="Last Data Received"
        )
    names: list[str] = []
    forms: list[str] = []
    ciks: list[str] = []
    days: list[date] = []
    numbers: list[str] = []
    rejects: list[Reject] = []
    split = _splitter(payload, head)
    last = ""
    lines = body.splitlines()[1:]
    for line in lines:
        if not line or line.isspace():
            continue
        parts = split(line)
        if parts is None:
            raise payload.error(
                f"a line is cut off or has other columns: {line.strip()[:60]!r}", field_name="File Name"
            )
        form, name, cik, filed, path = parts
        last = max(last, form)
        if only is not None and form not in only:
            continue
        found = ACCESSION.search(path)
        try:
            if found is None:
                raise ValueError(f"no number of a filing in {path!r}")
            day = read_day(filed)
        except ValueError as error:
            rejects.append(Reject({"line": line.strip()}, str(error)))
            continue
        names.append(name)
        forms.append(form)
        ciks.append(cik.zfill(10))
        days.append(day)
        numbers.append(found[0])
    if collected and not last:
        raise payload.error("the index names no filings")
    if collected and (last <= _LAST_KEPT or not payload.body.endswith(b"\n")):
        raise payload.error("the index is cut off")
    filed_on = pa.array(days, pa.date32())
    table = pa.table(
        {
            "event_date": filed_on,
            "entity": pa.array([f"cik{cik}" for cik in ciks], pa.string()),
            "kind": pa.repeat("filing", len(ciks)),
            "accession": pa.array(numbers, pa.string()),
            "cik": pa.array(ciks, pa.string()),
            "company": pa.array(names, pa.string()),
            "form": pa.array(forms, pa.string()),
            "filed": filed_on,
            "indexed": pa.array([listed] * len(ciks), pa.date32()),
        }
    )
    return Batch("filings", table=table, rejects=rejects)


_Parts = tuple[str, str, str, str, str]


def _splitter(payload: Payload, head: str) -> Callable[[str], _Parts | None]:
    """Return what takes a line apart into form, name, CIK, date and path, by the header."""
    if "CIK|Company Name|Form Type|Date Filed|" in head:
        return _split_master
    by_form, by_name = head.rfind("\nForm Type"), head.rfind("\nCompany Name")
    if by_form > by_name:
        header = head[by_form + 1 :]
        width = header.find("Company Name")
        if width > 0:
            return lambda line: _split_by_form(line, width)
    if by_name > by_form:
        # The header of this one is wrapped; its first line holds what is needed.
        width = head[by_name + 1 :].find("Form Type")
        if width > 0:
            return lambda line: _split_by_company(line, width)
    raise payload.error("not an index of filings", field_name="Form Type")


def _split_master(line: str) -> _Parts | None:
    parts = line.split("|")
    if len(parts) != 5 or not parts[0].isdigit() or not parts[4].strip().startswith("edgar/data/"):
        return None
    return parts[2].strip(), parts[1].strip(), parts[0], parts[3].strip(), parts[4].strip()


def _split_by_form(line: str, width: int) -> _Parts | None:
    found = _TAIL.search(line)
    if found is None:
        return None
    return line[:width].strip(), line[width : found.start()].strip(), found[1], found[2], found[3]


def _split_by_company(line: str, width: int) -> _Parts | None:
    found = _TAIL.search(line)
    if found is None:
        return None
    left = line[: found.start()].rstrip()
    if left[width - 1 : width].isspace():
        return left[width:].strip(), left[:width].strip(), found[1], found[2], found[3]
    # The name overran its column: the form is what follows the last gap.
    pieces = _GAP.split(left)
    if len(pieces) < 2:
        return None
    return pieces[-1], "  ".join(pieces[:-1]), found[1], found[2], found[3]


def _day(received: re.Match[str] | None) -> date | None:
    if received is None:
        return None
    return datetime.strptime(" ".join(received.groups()), "%b %d %Y").replace(tzinfo=NY).date()


SOURCE = SecIndex()
