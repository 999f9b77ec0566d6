"""Which companies people suddenly read about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class WikiAttention(EqualWeight):
    """The 10 largest jumps of page views, equal weight; a fall of attention is never bought."""

    id: ClassVar[str] = "wiki_attention"
    name: ClassVar[str] = "Wikipedia attention"
    rule: ClassVar[str] = (
        "10 largest jumps of page views: last 7 days against the 90 before, log ratio in its own deviations, "
        "equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("wiki_views",)
    tolerance: ClassVar[dict[str, float]] = {"wiki_views": 5.0}
    lookback_days: ClassVar[int] = 99
    positive_only: ClassVar[bool] = True

    take: int = 10
