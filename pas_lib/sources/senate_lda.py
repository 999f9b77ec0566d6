"""The Senate's LDA API: lobbying reports as they were posted.

Clients are named, not identified by symbol. An in-house registrant states `expenses`, which include what it paid to
outside firms; a firm states `income` from the client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from pas_lib.clock import NY
from pas_lib.sources import disclosed
from pas_lib.sources.base import UNKNOWN_TIME, Ask, Batch, Payload, Reject, Request, Source, base_url
from pas_lib.sources.envelope import read_json

_PAGE = 25
#: Start of the first load of the aggregators; here a year has 4,000 pages, at 15 a minute.
HISTORY_START = date(2015, 1, 1)
#: What a first load without dates goes back: growth compares a quarter with that of a year before.
_FIRST_LOAD = timedelta(days=480)
#: Days of one question: some 1,500 pages.
_WINDOW = timedelta(days=92)
#: The bounds are days, asked for with one more on either side; where the day ends depends on the clock that is meant.
_BESIDE = timedelta(days=2)
_ENDS = {
    "first_quarter": (3, 31),
    "second_quarter": (6, 30),
    "third_quarter": (9, 30),
    "fourth_quarter": (12, 31),
    "mid_year": (6, 30),
    "year_end": (12, 31),
}
_NEEDED = ("filing_uuid", "filing_type", "income", "expenses", "registrant", "client")


class _Named(msgspec.Struct):
    """A registrant or a client."""

    name: str | None = None
    id: int | None = None


class _Activity(msgspec.Struct):
    """One issue lobbied on."""

    general_issue_code_display: str | None = None
    description: str | None = None


class _Filing(msgspec.Struct):
    """What is read of a filing: a tenth of it. The rest is skipped, not built."""

    filing_uuid: str
    filing_type: str
    income: str | float | None
    expenses: str | float | None
    registrant: _Named
    client: _Named
    dt_posted: str | None = None
    filing_year: int | None = None
    filing_period: str | None = None
    lobbying_activities: list[_Activity] | None = None


class _Page(msgspec.Struct):
    """A page of filings."""

    results: list[_Filing]
    next: str | None = None


_PAGE_DECODER = msgspec.json.Decoder(_Page)


class SenateLda(Source):
    """``/api/v1/filings/`` by day of posting."""

    name = "senate_lda"
    site = "senate-lda"
    host = "https://lda.senate.gov"
    url_setting = "senate_lda_url"
    names_companies = True

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one question per window of days of posting, the oldest first; pages follow."""
        end = ask.end or ask.now.astimezone(NY).date()
        first = ask.start
        if ask.end is None and first <= HISTORY_START:
            first = max(first, end - _FIRST_LOAD)
        while first <= end:
            last = min(first + _WINDOW - timedelta(days=1), end)
            yield Request(
                self.name,
                ask.dataset,
                f"{first}_{last}",
                f"{base_url(self, ask.settings)}/api/v1/filings/",
                # The bounds are days; one more on either side makes the range safe whichever way they are read.
                params={
                    "filing_dt_posted_after": (first - timedelta(days=1)).isoformat(),
                    "filing_dt_posted_before": (last + timedelta(days=1)).isoformat(),
                    "ordering": "dt_posted",
                    "page": "1",
                    "page_size": str(_PAGE),
                },
                headers={"Accept": "application/json"},
                context={"start": first.isoformat(), "end": last.isoformat()},
            )
            first = last + timedelta(days=1)

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page as long as the answer names one, and the other end where filings are missing then.

        Many are posted in one second, which the site puts in any order: one may stand on two pages, another on none.

        Raises
        ------
        PayloadError
            If the pages, read from both ends, do not hold as many filings as are counted.
        """
        document = self._document(payload)
        seen = request.skip | {str(row.get("filing_uuid")) for row in document["results"] if isinstance(row, dict)}
        if document.get("next"):
            return replace(request.with_params(page=str(int(request.params["page"]) + 1)), skip=seen)
        count = document.get("count")
        if not isinstance(count, int) or len(seen) >= count:
            return None
        if request.params["ordering"].startswith("-"):
            raise payload.error(f"{len(seen)} different filings where {count} are counted", field_name="results")
        return replace(request.with_params(page="1", ordering=f"-{request.params['ordering']}"), skip=seen)

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page of filings or one of the API's refusals."""
        head = body[:4000]
        return b"filing_uuid" in head or head.lstrip().startswith(b'{"detail"') or b'"Retry-After"' in head

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a page of filings."""
        self.parse(payload)

    def _document(self, payload: Payload) -> dict[str, Any]:
        document = read_json(payload)
        if isinstance(document, list) and document and isinstance(document[0], dict):
            document = document[0].get("body", document[0])
        if not isinstance(document, dict):
            raise payload.error("not an object", field_name="results")
        if not isinstance(document.get("results"), list):
            raise payload.error(str(document.get("detail") or "missing"), field_name="results")
        if not document["results"]:
            raise payload.error("no filings at all", field_name="results")
        return document

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per filing."""
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        fetched_on = None if payload.fetched_at == UNKNOWN_TIME else payload.fetched_at.astimezone(NY).date()
        window = [date.fromisoformat(payload.context[name]) for name in ("start", "end") if name in payload.context]
        for filing in self._filings(payload, rejects):
            try:
                record = _record(filing, fetched_on)
                posted = record["report_date"]
                if posted is not None and window and not window[0] - _BESIDE <= posted <= window[-1] + _BESIDE:
                    # Parameters that it does not know the site ignores, and gives all it has.
                    raise payload.error(f"a filing posted on {posted}, outside of what was asked for")
                # What was asked for beside the window is in the windows beside it.
                if posted is None or not window or window[0] <= posted <= window[-1]:
                    records.append(record)
            except (ValueError, TypeError) as error:
                rejects.append(Reject({"filing_uuid": filing.filing_uuid}, str(error)))
        disclosed.number_equal(records, "filing_id")
        # All pages together state the days completely: they are counted. What is missing was withdrawn.
        scopes = [{"scope_start": window[0], "scope_end": window[-1]}] if window else []
        mentioned = [{"filing_id": str(reject.record["filing_uuid"]), "ordinal": 0} for reject in rejects]
        return [Batch("lobbying", records=records, scopes=scopes, mentioned=mentioned, rejects=rejects)]

    def _filings(self, payload: Payload, rejects: list[Reject]) -> list[_Filing]:
        """Return the filings of a page; one that is not as promised is rejected by itself."""
        try:
            page = _PAGE_DECODER.decode(payload.body)
        except msgspec.MsgspecError:
            pass
        else:
            if page.results:
                return page.results
        filings: list[_Filing] = []
        for row in self._document(payload)["results"]:
            missing = next((name for name in _NEEDED if not isinstance(row, dict) or name not in row), None)
            if missing:
                raise payload.error("missing", field_name=f"results.{missing}")
            try:
                filings.append(msgspec.convert(row, _Filing))
            except msgspec.ValidationError as error:
                rejects.append(Reject({"filing_uuid": row["filing_uuid"]}, str(error)))
        return filings


