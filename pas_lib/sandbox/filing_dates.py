"""When the companies of the sandbox report: a function of company and period alone, drawn from nothing else.

Every site that tells of reports asks here, so that EDGAR's indexes, the facts in them, and announced dates agree. Each
company has its habits: the end of its fiscal year, how long after a period it reports, at what time of day. Placed on
purpose: reports accepted after 17:30 (dated the next session), late reports, amendments weeks later, fiscal years of 52
or 53 weeks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from pas_lib import clock
from pas_lib.clock import NY
from pas_lib.sandbox.roster import Listing

#: Accepted later than this, a report is dated the next session.
CUT_OFF: Final = time(17, 30)
#: Month in which fiscal years end, by draw: mostly December.
_YEAR_ENDS: Final = (12, 12, 12, 12, 12, 12, 12, 1, 6, 9)


@dataclass(frozen=True)
class Report:
    """A periodic report of a company, its announcement and, for a few, its amendment.

    Attributes
    ----------
    cik : str
        The company, ten digits.
    form : str
        ``10-K`` or ``10-Q``.
    fiscal_year : int
        Year in which the fiscal year ends.
    fiscal_period : str
        ``Q1``, ``Q2``, ``Q3`` or ``FY``.
    year_start, start, end : date
        First day of the fiscal year, first and last day of the quarter (of the fourth one for ``FY``).
    announced : datetime
        When the results were accepted as an 8-K (item 2.02), UTC.
    accepted : datetime
        When the report was accepted, UTC.
    amended : datetime or None
        When its amendment (``10-K/A``, ``10-Q/A``) was accepted, UTC; for a few.
    """

    cik: str
    form: str
    fiscal_year: int
    fiscal_period: str
    year_start: date
    start: date
    end: date
    announced: datetime
    accepted: datetime
    amended: datetime | None

    @property
    def filed(self) -> date:
        """The official filing date of the report."""
        return filing_date(self.accepted)

    @property
    def announcement_filed(self) -> date:
        """The official filing date of the announcement."""
        return filing_date(self.announced)

    @property
    def amendment_filed(self) -> date | None:
        """The official filing date of the amendment."""
        return filing_date(self.amended) if self.amended else None

    @property
    def accession(self) -> str:
        """Number of the report."""
        return accession(self.cik, self.accepted, 1)

    @property
    def announcement_accession(self) -> str:
        """Number of the announcement."""
        return accession(self.cik, self.announced, 2)

    @property
    def amendment_accession(self) -> str | None:
        """Number of the amendment."""
        return accession(self.cik, self.amended, 3) if self.amended else None


def accession(cik: str, accepted: datetime, kind: int) -> str:
    """Return a filing's number: unique by company, day and kind (0 to 9)."""
    local = accepted.astimezone(NY)
    return f"{cik}-{local:%y}-{local.timetuple().tm_yday * 10 + kind:06d}"


def filing_date(accepted: datetime) -> date:
    """Return the official date of what was accepted then: after 17:30 New York the next session."""
    local = accepted.astimezone(NY)
    if clock.is_session(local.date()) and local.time() <= CUT_OFF:
        return local.date()
    return clock.next_session(local.date())


def fiscal_quarter_ends(cik: str, fiscal_year: int) -> tuple[date, date, date, date]:
    """Return the last days of the quarters of the fiscal year that ends in `fiscal_year`."""
    month = _YEAR_ENDS[_draw(cik, "year end", 10)]
    weeks = _draw(cik, "weeks", 8) == 0
    ends = []
    for back in (9, 6, 3, 0):
        at = 12 * fiscal_year + month - 1 - back
        last = _month_end(at // 12, at % 12 + 1)
        # A year of 52 or 53 weeks ends on the last Saturday of its month, and so do its quarters.
        ends.append(last - timedelta(days=(last.weekday() - 5) % 7) if weeks else last)
    return ends[0], ends[1], ends[2], ends[3]


@lru_cache(maxsize=65_536)
def report(cik: str, fiscal_year: int, quarter: int) -> Report:
    """Return the report of a quarter (1 to 4; the fourth is the annual one)."""
    before = fiscal_quarter_ends(cik, fiscal_year - 1)
    ends = fiscal_quarter_ends(cik, fiscal_year)
    end = ends[quarter - 1]
    start = (before[3] if quarter == 1 else ends[quarter - 2]) + timedelta(days=1)
    about = f"{fiscal_year} {quarter}"
    annual = quarter == 4
    lag = 36 + _draw(cik, "annual lag", 20) if annual else 25 + _draw(cik, "lag", 12)
    lag += _draw(cik, f"jitter {about}", 5) - 2
    if _draw(cik, f"late {about}", 50) == 0:
        lag += 14
    day = _session_from(end + timedelta(days=lag))
    # One in five reports in the evening, of which most are dated the next session.
    evening = _draw(cik, f"evening {about}", 5) == 0
    first, minutes = (17 * 60, 120) if evening else (16 * 60 + 2, 80)
    accepted = _moment(day, first + _draw(cik, f"minute {about}", minutes), _draw(cik, f"second {about}", 60))
    told = day
    for _ in range(_draw(cik, f"ahead {about}", 4)):
        told = clock.previous_session(told)
    # Results come before the open or after the close, by habit; never after the report itself.
    early = _draw(cik, "early", 2) == 0
    announced = _moment(told, (6 * 60 + 30 if early else 16 * 60 + 1) + _draw(cik, f"told {about}", 29), 0)
    announced = min(announced, accepted - timedelta(minutes=1))
    amended = None
    if _draw(cik, f"amended {about}", 25) == 0:
        later = _session_from(day + timedelta(days=30 + _draw(cik, f"amendment {about}", 60)))
        amended = _moment(later, 16 * 60 + 10 + _draw(cik, f"amendment minute {about}", 60), 0)
    return Report(
        cik=cik,
        form="10-K" if annual else "10-Q",
        fiscal_year=fiscal_year,
        fiscal_period="FY" if annual else f"Q{quarter}",
        year_start=before[3] + timedelta(days=1),
        start=start,
        end=end,
        announced=announced,
        accepted=accepted,
        amended=amended,
    )


def reports(cik: str, first: date, last: date) -> tuple[Report, ...]:
    """Return the reports of periods that end from `first` to `last`, by end of period."""
    found = [report(cik, year, q) for year in range(first.year, last.year + 2) for q in (1, 2, 3, 4)]
    return tuple(r for r in found if first <= r.end <= last)


def reports_of(listing: Listing, first: date, last: date) -> tuple[Report, ...]:
    """Return the reports of a listed company: of periods that ended since it is listed, filed before it left.

    Share classes of one company have one CIK and the same reports; funds have none.
    """
    if listing.tier == "F" or not listing.cik:
        return ()
    since = max(first, listing.listed) if listing.listed else first
    return tuple(r for r in reports(listing.cik, since, last) if listing.delisted is None or r.filed < listing.delisted)


@lru_cache(maxsize=262_144)
def _draw(cik: str, about: str, count: int) -> int:
    digest = hashlib.blake2b(f"{cik} {about}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % count


def _month_end(year: int, month: int) -> date:
    after = date(year + month // 12, month % 12 + 1, 1)
    return after - timedelta(days=1)


def _session_from(day: date) -> date:
    return day if clock.is_session(day) else clock.next_session(day)


def _moment(day: date, minute: int, second: int) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60, second), tzinfo=NY).astimezone(UTC)
