"""Ratings of analysts: drawn from the seed over the world's companies and prices, which they do not move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from pas_lib.clock import NY
from pas_lib.sandbox.names import politician_names
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.world import World

WAVES: Final = {"full": 3100, "small": 420}
START: Final = date(2024, 1, 2)
#: Invented brokers with their own words, best first.
FIRMS: Final = (
    ("Harrow & Pike", ("Buy", "Neutral", "Sell")),
    ("Ostrander Securities", ("Overweight", "Equal-Weight", "Underweight")),
    ("Bellmont Research", ("Outperform", "Market Perform", "Underperform")),
    ("Quay Street Partners", ("Strong Buy", "Hold", "Reduce")),
    ("Tallis Brothers", ("Buy", "Hold", "Sell")),
    ("Corvane Capital", ("Outperform", "Sector Weight", "Underweight")),
    ("Dunmore Ives", ("Positive", "Neutral", "Negative")),
    ("Fenwick Hale", ("Overweight", "Neutral", "Underweight")),
)


@dataclass(frozen=True)
class Rating:
    """One rating; `corrected` replaces `target` from `revised` on, where that is set."""

    id: str
    listing: Listing
    firm: str
    analyst: str
    action: str
    current: str
    prior: str
    target: float | None
    target_prior: float | None
    corrected: float | None
    created: datetime
    revised: datetime | None


def build_ratings(world: World) -> tuple[Rating, ...]:
    """Return every rating of the world by time of publication.

    They come in waves: several brokers write about a company within days. Placed on purpose: ratings without a target,
    repeats without a prior rating, targets corrected hours later, downgrades with a raised target.
    """
    rng = np.random.default_rng([world.seed, 12])
    people = politician_names(rng, 4 * len(FIRMS))
    companies = [item for item in world.roster.listings if item.tier != "F"]
    close = world.market.close
    first = world.grid.first_at_or_after(max(START, world.grid.day(0)))
    level: dict[tuple[str, str], int] = {}
    target: dict[tuple[str, str], float] = {}
    drawn: list[tuple[datetime, int, Listing, int]] = []
    for wave in range(WAVES[world.size]):
        listing = companies[int(rng.integers(len(companies)))]
        at = int(rng.integers(first, len(world.grid)))
        count = 1 + int(rng.poisson(1.6))
        for firm in rng.permutation(len(FIRMS))[:count].tolist():
            day = min(at + int(rng.integers(0, 8)), len(world.grid) - 1)
            early = rng.random() < 0.8
            minute = int(rng.integers(5 * 60, 9 * 60 + 29)) if early else int(rng.integers(16 * 60 + 5, 19 * 60))
            moment = datetime.combine(
                world.grid.day(day), time(minute // 60, minute % 60, int(rng.integers(60))), tzinfo=NY
            )
            drawn.append((moment.astimezone(UTC), wave, listing, firm))
    drawn.sort(key=lambda entry: (entry[0], entry[1], entry[2].row, entry[3]))
    found: list[Rating] = []
    for created, wave, listing, firm in drawn:
        session = min(world.grid.first_at_or_after(created.astimezone(NY).date()), len(world.grid) - 1)
        price = close[listing.row, max(session - 1, 0)]
        if np.isnan(price):
            continue
        name, words = FIRMS[firm]
        key = (listing.slot, name)
        before, draw = level.get(key), rng.random()
        # Companies of one kind are liked for a while: the mood of a wave decides.
        mood = 0.75 if (wave * 7919) % 100 < 52 else 0.25
        if before is None:
            now = int(rng.integers(0, 3))
            action = "Initiates Coverage On" if draw < 0.7 else "Reiterates"
        elif draw < 0.4 * mood and before > 0:
            now, action = before - 1, "Upgrades"
        elif 0.4 * mood <= draw < 0.4 and before < 2:
            now, action = before + 1, "Downgrades"
        else:
            now, action = before, "Maintains" if draw < 0.7 else "Reiterates"
        level[key] = now
        old = target.get(key)
        wanted: float | None = float(np.round(price * (1.22 - 0.17 * now + rng.normal(0, 0.06))))
        wanted = None if rng.random() < 0.05 or not wanted else max(wanted, 1.0)
        if action == "Reiterates" and old is not None:
            wanted = old
        revised = created + timedelta(hours=float(rng.uniform(1, 9))) if wanted and rng.random() < 0.03 else None
        found.append(
            Rating(
                id=f"{int(created.timestamp()):08x}{int(rng.integers(2**32)):08x}{len(found):08x}",
                listing=listing,
                firm=name,
                analyst=people[(4 * firm + wave) % len(people)] if wave % 9 else "",
                action=action,
                current=words[now],
                prior="" if before is None or wave % 13 == 0 else words[before],
                target=wanted,
                target_prior=old,
                corrected=float(np.round(wanted * 1.05)) + 1 if wanted and revised else None,
                created=created,
                revised=revised,
            )
        )
        if wanted:
            target[key] = found[-1].corrected or wanted
    return tuple(found)


class Ratings:
    """The ratings of a world, drawn when they are first asked for."""

    #: Seconds from publication to the site's own time stamp of it.
    LAG: Final = timedelta(seconds=24)

    def __init__(self, world: World) -> None:
        self.world = world
        self._ratings: tuple[Rating, ...] | None = None

    def all(self) -> tuple[Rating, ...]:
        """Return every rating, past and future, by time of publication."""
        if self._ratings is None:
            self._ratings = build_ratings(self.world)
        return self._ratings

    def visible(self, now: datetime) -> list[Rating]:
        """Return the ratings published by `now`, newest first."""
        return [rating for rating in reversed(self.all()) if rating.created + self.LAG <= now]

    def updated(self, rating: Rating, now: datetime) -> datetime:
        """Return when a rating was last changed, as seen at `now`."""
        return rating.revised if rating.revised and rating.revised <= now else rating.created + self.LAG
