"""Who exists in the sandbox world: companies, listings, symbols over time, index membership, dated events.

The awkward cases are placed by hand, so that tests can name them; the rest is drawn from the seed.
A listing is addressed by a slot such as ``L12`` (large), ``M4`` (mid), ``S5`` (small) or ``E1`` (neither at first).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from pas_lib.sandbox.names import PLACES, SECTORS, SPECIAL_TITLES, coined_words, ticker_for

FIRST_DECISION: Final = date(2026, 1, 30)
CALENDAR_START: Final = date(2023, 1, 3)

ETFS: Final = (
    # symbol, name, sector, daily leverage, base of the basket, first price
    ("SPY", "SPDR S&P 500 ETF Trust", "", 1.0, "all", 380.0),
    ("XLB", "Materials Select Sector SPDR Fund", "Materials", 1.0, "Materials", 79.0),
    (
        "XLC",
        "Communication Services Select Sector SPDR Fund",
        "Communication Services",
        1.0,
        "Communication Services",
        49.0,
    ),
    ("XLE", "Energy Select Sector SPDR Fund", "Energy", 1.0, "Energy", 85.0),
    ("XLF", "Financial Select Sector SPDR Fund", "Financials", 1.0, "Financials", 34.0),
    ("XLI", "Industrial Select Sector SPDR Fund", "Industrials", 1.0, "Industrials", 98.0),
    ("XLK", "Technology Select Sector SPDR Fund", "Information Technology", 1.0, "Information Technology", 124.0),
    ("XLP", "Consumer Staples Select Sector SPDR Fund", "Consumer Staples", 1.0, "Consumer Staples", 74.0),
    ("XLRE", "Real Estate Select Sector SPDR Fund", "Real Estate", 1.0, "Real Estate", 37.0),
    ("XLU", "Utilities Select Sector SPDR Fund", "Utilities", 1.0, "Utilities", 70.0),
    ("XLV", "Health Care Select Sector SPDR Fund", "Health Care", 1.0, "Health Care", 135.0),
    (
        "XLY",
        "Consumer Discretionary Select Sector SPDR Fund",
        "Consumer Discretionary",
        1.0,
        "Consumer Discretionary",
        130.0,
    ),
    ("UPRO", "ProShares UltraPro S&P500", "", 3.0, "all", 33.0),
    ("SPXL", "Direxion Daily S&P 500 Bull 3X Shares", "", 3.0, "all", 59.0),
    (
        "SOXL",
        "Direxion Daily Semiconductor Bull 3X Shares",
        "Information Technology",
        3.0,
        "Information Technology",
        10.5,
    ),
    ("FAS", "Direxion Daily Financial Bull 3X Shares", "Financials", 3.0, "Financials", 66.0),
    ("LABU", "Direxion Daily S&P Biotech Bull 3X Shares", "Health Care", 3.0, "Health Care", 62.0),
    ("TQQQ", "ProShares UltraPro QQQ", "", 3.0, "growth", 18.0),
)
INDEX_SYMBOL: Final = "^GSPC"

# (slot, date, new/old share ratio as numerator and denominator)
SPLITS: Final = (
    ("L8", date(2024, 7, 15), 4, 1),
    ("L9", date(2025, 6, 9), 10, 1),
    ("L13", date(2025, 10, 15), 3, 2),
    ("L15", date(2025, 3, 10), 2, 1),
    ("L15", date(2026, 11, 9), 3, 1),
    ("M5", date(2026, 2, 17), 2, 1),
    ("S1", date(2025, 8, 18), 1, 20),
    ("S4", date(2026, 3, 2), 1, 10),
    ("L14", date(2026, 4, 20), 20, 1),
    ("XLE", date(2025, 12, 5), 2, 1),
    ("TQQQ", date(2025, 11, 20), 2, 1),
)
# (slot, date, whether the company is renamed too)
RENAMES: Final = (
    ("L10", date(2024, 5, 13), False),
    ("S6", date(2024, 11, 18), False),
    ("M4", date(2025, 3, 3), False),
    ("L11", date(2025, 9, 8), True),
    ("S5", date(2026, 2, 10), False),
    ("L12", date(2026, 4, 6), False),
)
# (slot, first session without trading, price paid per share as a share of the last close: 1.0 acquired, 0.0 bankrupt)
DELISTINGS: Final = (
    ("E0", date(2023, 6, 20), 1.0),
    ("E1", date(2024, 8, 9), 1.0),
    ("E5", date(2025, 5, 19), 1.0),
    ("S7", date(2026, 2, 13), 0.0),
    ("L20", date(2026, 2, 27), 1.0),
    ("M6", date(2026, 6, 8), 1.0),
)
# (slot, first session of trading)
LATE_LISTINGS: Final = (("S0", date(2025, 3, 10)), ("L4", date(2025, 10, 29)), ("E10", date(2026, 3, 16)))
# A symbol that careless readers take for a missing value; and a real one, because the fund's file drops the dot of
# MOG.A and only a list of such symbols can put it back
SYMBOLS: Final = {"L23": "NULL", "S3": "MOG"}
REUSED: Final = ("E1", "S0")  # the symbol of the first is given to the second
# (index, effective date, removed slot, added slot, reason)
CHANGES: Final = (
    ("sp500", date(2023, 6, 20), "E0", "L0", "{other} acquired {removed}."),
    ("sp400", date(2023, 9, 18), "E4", "M5", "Market capitalization change."),
    ("sp500", date(2024, 3, 18), "M0", "L1", "Market capitalization change."),
    ("sp400", date(2024, 3, 18), "L1", "M0", "{added} moved from the S&P 500."),
    ("russell2000", date(2024, 7, 1), "E6", "S1", ""),
    ("sp500", date(2024, 8, 9), "E1", "L6", "{other} acquired {removed}."),
    ("sp400", date(2025, 5, 19), "E5", "M7", "{other} acquired {removed}."),
    ("sp500", date(2025, 6, 23), "E2", "L2", "Market capitalization change."),
    ("russell2000", date(2025, 6, 30), "E7", "S0", ""),
    ("sp500", date(2025, 11, 3), None, "L4", "S&P 500 constituent {other} spun off {added}."),
    ("sp500", date(2025, 11, 4), "E3", None, "Market capitalization change."),
    ("russell2000", date(2026, 2, 13), "S7", None, ""),
    ("sp500", date(2026, 2, 27), "L20", "M1", "{other} acquired {removed}."),
    ("sp400", date(2026, 2, 27), "M1", "E9", "{removed} replaced an S&P 500 constituent."),
    ("sp500", date(2026, 3, 23), "L21", "M3", "Market capitalization change."),
    ("sp400", date(2026, 3, 23), "M3", "L21", "{added} moved from the S&P 500."),
    ("sp400", date(2026, 6, 8), "M6", "E8", "{other} acquired {removed}."),
    ("russell2000", date(2026, 6, 29), "S4", "E10", ""),
)
# (slot, first and last session without trading)
HALTS: Final = (
    ("L16", date(2025, 11, 17), date(2025, 11, 19)),
    ("S2", date(2026, 1, 12), date(2026, 1, 13)),
    ("L17", date(2026, 2, 9), date(2026, 2, 9)),
    ("S7", date(2026, 2, 11), date(2026, 2, 12)),
    ("M2", date(2026, 3, 30), date(2026, 4, 1)),
)
GAPS: Final = (("L18", date(2026, 1, 14)), ("M6", date(2025, 12, 18)), ("S3", date(2025, 9, 30)))
DOUBLE_ROW: Final = "L19"  # its chart repeats the last session as a second, live-looking row
# slot: classes as (suffix of the symbol, label in the name); a dot suffix or a further letter
CLASSES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "L3": (("", "(Class A)"), ("C", "(Class C)")),
    "L5": ((".B", "(Class B)"),),
    "L7": ((".A", "(Class A)"), (".B", "(Class B)")),
    "M2": ((".A", ""),),
    "S3": ((".A", "CLASS A"),),
}
EXTRAS: Final = 12


@dataclass(frozen=True)
class SymbolSpell:
    """A symbol and the days on which it is the listing's (both ends included; None is open)."""

    symbol: str
    start: date | None
    end: date | None

    def covers(self, day: date) -> bool:
        """Tell whether the spell holds on `day`."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True)
class Listing:
    """One tradable line: a share class of a company, or a fund."""

    row: int
    slot: str
    tier: str
    spells: tuple[SymbolSpell, ...]
    name: str
    label: str
    sector: str
    industry: str
    cik: str
    wiki_title: str
    exchange: str
    asset_class: str
    leverage: float
    basket: str
    shares: float
    first_price: float
    listed: date | None
    delisted: date | None
    payout: float
    fractionable: bool
    place: str
    founded: str
    added: date | None
    former_name: str = ""
    former_title: str = ""

    def symbol_on(self, day: date) -> str:
        """Return the listing's symbol on `day` (the nearest spell when none covers it)."""
        for spell in self.spells:
            if spell.covers(day):
                return spell.symbol
        return self.spells[0].symbol if self.spells[0].start and day < self.spells[0].start else self.spells[-1].symbol

    def name_on(self, day: date) -> str:
        """Return the company's name on `day`."""
        return self.former_name if self.former_name and self.spells[0].covers(day) else self.name

    def title_on(self, day: date) -> str:
        """Return the title of the company's Wikipedia article on `day`."""
        return self.former_title if self.former_title and self.spells[0].covers(day) else self.wiki_title


