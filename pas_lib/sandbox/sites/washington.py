"""Lobbying and contracts on the sites: QuiverQuant's API and pages, the Senate's LDA API, USAspending."""

# ruff: noqa: E501 - lines of markup and of recorded oddities are kept whole

from __future__ import annotations

import html
import json
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.washington import ISSUES, QUARTERS, Action, Filing, build_actions, build_filings

EVENING: Final = 17
RECENT: Final = 500
PAGE_ROWS: Final = 100
LDA_PAGE: Final = 25
HTML: Final = "text/html; charset=utf-8"
QUARTER_NAMES: Final = (
    "1st Quarter (Jan 1 - Mar 31)",
    "2nd Quarter (Apr 1 - June 30)",
    "3rd Quarter (July 1 - Sep 30)",
    "4th Quarter (Oct 1 - Dec 31)",
)


class Washington:
    """What is public of lobbying and contracts at the clock's time; shared by the sites."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @cached_property
    def _filings(self) -> tuple[Filing, ...]:
        return build_filings(self.context.world)

    @cached_property
    def _actions(self) -> tuple[Action, ...]:
        return build_actions(self.context.world)

    @property
    def day(self) -> date:
        """The last day whose evening has come: what a site adds each evening is there up to this day."""
        local = self.context.now.astimezone(NY)
        return local.date() if local.hour >= EVENING else local.date() - timedelta(days=1)

    def posted(self) -> list[Filing]:
        """Return the filings posted by now, oldest first."""
        return [f for f in self._filings if f.posted <= self.context.now]

    def reported(self) -> list[Filing]:
        """Return the reports of listed companies that the aggregator shows: a day's filings from its evening on."""
        shown = [f for f in self._filings if f.symbol and f.kind != "RR" and f.posted.date() <= self.day]
        return sorted(shown, key=lambda f: (f.posted.date(), f.uuid), reverse=True)

    def actions(self) -> list[Action]:
        """Return the contract actions published by now, as last corrected."""
        return [a for a in self._actions if a.visible <= self.day and (a.hidden is None or a.hidden > self.day)]

    def announced(self) -> list[Action]:
        """Return the published actions of listed companies, newest first, repetitions included."""
        shown = sorted((a for a in self.actions() if a.symbol), key=lambda a: (a.visible, a.award), reverse=True)
        return [a for a in shown for _ in range(a.copies)]

    # ---- QuiverQuant ---------------------------------------------------------------------------------------------

    def quiver_api(self, parts: list[str], query: dict[str, str]) -> Response | None:
        """Answer the API's paths of lobbying and contracts; None for any other."""
        if parts == ["live", "lobbying"]:
            return reply([_lobbying_row(f) for f in self._between(query)], 200)
        if len(parts) == 3 and parts[:2] == ["historical", "lobbying"]:
            found = [f for f in self.reported() if f.symbol == parts[2]]
            return reply([_lobbying_row(f) for f in _page(found, query, len(found))])
        if parts == ["live", "govcontractsall"]:
            found_actions = self.announced()
            if query.get("date"):
                found_actions = [a for a in found_actions if f"{a.visible:%Y%m%d}" == query["date"].replace("-", "")]
            return reply([_contract_row(a) for a in _page(found_actions, query, RECENT)])
        if len(parts) == 3 and parts[:2] == ["historical", "govcontractsall"]:
            own = [a for a in self.announced() if a.symbol == parts[2]]
            return reply([_contract_row(a) for a in _page(own, query, len(own))])
        return None

    def _between(self, query: dict[str, str]) -> list[Filing]:
        first, last = query.get("date_from", "").replace("-", ""), query.get("date_to", "").replace("-", "")
        found = [
            f
            for f in self.reported()
            if (not first or f"{f.posted:%Y%m%d}" >= first) and (not last or f"{f.posted:%Y%m%d}" <= last)
        ]
        return _page(found, query, len(found) if query.get("all", "").lower() == "true" else RECENT)

    def lobbying_page(self) -> str:
        """Return ``/lobbying/``: recent disclosures and top spenders."""
        shown = self.reported()[:PAGE_ROWS]
        cells = "\n".join(
            f'<tr><td><a href="/lobbyingsearch/ticker/{f.symbol}">{f.symbol}\n<br><span>{html.escape(f.client)}</span></a></td>'
            f"<td>${f.amount or 0:,.0f}</td><td>{_short(f.posted.date())}</td></tr>"
            for f in shown
        )
        spent: dict[str, float] = {}
        for f in shown:
            spent[str(f.symbol)] = spent.get(str(f.symbol), 0.0) + (f.amount or 0.0)
        top = "\n".join(
            f"<tr><td>{symbol}\n<br><span>{symbol}</span></td><td>${amount:,.0f}</td><td>Last quarter</td></tr>"
            for symbol, amount in sorted(spent.items(), key=lambda x: -x[1])[:10]
        )
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Corporate Lobbying - Quiver Quantitative</title></head><body>\n'
            f'<h2>Recent Lobbying Disclosures</h2><div class="table-inner"><table><tbody>\n{cells}\n</tbody></table></div>\n'
            f'<h2>Top Lobbying Spenders</h2><div class="table-inner"><table><tbody>\n{top}\n</tbody></table></div>\n</body></html>\n'
        )

    def contracts_page(self) -> str:
        """Return ``/sources/govcontracts``: the most recent contracts."""
        cells = "\n".join(
            f'<tr><td><a href="/stock/{a.symbol}/">{a.symbol}</a></td><td>{_short(a.visible)}</td><td>${a.amount:,.2f}</td>'
            f"<td>{html.escape(_agency(a))}</td><td>{html.escape(a.description)}</td></tr>"
            for a in self.announced()[:PAGE_ROWS]
        )
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Government Contracts - Quiver Quantitative</title></head><body>\n'
            '<table id="myTable"><thead><tr><th>Stock</th><th>Date</th><th>Amount</th><th>Funding Agency</th><th>Description</th></tr></thead>\n'
            f"<tbody>\n{cells}\n</tbody></table>\n</body></html>\n"
        )


