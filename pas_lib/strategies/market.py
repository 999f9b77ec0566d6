"""A market view over frames that are already in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from pas_lib.strategies.base import StrategyWeights


@dataclass(frozen=True)
class FrameMarket:
    """`MarketView` over a wide frame of daily returns.

    Attributes
    ----------
    session
        The session that is decided. Rows of `daily_returns` after it are never handed out.
    daily_returns
        Total returns: one row per session (ascending index of dates), one column per security_id; NaN where
        there was no bar.
    ages
        dataset -> days from its newest known row to the decision time; a dataset without rows is None.
    previous_weights
        strategy id -> its stored weights of the rebalance session before.
    earlier_weights
        strategy id -> all its stored weights before the session, oldest first; the last one is the one before.
    """

    session: date
    daily_returns: pd.DataFrame
    ages: Mapping[str, float | None] = field(default_factory=dict)
    previous_weights: Mapping[str, StrategyWeights] = field(default_factory=dict)
    earlier_weights: Mapping[str, Sequence[StrategyWeights]] = field(default_factory=dict)

    def returns(self, security_ids: Sequence[str], sessions: int) -> pd.DataFrame:
        """Return the last `sessions` rows up to the session; an unknown security is a column of NaN."""
        seen = self.daily_returns.index.searchsorted(pd.Timestamp(self.session), side="right")
        rows = self.daily_returns.iloc[max(0, int(seen) - sessions) : int(seen)]
        return rows.reindex(columns=list(security_ids))

    def age_days(self, dataset: str) -> float | None:
        """Return the age of a dataset in days; None when nothing of it is known."""
        return self.ages.get(dataset)

    def previous(self, strategy_id: str) -> StrategyWeights | None:
        """Return the strategy's stored weights of the rebalance session before."""
        earlier = self.earlier_weights.get(strategy_id)
        return earlier[-1] if earlier else self.previous_weights.get(strategy_id)

    def history(self, strategy_id: str) -> Sequence[StrategyWeights]:
        """Return all of the strategy's stored weights before the session, oldest first."""
        before = self.previous_weights.get(strategy_id)
        return self.earlier_weights.get(strategy_id) or ([before] if before else [])
