"""Cheap companies of every sector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class SectorNeutral(EqualWeight):
    """The 3 best stocks by value score in each of the 11 sectors, a third of the sector's eleventh each.

    A sector with fewer than 3 valued stocks leaves what it lacks in cash: no sector gets another's share.
    """

    id: ClassVar[str] = "sector_neutral"
    name: ClassVar[str] = "Sector neutral value"
    rule: ClassVar[str] = "3 best by value in each sector, equal per sector"
    cadence: ClassVar[Cadence] = Cadence.QUARTERLY
    datasets: ClassVar[tuple[str, ...]] = ("fundamentals", "prices")
    tolerance: ClassVar[dict[str, float]] = {"fundamentals": 45.0, "prices": 3.0}
    lookback_days: ClassVar[int] = 400

    #: 3 of each of the 11 sectors
    take: int = 33