@dataclass(frozen=True)
class IndexChange:
    """One addition, removal or exchange in an index list."""

    index: str
    effective: date
    removed: str | None
    added: str | None
    reason: str


@dataclass(frozen=True)
class Roster:
    """Everything about the world that is not a series."""

    listings: tuple[Listing, ...]
    changes: tuple[IndexChange, ...]
    founders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    splits: tuple[tuple[str, date, int, int], ...] = ()
    halts: tuple[tuple[str, date, date], ...] = ()
    gaps: tuple[tuple[str, date], ...] = ()

    def by_slot(self, slot: str) -> tuple[Listing, ...]:
        """All share classes of a slot."""
        return tuple(item for item in self.listings if item.slot == slot)

    def members(self, index: str, day: date) -> tuple[Listing, ...]:
        """Return the listings of an index on `day`: before-open of an effective date counts as that day."""
        slots = set(self.founders[index])
        for change in self.changes:
            if change.index == index and change.effective <= day:
                slots.discard(change.removed or "")
                if change.added:
                    slots.add(change.added)
        return tuple(item for item in self.listings if item.slot in slots)


def _industry(sector: str, name_end: str, rng: Generator) -> str:
    industries = SECTORS[sector][1]
    return industries[int(rng.integers(len(industries)))] if name_end != "Semiconductor" else "Semiconductors"


