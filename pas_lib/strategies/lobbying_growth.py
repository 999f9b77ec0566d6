"""Whose spending on lobbying grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from pas_lib import clock
from pas_lib.strategies.base import Cadence, EqualWeight, months_before


@dataclass(frozen=True)
class LobbyingGrowth(EqualWeight):
    """The 20 largest growths of lobbying: what became known in the last quarter against the same of a year before.

    A company that spent less than $50,000 in the quarter, or nothing a year before, has no growth; one that spends less
    than a year before is never bought. The growth is a fraction of the earlier spend.
    """

    id: ClassVar[str] = "lobbying_growth"
    name: ClassVar[str] = "Lobbying growth"
    rule: ClassVar[str] = (
        "20 largest growths: spend that became known in the last quarter against the same of a year before, at least "
        "$50,000, equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("lobbying",)
    # Reports come by the 20th day after a quarter; between those days there is little.
    tolerance: ClassVar[dict[str, float]] = {"lobbying": 75.0}
    lookback_days: ClassVar[int] = 460
    positive_only: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {"lobbying": "coalesce(filing_type, '') not like 'R%%' and amount is not null"}

    take: int = 20

    def window_start(self, session: date) -> datetime:
        """Return where the quarter of a year before begins."""
        return months_before(session, 15)

    def windows(self, session: date) -> tuple[tuple[datetime, datetime], ...]:
        """Return the last quarter and the same of a year before."""
        return (
            (months_before(session, 15), months_before(session, 12)),
            (months_before(session, 3), clock.decision_time(session)),
        )
