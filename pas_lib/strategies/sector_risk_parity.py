"""The strongest sectors, each carrying the same risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from pas_lib.allocation.solvers import risk_parity
from pas_lib.strategies.base import Cadence, MarketView, Strategy, labelled


@dataclass(frozen=True)
class SectorRiskParity(Strategy):
    """The 3 sector ETFs with the best 26-week return, weighted to equal risk contribution."""

    id: ClassVar[str] = "sector_risk_parity"
    name: ClassVar[str] = "Sector risk parity"
    rule: ClassVar[str] = "best 3 of 11 sector ETFs by 26-week return, risk parity over 13 weeks of daily returns"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("prices",)
    tolerance: ClassVar[dict[str, float]] = {"prices": 3.0}
    lookback_days: ClassVar[int] = 190

    take: int = 3
    #: 13 weeks of 5 sessions
    window: int = 65
    #: share of the window that a name needs returns for; below it its risk cannot be measured
    min_coverage: float = 0.8

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:
        """Weigh to equal risk contribution; a name without enough returns leaves its claim in cash.

        Rows where any remaining name has no return are left out, so that all share one sample; the covariance
        is the sample one (ddof 1).
        """
        returns = market.returns([str(key) for key in chosen["security_id"]], self.window)
        enough = returns.notna().sum() >= self.min_coverage * self.window
        moving = returns.std(ddof=1) > 0.0
        sample = returns.loc[:, enough & moving].dropna()
        if sample.shape[1] == 0:
            return labelled([], [])
        weights = risk_parity(sample.cov().to_numpy())
        claim = sample.shape[1] / self.take
        return labelled([str(key) for key in sample.columns], (weights * claim).tolist())
