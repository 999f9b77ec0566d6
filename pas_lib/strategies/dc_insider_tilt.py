"""Companies that QuiverQuant sees favoured in Washington."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, Proportional


@dataclass(frozen=True)
class DcInsiderTilt(Proportional):
    """The 30 best DC insider scores, weighted in proportion to the score; without a positive score nothing is held.

    The site shows no past: the history begins with the first capture.
    """

    id: ClassVar[str] = "dc_insider_tilt"
    name: ClassVar[str] = "DC insider tilt"
    rule: ClassVar[str] = "30 best scores, weight in proportion to score"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("dc_insider_scores",)
    tolerance: ClassVar[dict[str, float]] = {"dc_insider_scores": 15.0}
    lookback_days: ClassVar[int] = 31
    positive_only: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {
        "dc_insider_scores": "capture_date = (select max(capture_date) from raw.dc_insider_scores"
        " where known_at <= %(at)s)"
    }

    take: int = 30
