"""The strongest leveraged funds, as long as they rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class LeveragedSector(EqualWeight):
    """The 3 leveraged ETFs with the best 13-week return, equal weight; one that did not rise is never held.

    The six are UPRO, SOXL, SPXL, FAS, LABU and TQQQ, each three times its index in a day: what the portfolio is
    exposed to is the weight times the leverage in the register of securities, which the risk rules use.
    """

    id: ClassVar[str] = "leveraged_sector"
    name: ClassVar[str] = "Leveraged sectors"
    rule: ClassVar[str] = "best 3 of 6 leveraged ETFs by 13-week return, only those above zero, equal weight"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("prices",)
    tolerance: ClassVar[dict[str, float]] = {"prices": 3.0}
    lookback_days: ClassVar[int] = 99
    positive_only: ClassVar[bool] = True

    take: int = 3
