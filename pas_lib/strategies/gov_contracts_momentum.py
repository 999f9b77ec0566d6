"""Who was given large contracts by the government in the last month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

import pandas as pd

from pas_lib.strategies.base import Cadence, MarketView, Strategy, best, labelled, months_before


@dataclass(frozen=True)
class GovContractsMomentum(Strategy):
    """All firms with $50M or more of contracts that became known in the last month, equal weight.

    What was taken back in the month counts against what was given. With fewer than 10 firms each gets a tenth of the
    portfolio and the rest stays cash: one contract is no portfolio.
    """

    id: ClassVar[str] = "gov_contracts_momentum"
    name: ClassVar[str] = "Government contracts"
    rule: ClassVar[str] = "firms with $50M or more of contracts that became known in the last month, equal weight"
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("gov_contracts",)
    # Collected once a week; a month is the window itself.
    tolerance: ClassVar[dict[str, float]] = {"gov_contracts": 21.0}
    lookback_days: ClassVar[int] = 31
    counts: ClassVar[dict[str, str]] = {"gov_contracts": "coalesce(amount_kind, 'transaction') = 'transaction'"}

    #: fewest firms that the whole portfolio is divided among
    take: int = 10
    #: least sum of a firm's contracts, USD
    floor: float = 50e6

    def select(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return all firms at or above the floor, by rank."""
        return best(signals[signals["score"] >= self.floor])

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:  # noqa: ARG002
        """Give every firm the same, a tenth at most."""
        weight = 1.0 / max(len(chosen), self.take)
        return labelled([str(key) for key in chosen["security_id"]], [weight] * len(chosen))

    def window_start(self, session: date) -> datetime:
        """Return the decision time of the same day of the month before."""
        return months_before(session, 1)
