"""What single politicians hold, as far as their disclosures tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

import pandas as pd

from pas_lib.strategies.base import Cadence, MarketView, Strategy, best, labelled, months_before


def _trades_of(bioguide_id: str, surname: str) -> dict[str, str]:
    return {
        "politician_trades": f"(bioguide_id = '{bioguide_id}' or (bioguide_id is null"
        f" and lower(politician) like '%%{surname}%%'))"
    }


class PoliticianSleeve(Strategy):
    """One politician's net position over 24 months per ticker, in proportion, at most 20 % a name.

    The position is the sum of the mid-points bought less those sold, as disclosed; a name sold on balance is not held.
    What the cap takes from a name stays cash.
    """

    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("politician_trades",)
    # The whole of Congress: one member may well be silent for a year.
    tolerance: ClassVar[dict[str, float]] = {"politician_trades": 21.0}
    lookback_days: ClassVar[int] = 731
    positive_only: ClassVar[bool] = True
    cap: float

    @property
    def signal_model(self) -> str:
        """One model makes the signals of all three."""
        return "int_signal_politician_sleeves"

    def select(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return every name that is held on balance, by rank."""
        return best(signals, floor=0.0)

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:  # noqa: ARG002
        """Weigh in proportion to the net positions, each cut at the cap."""
        positions = chosen["score"].to_numpy(dtype=float)
        shares = (positions / positions.sum()).clip(max=self.cap).tolist() if len(positions) else []
        return labelled([str(key) for key in chosen["security_id"]], shares)

    def remark(self, weights: pd.Series) -> str:
        """Return what the cap left in cash."""
        cash = 1.0 - float(weights.sum())
        return f"{len(weights)} names of at most {self.cap:.0%}; {cash:.1%} held in cash" if cash > 1e-9 else ""

    def window_start(self, session: date) -> datetime:
        """Return the decision time of the same day two years before."""
        return months_before(session, 24)


def _rule(who: str) -> str:
    return f"net mid-point position of {who} over 24 months per ticker, floor 0, in proportion, cap 20 % a name"


@dataclass(frozen=True)
class Pelosi(PoliticianSleeve):
    """What Nancy Pelosi holds by her disclosures of 24 months, in proportion, at most 20 % a name."""

    id: ClassVar[str] = "pelosi"
    name: ClassVar[str] = "Nancy Pelosi"
    rule: ClassVar[str] = _rule("Nancy Pelosi")
    counts: ClassVar[dict[str, str]] = _trades_of("P000197", "pelosi")

    take: int = 5
    cap: float = 0.2


@dataclass(frozen=True)
class Meuser(PoliticianSleeve):
    """What Daniel Meuser holds by his disclosures of 24 months, in proportion, at most 20 % a name."""

    id: ClassVar[str] = "meuser"
    name: ClassVar[str] = "Daniel Meuser"
    rule: ClassVar[str] = _rule("Daniel Meuser")
    counts: ClassVar[dict[str, str]] = _trades_of("M001204", "meuser")

    take: int = 5
    cap: float = 0.2


@dataclass(frozen=True)
class Capito(PoliticianSleeve):
    """What Shelley Moore Capito holds by her disclosures of 24 months, in proportion, at most 20 % a name."""

    id: ClassVar[str] = "capito"
    name: ClassVar[str] = "Shelley Moore Capito"
    rule: ClassVar[str] = _rule("Shelley Moore Capito")
    counts: ClassVar[dict[str, str]] = _trades_of("C001047", "capito")

    take: int = 5
    cap: float = 0.2
