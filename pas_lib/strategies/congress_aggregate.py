"""What Congress bought, net, in the last month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight, months_before


@dataclass(frozen=True)
class CongressAggregate(EqualWeight):
    """The 20 highest net buys disclosed in the last month, equal weight; a net sale is never bought."""

    id: ClassVar[str] = "congress_aggregate"
    name: ClassVar[str] = "Congress aggregate"
    rule: ClassVar[str] = (
        "20 highest net buys (buys minus sells, mid-point of the disclosed range) disclosed in the last month, "
        "equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("politician_trades",)
    # Disclosures pause in recess; a month is the window itself, after which there is nothing to rank.
    tolerance: ClassVar[dict[str, float]] = {"politician_trades": 21.0}
    lookback_days: ClassVar[int] = 31
    positive_only: ClassVar[bool] = True

    take: int = 20

    def window_start(self, session: date) -> datetime:
        """Return the decision time of the same day of the month before (of its last day where it is shorter)."""
        return months_before(session, 1)
