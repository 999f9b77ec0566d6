"""Disclosed trades of members of Congress: invented, but for the names of three pages that users follow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pas_lib.sandbox.names import politician_names
from pas_lib.sandbox.roster import Roster
from pas_lib.sandbox.sessions import SessionGrid

RANGES: Final = (
    ("$1,001 - $15,000", 1001.0),
    ("$15,001 - $50,000", 15001.0),
    ("$50,001 - $100,000", 50001.0),
    ("$100,001 - $250,000", 100001.0),
    ("$250,001 - $500,000", 250001.0),
    ("$500,001 - $1,000,000", 500001.0),
    ("$1,000,001 - $5,000,000", 1000001.0),
    ("$5,000,001 - $25,000,000", 5000001.0),
    ("Over $50,000,000", 50000000.0),
)
RANGE_SHARES: Final = np.array([0.62, 0.18, 0.08, 0.06, 0.03, 0.015, 0.011, 0.003, 0.001])
NAMED: Final = (
    # name, BioGuide id, chamber, party, district, state
    ("Nancy Pelosi", "P000197", "Representatives", "D", "CA11", "California"),
    ("Daniel Meuser", "M001204", "Representatives", "R", "PA09", "Pennsylvania"),
    ("Shelley Moore Capito", "C001047", "Senate", "R", None, "West Virginia"),
)
STATES: Final = (
    ("Ohio", "OH"),
    ("Texas", "TX"),
    ("Oregon", "OR"),
    ("Maine", "ME"),
    ("Georgia", "GA"),
    ("Nevada", "NV"),
)
BUY_DRIFT, SELL_DRIFT, DRIFT_SESSIONS = 0.014, -0.006, 60
YEARS: Final = 5


@dataclass(frozen=True)
class Trade:
    """One disclosed transaction as it can be seen from `visible` on (until `hidden`, if ever)."""

    id: int
    politician: str
    bioguide_id: str
    chamber: str
    party: str
    district: str | None
    state: str
    symbol: str
    company: str
    sector: str
    row: int
    asset_type: str
    transaction: str
    amount_range: str
    amount: float
    traded: date
    filed: date
    visible: date
    hidden: date | None
    description: str | None
    subholding: str | None


def _weekday(day: date) -> date:
    return day + timedelta(days=(7 - day.weekday()) % 7) if day.weekday() > 4 else day


def _lag(rng: Generator) -> int:
    if rng.random() < 0.08:  # late filings
        return int(46 + rng.exponential(60.0)) if rng.random() < 0.9 else int(rng.integers(200, 420))
    return int(np.clip(rng.normal(27, 10), 5, 45))


def build_trades(
    seed: int, roster: Roster, grid: SessionGrid, events: NDArray[np.float64], *, small: bool
) -> tuple[Trade, ...]:
    """Draw the trades of 2023 to 2027; purchases and sales add small drifts to `events`, in place."""
    rng = np.random.default_rng([seed, 5])
    people = [*NAMED]
    for i, name in enumerate(politician_names(rng, 57)):
        senate = bool(rng.random() < 0.3)
        state, code = STATES[int(rng.integers(len(STATES)))]
        party = "I" if i == 17 else str(rng.choice(["D", "R"]))
        people.append(
            (
                name,
                f"{name.split()[-1][0]}{900100 + i:06d}",
                "Senate" if senate else "Representatives",
                party,
                None if senate else f"{code}{int(rng.integers(1, 20)):02d}",
                state,
            )
        )
    activity = np.exp(rng.normal(0, 1.0, len(people)))
    activity[:3] = np.sort(activity)[-12]
    activity /= activity.sum()
    stocks = [x for x in roster.listings if x.tier in "LMS"]
    funds = [x for x in roster.listings if x.tier == "F"]
    taste = np.array([{"L": 1.0, "M": 0.25, "S": 0.12}[x.tier] for x in stocks]) * np.exp(
        rng.normal(0, 0.9, len(stocks))
    )
    taste /= taste.sum()
    start = date(2023, 1, 3)
    total = 1000 * YEARS // (4 if small else 1)
    offsets = np.sort(rng.integers(0, YEARS * 365, total))
    trades: list[Trade] = []
    number = 0
    for offset in offsets:
        traded = _weekday(start + timedelta(days=int(offset)))
        who = people[int(rng.choice(len(people), p=activity))]
        draw = rng.random()
        listing = funds[int(rng.integers(len(funds)))] if draw < 0.05 else stocks[int(rng.choice(len(stocks), p=taste))]
        if listing.tier != "F" and (
            (listing.delisted and traded >= listing.delisted) or (listing.listed and traded < listing.listed)
        ):
            listing = funds[0]
        blank = rng.random() < 0.02
        symbol = ("--" if rng.random() < 0.5 else "-") if blank else listing.symbol_on(traded)
        kind = rng.random()
        transaction = (
            "Purchase"
            if kind < 0.54
            else "Sale"
            if kind < 0.74
            else "Sale (Partial)"
            if kind < 0.86
            else "Sale (Full)"
            if kind < 0.985
            else "Exchange"
        )
        level = int(rng.choice(len(RANGES), p=RANGE_SHARES))
        if who[1] == "P000197":
            level = min(level + 3, 7)
        filed = _weekday(traded + timedelta(days=_lag(rng)))
        number += 1
        asset_type = ("OP" if rng.random() < 0.03 else "CS" if rng.random() < 0.05 else "ST") if not blank else "GS"
        base = Trade(
            id=700000 + number,
            politician=who[0],
            bioguide_id=who[1],
            chamber=who[2],
            party=who[3],
            district=who[4],
            state=who[5],
            symbol=symbol,
            company="Municipal bond, series B" if blank else f"{listing.name_on(traded)} {listing.label}".strip(),
            sector=listing.sector,
            row=-1 if blank else listing.row,
            asset_type=asset_type,
            transaction=transaction,
            amount_range=RANGES[level][0],
            amount=RANGES[level][1],
            traded=traded,
            filed=filed,
            visible=filed,
            hidden=None,
            description="Call options; strike price to be exercised" if asset_type == "OP" else None,
            subholding=(None, None, "Spouse IRA", "Joint Trust")[int(rng.integers(4))],
        )
        if not blank and transaction != "Exchange":
            at = grid.first_at_or_after(filed + timedelta(days=1))
            size = BUY_DRIFT if transaction == "Purchase" else SELL_DRIFT
            for other in roster.by_slot(listing.slot):
                if other.tier != "F":
                    events[other.row, at : at + DRIFT_SESSIONS] += size / DRIFT_SESSIONS
        fate = rng.random()
        if fate < 0.03 and level < 7:  # amended: another range, seen from a later day on
            later = _weekday(filed + timedelta(days=int(rng.integers(3, 40))))
            trades.append(_but(base, hidden=later))
            trades.append(_but(base, visible=later, amount_range=RANGES[level + 1][0], amount=RANGES[level + 1][1]))
        elif fate < 0.035:  # withdrawn
            trades.append(_but(base, hidden=_weekday(filed + timedelta(days=int(rng.integers(5, 60))))))
        else:
            trades.append(base)
        if rng.random() < 0.02 or number % 400 == 0:  # two equal purchases of one day
            number += 1
            trades.append(_but(base, id=700000 + number))
    return tuple(trades)


def _but(trade: Trade, **changes: Any) -> Trade:
    return Trade(**{**trade.__dict__, **changes})


def trades_to_json(trades: tuple[Trade, ...]) -> list[dict[str, Any]]:
    """Return a JSON-ready form."""
    return [asdict(trade) for trade in trades]


def trades_from_json(rows: list[dict[str, Any]]) -> tuple[Trade, ...]:
    """Undo `trades_to_json` after a trip through JSON."""
    found = []
    for row in rows:
        item = dict(row)
        for key in ("traded", "filed", "visible", "hidden"):
            item[key] = date.fromisoformat(item[key]) if item[key] else None
        found.append(Trade(**item))
    return tuple(found)
