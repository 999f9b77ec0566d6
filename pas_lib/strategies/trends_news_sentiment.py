"""Companies that people search for while the news are good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class TrendsNewsSentiment(EqualWeight):
    """The 30 best by product of ranks of those with rising search interest and positive mean sentiment, equal weight.

    Both are looked at over 30 days. Neither site shows a past: the history begins with the first captures, and
    interest can have risen a week after them at the earliest.
    """

    id: ClassVar[str] = "trends_news_sentiment"
    name: ClassVar[str] = "Search trends and news"
    rule: ClassVar[str] = (
        "rising search interest and positive mean sentiment over 30 days, 30 best by product of ranks, equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("google_trends", "news_headlines")
    tolerance: ClassVar[dict[str, float]] = {"google_trends": 15.0, "news_headlines": 4.0}
    lookback_days: ClassVar[int] = 30

    take: int = 30
