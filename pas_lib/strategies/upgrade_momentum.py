"""Companies that analysts think better and better of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from pas_lib.strategies.base import Cadence, MarketView, Strategy, StrategyWeights, best, labelled

#: What is left of a share that is gone; the least share of a basket is far above.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Replay:
    """Weights that were replayed, the baskets that came out, and the last weights."""

    items: tuple[StrategyWeights, ...]
    baskets: tuple[frozenset[str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class UpgradeMomentum(Strategy):
    """The best decile by net upgrades, its weights averaged over 8 weeks.

    Each week's basket is the best tenth (rounded up) of the names with at least 3 revisions in four weeks, as far as
    their upgrades outnumber their downgrades; its names share equally, a fifth at most each. The target is the mean of
    the baskets of the last 8 weeks, of fewer at the start. The earlier baskets are worked out of the strategy's own
    stored weights: what was decided counts, not what late rows would have decided.
    """

    id: ClassVar[str] = "upgrade_momentum"
    name: ClassVar[str] = "Upgrade momentum"
    rule: ClassVar[str] = (
        "(upgrades - downgrades) / revisions over 4 weeks, at least 3 revisions, best decile, weights averaged over 8"
        " weeks"
    )
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("analyst_ratings",)
    tolerance: ClassVar[dict[str, float]] = {"analyst_ratings": 7.0}
    #: 4 weeks of revisions for each of 8 baskets
    lookback_days: ClassVar[int] = 77
    positive_only: ClassVar[bool] = True
    counts: ClassVar[dict[str, str]] = {
        "analyst_ratings": "action in ('upgrade', 'downgrade', 'maintain', 'reiterate')"
    }

    #: fewest names that a whole basket is divided among
    take: int = 5
    weeks: int = 8
    decile: float = 0.1
    #: what was replayed last: a history that goes on is not replayed from its beginning
    _replayed: _Replay = field(default_factory=lambda: _Replay(()), init=False, repr=False, compare=False)

    def select(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return the best tenth of all ranked names, those above zero."""
        return best(best(signals, math.ceil(self.decile * len(signals))), floor=0.0)

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:
        """Average this week's basket with those of the weeks before."""
        basket = frozenset(str(key) for key in chosen["security_id"])
        baskets = [*self.baskets(market.history(self.id)), basket][-self.weeks :]
        weights: dict[str, float] = {}
        for one in baskets:
            for key in sorted(one):
                weights[key] = weights.get(key, 0.0) + 1.0 / max(len(one), self.take) / len(baskets)
        return labelled(list(weights), list(weights.values()))

    def names(self, chosen: pd.DataFrame, market: MarketView) -> dict[str, str]:
        """Return the symbols of the basket, and those of earlier ones as they were stored."""
        out: dict[str, str] = {}
        for earlier in market.history(self.id)[-self.weeks :]:
            out |= {str(key): str(symbol) for key, symbol in earlier.symbols.items()}
        return out | super().names(chosen, market)

    def remark(self, weights: pd.Series) -> str:
        """Return how much the thin baskets left in cash."""
        cash = 1.0 - float(weights.sum())
        return f"baskets of fewer than {self.take} names; {cash:.1%} held in cash" if cash > 1e-9 else ""

    def baskets(self, history: Sequence[StrategyWeights]) -> list[frozenset[str]]:
        """Return the basket of every earlier week, oldest first, from the stored weights.

        A mean of n baskets times n, less the one before times its number, is the new basket less the one that fell out.
        Weeks whose weights stayed for want of data made no basket. A basket is kept as a set of names, so that
        rounding never adds up.
        """
        items = [item for item in history if not item.is_stale]
        last = self._replayed
        is_longer = len(items) >= len(last.items) and all(a is b for a, b in zip(last.items, items, strict=False))
        done = last if is_longer else _Replay(())
        found = list(done.baskets)
        before = dict(done.weights)
        for item in items[len(done.items) :]:
            now = dict(zip(map(str, item.weights.index), item.weights.tolist(), strict=True))
            kept = min(len(found), self.weeks)
            fallen = found[-self.weeks] if kept == self.weeks else frozenset()
            share = 1.0 / max(len(fallen), self.take)
            number = min(kept + 1, self.weeks)
            found.append(
                frozenset(
                    key
                    for key in now.keys() | fallen
                    if now.get(key, 0.0) * number - before.get(key, 0.0) * kept + (share if key in fallen else 0.0)
                    > _ROUNDING
                )
            )
            before = now
        object.__setattr__(self, "_replayed", _Replay(tuple(items), tuple(found), before))
        return found