class SenateLda:
    """``/api/v1/filings/``; anonymous, 25 a page."""

    def __init__(self, washington: Washington) -> None:
        self.washington = washington

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.path_params["path"].strip("/") != "api/v1/filings":
            return reply({"detail": "Not found."}, 404)
        if request.method != "GET":
            return reply({"detail": f'Method "{request.method}" not allowed.'}, 405)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme and (scheme != "Token" or key != "sandbox"):
            return reply({"detail": "Invalid token."}, 401)
        query = dict(request.query_params)
        try:
            page = int(query.get("page", "1"))
            size = min(LDA_PAGE, max(1, int(query.get("page_size", str(LDA_PAGE)))))
        except ValueError:
            return reply({"detail": "Invalid page."}, 404)
        filters = {k: v for k, v in query.items() if k in _LDA_FILTERS}
        if page > 1 and not filters:
            return reply(
                {
                    "detail": "You must pass at least one query string parameter to filter the results and be able to paginate the results."
                },
                400,
            )
        if "registrant_id" in filters and not filters["registrant_id"].isdigit():
            return reply({"registrant_id": ["Enter a number."]}, 400)
        found = [f for f in self.washington.posted() if all(_LDA_FILTERS[k](f, v) for k, v in filters.items())]
        if query.get("ordering", "-dt_posted").startswith("-"):
            found.reverse()
        if page < 1 or (page > 1 and (page - 1) * size >= len(found)):
            return reply({"detail": "Invalid page."}, 404)
        more = page * size < len(found)

        def link(number: int) -> str:
            return f"https://lda.senate.gov/api/v1/filings/?{urlencode({**query, 'page': str(number)})}"

        return reply(
            {
                "count": len(found),
                "next": link(page + 1) if more else None,
                "previous": link(page - 1) if page > 1 else None,
                "results": [_lda_row(f) for f in found[(page - 1) * size : page * size]],
            }
        )


