"""Companies whose apps are suddenly rated more and better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class AppReviewsHype(EqualWeight):
    """The 20 largest one-week changes of rating x ln(1 + count), equal weight; a fall is never bought.

    The site shows the last week only: the history begins with the first capture.
    """

    id: ClassVar[str] = "app_reviews_hype"
    name: ClassVar[str] = "App reviews"
    rule: ClassVar[str] = "20 largest one-week changes of rating x ln(1 + count), equal weight"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("app_reviews",)
    tolerance: ClassVar[dict[str, float]] = {"app_reviews": 15.0}
    lookback_days: ClassVar[int] = 26
    positive_only: ClassVar[bool] = True

    take: int = 20
