"""Lobbying reports and federal contracts of the world: invented from its seed, beside the arrays that are kept.

Nothing here moves a price. Companies are named as filings name them (capitals, legal forms, slips of the pen, "on
behalf of"), and some clients and recipients are no listed companies at all.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
from numpy.random import Generator

from pas_lib.clock import NY
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.world import World

ISSUES: Final = (
    ("DEF", "Defense"),
    ("TAX", "Taxation/Internal Revenue Code"),
    ("TRD", "Trade (domestic/foreign)"),
    ("HCR", "Health Issues"),
    ("ENG", "Energy/Nuclear"),
    ("BUD", "Budget/Appropriations"),
    ("TEC", "Telecommunications"),
    ("BAN", "Banking"),
)
FIRMS: Final = (
    "QUILL & HARROW LLP",
    "THIRD STREET PARTNERS",
    "MARLOW GOVERNMENT RELATIONS, LLC",
    "DUNMORE STRATEGIES",
    "ELLERY COUNSEL, P.C.",
    "SABLE POINT GROUP",
)
UNLISTED: Final = (
    "CITY OF PORT ELLERY",
    "ASSOCIATION OF TARN COUNTY GROWERS",
    "UNIVERSITY OF EASTVALE",
    "HOLLOW CREEK REGIONAL TRANSIT AUTHORITY",
    "NATIONAL COUNCIL OF LIGHTHOUSE KEEPERS",
)
CIVIL: Final = (
    ("Department of Homeland Security", "U.S. Customs and Border Protection"),
    ("Department of Health and Human Services", "Centers for Medicare and Medicaid Services"),
    ("National Aeronautics and Space Administration", "National Aeronautics and Space Administration"),
    ("Department of Energy", "Department of Energy"),
    ("Department of Veterans Affairs", "Department of Veterans Affairs"),
)
DEFENCE: Final = (
    ("Department of Defense", "Department of the Army"),
    ("Department of Defense", "Department of the Navy"),
    ("Department of Defense", "Defense Logistics Agency"),
)
SERVICES: Final = (
    "ENGINEERING SUPPORT SERVICES",
    "FY26 SPARE PARTS, LOT 2",
    "CLOUD HOSTING & OPERATIONS",
    "FACILITY MAINTENANCE, OPTION YEAR 1",
    "MEDICAL SUPPLIES",
)
QUARTERS: Final = ("first_quarter", "second_quarter", "third_quarter", "fourth_quarter")
BEGINNING: Final = date(2017, 12, 1)
REPORTS: Final = 20
ACTIONS_A_MONTH: Final = 95


@dataclass(frozen=True)
class Filing:
    """One lobbying filing, public from `posted` on; `symbol` is None for clients that are not listed."""

    uuid: str
    kind: str
    year: int
    quarter: int
    client: str
    client_id: int
    registrant: str
    registrant_id: int
    in_house: bool
    amount: float | None
    issues: tuple[int, ...]
    details: str
    posted: datetime
    symbol: str | None


@dataclass(frozen=True)
class Action:
    """One obligation of a contract, public from the evening of `visible` on (until `hidden`: then corrected)."""

    award: str
    piid: str
    mod: str
    recipient: str
    agency: str
    sub_agency: str
    award_type: str
    amount: float
    total: float
    day: date
    visible: date
    hidden: date | None
    description: str
    symbol: str | None
    copies: int


def _uuid(rng: Generator) -> str:
    return str(uuid.UUID(bytes=rng.bytes(16), version=4))


def _legal(listing: Listing, day: date) -> str:
    name = listing.name_on(day).upper()
    if name.rstrip(".").rsplit(" ", 1)[-1] in ("INC", "CORP", "CO", "CORPORATION", "COMPANY", "LTD", "PLC"):
        return name
    form = ("INC", "INC.", "CORPORATION", ", INC.", "COMPANY", "CORP")[listing.row % 6]
    return f"{name}{form}" if form.startswith(",") else f"{name} {form}"


def _as_written(name: str, rng: Generator) -> str:
    """Return a name as a filing has it: mostly right, sometimes with a slip."""
    draw = rng.random()
    if draw < 0.03 and len(name) > 16:
        at = int(rng.integers(3, 10))
        return name[:at] + name[at] + name[at:]  # a letter twice
    if draw < 0.06:
        return (
            f"DUNMORE STRATEGIES (ON BEHALF OF {name})" if draw < 0.045 else f"DUNMORE STRATEGIES ON BEHALF OF {name}"
        )
    return name.title() if draw < 0.12 else name


def _alive(listing: Listing, day: date) -> bool:
    return (listing.listed is None or listing.listed <= day) and (listing.delisted is None or day < listing.delisted)


def _companies(world: World, share: float, rng: Generator) -> list[Listing]:
    """Draw companies, one share class of each: the first."""
    first: dict[str, Listing] = {}
    for item in world.roster.listings:
        if item.tier in "LMS":
            first.setdefault(item.slot, item)
    found = [item for item in first.values() if rng.random() < share * {"L": 1.0, "M": 0.5, "S": 0.25}[item.tier]]
    return found or list(first.values())[:3]


def build_filings(world: World) -> tuple[Filing, ...]:
    """Draw the lobbying filings of the world's span, by time of posting."""
    rng = np.random.default_rng([world.seed, 11])
    start, end = world.grid.day(0), world.grid.day(len(world.grid) - 1)
    clients: list[tuple[Listing | None, str, str, bool, float, int, int]] = []
    for item in _companies(world, 0.8 if world.size == "small" else 0.32, rng):
        for at in range(int(rng.integers(1, 4))):
            in_house = at == 0 and bool(rng.random() < 0.6)
            firm = "" if in_house else FIRMS[int(rng.integers(len(FIRMS)))]
            size = float(np.exp(rng.normal(12.4 if in_house else 10.6, 0.7)))
            clients.append((item, "", firm, in_house, size, 190000 + len(clients), 400000 + len(clients)))
    for name in UNLISTED * (1 if world.size == "small" else 3):
        firm = FIRMS[int(rng.integers(len(FIRMS)))]
        clients.append((None, name, firm, False, 40000.0, 190000 + len(clients), 400000 + len(clients)))
    filings: list[Filing] = []
    quarters = [(year, quarter) for year in range(start.year, end.year + 1) for quarter in range(1, 5)]
    for listing, name, firm, in_house, size, client_id, registrant_id in clients:
        growth, registered = float(rng.normal(0.0, 0.06)), False
        for number, (year, quarter) in enumerate(quarters[:REPORTS]):
            closes = date(year + quarter // 4, quarter * 3 % 12 + 1, 1)
            posted = _posting(closes, rng)
            if posted.date() > end or (listing is not None and not _alive(listing, posted.date())):
                continue
            client = _as_written(_legal(listing, posted.date()), rng) if listing else name
            spent = size * float(np.exp(growth * number + rng.normal(0, 0.25)))
            amount = round(spent / 10000) * 10000.0 if rng.random() < 0.95 else round(spent, 2)
            codes = tuple(sorted({int(rng.integers(len(ISSUES))) for _ in range(int(rng.integers(1, 3)))}))
            filing = Filing(
                uuid=_uuid(rng),
                kind=f"Q{quarter}" if amount >= 5000 else f"Q{quarter}Y",
                year=year,
                quarter=quarter,
                client=client,
                client_id=client_id,
                registrant=client if in_house else firm,
                registrant_id=registrant_id,
                in_house=in_house,
                amount=amount if amount >= 5000 else None,
                issues=codes,
                details=f"Matters of {ISSUES[codes[0]][1].lower()} in {year}; implementation.",
                posted=posted,
                symbol=listing.symbol_on(posted.date()) if listing else None,
            )
            if not registered:
                registered = True
                opened = datetime.combine(date(year, quarter * 3 - 2, 5), time(11, 5), NY)
                filings.append(replace(filing, uuid=_uuid(rng), kind="RR", amount=None, posted=opened))
            filings.append(filing)
            if rng.random() < 0.03 and filing.amount is not None:
                later = posted + timedelta(days=int(rng.integers(5, 90)))
                filings.append(
                    replace(
                        filing,
                        uuid=_uuid(rng),
                        kind=f"{quarter}A",
                        amount=filing.amount + 10000.0,
                        posted=later,
                    )
                )
    return tuple(sorted(filings, key=lambda f: (f.posted, f.uuid)))


def _posting(closes: date, rng: Generator) -> datetime:
    """Draw when a report is posted: up to the 20th day after its quarter, one in twelve later."""
    days = int(np.clip(rng.normal(17, 3), 1, 20)) if rng.random() < 0.92 else int(rng.integers(21, 140))
    day = closes + timedelta(days=days - 1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return datetime.combine(day, time(int(rng.integers(8, 23)), int(rng.integers(60)), int(rng.integers(60))), NY)


def build_actions(world: World) -> tuple[Action, ...]:
    """Draw the contract actions of the world's span, by action date."""
    rng = np.random.default_rng([world.seed, 12])
    start, end = world.grid.day(0), world.grid.day(len(world.grid) - 1)
    companies = _companies(world, 0.25, rng)
    weight = np.exp(rng.normal(0, 1.0, len(companies)))
    weight /= weight.sum()
    actions: list[Action] = []
    month = start.replace(day=1)
    number = 0
    while month <= end:
        for _ in range(ACTIONS_A_MONTH):
            day = month + timedelta(days=int(rng.integers(0, 28)))
            listing = companies[int(rng.choice(len(companies), p=weight))] if rng.random() < 0.9 else None
            if listing is not None and not _alive(listing, day):
                listing = None
            name = _legal(listing, day) if listing else f"{UNLISTED[int(rng.integers(len(UNLISTED)))]}"
            defence = bool(rng.random() < 0.4)
            agency, office = (DEFENCE if defence else CIVIL)[int(rng.integers(3 if defence else 5))]
            lag = int(rng.integers(90, 94)) if defence else int(rng.integers(3, 6))
            number += 1
            piid = f"{'W31P4Q' if defence else '80GSFC'}{day:%y}{'F' if number % 3 else 'C'}{number:05d}"
            size = round(float(np.exp(rng.normal(15.2, 1.4))), 2)
            amount = -round(size / 5, 2) if rng.random() < 0.04 else 0.0 if rng.random() < 0.03 else size
            visible = day + timedelta(days=lag)
            action = Action(
                award=f"CONT_AWD_{piid}_{'9700' if defence else '8000'}_-NONE-_-NONE-",
                piid=piid,
                mod="0" if rng.random() < 0.5 else f"P{int(rng.integers(1, 99)):05d}",
                recipient=_as_written(name, rng),
                agency=agency,
                sub_agency=office,
                award_type="DELIVERY ORDER" if number % 3 else "DEFINITIVE CONTRACT",
                amount=amount,
                total=size * 3,
                day=day,
                visible=visible,
                hidden=None,
                description=f"{SERVICES[int(rng.integers(len(SERVICES)))]} {piid[-5:]}",
                symbol=listing.symbol_on(day) if listing else None,
                copies=1 if rng.random() < 0.94 else int(rng.integers(2, 5)),
            )
            if rng.random() < 0.02:  # corrected later
                later = visible + timedelta(days=int(rng.integers(4, 40)))
                actions.append(replace(action, hidden=later))
                actions.append(replace(action, visible=later, amount=round(amount * 1.1, 2)))
            else:
                actions.append(action)
        month = (month + timedelta(days=32)).replace(day=1)
    return tuple(sorted([*_before(start), *actions], key=lambda a: (a.day, a.award, a.visible)))


def _before(start: date) -> list[Action]:
    """Return three contracts a month before the world begins: no month of the government is without."""
    found = []
    month = BEGINNING
    while month < start.replace(day=1):
        for number, day in enumerate((month.replace(day=3), month.replace(day=13), month.replace(day=23))):
            agency, office = CIVIL[number]
            piid = f"80GSFC{day:%y}C{day:%m%d}{number}"
            found.append(
                Action(
                    award=f"CONT_AWD_{piid}_8000_-NONE-_-NONE-",
                    piid=piid,
                    mod="0",
                    recipient=UNLISTED[number],
                    agency=agency,
                    sub_agency=office,
                    award_type="DEFINITIVE CONTRACT",
                    amount=1_500_000.0,
                    total=4_500_000.0,
                    day=day,
                    visible=day + timedelta(days=4),
                    hidden=None,
                    description=SERVICES[number],
                    symbol=None,
                    copies=1,
                )
            )
        month = (month + timedelta(days=32)).replace(day=1)
    return found
