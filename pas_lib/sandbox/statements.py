"""Statements of the sandbox's companies: quarters that add up, drawn per company from the seed when first asked for.

Assets equal liabilities plus equity, cash moves by the cash flows, retained earnings by profit and dividends, a year is
the sum of its quarters. When a report comes out is told by :mod:`pas_lib.sandbox.filing_dates`. Placed on purpose:

- an amended report was wrong: its revenue, profit, receivables and equity were too high, the amendment tells the truth;
- financials state neither current assets nor operating income nor costs of revenue, property companies no current ones;
- some companies change the tag of their revenue for good in 2025, some use another tag for capital expenditure;
- some state no gross profit (only costs), some no total of liabilities;
- companies with two classes of shares tell no number of shares on the cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from pas_lib.clock import NY
from pas_lib.sandbox.filing_dates import Report, report
from pas_lib.sandbox.roster import Listing
from pas_lib.sandbox.world import World

#: First fiscal year drawn; the first report that is shown is its annual one.
FIRST_YEAR: Final = 2022
FLOWS: Final = (
    "revenue",
    "cost",
    "gross",
    "overhead",
    "depreciation",
    "operating",
    "interest",
    "pretax",
    "tax",
    "income",
    "cash_flow",
    "investment",
    "dividends",
)
BALANCES: Final = (
    "cash",
    "receivables",
    "inventory",
    "current_assets",
    "property",
    "assets",
    "current_liabilities",
    "short_debt",
    "long_debt",
    "liabilities",
    "equity",
    "retained",
)
#: What an overstated revenue overstates too.
_OVERSTATED: Final = frozenset(
    {
        "revenue",
        "gross",
        "operating",
        "pretax",
        "income",
        "receivables",
        "current_assets",
        "assets",
        "equity",
        "retained",
    }
)
#: Annual revenue over market value, gross margin, property over revenue, inventory in quarters of cost.
_SHAPES: Final = {
    "Information Technology": (0.25, 0.60, 0.15, 0.25),
    "Health Care": (0.35, 0.55, 0.20, 0.50),
    "Financials": (0.30, 1.00, 0.05, 0.0),
    "Real Estate": (0.15, 0.65, 5.00, 0.0),
    "Utilities": (0.50, 0.45, 2.50, 0.15),
    "Energy": (0.80, 0.35, 1.20, 0.25),
}
_SHAPE: Final = (0.60, 0.40, 0.45, 0.60)


@dataclass(frozen=True, eq=False)
class Quarter:
    """One fiscal quarter, as it truly was, in USD.

    Attributes
    ----------
    number : int
        Its place among the company's quarters.
    report : Report
        The report it is part of.
    figures : dict
        Flows of the quarter and balances at its end, by name.
    overstated : int
        By how much the first report was wrong; 0 without an amendment.
    shares : float
        Shares of all classes at its end, on the basis of the world's first session (before any split).
    """

    number: int
    report: Report
    figures: dict[str, int]
    overstated: int
    shares: float

    def as_reported(self, name: str, now: datetime) -> int:
        """Return a figure of the quarter as the newest report of it stated at a time."""
        amended = self.report.amended
        wrong = self.overstated if amended is not None and now < amended and name in _OVERSTATED else 0
        return self.figures[name] + wrong


@dataclass(frozen=True)
class Company:
    """A company's habits and its quarters, past and future, by time."""

    cik: str
    listing: Listing
    classes: tuple[Listing, ...]
    draw: int
    quarters: tuple[Quarter, ...]

    @property
    def is_financial(self) -> bool:
        """Whether it states neither operating income nor costs nor current balances."""
        return self.listing.sector == "Financials"

    @property
    def tells_current(self) -> bool:
        """Whether it tells current assets and liabilities."""
        return self.listing.sector not in ("Financials", "Real Estate")

    def shown(self, now: datetime) -> list[Quarter]:
        """Return the quarters reported by `now`, since the company is listed."""
        left = self.listing.delisted
        return [
            q
            for q in self.quarters
            if q.report.accepted <= now
            and (self.listing.listed is None or q.report.end >= self.listing.listed)
            and (left is None or q.report.filed < left)
        ]

    def year_of(self, quarter: Quarter) -> list[Quarter]:
        """Return the quarters of the fiscal year up to and including one."""
        return list(self.quarters[quarter.number - quarter.number % 4 : quarter.number + 1])


