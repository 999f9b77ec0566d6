"""USAspending: transactions of federal contracts, by action date.

The site sorts by one column and nothing else, so rows that are equal there may stand on two pages, or on none. What
came in several pages is counted: where rows are missing, the window is read from its other end too.

Recipients are named, not identified by symbol. Recorded lists of awards are read too; their amount is the award's total
so far and is restated with every modification, so what is collected is transactions.
"""

from __future__ import annotations

from collections import Counter
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
_SEARCH = "spending_by_transaction"
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
    """``POST /api/v2/search/spending_by_transaction[_count]/`` in windows of a month."""

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
            context = {"start": first.isoformat(), "end": last.isoformat(), "following": str(ask.following).lower()}
            yield self._page(ask.dataset, base_url(self, ask.settings), first, last, context, "asc")

    def _page(self, dataset: str, base: str, first: date, last: date, context: dict[str, str], order: str) -> Request:
        return Request(
            self.name,
            dataset,
            f"{first}_{last}",
            f"{base}/api/v2/search/{_SEARCH}/",
            context={**context, "page": "1"},
            json={
                "filters": {
                    "time_period": [{"start_date": first.isoformat(), "end_date": last.isoformat()}],
                    "award_type_codes": ["A", "B", "C", "D"],
                    "award_amounts": [{"lower_bound": SMALLEST_AWARD}],
                },
                "fields": list(_FIELDS),
                # Equal are only the modifications of one award.
                "sort": "Award ID",
                "order": order,
                "limit": _PAGE,
                "page": 1,
            },
        )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page; after the last one of several the question how many there are.

        Raises
        ------
        PayloadError
            If the pages, read from both ends, do not hold what is counted.
        """
        if request.json is None:
            return None
        if request.context.get("kind") == "count":
            return self._counted(request, payload)
        page, ends = int(request.json["page"]), not self._document(payload)["page_metadata"].get("hasNext")
        if ends and page == 1 and not request.skip:
            return None
        # What has come is remembered with the question.
        seen = request.skip | _identities(payload)
        if ends or (page + 1) * _PAGE > _DEEPEST:
            asked = {"filters": request.json["filters"]}
            context = {**request.context, "kind": "count", "order": str(request.json["order"])}
            url = request.url.replace(f"/{_SEARCH}/", f"/{_SEARCH}_count/")
            return replace(request, url=url, json=asked, context=context, skip=seen)
        asked = {**request.json, "page": page + 1}
        return replace(request, json=asked, context={**request.context, "page": str(page + 1)}, skip=seen)

    def _counted(self, request: Request, payload: Payload) -> Request | None:
        """Return nothing where as many different rows came as there are; otherwise the window from its other end."""
        count, seen = _count(payload), len(request.skip)
        if seen == count:
            return None
        if request.context["order"] == "desc" or seen > count:
            raise payload.error(
                f"{seen} different records from {request.context['start']} to {request.context['end']} where {count}"
                " are counted: the site pages them in no fixed order, or has changed meanwhile",
                field_name="results",
            )
        first = date.fromisoformat(request.context["start"]), date.fromisoformat(request.context["end"])
        base = request.url.partition("/api/v2/")[0]
        kept = {name: request.context[name] for name in ("start", "end", "following")}
        return replace(self._page(request.dataset, base, *first, kept, "desc"), skip=request.skip)

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
        """Return one record per transaction (or award); none for a count."""
        if payload.context.get("kind") == "count":
            return [Batch("gov_contracts", note=f"{_count(payload)} transactions")]
        rows = self._document(payload)["results"]
        first = rows[0] if isinstance(rows[0], dict) else {}
        awards = "Award Amount" in first and "Transaction Amount" not in first
        needed = {"generated_internal_id", "Recipient Name", "Awarding Agency"}
        needed |= {"Award Amount"} if awards else {"Transaction Amount", "Action Date", "Mod"}
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        mentioned: list[dict[str, Any]] = []
        for row in rows:
            if not isinstance(row, dict) or not needed <= row.keys():
                missing = next((name for name in sorted(needed) if not isinstance(row, dict) or name not in row), "")
                raise payload.error("missing", field_name=f"results.{missing}")
            try:
                records.append(_record(row, awards, payload.context.get("following") == "true"))
            except (ValueError, TypeError) as error:
                rejects.append(Reject({name: row.get(name) for name in needed}, str(error)))
                mentioned += _mentioned(row)
        # By content: another order of the same rows is no change.
        by_content = sorted(records, key=lambda r: (r["amount"] or 0.0, r["recipient"], r["description"] or ""))
        disclosed.number_equal(by_content, "contract_id", "modification", "action_date")
        scopes = []
        if payload.context.get("start"):
            scopes = [
                {
                    "scope_start": date.fromisoformat(payload.context["start"]),
                    "scope_end": date.fromisoformat(payload.context["end"]),
                }
            ]
        return [Batch("gov_contracts", records=records, scopes=scopes, mentioned=mentioned, rejects=rejects)]


def _count(payload: Payload) -> int:
    """Return how many transactions of contracts there are."""
    document = read_json(payload)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, dict) or not isinstance(results.get("contracts"), int):
        said = document.get("detail") if isinstance(document, dict) else None
        raise payload.error(str(said or "missing"), field_name="results.contracts")
    found: int = results["contracts"]
    return found


def _identities(payload: Payload) -> frozenset[str]:
    """Return what tells the transactions of a page apart; equal ones of a page are numbered."""
    seen: Counter[str] = Counter()
    found = set()
    for row in read_json(payload)["results"]:
        name = "\x1f".join(str(row.get(part)) for part in ("generated_internal_id", "Mod", "Action Date"))
        found.add(f"{name}\x1f{seen[name]}")
        seen[name] += 1
    return frozenset(found)


def _mentioned(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the key of a transaction that cannot be read; nothing is concluded about the one that is known."""
    try:
        acted = disclosed.read_day(row["Action Date"])
    except (KeyError, ValueError):
        return []
    key = {"contract_id": row["generated_internal_id"], "modification": str(row["Mod"] or ""), "action_date": acted}
    return [{**key, "event_date": acted, "ordinal": 0}]


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
