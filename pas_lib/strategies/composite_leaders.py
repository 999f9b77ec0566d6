"""The best companies by all scores together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class CompositeLeaders(EqualWeight):
    """The 20 best stocks by overall score at the end of the month, equal weight."""

    id: ClassVar[str] = "composite_leaders"
    name: ClassVar[str] = "Composite leaders"
    rule: ClassVar[str] = "top 20 by overall score, equal weight"
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("fundamentals", "prices")
    tolerance: ClassVar[dict[str, float]] = {"fundamentals": 45.0, "prices": 3.0}
    lookback_days: ClassVar[int] = 400

    take: int = 20
