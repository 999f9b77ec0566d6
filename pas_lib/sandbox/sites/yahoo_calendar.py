"""Yahoo's calendar of events: when the next results are expected."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from pas_lib.clock import NY
from pas_lib.sandbox.filing_dates import Report, reports_of
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.sites.base import Context

#: A company tells the day of its results so long before; until then the site guesses from the year before.
ANNOUNCED: Final = timedelta(days=21)
_YEAR: Final = timedelta(days=364)


class Calendar:
    """The module ``calendarEvents`` of quoteSummary."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def module(self, listing: Listing) -> dict[str, Any] | None:
        """Return what is shown about a listing now; None about funds."""
        now = self.context.now
        today = self.context.today
        around = reports_of(listing, today - timedelta(days=560), today + timedelta(days=200))
        coming = next((r for r in around if r.announced > now), None)
        if coming is None:
            return None
        before = next((r for r in reversed(around) if r.announced <= now), None)
        is_estimate = now < coming.announced - ANNOUNCED
        dates = self._guess(around, coming) if is_estimate else [int(coming.announced.timestamp())]
        earnings: dict[str, Any] = {"earningsDate": dates, "isEarningsDateEstimate": is_estimate}
        if before is not None:
            earnings["earningsCallDate"] = [int((before.announced + timedelta(hours=1)).timestamp())]
        return {"maxAge": 1, "earnings": earnings}

    @staticmethod
    def _guess(around: tuple[Report, ...], coming: Report) -> list[int]:
        """Guess from the results of a year before, else from the end of the period: of the future nothing is known."""
        last = next(
            (r for r in around if (r.fiscal_year, r.fiscal_period) == (coming.fiscal_year - 1, coming.fiscal_period)),
            None,
        )
        day = last.announced.astimezone(NY).date() + _YEAR if last else coming.end + timedelta(days=35)
        return [_stamp(day, 7, 59), _stamp(day + timedelta(days=4), 8, 0)]


def _stamp(day: date, hour: int, minute: int) -> int:
    return int(datetime.combine(day, time(hour, minute), NY).timestamp())
