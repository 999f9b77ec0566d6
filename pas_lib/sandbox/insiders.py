"""Transactions of insiders: drawn from the seed over the world's companies and prices, which they do not move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
from numpy.random import Generator

from pas_lib import clock as calendar
from pas_lib.clock import NY
from pas_lib.sandbox.names import politician_names
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.world import World

FILINGS: Final = {"full": 4000, "small": 700}
CODES: Final = ("P", "S", "A", "M", "F", "G")
CODE_SHARES: Final = np.array([0.42, 0.28, 0.13, 0.07, 0.07, 0.03])
TITLES: Final = (
    "Chief Executive Officer",
    "Chief Financial Officer",
    "EVP & General Counsel",
    "Chief Operating Officer",
)
START: Final = date(2024, 1, 2)
INDEX_TIME: Final = time(22, 5)


@dataclass(frozen=True)
class Owner:
    """Who reports."""

    cik: str
    name: str
    director: bool
    officer: bool
    tenth: bool
    title: str


@dataclass(frozen=True)
class Line:
    """One transaction of a filing; `price` is None where only a footnote tells it."""

    day: date
    code: str
    shares: float
    price: float | None
    following: float
    ownership: str
    title: str

    @property
    def acquired(self) -> str:
        """`A` acquired, `D` disposed of."""
        return "A" if self.code in "PAM" else "D"


@dataclass(frozen=True)
class Filing:
    """One ownership form as it was accepted."""

    accession: str
    form: str
    listing: Listing
    owners: tuple[Owner, ...]
    accepted: datetime
    lines: tuple[Line, ...]
    #: An amendment's: the day of the filing it corrects.
    corrects: date | None = None

    @property
    def filed(self) -> date:
        """The filing date: New York's date of acceptance."""
        return self.accepted.astimezone(NY).date()

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the complete text in the archives: under the company and under each owner."""
        ciks = (self.listing.cik, *(owner.cik for owner in self.owners))
        return tuple(f"edgar/data/{int(cik)}/{self.accession}.txt" for cik in ciks)


def _people(rng: Generator, world: World) -> dict[str, list[Owner]]:
    companies = [item for item in world.roster.listings if item.tier != "F"]
    slots = list(dict.fromkeys(item.slot for item in companies))
    names = politician_names(rng, 40)
    found: dict[str, list[Owner]] = {}
    for i, slot in enumerate(slots):
        people = []
        for k in range(3):
            first, last = (
                names[(5 * i + 7 * k) % len(names)].split()[0],
                names[(3 * i + 11 * k) % len(names)].split()[-1],
            )
            officer = k == 0 or bool(rng.random() < 0.4)
            tenth = not officer and bool(rng.random() < 0.15)
            people.append(
                Owner(
                    f"{9500000 + 3 * i + k:010d}",
                    f"{last} {first} {'ABCDEFGH'[(i + k) % 8]}",
                    director=not officer,
                    officer=officer,
                    tenth=tenth,
                    title=TITLES[(i + k) % len(TITLES)] if officer else "",
                )
            )
        found[slot] = people
    return found


def _acceptance(rng: Generator, day: date, late: bool) -> datetime:
    left = int(rng.integers(5, 60)) if late else int(rng.integers(0, 3))
    filed = day
    while left or not calendar.is_session(filed):
        filed += timedelta(days=1)
        left -= left > 0 and calendar.is_session(filed)
    minute = int(rng.integers(16 * 60 + 1, 22 * 60)) if rng.random() < 0.85 else int(rng.integers(6 * 60, 16 * 60))
    at = datetime.combine(filed, time(minute // 60, minute % 60, int(rng.integers(60))), tzinfo=NY)
    if at.hour < 16 and filed == day:
        at = at.replace(hour=17)
    return at.astimezone(UTC)


def build_filings(world: World) -> tuple[Filing, ...]:
    """Return every ownership filing of the world, by time of acceptance.

    Placed on purpose: clusters of purchases, late filings, amendments that correct shares, joint filers, prices that
    only a footnote tells, exercises sold on the same day, and forms 3 and 5.
    """
    rng = np.random.default_rng([world.seed, 11])
    people = _people(rng, world)
    companies = [item for item in world.roster.listings if item.tier != "F" and item.cik]
    first = world.grid.first_at_or_after(max(START, world.grid.day(0)))
    close = world.market.close
    filings: list[Filing] = []
    wanted = FILINGS[world.size]

    def add(listing: Listing, at: int, who: int, code: str) -> None:
        day = world.grid.day(at)
        price = close[listing.row, at]
        if np.isnan(price):
            return
        owner = people[listing.slot][who % 3]
        held = float(np.round(np.exp(rng.normal(10.0, 1.0))))
        title = "Common Stock" if not listing.label else f"{listing.label.strip('()').title()} Common Stock"
        lines = []
        count = 1 + int(rng.random() < 0.35) + int(rng.random() < 0.1)
        for _ in range(count):
            shares = float(max(1, np.round(np.exp(rng.normal(11.0 if code in "PS" else 10.3, 1.1)) / price)))
            paid = float(np.round(price * (1 + rng.normal(0, 0.004)), 4 if code in "PS" else 2))
            stated: float | None = {"A": 0.0, "G": 0.0, "M": float(np.round(price * 0.3, 2))}.get(code, paid)
            held = max(0.0, held + (shares if code in "PAM" else -shares))
            lines.append(Line(day, code, shares, stated, held, "I" if rng.random() < 0.12 else "D", title))
        if code == "M":
            lines.append(Line(day, "S", lines[0].shares, float(np.round(price, 2)), held, "D", title))
        if rng.random() < 0.01:
            lines[0] = replace(lines[0], price=None)
        owners = [owner]
        if rng.random() < 0.05:
            owners.append(people[listing.slot][(who + 1) % 3])
        filing = Filing("", "4", listing, tuple(owners), _acceptance(rng, day, rng.random() < 0.05), tuple(lines))
        filings.append(filing)
        if rng.random() < 0.04:
            changed = tuple(replace(x, shares=float(np.round(x.shares * 1.1) + 1)) for x in lines)
            later = filing.filed + timedelta(days=int(rng.integers(3, 30)))
            accepted = _acceptance(rng, later, False)
            filings.append(replace(filing, form="4/A", accepted=accepted, lines=changed, corrects=filing.filed))

    for _ in range(wanted):
        listing = companies[int(rng.integers(len(companies)))]
        at = int(rng.integers(first, len(world.grid)))
        code = CODES[int(rng.choice(len(CODES), p=CODE_SHARES))]
        add(listing, at, int(rng.integers(3)), code)
        if code == "P" and rng.random() < 0.3:
            for who in range(1, 3):
                add(listing, min(at + int(rng.integers(0, 4)), len(world.grid) - 1), who, "P")
        draw = rng.random()
        if draw < 0.06:
            at = min(at, len(world.grid) - 1)
            owner = people[listing.slot][int(rng.integers(3))]
            accepted = _acceptance(rng, world.grid.day(at), False)
            filings.append(Filing("", "3" if draw < 0.04 else "5", listing, (owner,), accepted, ()))
    filings.sort(key=lambda f: (f.accepted, f.listing.cik, f.owners[0].cik, f.form))
    return tuple(
        replace(f, accession=f"{f.owners[0].cik}-{f.filed:%y}-{number:06d}") for number, f in enumerate(filings, 1)
    )


class InsiderFilings:
    """The filings of a world, drawn when they are first asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._filings: tuple[Filing, ...] | None = None
        self._by_path: dict[str, Filing] = {}
        self._by_day: dict[date, list[Filing]] = {}

    def all(self) -> tuple[Filing, ...]:
        """Return every filing, past and future, by time of acceptance."""
        if self._filings is None:
            self._filings = build_filings(self.world)
            self._by_path = {path: filing for filing in self._filings for path in filing.paths}
            for filing in self._filings:
                self._by_day.setdefault(filing.filed, []).append(filing)
        return self._filings

    def visible(self, now: datetime) -> list[Filing]:
        """Return the filings accepted by `now`."""
        return [filing for filing in self.all() if filing.accepted <= now]

    def at(self, path: str, now: datetime) -> Filing | None:
        """Return the filing under a path of the archives, unless it is still to come."""
        self.all()
        filing = self._by_path.get(path)
        return filing if filing is not None and filing.accepted <= now else None

    def filed_on(self, day: date, now: datetime) -> list[Filing] | None:
        """Return the filings of a day, or None when there is no index of it (yet)."""
        self.all()
        if now < datetime.combine(day, INDEX_TIME, tzinfo=NY):
            return None
        return self._by_day.get(day, [] if calendar.is_session(day) else None)