def _record(filing: _Filing, fetched_on: date | None) -> dict[str, Any]:
    income, expenses = disclosed.read_amount(filing.income), disclosed.read_amount(filing.expenses)
    posted = datetime.fromisoformat(filing.dt_posted) if filing.dt_posted else None
    if posted is not None and posted.tzinfo is None:
        posted = posted.replace(tzinfo=NY)
    activities = filing.lobbying_activities or []
    issues = [disclosed.read_text(item.general_issue_code_display) for item in activities]
    details = [disclosed.read_text(item.description) for item in activities]
    reported = posted.astimezone(NY).date() if posted else None
    return {
        "event_date": reported or _period_end(filing.filing_year, filing.filing_period, fetched_on),
        "filing_id": filing.filing_uuid,
        "client": disclosed.read_text(filing.client.name) or "",
        "registrant": disclosed.read_text(filing.registrant.name) or "",
        "amount": income if expenses is None else expenses,
        "amount_kind": "expenses" if expenses is not None else "income" if income is not None else None,
        "issue": "; ".join(dict.fromkeys(issue for issue in issues if issue)) or None,
        "specific_issue": "; ".join(detail for detail in details if detail) or None,
        "filing_type": filing.filing_type,
        "filing_year": filing.filing_year,
        "filing_period": filing.filing_period,
        "registrant_id": filing.registrant.id,
        "client_id": filing.client.id,
        "report_date": reported,
        "posted_at": posted.astimezone(UTC) if posted else None,
    }


def _period_end(year: Any, period: Any, fetched_on: date | None) -> date:
    """Return what stands in for the day of a report without a date of posting, which is known from the fetch on.

    That is the end of its period, or the day of the fetch where the period goes on, or is not told.

    Raises
    ------
    ValueError
        If neither is known.
    """
    ended = date(int(year), *_ENDS[period]) if year and period in _ENDS else None
    days = [day for day in (ended, fetched_on) if day is not None]
    if not days:
        raise ValueError(f"neither date of posting nor a known period: {period!r}")
    return min(days)


SOURCE = SenateLda()
