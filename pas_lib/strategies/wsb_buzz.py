"""What Reddit suddenly talks about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class WsbBuzz(EqualWeight):
    """The 15 fastest rises of mentions over 7 days, equal weight; at least 10 mentions, and never a fall.

    Tickers that are words of English are left out: their counts are of the words. The site shows the moment only: the
    history begins with the first capture, and there is something to compare a week after it.
    """

    id: ClassVar[str] = "wsb_buzz"
    name: ClassVar[str] = "Reddit buzz"
    rule: ClassVar[str] = "15 fastest rises of mentions over 7 days, at least 10 mentions, equal weight"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("reddit_mentions",)
    tolerance: ClassVar[dict[str, float]] = {"reddit_mentions": 4.0}
    lookback_days: ClassVar[int] = 21
    positive_only: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {"reddit_mentions": "forum = 'all-stocks'"}

    take: int = 15
