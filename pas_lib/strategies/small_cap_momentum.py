"""Small companies that rise towards an event."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.strategies.base import Cadence, EqualWeight, MarketView, StrategyWeights, labelled


@dataclass(frozen=True)
class _Holding:
    """A name that is held: since when, until when, and what became of it.

    Attributes
    ----------
    entered, until
        Session of the decision that took it, and the day of its catalyst.
    growth
        Value of 1 invested at the close of `entered`.
    weight
        Share of the portfolio at the close of the session before the one that is decided, drifted.
    """

    entered: date
    until: date | None
    growth: float
    weight: float


@dataclass(frozen=True)
class SmallCapMomentum(EqualWeight):
    """20 small companies with a positive 6-month return and a catalyst within 3 months, equal weight.

    A name enters at the end of a month, the best by return first, where one of the 20 places is free. It leaves at the
    first session after which it has gained 50 % since the close of its decision, three months have passed, or the day
    of its catalyst is over: that is looked at after every session. The money stays cash until the end of the month,
    when all 20 places are made equal again. Since when a name is held, and until when, is worked out of the strategy's
    own stored weights.
    """

    id: ClassVar[str] = "small_cap_momentum"
    name: ClassVar[str] = "Small-cap momentum"
    rule: ClassVar[str] = (
        "market cap under $2bn, positive 6-month return, a catalyst within 3 months; 20 names, equal weight; out at"
        " +50 %, after 3 months or past the catalyst, checked every session"
    )
    cadence: ClassVar[Cadence] = Cadence.MONTHLY
    datasets: ClassVar[tuple[str, ...]] = ("filings", "fundamentals", "prices")
    tolerance: ClassVar[dict[str, float]] = {"filings": 15.0, "fundamentals": 30.0, "prices": 3.0}
    lookback_days: ClassVar[int] = 400
    positive_only: ClassVar[bool] = True
    is_reviewed: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {
        "filings": "((kind = 'earnings_date' and not coalesce(is_estimate, false)) or form in ('10-K', '10-Q'))",
        "fundamentals": "concept = 'EntityCommonStockSharesOutstanding'",
    }

    take: int = 20
    #: gain since the decision at which a name is sold
    gain: float = 0.5
    months: int = 3

    def target_weights(self, signals: pd.DataFrame, market: MarketView) -> StrategyWeights:
        """Keep what has no reason to leave, and fill the free places with the best candidates."""
        plain = super().target_weights(signals, market)
        if plain.is_stale:
            return plain
        held = self.holdings(market)
        kept = {key: one for key, one in held.items() if not self.leaves(one, market.session)}
        before = self._before(market)
        ranked = self.select(signals[~signals["security_id"].isin(list(held))])
        free = ranked.head(self.take - len(kept))
        new = dict(zip(map(str, free["security_id"]), map(str, free["symbol"]), strict=True))
        until = dict(zip(map(str, free["security_id"]), free["until"], strict=True))
        ids = [*kept, *new]
        weights = labelled(ids, [1.0 / self.take] * len(ids))
        return StrategyWeights(
            self.id,
            market.session,
            weights,
            {key: before.symbols[key] if before and key in kept else new[key] for key in ids},
            self.remark(weights),
            until={key: kept[key].until if key in kept else until[key] for key in ids},
        )

    def review(self, market: MarketView) -> StrategyWeights | None:
        """Return the weights without the names that have a reason to leave; None when nobody has."""
        before = self._before(market)
        held = self.holdings(market)
        gone = [key for key, one in held.items() if self.leaves(one, market.session)]
        if before is None or not gone:
            return None
        ids = [key for key in held if key not in gone]
        names = ", ".join(sorted(before.symbols[key] for key in gone))
        return StrategyWeights(
            self.id,
            market.session,
            labelled(ids, [held[key].weight for key in ids]),
            {key: before.symbols[key] for key in ids},
            f"out: {names}",
            until={key: held[key].until for key in ids},
        )

    def leaves(self, one: _Holding, session: date) -> bool:
        """Tell whether a holding has gained enough, is old enough, or is past its catalyst."""
        return (
            one.growth >= 1.0 + self.gain - 1e-12
            or session >= _months_after(one.entered, self.months)
            or (one.until is not None and session > one.until)
        )

    def holdings(self, market: MarketView) -> dict[str, _Holding]:
        """Replay what is held at the session from the stored weights: security_id -> holding, as stored, drifted."""
        history = [item for item in market.history(self.id) if not item.is_stale]
        if not history or history[-1].weights.empty:
            return {}
        last = history[-1]
        entered = {str(key): _since(history, str(key)) for key in last.weights.index}
        first = min(entered.values())
        returns = market.returns(list(entered), len(clock.sessions(first, market.session)))
        days = returns.index.to_numpy()
        moves = 1.0 + np.nan_to_num(returns.to_numpy(dtype=float), nan=0.0)
        shares = dict(zip(map(str, last.weights.index), last.weights.tolist(), strict=True))
        decided = days.searchsorted(np.datetime64(last.session), side="right")
        values: dict[str, float] = {}
        growth: dict[str, float] = {}
        for column, (key, since) in enumerate(entered.items()):
            path = moves[:, column]
            growth[key] = float(np.prod(path[days.searchsorted(np.datetime64(since), side="right") :]))
            values[key] = shares[key] * float(np.prod(path[decided:]))
        total = last.cash + sum(values.values())
        return {
            key: _Holding(entered[key], last.until.get(key), growth[key], value / total)
            for key, value in values.items()
        }

    def _before(self, market: MarketView) -> StrategyWeights | None:
        history = [item for item in market.history(self.id) if not item.is_stale]
        return history[-1] if history else None


def _since(history: Sequence[StrategyWeights], security_id: str) -> date:
    """Return the session of the first of the last unbroken row of weights that hold a security."""
    since = history[-1].session
    for item in reversed(history):
        if security_id not in item.weights.index:
            break
        since = item.session
    return since


def _months_after(day: date, months: int) -> date:
    """Return the same day some months later, the month's last where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