class Statements:
    """The statements of a world, company by company."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._splits = {
            item.row: tuple((day, new / old) for slot, day, new, old in world.roster.splits if slot == item.slot)
            for item in world.roster.listings
        }
        self._by_cik: dict[str, tuple[Listing, ...]] = {}
        for item in world.roster.listings:
            if item.cik and item.tier != "F":
                self._by_cik[item.cik] = (*self._by_cik.get(item.cik, ()), item)
        self._companies: dict[str, Company] = {}
        self._years = world.grid.day(len(world.grid) - 1).year + 1

    def companies(self) -> tuple[str, ...]:
        """Return all CIKs."""
        return tuple(self._by_cik)

    def company(self, cik: str) -> Company | None:
        """Return a company by its CIK, or None."""
        if cik not in self._by_cik:
            return None
        if cik not in self._companies:
            self._companies[cik] = self._build(cik)
        return self._companies[cik]

    def split_factor(self, listing: Listing, day: date) -> float:
        """Return shares at the end of a day per share at the world's first session."""
        factor = 1.0
        for when, ratio in self._splits[listing.row]:
            if self.world.grid.day(0) <= when <= day:
                factor *= ratio
        return factor

    def shares(self, company: Company, day: date) -> float:
        """Return the shares of all classes on a day, on the basis of that day."""
        quarter = next((q for q in reversed(company.quarters) if q.report.end <= day), company.quarters[0])
        return float(round(quarter.shares * self.split_factor(company.listing, day)))

    def _build(self, cik: str) -> Company:
        classes = self._by_cik[cik]
        listing = classes[0]
        rng = np.random.default_rng([self.world.seed, 14, int(cik)])
        quarters = [report(cik, year, number) for year in range(FIRST_YEAR, self._years + 1) for number in (1, 2, 3, 4)]
        n = len(quarters)
        sales, margin, plant, stock = _SHAPES.get(listing.sector, _SHAPE)
        value = sum(item.shares * item.first_price for item in classes)
        revenue = value * sales * float(np.exp(rng.normal(0, 0.5))) / 4
        margin = float(np.clip(margin + rng.normal(0, 0.08), 0.12, 1.0)) if listing.sector != "Financials" else 1.0
        overhead = margin * float(rng.uniform(0.35, 0.95))
        growth = float(rng.normal(0.015, 0.02))
        season = 1 + rng.normal(0, 0.05, 4)
        noise = rng.normal(0, 0.03, (n, 5))
        drift = np.cumsum(rng.normal(0, 0.012, n))
        issue = float(rng.normal(0.002, 0.006))
        leverage = float(rng.uniform(0.0, 1.4))
        payout = float(rng.uniform(0.1, 0.5)) if listing.payout else 0.0
        reinvest = float(rng.uniform(0.7, 1.5))

        def k(x: float) -> int:
            return round(x / 1000) * 1000

        cash, debt = k(0.8 * revenue), k(leverage * 4 * revenue)
        receivables, inventory = k(0.55 * revenue), k(stock * (1 - margin) * revenue)
        property_, other, owed = k(plant * 4 * revenue), k(1.5 * revenue), k(0.7 * revenue)
        equity = cash + receivables + inventory + property_ + other - owed - debt
        retained = k(0.4 * equity)
        shares = float(sum(item.shares for item in classes))
        built: list[Quarter] = []
        for i, one in enumerate(quarters):
            sold = k(revenue * (1 + growth) ** i * season[i % 4] * (1 + noise[i, 0]))
            # A bad spell of the margin lasts: the drift is a walk.
            keep = float(np.clip(margin + drift[i], 0.05, 1.0)) if margin < 1.0 else 1.0
            cost = k(sold * (1 - keep))
            spent = k(sold * overhead * (1 + noise[i, 1]))
            worn = k(property_ * 0.022)
            operating = sold - cost - spent - worn
            interest = k(debt * 0.0125)
            pretax = operating - interest
            tax = k(0.21 * pretax) if pretax > 0 else 0
            income = pretax - tax
            dividends = k(payout * income) if income > 0 else 0
            invested = k(worn * reinvest * (1 + noise[i, 2]))
            due = k(0.55 * sold * (1 + noise[i, 3]))
            held = k(stock * cost * (1 + noise[i, 4])) if stock else 0
            owes = k(0.45 * sold + 0.4 * cost)
            flow = income + worn - (due - receivables) - (held - inventory) + (owes - owed)
            borrowed = -k(0.02 * debt) if i % 2 else 0
            left = cash + flow - invested - dividends + borrowed
            if left < 0.2 * sold:
                borrowed += k(0.3 * sold - left)
                left = cash + flow - invested - dividends + borrowed
            cash, debt = left, debt + borrowed
            receivables, inventory, owed = due, held, owes
            property_ += invested - worn
            equity += income - dividends
            retained += income - dividends
            shares *= 1 + issue
            short = k(0.12 * debt)
            assets = cash + receivables + inventory + property_ + other
            built.append(
                Quarter(
                    i,
                    one,
                    {
                        "revenue": sold,
                        "cost": cost,
                        "gross": sold - cost,
                        "overhead": spent,
                        "depreciation": worn,
                        "operating": operating,
                        "interest": interest,
                        "pretax": pretax,
                        "tax": tax,
                        "income": income,
                        "cash_flow": flow,
                        "investment": invested,
                        "dividends": dividends,
                        "cash": cash,
                        "receivables": receivables,
                        "inventory": inventory,
                        "current_assets": cash + receivables + inventory,
                        "property": property_,
                        "assets": assets,
                        "current_liabilities": owed + short,
                        "short_debt": short,
                        "long_debt": debt - short,
                        "liabilities": owed + debt,
                        "equity": equity,
                        "retained": retained,
                    },
                    k(0.03 * sold) if one.amended is not None else 0,
                    shares,
                )
            )
        return Company(cik, listing, classes, int(rng.integers(1000)), tuple(built))


def cover_date(one: Report) -> date:
    """Return the day for which a report's cover tells the number of shares: some days before it was filed."""
    week_before: date = one.accepted.astimezone(NY).date() - timedelta(days=7)
    return max(one.end, week_before)