_LDA_FILTERS: Final[dict[str, Any]] = {
    "filing_year": lambda f, v: str(f.year) == v,
    "filing_type": lambda f, v: f.kind == v,
    "filing_period": lambda f, v: QUARTERS[f.quarter - 1] == v,
    "client_name": lambda f, v: v.lower() in f.client.lower(),
    "registrant_id": lambda f, v: str(f.registrant_id) == v,
    "filing_dt_posted_after": lambda f, v: f.posted.date().isoformat() >= v,
    "filing_dt_posted_before": lambda f, v: f.posted.date().isoformat() <= v,
}


class UsaSpending:
    """``POST /api/v2/search/spending_by_transaction/`` and ``.../spending_by_transaction_count/``."""

    def __init__(self, washington: Washington) -> None:
        self.washington = washington

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path_params["path"].strip("/")
        if path not in ("api/v2/search/spending_by_transaction", "api/v2/search/spending_by_transaction_count"):
            return reply({"detail": "Not found."}, 404)
        if request.method != "POST":
            return reply({"detail": f'Method "{request.method}" not allowed.'}, 405)
        try:
            asked = json.loads(await request.body())
        except ValueError:
            return reply({"detail": "JSON parse error"}, 400)
        filters = asked.get("filters")
        if path.endswith("_count") and filters:
            counted = sum(_wanted(a, filters) for a in self.washington.actions())
            kinds = dict.fromkeys(("idvs", "grants", "direct_payments", "loans", "other"), 0)
            return reply({"results": {"contracts": counted, **kinds}})
        for name in ("filters", "fields", "sort"):
            if not asked.get(name):
                return reply({"detail": f"Missing value: '{name}' is a required field"}, 422)
        codes = set(filters.get("award_type_codes") or ())
        if not codes or not codes <= {"A", "B", "C", "D"}:
            return reply({"detail": "Invalid value in 'filters|award_type_codes'."}, 400)
        if asked["sort"] not in asked["fields"]:
            return reply({"detail": f"Sort value not found in fields: {asked['sort']}"}, 400)
        limit, page = int(asked.get("limit", 10)), int(asked.get("page", 1))
        if limit > 100:
            return reply({"detail": f"Field 'limit' value '{limit}' is above max '100'"}, 422)
        if page * limit > 50_000:
            return reply({"detail": f"Page #{page} with limit {limit} is over the maximum result limit 50000."}, 422)
        found = [a for a in self.washington.actions() if _wanted(a, filters)]
        by = asked["sort"]
        found.sort(
            key=lambda a: (
                a.day.isoformat() if by == "Action Date" else "",
                a.amount if "Amount" in by else 0,
                a.award,
            ),
            reverse=asked.get("order", "desc") == "desc",
        )
        more = page * limit < len(found)
        return reply(
            {
                "limit": limit,
                "results": [_spending_row(a, asked["fields"]) for a in found[(page - 1) * limit : page * limit]],
                "page_metadata": {
                    "page": page,
                    "hasNext": more,
                    "hasPrevious": page > 1,
                    "next": page + 1 if more else None,
                    "previous": page - 1 if page > 1 else None,
                },
            }
        )


def _wanted(action: Action, filters: dict[str, Any]) -> bool:
    periods = filters.get("time_period") or [{"start_date": "0", "end_date": "9"}]
    texts = filters.get("recipient_search_text") or [""]
    amounts = filters.get("award_amounts") or [{}]
    return (
        any(p["start_date"] <= action.day.isoformat() <= p["end_date"] for p in periods)
        and any(text.upper() in action.recipient.upper() for text in texts)
        and any(a.get("lower_bound", 0) <= action.total <= a.get("upper_bound", 1e15) for a in amounts)
    )


def _page(rows: list[Any], query: dict[str, str], default: int) -> list[Any]:
    if not (query.get("page") or query.get("page_size")):
        return rows[:default]
    try:
        page, size = int(query.get("page", 1)), int(query.get("page_size", 100))
    except ValueError:
        return []
    return rows[max(0, page - 1) * size : max(0, page) * size]