def build_roster(seed: int, sizes: tuple[int, int, int]) -> Roster:
    """Draw the companies of the world.

    Parameters
    ----------
    seed : int
        Seed of the world.
    sizes : tuple of int
        Numbers of S&P 500, S&P 400 and Russell 2000 companies at the first decision session.
    """
    rng = np.random.default_rng([seed, 1])
    slots = [f"{tier}{i}" for tier, size in zip("LMS", sizes, strict=True) for i in range(size)]
    slots += [f"E{i}" for i in range(EXTRAS)]
    words = coined_words(rng, len(slots) + len(RENAMES))
    spare = words[len(slots) :]
    known = set(slots)
    taken: set[str] = set()
    titles = dict(
        zip(["L22", "L23", "L19", "L18", "M1", "L17", "M5", "L14", "L2", "M3", "L6", "M7"], SPECIAL_TITLES, strict=True)
    )
    sector_names = list(SECTORS)
    shares_of = np.array([SECTORS[s][3] for s in sector_names])
    renames = {slot: (day, company, spare[i]) for i, (slot, day, company) in enumerate(RENAMES)}
    listed = dict(LATE_LISTINGS)
    delisted = {slot: day for slot, day, _ in DELISTINGS}
    listings: list[Listing] = []
    symbols: dict[str, str] = {}
    for i, slot in enumerate(slots):
        tier = slot[0]
        sector = (
            sector_names[i % 11] if i % 300 < 33 else sector_names[int(rng.choice(11, p=shares_of / shares_of.sum()))]
        )
        endings = SECTORS[sector][2]
        end = endings[int(rng.integers(len(endings)))]
        name = f"{words[i]} {end}" if rng.random() < 0.8 else f"{words[i]} {end} Inc."
        title = name
        if slot in titles:
            name, title = titles[slot]
        cap = {"L": 3.2e10, "M": 6e9, "S": 1.3e9, "E": 9e9}[tier] * float(
            np.exp(rng.normal(0, 0.9 if tier == "L" else 0.5))
        )
        price = float(np.clip(np.exp(rng.normal({"L": 4.7, "M": 4.1, "S": 3.1, "E": 4.0}[tier], 0.6)), 3.0, 900.0))
        if slot == "S1" or slot == "S4":
            price = 2.6  # cheap before its reverse split
        symbol = SYMBOLS.get(slot) or ticker_for(words[i], taken)
        symbols[slot] = symbol
        nyse = bool(rng.random() < 0.55)
        pays = bool(rng.random() < {"L": 0.6, "M": 0.4, "S": 0.2, "E": 0.4}[tier])
        payout = float(rng.uniform(0.002, 0.009)) if pays else 0.0
        founded = int(rng.integers(1840, 2016))
        added = date(int(rng.integers(1960, 2022)), int(rng.integers(1, 13)), int(rng.integers(1, 28)))
        base = Listing(
            row=-1,
            slot=slot,
            tier=tier,
            spells=(),
            name=name,
            label="",
            sector=sector,
            industry=_industry(sector, end, rng),
            cik=f"{9100000 + 37 * i:010d}",
            wiki_title=title,
            exchange="NYSE" if nyse else "NASDAQ",
            asset_class="us_equity",
            leverage=1.0,
            basket="",
            shares=round(cap / price, -3),
            first_price=round(price, 2),
            listed=listed.get(slot),
            delisted=delisted.get(slot),
            payout=payout,
            fractionable=bool(rng.random() < (0.99 if tier in "LM" else 0.9)),
            place=PLACES[int(rng.integers(len(PLACES)))],
            founded=str(founded) if i % 7 else f"{founded + 60} ({founded})",
            added=None if i % 61 == 60 else added,
        )
        for suffix, label in CLASSES.get(slot, (("", ""),)):
            spells: tuple[SymbolSpell, ...] = (SymbolSpell(symbol + suffix, listed.get(slot), None),)
            item = replace(base, row=len(listings), label=label)
            if slot in renames:
                day, whole, word = renames[slot]
                fresh = ticker_for(word, taken)
                spells = (
                    SymbolSpell(symbol, None, date.fromordinal(day.toordinal() - 1)),
                    SymbolSpell(fresh, day, None),
                )
                if whole:
                    item = replace(
                        item, former_name=name, former_title=title, name=f"{word} {end}", wiki_title=f"{word} {end}"
                    )
            if item.delisted:
                spells = (*spells[:-1], replace(spells[-1], end=date.fromordinal(item.delisted.toordinal() - 1)))
            if suffix == "C":
                taken.add(symbol + suffix)
            listings.append(replace(item, spells=spells))
    # slots[REUSED[1]] comes before the extras, so its symbol is settled here
    if {REUSED[0], REUSED[1]} <= known:
        old = symbols[REUSED[0]]
        listings = [
            replace(x, spells=(replace(x.spells[0], symbol=old),)) if x.slot == REUSED[1] else x for x in listings
        ]
    for symbol, name, sector, leverage, basket, price in ETFS:
        listings.append(
            Listing(
                row=len(listings),
                slot=symbol,
                tier="F",
                spells=(SymbolSpell(symbol, None, None),),
                name=name,
                label="",
                sector=sector,
                industry="",
                cik="",
                wiki_title="",
                exchange="ARCA",
                asset_class="us_equity",
                leverage=leverage,
                basket=basket,
                shares=1e9 if symbol == "SPY" else 2e8,
                first_price=price,
                listed=None,
                delisted=None,
                payout=0.0035 if leverage == 1.0 else 0.0,
                fractionable=True,
                place="",
                founded="",
                added=None,
            )
        )
    changes = tuple(
        IndexChange(index, day, removed if removed in known else None, added if added in known else None, why)
        for index, day, removed, added, why in CHANGES
    )
    founders = {
        index: _founders(index, tier, slots, changes)
        for index, tier in (("sp500", "L"), ("sp400", "M"), ("russell2000", "S"))
    }
    return Roster(
        listings=tuple(listings),
        changes=changes,
        founders=founders,
        splits=tuple(x for x in SPLITS if x[0] in known or x[0] in {e[0] for e in ETFS}),
        halts=tuple(x for x in HALTS if x[0] in known),
        gaps=tuple(x for x in GAPS if x[0] in known),
    )


