"""Periodic transaction reports: the trades of the world as members of Congress file them, amendments included.

A report holds what a member files on one day. The House restates single rows of an earlier report (`amended`,
`deleted`); the Senate repeats the whole report without what was withdrawn. Some reports of either chamber come on
paper: they hold no trades here, since nobody could read them.
"""

from __future__ import annotations

import uuid
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from pas_lib.sandbox.congress import Trade
from pas_lib.sandbox.world import World

OWNERS: Final = ("", "", "SP", "SP", "JT", "DC")
HOUSE, SENATE = "Representatives", "Senate"
_NAMESPACE: Final = uuid.UUID("6f1c4d1e-9a53-4ab8-8f0e-2f3f6f2f7d10")
_PAPER_MONTHS: Final = (2, 5, 8, 11)


@dataclass(frozen=True)
class Row:
    """A transaction as filed: `status` is ``New``, ``Amended`` or ``Deleted``."""

    trade: Trade
    owner: str
    status: str = "New"


@dataclass(frozen=True)
class FiledReport:
    """A report: `about` is the day in its title, that of the first report where it is an amendment."""

    document: str
    chamber: str
    politician: str
    district: str | None
    state: str
    filed: date
    about: date
    amendment: int
    rows: tuple[Row, ...]
    paper: bool = False

    @property
    def given(self) -> str:
        """Given names of the filer."""
        return self.politician.rpartition(" ")[0]

    @property
    def family(self) -> str:
        """Family name of the filer."""
        return self.politician.rpartition(" ")[2]


def owner_of(trade: Trade) -> str:
    """Return whose account a trade was made for; equal trades of one day have one."""
    subject = f"{trade.politician}|{trade.company}|{trade.traded}"
    return OWNERS[zlib.crc32(subject.encode()) % len(OWNERS)]


def build_reports(world: World) -> tuple[FiledReport, ...]:
    """Return all reports of both chambers by day of filing, numbered in that order."""
    found: list[FiledReport] = []
    firsts: dict[tuple[str, date], list[Trade]] = defaultdict(list)
    for trade in world.trades:
        if trade.visible == trade.filed:
            firsts[trade.politician, trade.filed].append(trade)
    for (_, filed), trades in firsts.items():
        found.append(_report(trades[0], filed, tuple(Row(t, owner_of(t)) for t in trades)))
    by_politician: dict[str, list[Trade]] = defaultdict(list)
    for trade in world.trades:
        by_politician[trade.politician].append(trade)
    for trades in by_politician.values():
        found += _house_amendments(trades) if trades[0].chamber == HOUSE else _senate_amendments(trades)
    found += _on_paper(world)
    found.sort(key=lambda r: (r.filed, r.chamber, r.politician, r.about, r.amendment))
    return tuple(_numbered(found))


def _report(
    trade: Trade, filed: date, rows: tuple[Row, ...], amendment: int = 0, about: date | None = None
) -> FiledReport:
    return FiledReport(
        "", trade.chamber, trade.politician, trade.district, trade.state, filed, about or filed, amendment, rows
    )


def _shown(trade: Trade, day: date) -> bool:
    return trade.visible <= day and (trade.hidden is None or trade.hidden > day)


def _house_amendments(trades: list[Trade]) -> list[FiledReport]:
    """Return one report per day on which something changed: it restates all trades of the asset on the day traded."""
    days: dict[date, set[tuple[str, date]]] = defaultdict(set)
    for trade in trades:
        if trade.hidden is not None:
            days[trade.hidden].add((trade.company, trade.traded))
    found = []
    for day, subjects in days.items():
        rows: list[Row] = []
        for company, traded in sorted(subjects):
            same = [t for t in trades if (t.company, t.traded) == (company, traded) and t.filed < day]
            kept = [t for t in same if _shown(t, day)]
            gone = [t for t in same if t.hidden == day and not any(k.id == t.id for k in kept)]
            rows += [Row(t, owner_of(t), "Amended") for t in kept] + [Row(t, owner_of(t), "Deleted") for t in gone]
        found.append(_report(rows[0].trade, day, tuple(rows), 1))
    return found


def _senate_amendments(trades: list[Trade]) -> list[FiledReport]:
    """Return the reports that repeat an earlier one as it is now; one that would be empty is not filed."""
    changes: dict[date, set[date]] = defaultdict(set)
    for trade in trades:
        if trade.hidden is not None:
            changes[trade.filed].add(trade.hidden)
    found = []
    for filed, days in changes.items():
        for number, day in enumerate(sorted(days), start=1):
            rows = tuple(Row(t, owner_of(t), "Amended") for t in trades if t.filed == filed and _shown(t, day))
            if rows:
                found.append(_report(rows[0].trade, day, rows, number, filed))
    return found


def _on_paper(world: World) -> list[FiledReport]:
    first = {chamber: next(t for t in world.trades if t.chamber == chamber) for chamber in (HOUSE, SENATE)}
    years = range(min(t.filed for t in world.trades).year, max(t.filed for t in world.trades).year + 1)
    return [
        replace(_report(trade, date(year, month, 12), ()), paper=True)
        for trade in first.values()
        for year in years
        for month in _PAPER_MONTHS
    ]


def _numbered(reports: list[FiledReport]) -> list[FiledReport]:
    electronic, paper, found = 20_030_000, 8_220_000, []
    for report in reports:
        if report.chamber == SENATE:
            number = f"{report.politician}|{report.filed}|{report.about}|{report.amendment}|{report.paper}"
            found.append(replace(report, document=str(uuid.uuid5(_NAMESPACE, number))))
        elif report.paper:
            paper += 1
            found.append(replace(report, document=str(paper)))
        else:
            electronic += 1
            found.append(replace(report, document=str(electronic)))
    return found