def _lobbying_row(filing: Filing) -> dict[str, Any]:
    names = " \n ".join(ISSUES[code][1] for code in filing.issues)
    return {
        "Date": filing.posted.date().isoformat(),
        "Ticker": filing.symbol,
        "Client": filing.client,
        "Amount": f"{filing.amount or 0.0:.1f}",
        "Issue": names if filing.amount else None,
        "Specific_Issue": filing.details if filing.amount else None,
        "Registrant": filing.registrant,
    }


def _agency(action: Action) -> str:
    short = {"Department of Defense": " (DOD)", "Department of Homeland Security": " (DHS)"}.get(action.agency, "")
    return action.agency.upper() + short


def _contract_row(action: Action) -> dict[str, Any]:
    # Two spellings of the date in one answer, as recorded.
    plain = action.visible.isoformat()
    return {
        "Ticker": action.symbol,
        "Date": plain if int(action.piid[-1]) % 2 else f"{plain} 00:00:00",
        "action_date": action.day.isoformat(),
        "Description": action.description,
        "Agency": _agency(action),
        "Amount": action.amount,
    }


def _lda_row(filing: Filing) -> dict[str, Any]:
    root = "https://lda.senate.gov/api/v1"
    amount = f"{filing.amount:.2f}" if filing.amount is not None else None
    names = {"RR": "Registration", "A": "Amendment", "Y": "Report (No Activity)"}
    return {
        "url": f"{root}/filings/{filing.uuid}/",
        "filing_uuid": filing.uuid,
        "filing_type": filing.kind,
        "filing_type_display": names.get(filing.kind)
        or f"{QUARTER_NAMES[filing.quarter - 1].partition(' (')[0]} - {names.get(filing.kind[-1], 'Report')}",
        "filing_year": filing.year,
        "filing_period": QUARTERS[filing.quarter - 1],
        "filing_period_display": QUARTER_NAMES[filing.quarter - 1],
        "filing_document_url": f"https://lda.senate.gov/filings/public/filing/{filing.uuid}/print/",
        "filing_document_content_type": "text/html",
        "income": None if filing.in_house else amount,
        "expenses": amount if filing.in_house else None,
        "expenses_method": "A" if filing.in_house and amount else None,
        "expenses_method_display": None,
        "posted_by_name": filing.registrant.title(),
        "dt_posted": filing.posted.isoformat(),
        "termination_date": None,
        "registrant": {
            "id": filing.registrant_id,
            "url": f"{root}/registrants/{filing.registrant_id}/",
            "house_registrant_id": filing.registrant_id % 50000,
            "name": filing.registrant,
        },
        "client": {
            "id": filing.client_id,
            "url": f"{root}/clients/{filing.client_id}/",
            "client_id": filing.client_id % 1000,
            "name": filing.client,
            "general_description": None,
            "state": "OH",
            "country": "US",
        },
        "lobbying_activities": [
            {
                "general_issue_code": ISSUES[code][0],
                "general_issue_code_display": ISSUES[code][1],
                "description": filing.details,
                "foreign_entity_issues": "",
                "lobbyists": [],
                "government_entities": [{"id": 2, "name": "HOUSE OF REPRESENTATIVES"}, {"id": 1, "name": "SENATE"}],
            }
            for code in filing.issues
        ],
        "conviction_disclosures": [],
        "foreign_entities": [],
        "affiliated_organizations": [],
    }


def _spending_row(action: Action, fields: list[str]) -> dict[str, Any]:
    known = {
        "Award ID": action.piid,
        "Mod": action.mod,
        "Recipient Name": action.recipient,
        "Action Date": action.day.isoformat(),
        "Transaction Amount": f"{action.amount:.2f}",
        "Awarding Agency": action.agency,
        "Awarding Sub Agency": action.sub_agency,
        "Award Type": action.award_type,
        "Transaction Description": action.description,
    }
    return {
        **{name: known.get(name) for name in fields},
        "internal_id": str(24_000_000 + int(action.piid[-5:])),
        "generated_internal_id": action.award,
    }


def _short(day: date) -> str:
    name = day.strftime("%B")
    return f"{name if len(name) <= 4 else 'Sept.' if day.month == 9 else name[:3] + '.'} {day.day}, {day.year}"
