"""News of the invented companies: drawn day by day from the seed, kept nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from pas_lib.clock import NY
from pas_lib.sandbox.buzz import Buzz
from pas_lib.sandbox.roster import Listing

PUBLISHERS: Final = ("PR Newswire", "Business Wire", "GlobeNewswire", "Accesswire", "Market Desk")
POSITIVE: Final = (
    "{name} Beats Estimates on Strong Demand",
    "{name} Wins Major Contract, Shares Gain",
    "{name} Raises Outlook After Record Quarter",
    "Analysts Applaud {name}'s Impressive Growth",
    "{name} Announces Dividend Increase and Share Buyback",
    "{name} & Partners Celebrate Successful Launch",
)
NEGATIVE: Final = (
    "{name} Misses Estimates as Costs Hurt Margins",
    "{name} Cuts Outlook, Warns of Weak Demand",
    "{name} Faces Lawsuit Over Alleged Fraud",
    "Regulators Probe {name} After Accident",
    "{name} Shares Plunge on Disappointing Guidance",
)
NEUTRAL: Final = (
    "{name} to Report Quarterly Results",
    "{name} Appoints Chief Financial Officer",
    "{name} to Present at Industry Conference",
    "{name} Files Annual Report",
    'Transcript: {name} on "The Year Ahead"',
)
MARKET: Final = ("Stocks Drift Before Payrolls", "Treasury Yields Little Changed", "What Traders Are Watching Today")
PER_DAY: Final = {"full": 70, "small": 24}


@dataclass(frozen=True)
class Headline:
    """One headline: when it came out, what it says, whom it is about."""

    at: datetime
    title: str
    publisher: str
    url: str
    listings: tuple[Listing, ...]


class Newsroom:
    """Headlines per day, drawn when they are first asked for."""

    def __init__(self, buzz: Buzz) -> None:
        self.buzz = buzz
        self.world = buzz.world
        self._days: dict[date, tuple[Headline, ...]] = {}
        self._covered = [item for item in self.world.roster.listings if item.tier in "LMS"]

    def of_day(self, day: date) -> tuple[Headline, ...]:
        """Return the headlines of a day (New York), oldest first."""
        if day not in self._days:
            if len(self._days) > 30:
                self._days.clear()
            self._days[day] = self._draw(day)
        return self._days[day]

    def before(self, now: datetime, days: int) -> list[Headline]:
        """Return what came out up to `now`, newest first, `days` days back."""
        today = now.astimezone(NY).date()
        found = [item for back in range(days + 1) for item in self.of_day(today - timedelta(days=back))]
        return sorted((item for item in found if item.at <= now), key=lambda item: (item.at, item.url), reverse=True)

    def _draw(self, day: date) -> tuple[Headline, ...]:
        rng = np.random.default_rng([self.world.seed, 33, day.toordinal()])
        count = PER_DAY[self.world.size] if day.weekday() < 5 else PER_DAY[self.world.size] // 6
        alive = [
            item
            for item in self._covered
            if not (item.listed and day < item.listed) and not (item.delisted and day >= item.delisted)
        ]
        weights = np.array([self._weight(item, day) for item in alive])
        weights /= weights.sum()
        minutes = np.sort(np.clip(rng.normal(11 * 60, 200, count), 0, 24 * 60 - 1).astype(int))
        found = []
        for number, minute in enumerate(minutes.tolist()):
            at = datetime.combine(day, time(minute // 60, minute % 60), NY).astimezone(UTC)
            about: tuple[Listing, ...] = ()
            if rng.random() < 0.08:
                title = MARKET[int(rng.integers(len(MARKET)))]
            else:
                first = alive[int(rng.choice(len(alive), p=weights))]
                about = (first,)
                if rng.random() < 0.12:
                    other = alive[int(rng.integers(len(alive)))]
                    about = (first, other) if other.slot != first.slot else about
                # a company's press is good or bad for about a month
                mood = np.random.default_rng([self.world.seed, 34, first.row, day.toordinal() // 30]).normal(0.12, 0.25)
                draw = rng.random()
                pool = POSITIVE if draw < 0.38 + mood else NEGATIVE if draw > 0.72 + mood else NEUTRAL
                title = pool[int(rng.integers(len(pool)))].format(name=first.name_on(day))
            publisher = PUBLISHERS[int(rng.integers(len(PUBLISHERS)))]
            slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
            # the site's own articles have addresses of its own
            url = (
                f"/news/{day.toordinal() % 10_000}{number:02d}/{slug}"
                if publisher == "Market Desk"
                else f"https://news.example/{day:%Y/%m/%d}/{slug}-{number:03d}.html"
            )
            found.append(Headline(at, title, publisher, url, about))
        return tuple(found)

    def _weight(self, item: Listing, day: date) -> float:
        surprise = self.buzz.surprise.get(item.slot)
        at = day.toordinal() - self.buzz.start
        level = float(surprise[at]) if surprise is not None and 0 <= at < surprise.size else 1.0
        return level * {"L": 1.0, "M": 0.5, "S": 0.35}[item.tier]