def _founders(index: str, tier: str, slots: list[str], changes: tuple[IndexChange, ...]) -> tuple[str, ...]:
    """Members before the first change: the members at the first decision with all earlier changes undone."""
    members = {slot for slot in slots if slot[0] == tier}
    for change in reversed([c for c in changes if c.index == index and c.effective <= FIRST_DECISION]):
        members.discard(change.added or "")
        if change.removed:
            members.add(change.removed)
    return tuple(slot for slot in slots if slot in members)


def roster_to_json(roster: Roster) -> dict[str, Any]:
    """Return a JSON-ready form; dates become ISO strings."""
    return asdict(roster)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def roster_from_json(data: dict[str, Any]) -> Roster:
    """Undo `roster_to_json` after a trip through JSON."""
    listings = []
    for item in data["listings"]:
        item = dict(item)
        item["spells"] = tuple(SymbolSpell(s["symbol"], _day(s["start"]), _day(s["end"])) for s in item["spells"])
        for key in ("listed", "delisted", "added"):
            item[key] = _day(item[key])
        listings.append(Listing(**item))
    changes = [IndexChange(**{**c, "effective": date.fromisoformat(c["effective"])}) for c in data["changes"]]
    return Roster(
        listings=tuple(listings),
        changes=tuple(changes),
        founders={k: tuple(v) for k, v in data["founders"].items()},
        splits=tuple((s, date.fromisoformat(d), n, m) for s, d, n, m in data["splits"]),
        halts=tuple((s, date.fromisoformat(a), date.fromisoformat(b)) for s, a, b in data["halts"]),
        gaps=tuple((s, date.fromisoformat(d)) for s, d in data["gaps"]),
    )
