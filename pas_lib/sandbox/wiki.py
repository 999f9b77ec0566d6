"""Daily page views of the invented companies' articles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pas_lib.sandbox.roster import Roster
from pas_lib.sandbox.sessions import SessionGrid

WEEKDAYS = np.array([1.08, 1.10, 1.09, 1.06, 0.98, 0.82, 0.87])
JUMP_DRIFT = 0.022  # extra return over the 25 sessions after a jump
DEAD_SLOTS = ("L40", "L77", "L155", "L240", "M30", "M61", "M6")  # listed on the index page, unknown to the counter
QUIET_SLOTS = ("L16", "L61", "M2", "M41")  # articles with days that nobody reads them


@dataclass(frozen=True)
class Views:
    """Page views of real readers (agent ``user``, all access), one row per article.

    Attributes
    ----------
    titles : list of str
        Article titles with blanks, by row of `views`.
    start : date
        Day of the first column.
    views : ndarray of uint32, (articles, days)
        Zero means that nobody came, or that the article did not exist yet.
    rows : dict
        Title with underscores to row.
    dead : list of str
        Titles with underscores that index pages link to and the counter does not know.
    """

    titles: list[str]
    start: date
    views: NDArray[np.uint32]
    rows: dict[str, int]
    dead: list[str]


def build_views(
    seed: int, roster: Roster, grid: SessionGrid, start: date, end: date, events: NDArray[np.float64]
) -> Views:
    """Generate page views; jumps add a small drift to `events` (listing, session), in place."""
    rng = np.random.default_rng([seed, 4])
    days = end.toordinal() - start.toordinal() + 1
    weekday = np.array([date.fromordinal(start.toordinal() + i).weekday() for i in range(days)])
    titles: list[str] = []
    rows: list[NDArray[np.float64]] = []
    dead: list[str] = []
    seen: set[str] = set()
    for item in roster.listings:
        if item.tier not in "LME" or item.slot in seen:
            continue
        seen.add(item.slot)
        if item.slot in DEAD_SLOTS:
            dead.append(item.wiki_title.replace(" ", "_"))
            continue
        base = float(np.exp(rng.normal({"L": 5.6, "M": 3.6, "E": 3.2}[item.tier], 1.1)))
        base = 1.4 if item.slot in QUIET_SLOTS else base
        noise = np.zeros(days)
        shocks = rng.normal(0, 0.10, days)
        for t in range(1, days):
            noise[t] = 0.7 * noise[t - 1] + shocks[t]
        level = base * WEEKDAYS[weekday] * np.exp(noise + np.linspace(0, rng.normal(0, 0.25), days))
        for _ in range(int(rng.poisson(2.2 * days / 365))):
            day = int(rng.integers(0, days))
            strength = float(rng.uniform(1.5, 9.0))
            tail = np.arange(min(14, days - day))
            level[day : day + tail.size] *= 1 + strength * np.exp(-tail / 4.0)
            at = grid.first_at_or_after(date.fromordinal(start.toordinal() + day + 2))
            for listing in roster.by_slot(item.slot):
                events[listing.row, at : at + 25] += JUMP_DRIFT / 25
        counts = rng.poisson(level).astype(np.float64)
        if item.listed and item.listed > start:
            counts[
                : item.listed.toordinal() - start.toordinal() - 20
                if item.listed.toordinal() - 20 > start.toordinal()
                else 0
            ] = 0
        if item.former_title:
            moved = max(0, (item.spells[1].start or start).toordinal() - start.toordinal() + 3)
            old, new = counts.copy(), counts.copy()
            old[moved:] = np.round(old[moved:] * 0.04)  # readers who still come by the old title
            new[:moved] = 0
            titles.append(item.former_title)
            rows.append(old)
            counts = new
        titles.append(item.wiki_title)
        rows.append(counts)
    return Views(
        titles,
        start,
        np.array(rows).astype(np.uint32),
        {title.replace(" ", "_"): i for i, title in enumerate(titles)},
        dead,
    )
