"""The best small companies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class MicroSmallLeaders(EqualWeight):
    """The 20 best small companies by mean of value and momentum score, equal weight.

    Small is a market cap of $50M to $2bn; at least $1M must be traded a day.
    """

    id: ClassVar[str] = "micro_small_leaders"
    name: ClassVar[str] = "Micro and small leaders"
    rule: ClassVar[str] = (
        "market cap $50M-$2bn, 20 best by mean of value and momentum, at least $1M a day traded, equal weight"
    )
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("fundamentals", "prices")
    tolerance: ClassVar[dict[str, float]] = {"fundamentals": 45.0, "prices": 3.0}
    lookback_days: ClassVar[int] = 400

    take: int = 20
