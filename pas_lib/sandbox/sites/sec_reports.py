"""SEC EDGAR: the submissions of companies, and what the daily index lists of their reports."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final

from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.filing_dates import Report, reports_of
from pas_lib.sandbox.insiders import InsiderFilings
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.sites.base import Context, reply

#: Periods that ended from then on are reported.
FIRST_PERIOD: Final = date(2021, 9, 30)
#: What the first answer holds, counted back from the newest filing; the rest is in an older file.
_RECENT: Final = timedelta(days=366)
_OPENS: Final = time(6)


@dataclass(frozen=True)
class Filed:
    """One filing of a company."""

    accession: str
    form: str
    filed: date
    accepted: datetime
    report_date: date
    items: str
    document: str

    @property
    def shown(self) -> datetime:
        """When it can be read: what is dated the next day waits for that day."""
        return max(self.accepted, datetime.combine(self.filed, _OPENS, NY))


def filings_of(report: Report) -> list[Filed]:
    """Return the announcement, the report and, for a few, its amendment."""
    told = report.announced.astimezone(NY).date()
    name = f"q{report.end:%Y%m%d}"
    found = [
        Filed(
            report.announcement_accession,
            "8-K",
            report.announcement_filed,
            report.announced,
            told,
            "2.02,9.01",
            "ex99.htm",
        ),
        Filed(report.accession, report.form, report.filed, report.accepted, report.end, "", f"{name}.htm"),
    ]
    if report.amended and report.amendment_filed and report.amendment_accession:
        found.append(
            Filed(
                report.amendment_accession,
                f"{report.form}/A",
                report.amendment_filed,
                report.amended,
                report.end,
                "",
                f"{name}a.htm",
            )
        )
    return found


class ReportFilings:
    """``/submissions/CIK##########.json``, its older files, and the reports of a day."""

    def __init__(self, context: Context, insiders: InsiderFilings) -> None:
        self.context = context
        self.insiders = insiders

    @cached_property
    def _companies(self) -> dict[str, tuple[Listing, list[Filed]]]:
        last = self.context.world.grid.day(len(self.context.world.grid) - 1)
        found: dict[str, tuple[Listing, list[Filed]]] = {}
        for item in self.context.world.roster.listings:
            if item.cik and item.tier != "F" and item.cik not in found:
                reported = [x for r in reports_of(item, FIRST_PERIOD, last) for x in filings_of(r)]
                found[item.cik] = (item, reported)
        for filing in self.insiders.all():
            about = Filed(
                filing.accession,
                filing.form,
                filing.filed,
                filing.accepted,
                filing.lines[0].day if filing.lines else filing.filed,
                "",
                "xslF345X05/form4.xml",
            )
            found[filing.listing.cik][1].append(about)
        for _, filed in found.values():
            filed.sort(key=lambda x: (x.shown, x.accession))
        return found

    @cached_property
    def _by_day(self) -> dict[date, list[tuple[Listing, Filed]]]:
        found: dict[date, list[tuple[Listing, Filed]]] = defaultdict(list)
        for item, filed in self._companies.values():
            for filing in filed:
                if not filing.document.startswith("xsl"):
                    found[filing.filed].append((item, filing))
        return found

    def filed_on(self, day: date) -> list[tuple[str, str, str, str]]:
        """Return (form, company, CIK, path) of every report dated a day."""
        return [
            (
                filing.form,
                item.name_on(day),
                str(int(item.cik)),
                f"edgar/data/{int(item.cik)}/{filing.accession}.txt",
            )
            for item, filing in self._by_day.get(day, ())
        ]

    def submissions(self, name: str) -> Response | None:
        """Answer with what a company filed by now, or with its older filings; None where there is no such file."""
        asked = re.fullmatch(r"CIK(\d{10})(-submissions-001)?\.json", name)
        company = self._companies.get(asked[1]) if asked else None
        if asked is None or company is None:
            return None
        item, filed = company
        now = self.context.now
        known = filed[: bisect_right(filed, now, key=lambda x: x.shown)]
        if not known:
            return None
        edge = known[-1].filed - _RECENT
        recent = [x for x in known if x.filed >= edge]
        older = [x for x in known if x.filed < edge]
        # For one half of the companies the mark of UTC is a lie.
        is_lie = int(item.cik) % 2 == 0
        if asked[2]:
            return reply(_columns(older, is_lie)) if older else None
        day = self.context.today
        lines = [x for x in self.context.world.roster.listings if x.cik == item.cik]
        return reply(
            {
                "cik": item.cik,
                "entityType": "operating",
                "sic": "7372",
                "name": item.name_on(day).upper(),
                "tickers": [x.symbol_on(day).replace(".", "-") for x in lines],
                "exchanges": [x.exchange for x in lines],
                "category": "Large accelerated filer",
                "formerNames": [{"name": item.former_name.upper()}] if item.former_name != item.name_on(day) else [],
                "filings": {
                    "recent": _columns(recent, is_lie),
                    "files": [
                        {
                            "name": f"CIK{item.cik}-submissions-001.json",
                            "filingCount": len(older),
                            "filingFrom": min(x.filed for x in older).isoformat(),
                            "filingTo": max(x.filed for x in older).isoformat(),
                        }
                    ]
                    if older
                    else [],
                },
            }
        )


def _columns(filed: list[Filed], is_lie: bool) -> dict[str, list[Any]]:
    """Write filings as they are written: columns, newest first."""
    rows = filed[::-1]
    shown = [(x.accepted.astimezone(NY) if is_lie else x.accepted) for x in rows]
    return {
        "accessionNumber": [x.accession for x in rows],
        "filingDate": [x.filed.isoformat() for x in rows],
        "reportDate": [x.report_date.isoformat() for x in rows],
        "acceptanceDateTime": [f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in shown],
        "act": ["34"] * len(rows),
        "form": [x.form for x in rows],
        "fileNumber": [""] * len(rows),
        "filmNumber": [""] * len(rows),
        "items": [x.items for x in rows],
        "core_type": [x.form for x in rows],
        "size": [5000] * len(rows),
        "isXBRL": [int(x.form.startswith("10-")) for x in rows],
        "isInlineXBRL": [int(x.form.startswith("10-")) for x in rows],
        "primaryDocument": [x.document for x in rows],
        "primaryDocDescription": [""] * len(rows),
    }
