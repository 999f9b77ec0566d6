"""Where insiders put their own money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight, months_before


@dataclass(frozen=True)
class InsiderBuyingPulse(EqualWeight):
    """The 25 strongest open-market purchases of insiders in the last month over market cap, equal weight.

    Only purchases of their own will count (code P), by at least two insiders or of at least $100,000 together. A
    company whose number of shares is not known has no rank.
    """

    id: ClassVar[str] = "insider_buying_pulse"
    name: ClassVar[str] = "Insider buying"
    rule: ClassVar[str] = (
        "25 strongest open-market buying (code P) of the last month: value over market cap, at least 2 insiders or "
        "$100,000, equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("insider_buying", "fundamentals")
    # Filings come every day; numbers of shares once a quarter.
    tolerance: ClassVar[dict[str, float]] = {"insider_buying": 7.0, "fundamentals": 45.0}
    lookback_days: ClassVar[int] = 31
    positive_only: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {
        "insider_buying": "code = 'P'",
        "fundamentals": "concept = 'EntityCommonStockSharesOutstanding'",
    }

    take: int = 25

    def window_start(self, session: date) -> datetime:
        """Return the decision time of the same day of the month before."""
        return months_before(session, 1)
