"""Trend per unit of risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class VolatilityMomentum(EqualWeight):
    """The 20 best 12-month returns over 60-session volatility, equal weight."""

    id: ClassVar[str] = "volatility_momentum"
    name: ClassVar[str] = "Volatility-scaled momentum"
    rule: ClassVar[str] = "20 best 12-month return over 60-session volatility, equal weight"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("prices",)
    tolerance: ClassVar[dict[str, float]] = {"prices": 3.0}
    lookback_days: ClassVar[int] = 370

    take: int = 20
