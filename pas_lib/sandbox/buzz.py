"""How much people talk about a company: derived from the world's page views, kept nowhere.

Mentions rise with the readers of a company's article, on the same day; nothing here moves a price.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.world import World

#: English words and jargon that are tickers elsewhere: a count by word takes them for such.
WORDS: Final = ("IT", "ALL", "ON", "YOU", "NOW", "UP", "SO", "GO", "FOR", "IP", "CC", "CAN", "DTE", "CD")
OUTSIDERS: Final = 120  # symbols of no list
_LEVEL: Final = {"F": 1.6, "L": 1.5, "M": 0.1, "S": 0.5, "E": 0.2}
_MEMORY: Final = 28  # days of the level that readers are compared with


@dataclass(frozen=True)
class Talk:
    """One line of the ranking: a listing of the world, or a symbol of no list."""

    symbol: str
    name: str
    listing: Listing | None

    def symbol_on(self, day: date) -> str | None:
        """Return the symbol used on `day`; None while the company is not listed."""
        item = self.listing
        if item is None:
            return self.symbol
        if (item.listed and day < item.listed) or (item.delisted and day >= item.delisted):
            return None
        return item.symbol_on(day)


class Buzz:
    """Talk per day, generated when it is first asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.start = world.views.start.toordinal()

    @cached_property
    def surprise(self) -> dict[str, NDArray[np.float64]]:
        """Readers of an article over their level of the weeks before, by slot of the company; 1 is as usual."""
        views = self.world.views
        found: dict[str, NDArray[np.float64]] = {}
        for item in self.world.roster.listings:
            row = views.rows.get(item.wiki_title.replace(" ", "_")) if item.wiki_title else None
            if row is None or item.slot in found:
                continue
            counts = views.views[row].astype(np.float64)
            total = np.concatenate([[0.0], np.cumsum(counts)])
            at = np.arange(counts.size)
            first = np.maximum(at - _MEMORY, 0)
            level = (total[at] - total[first]) / np.maximum(at - first, 1)
            found[item.slot] = np.clip((counts + 5) / (level + 5), 0.2, 12.0)
        return found

    @cached_property
    def talks(self) -> tuple[Talk, ...]:
        """Who is talked about."""
        rng = np.random.default_rng([self.world.seed, 31])
        listed = [Talk("", "", item) for item in self.world.roster.listings]
        taken = {spell.symbol for item in self.world.roster.listings for spell in item.spells}
        words = [Talk(word, f"{word.title()} Holdings", None) for word in WORDS if word not in taken]
        outsiders: dict[str, Talk] = {}
        while len(outsiders) < OUTSIDERS:
            symbol = "".join(chr(65 + int(c)) for c in rng.integers(0, 26, 4)) + "F"
            if symbol not in taken:
                outsiders[symbol] = Talk(symbol, f"{symbol.title()} Resources & Mining", None)
        return (*listed, *words, *outsiders.values())

    @cached_property
    def mentions(self) -> NDArray[np.int32]:
        """Mentions per talk and day, (talks, days since `start`)."""
        rng = np.random.default_rng([self.world.seed, 32])
        days = self.world.views.views.shape[1]
        level = np.empty((len(self.talks), days))
        for i, talk in enumerate(self.talks):
            item = talk.listing
            if item is None:
                typical = rng.normal(2.6 if talk.symbol in WORDS else 0.8, 0.6)
            else:
                typical = rng.normal(5.2, 0.1) if item.slot == "SPY" else rng.normal(_LEVEL.get(item.tier, 0.2), 1.2)
            level[i] = np.exp(typical + rng.normal(0, 0.25, days))
            if item is not None and item.slot in self.surprise:
                level[i] *= self.surprise[item.slot] ** 0.9
        return rng.poisson(level).astype(np.int32)

    def of_day(self, day: date) -> NDArray[np.int32]:
        """Mentions of each talk on `day`; zeros outside the world."""
        at = day.toordinal() - self.start
        if not 0 <= at < self.mentions.shape[1]:
            return np.zeros(len(self.talks), np.int32)
        return self.mentions[:, at]
