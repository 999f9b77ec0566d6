"""USAspending: transactions of federal contracts, by action date.

Recipients are named, not identified by symbol. Recorded lists of awards are read too; their amount is the award's total
so far and is restated with every modification, so what is collected is transactions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pas_lib.clock import NY
from pas_lib.sources import contracts, disclosed
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url
from pas_lib.sources.envelope import read_json

_PAGE = 100
#: The site pages no further than this many records of one question.
_DEEPEST = 50_000
#: One question covers so many days; there is no such month without a contract.
_WINDOW = timedelta(days=31)
#: The site answers for action dates from here on.
_EARLIEST = date(2007, 10, 1)
#: Awards worth less over their life are left out: no strategy sees them, and they are nine tenths of all records.
SMALLEST_AWARD = 1_000_000
_FIELDS = (
    "Award ID",
    "Mod",
    "Recipient Name",
    "Action Date",
    "Transaction Amount",
    "Awarding Agency",
    "Awarding Sub Agency",
    "Award Type",
)


class UsaSpending(Source):
    """``POST /api/v2/search/spending_by_transaction/`` in windows of a month."""

    name = "usaspending"
    site = "usaspending"
    host = "https://api.usaspending.gov"
    names_companies = True

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one question per month, the oldest first, the last one ending today; pages follow."""
        end = ask.end or ask.now.astimezone(NY).date()
        start = max(ask.start, _EARLIEST)
        windows: list[tuple[date, date]] = []
        last = end
        while last >= start or not windows:
            windows.append((last - _WINDOW + timedelta(days=1), last))
            last -= _WINDOW
        for first, last in reversed(windows):
            yield Request(
                self.name,
                ask.dataset,
                f"{first}_{last}",
                f"{base_url(self, ask.settings)}/api/v2/search/spending_by_transaction/",
                context={
                    "start": first.isoformat(),
                    "end": last.isoformat(),
                    "page": "1",
                    "following": str(ask.following).lower(),
                },
                json={
                    "filters": {
                        "time_period": [{"start_date": first.isoformat(), "end_date": last.isoformat()}],
                        "award_type_codes": ["A", "B", "C", "D"],
                        "award_amounts": [{"lower_bound": SMALLEST_AWARD}],
                    },
                    "fields": list(_FIELDS),
                    "sort": "Action Date",
                    "order": "asc",
                    "limit": _PAGE,
                    "page": 1,
                },
            )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page as long as there is one.

        Raises
        ------
        PayloadError
            If the window holds more than the site pages through.
        """
        if not self._document(payload)["page_metadata"].get("hasNext") or request.json is None:
            return None
        page = int(request.json["page"]) + 1
        if page * _PAGE > _DEEPEST:
            raise payload.error(f"more than {_DEEPEST} records from {payload.context['start']} on: narrow the window")
        return replace(request, json={**request.json, "page": page}, context={**request.context, "page": str(page)})

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page of transactions or awards, or one of the API's refusals."""
        head = body[:8000]
        return (b'"results"' in head and b'"generated_internal_id"' in body) or head.lstrip().startswith(b'{"detail"')

    def check(self, payload: Payload) -> None:
        """Refuse whatever is not a page of transactions."""
        self.parse(payload)

    def _document(self, payload: Payload) -> dict[str, Any]:
        document = read_json(payload)
        if not isinstance(document, dict) or not isinstance(document.get("results"), list):
            detail = document.get("detail") if isinstance(document, dict) else None
            raise payload.error(str(detail or "missing"), field_name="results")
        if not isinstance(document.get("page_metadata"), dict):
            raise payload.error("missing", field_name="page_metadata")
        if not document["results"]:
            raise payload.error("no contracts at all", field_name="results")
        return document

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per transaction (or award)."""
        rows = self._document(payload)["results"]
        first = rows[0] if isinstance(rows[0], dict) else {}
        awards = "Award Amount" in first and "Transaction Amount" not in first
        needed = {"generated_internal_id", "Recipient Name", "Awarding Agency"}
        needed |= {"Award Amount"} if awards else {"Transaction Amount", "Action Date", "Mod"}
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for row in rows:
            if not isinstance(row, dict) or not needed <= row.keys():
                missing = next((name for name in sorted(needed) if not isinstance(row, dict) or name not in row), "")
                raise payload.error("missing", field_name=f"results.{missing}")
            try:
                records.append(_record(row, awards, payload.context.get("following") == "true"))
            except (ValueError, TypeError) as error:
                rejects.append(Reject({name: row.get(name) for name in needed}, str(error)))
        disclosed.number_equal(records, "contract_id", "modification", "action_date")
        scopes = []
        if payload.context.get("start"):
            scopes = [
                {
                    "scope_start": date.fromisoformat(payload.context["start"]),
                    "scope_end": date.fromisoformat(payload.context["end"]),
                }
            ]
        return [Batch("gov_contracts", records=records, scopes=scopes, rejects=rejects)]


def _record(row: dict[str, Any], award: bool, following: bool) -> dict[str, Any]:
    stated = (row.get("Base Obligation Date") or row.get("Start Date")) if award else row["Action Date"]
    acted = disclosed.read_day(stated)
    agency, office = disclosed.read_text(row["Awarding Agency"]), disclosed.read_text(row.get("Awarding Sub Agency"))
    changed = disclosed.read_day(row["Last Modified Date"]) if row.get("Last Modified Date") else None
    defence = contracts.is_defence(agency, office)
    return {
        "event_date": acted,
        "contract_id": row["generated_internal_id"],
        "modification": "" if award else str(row["Mod"] or ""),
        "recipient": disclosed.read_text(row["Recipient Name"]) or "",
        "amount": disclosed.read_amount(row["Award Amount" if award else "Transaction Amount"]),
        "amount_kind": "award_total" if award else "transaction",
        "agency": agency,
        "sub_agency": office,
        "award_type": disclosed.read_text(row.get("Award Type") or row.get("Contract Award Type")),
        "description": disclosed.read_text(row.get("Description")),
        "is_defence": defence,
        "action_date": acted,
        "announced_date": changed,
        "available_date": None if following else contracts.available(acted, defence, changed),
    }


SOURCE = UsaSpending()
