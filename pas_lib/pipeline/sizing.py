"""From shares of equity and weights inside portfolios to what each portfolio wants to hold. Pure functions.

All shares are fractions of sizing equity. A portfolio's *share* includes the cash its strategy holds; its names get
share x weight. What a cap takes from a name stays in the portfolio as cash; nothing is ever scaled up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from pas_lib.errors import OrderError

#: Below this a difference of shares is rounding.
TINY = 1e-9


@dataclass(frozen=True)
class Sleeve:
    """One portfolio at a decision.

    Attributes
    ----------
    portfolio_id
        Its id.
    is_due
        True when its strategy decided at this session.
    target
        Share of equity it should have (allocation x S, after the band); 0 is an exit.
    current
        Share of equity its book has now, cash included.
    model
        Weights inside the portfolio by symbol: the strategy's new target weights when due, the drifted model
        weights otherwise.
    held
        Shares of equity by symbol that its book holds now.
    """

    portfolio_id: str
    is_due: bool
    target: float
    current: float
    model: pd.Series
    held: pd.Series


@dataclass(frozen=True)
class Wish:
    """What one portfolio wants after all rules.

    Attributes
    ----------
    portfolio_id
        Its id.
    trades
        False when it drifts: it sends no order.
    why
        One line: what makes it trade, or that it drifts.
    share
        Share of equity, cash included.
    holdings
        Shares of equity by symbol; empty when it goes to cash.
    """

    portfolio_id: str
    trades: bool
    why: str
    share: float
    holdings: pd.Series


@dataclass(frozen=True)
class CapBreach:
    """One cap that was reached: reason code, what it caps, before and after (shares of equity)."""

    code: str
    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Caps:
    """Largest shares of equity, looked through over all portfolios."""

    name: float = 1.0
    etf: float = 1.0
    sector: float = 1.0
    gross: float = 1.0


@dataclass(frozen=True)
class SecurityInfo:
    """What caps need to know about symbols."""

    sector: Mapping[str, str] = field(default_factory=dict)
    etfs: frozenset[str] = frozenset()


def wish(sleeve: Sleeve) -> Wish:
    """Say what one portfolio wants, before caps over the book.

    It trades when its strategy is due, when it is to be left, or when its share moves away from the current one;
    otherwise it drifts. When only the share changes its holdings scale in proportion; a book without
    holdings buys the model's weights as they have drifted.
    """
    moved = abs(sleeve.target - sleeve.current) > TINY
    invested = float(sleeve.held.sum())
    if sleeve.target <= TINY:
        if sleeve.current <= TINY and sleeve.held.empty:
            return Wish(sleeve.portfolio_id, False, "no share", 0.0, sleeve.held)
        return Wish(sleeve.portfolio_id, True, f"exit from {sleeve.current:.2%}", 0.0, pd.Series(dtype=float))
    if sleeve.is_due:
        return Wish(sleeve.portfolio_id, True, "strategy due", sleeve.target, _held_part(sleeve.model * sleeve.target))
    if sleeve.current <= TINY:
        why = f"first purchase, {sleeve.target:.2%}"
        return Wish(sleeve.portfolio_id, True, why, sleeve.target, _held_part(sleeve.model * sleeve.target))
    if moved:
        why = f"share leaves the band: {sleeve.current:.2%} to {sleeve.target:.2%}"
        holdings = sleeve.held * (sleeve.target / sleeve.current) if invested > TINY else sleeve.held
        return Wish(sleeve.portfolio_id, True, why, sleeve.target, _held_part(holdings))
    return Wish(sleeve.portfolio_id, False, "drifts", sleeve.current, sleeve.held)


def _held_part(shares: pd.Series) -> pd.Series:
    return shares[shares > 0.0].astype(float)


def apply_caps(wishes: list[Wish], caps: Caps, info: SecurityInfo) -> tuple[list[Wish], tuple[CapBreach, ...]]:
    """Cut what the caps forbid, looked through over all portfolios; a drifting one that is cut trades.

    In this order: single names (ETFs have a cap of their own), sectors, gross. Every portfolio that holds a
    capped name gives up the same fraction of it.

    Parameters
    ----------
    wishes
        One per portfolio; the holdings of drifting ones count as they are.
    caps
        Largest shares of equity.
    info
        Sector by symbol ("" or missing: no sector), and which symbols are ETFs.

    Returns
    -------
    tuple
        The wishes after caps, in the same order, and what was capped.

    Raises
    ------
    OrderError
        When a holding is negative or not a number.
    """
    factor: dict[str, float] = {}
    total: dict[str, float] = {}
    for one in wishes:
        for symbol, share in one.holdings.items():
            if not share >= 0.0:
                raise OrderError(f"{one.portfolio_id}: share of {symbol} is {share}", hint="long-only, finite shares")
            total[str(symbol)] = total.get(str(symbol), 0.0) + float(share)
    breaches: list[CapBreach] = []
    for symbol in sorted(total):
        limit = caps.etf if symbol in info.etfs else caps.name
        if total[symbol] > limit + TINY:
            breaches.append(CapBreach("MAX_NAME", symbol, total[symbol], limit))
            factor[symbol] = limit / total[symbol]
    after = {symbol: share * factor.get(symbol, 1.0) for symbol, share in total.items()}
    sectors: dict[str, list[str]] = {}
    for symbol in sorted(after):
        sector = info.sector.get(symbol, "")
        if sector:
            sectors.setdefault(sector, []).append(symbol)
    for sector, members in sorted(sectors.items()):
        weight = sum(after[symbol] for symbol in members)
        if weight > caps.sector + TINY:
            breaches.append(CapBreach("MAX_SECTOR", sector, weight, caps.sector))
            for symbol in members:
                factor[symbol] = factor.get(symbol, 1.0) * caps.sector / weight
    gross = sum(share * factor.get(symbol, 1.0) for symbol, share in total.items())
    if gross > caps.gross + TINY:
        breaches.append(CapBreach("MAX_GROSS", "book", gross, caps.gross))
        factor = {symbol: factor.get(symbol, 1.0) * caps.gross / gross for symbol in total}
    if not factor:
        return wishes, ()
    return [_cut(one, factor) for one in wishes], tuple(breaches)


def _cut(one: Wish, factor: Mapping[str, float]) -> Wish:
    hit = [str(symbol) for symbol in one.holdings.index if factor.get(str(symbol), 1.0) < 1.0]
    if not hit:
        return one
    scale = pd.Series([factor.get(str(symbol), 1.0) for symbol in one.holdings.index], index=one.holdings.index)
    why = one.why if one.trades else f"cap breached: {', '.join(hit[:3])}"
    return Wish(one.portfolio_id, True, why, one.share, one.holdings * scale)
