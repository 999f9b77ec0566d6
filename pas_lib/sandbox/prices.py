"""Prices of the sandbox world: a factor model turned into unadjusted daily bars.

A stock's daily total return is beta times the market's, plus its sector's, plus its own. Its own part carries a slow
drift (half-life about 120 sessions, 17 % a year) that a momentum rule can find, and small drifts after page-view jumps
and disclosed purchases. Funds are averages of their baskets; leveraged funds multiply the daily return of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pas_lib.sandbox.names import SECTORS
from pas_lib.sandbox.roster import DELISTINGS, Roster
from pas_lib.sandbox.sessions import SessionGrid

Array = NDArray[np.float64]
YEAR = 252.0


@dataclass(frozen=True)
class Market:
    """Bars of all listings; arrays are (listing, session), prices unadjusted, NaN where there is no bar.

    `dividends` holds the cash amount per share at its ex-date (zero elsewhere), `factors` the product of all split
    ratios from the first session up to and including each session.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    dividends: Array
    gains: Array
    factors: Array
    halted: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    index: Array  # (5, session): open, high, low, close, volume of the price index


def _drift(rng: Generator, rows: int, count: int) -> Array:
    """Slowly moving expected own returns, per day."""
    decay = 0.5 ** (1 / 120.0)
    state = rng.normal(0.0, 1.0, rows)
    path = np.empty((rows, count))
    shocks = rng.normal(0.0, np.sqrt(1 - decay**2), (rows, count))
    for t in range(count):
        state = decay * state + shocks[:, t]
        path[:, t] = state
    return path * 0.17 / YEAR


def build_market(seed: int, roster: Roster, grid: SessionGrid, market_vol: Array, events: Array) -> Market:
    """Generate every bar.

    Parameters
    ----------
    market_vol : ndarray
        Annual volatility of the market per session.
    events : ndarray
        Extra expected own return per listing and session.
    """
    rng = np.random.default_rng([seed, 2])
    items = roster.listings
    rows, count = len(items), len(grid)
    stocks = [x for x in items if x.tier != "F"]
    n = len(stocks)
    sectors = list(SECTORS)
    sector_of = np.array([sectors.index(x.sector) for x in stocks])
    tier = np.array([x.tier for x in stocks])
    beta = np.clip(rng.normal(1.0, 0.22, n), 0.4, 1.7)
    own_vol = np.where(tier == "L", 0.33, np.where(tier == "M", 0.38, 0.46)) * np.exp(rng.normal(0, 0.2, n))
    news = rng.standard_normal(count)
    for start in range(0, count, 126):  # half-years without luck of their own: no draw makes a crash or a bubble
        news[start : start + 126] -= 0.75 * news[start : start + 126].mean()
    market = 0.125 / YEAR + news * market_vol / np.sqrt(YEAR)
    sector_vol = np.where(np.array(sectors) == "Energy", 0.20, 0.13)[:, None]
    sector = (
        rng.standard_normal((len(sectors), count)) * sector_vol / np.sqrt(YEAR) + _drift(rng, len(sectors), count) * 0.5
    )
    shocks = rng.standard_t(6, (n, count)) / np.sqrt(1.5)
    own = shocks * own_vol[:, None] / np.sqrt(YEAR) + _drift(rng, n, count)
    company = {x.slot: i for i, x in reversed(list(enumerate(stocks)))}
    for i, x in enumerate(stocks):  # further share classes follow the first, with a little noise of their own
        first = company[x.slot]
        if first != i:
            own[i] = own[first] + rng.normal(0, 0.02 / np.sqrt(YEAR), count)
            beta[i] = beta[first]
    own += events[:n]
    returns = np.clip(beta[:, None] * market + sector[sector_of] + own, -0.35, 0.45)

    total = np.empty((rows, count))
    total[:n] = returns
    listed = np.ones((rows, count), dtype=bool)
    for x in items:
        if x.listed:
            listed[x.row, : grid.first_at_or_after(x.listed)] = False
        if x.delisted:
            listed[x.row, grid.first_at_or_after(x.delisted) :] = False
    caps = np.array([x.shares * x.first_price for x in stocks])
    large = tier == "L"
    growth = np.isin(
        sector_of,
        [sectors.index(s) for s in ("Information Technology", "Communication Services", "Consumer Discretionary")],
    )
    for x in items:
        if x.tier != "F":
            continue
        chosen = large & (
            growth
            if x.basket == "growth"
            else (np.ones(n, dtype=bool) if x.basket == "all" else sector_of == sectors.index(x.basket))
        )
        if x.symbol_on(date.max) in ("SOXL", "LABU"):
            wanted = "Semiconductors" if x.basket == "Information Technology" else "Biotechnology"
            narrow = np.array([s.industry == wanted for s in stocks])
            chosen = narrow if narrow.any() else chosen
        if not chosen.any():
            chosen = large
        weight = (np.sqrt(caps) * chosen)[:, None] * listed[:n]
        basket = (weight * returns).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
        total[x.row] = x.leverage * basket - (0.0095 / YEAR if x.leverage > 1 else 0.0009 / YEAR)

    factors = np.ones((rows, count))
    for slot, day, new, old in roster.splits:
        for x in roster.by_slot(slot):
            factors[x.row, grid.first_at_or_after(day) :] *= new / old
    paying = _dividend_days(rng, roster, grid)
    price = np.array([x.first_price for x in items])
    close = np.empty((rows, count))
    dividends = np.zeros((rows, count))
    gains = np.zeros((rows, count))
    for t in range(count):
        pay = paying[:, t] & listed[:, t]
        if t and pay.any():
            cash = np.where(pay, np.round(price * paying_rate(items) / factors[:, t], 4), 0.0)
            dividends[:, t] = cash
        step = price * (1 + total[:, t]) if t else price.copy()
        price = np.where(listed[:, t], np.maximum(step - dividends[:, t] * factors[:, t], 0.02), price)
        close[:, t] = price
    for x in roster.by_slot("XLRE"):  # one distribution of capital gains a year, as funds make them
        for year in range(2023, 2028):
            at = grid.first_at_or_after(date(year, 12, 22))
            if 0 < at < count:
                gains[x.row, at] = np.round(close[x.row, at - 1] * 0.004 / factors[x.row, at], 4)
    for slot, day, paid in DELISTINGS:
        if paid == 0.0:  # a bankruptcy is seen coming
            for x in roster.by_slot(slot):
                last = grid.first_at_or_after(day)
                fall = np.linspace(1.0, 0.08, 25)[: max(0, min(25, last))]
                close[x.row, max(0, last - 25) : last] *= fall[: last - max(0, last - 25)]
    close /= factors
    return _bars(rng, roster, grid, close, dividends, gains, factors, listed, total, sector_of)


def paying_rate(items: tuple[object, ...]) -> Array:
    """Quarterly dividend of each listing as a share of its price."""
    return np.array([x.payout for x in items])  # type: ignore[attr-defined]


def _dividend_days(rng: Generator, roster: Roster, grid: SessionGrid) -> NDArray[np.bool_]:
    paying = np.zeros((len(roster.listings), len(grid)), dtype=bool)
    start, end = grid.day(0), grid.day(len(grid) - 1)
    for x in roster.listings:
        if not x.payout:
            continue
        offset, day = (2, 19) if x.tier == "F" else (int(rng.integers(0, 3)), int(rng.integers(1, 28)))
        for year in range(start.year, end.year + 1):
            for month in range(1 + offset, 13, 3):
                at = grid.first_at_or_after(date(year, month, day))
                if 0 < at < len(grid) and (x.listed is None or at > grid.first_at_or_after(x.listed)):
                    paying[x.row, at] = True
    return paying


def _cents(values: Array) -> Array:
    return np.where(values >= 1.0, np.round(values, 2), np.round(values, 4))


def _bars(
    rng: Generator,
    roster: Roster,
    grid: SessionGrid,
    close: Array,
    dividends: Array,
    gains: Array,
    factors: Array,
    listed: NDArray[np.bool_],
    total: Array,
    sector_of: NDArray[np.int64],
) -> Market:
    count = close.shape[1]
    size = np.maximum(np.abs(total).std(axis=1), 0.002)[:, None]
    previous = np.empty_like(close)
    previous[:, 0] = close[:, 0]
    previous[:, 1:] = close[:, :-1] * factors[:, :-1] / factors[:, 1:]
    gap = 0.35 * np.log(close / previous) + rng.normal(0, 1, close.shape) * size * 0.35
    start = previous * np.exp(gap)
    upper = np.maximum(start, close) * np.exp(np.abs(rng.normal(0, 1, close.shape)) * size * 0.5)
    lower = np.minimum(start, close) * np.exp(-np.abs(rng.normal(0, 1, close.shape)) * size * 0.5)
    opens, highs, lows, closes = _cents(start), _cents(upper), _cents(lower), _cents(close)
    highs = np.maximum(highs, np.maximum(opens, closes))
    lows = np.minimum(lows, np.minimum(opens, closes))
    shares = np.array([x.shares for x in roster.listings])[:, None] * factors / factors[:, :1]
    turnover = 0.006 * np.exp(rng.normal(0, 0.35, close.shape) + np.minimum(np.abs(total) / size, 4) * 0.18)
    volume = np.maximum(np.round(shares * turnover), 100.0)
    halted = np.zeros(close.shape, dtype=bool)
    for slot, first, last in roster.halts:
        for x in roster.by_slot(slot):
            halted[
                x.row,
                grid.first_at_or_after(first) : grid.first_at_or_after(last) + int(grid.index_of(last) is not None),
            ] = True
    missing = np.zeros(close.shape, dtype=bool)
    for slot, day in roster.gaps:
        at = grid.index_of(day)
        for x in roster.by_slot(slot):
            if at is not None:
                missing[x.row, at] = True
    n = len(sector_of)
    if n > 100:  # a few single days besides the placed ones; the first sessions after the start stay clean
        for mask, many in ((halted, 30), (missing, 40)):
            for row, at in zip(rng.integers(30, n, many), rng.integers(5, count, many), strict=True):
                mask[int(row), int(at)] = True
        first_fill = grid.index_of(date(2026, 2, 2))
        if first_fill is not None:
            halted[:, first_fill] = False
            missing[:, first_fill] = False
    silent = halted | ~listed
    for values in (opens, highs, lows, closes, volume):
        values[silent] = np.nan
    dividends = np.where(listed, dividends, 0.0)
    spy = roster.by_slot("SPY")[0].row
    growth = np.concatenate([[0.0], total[spy, 1:]]) - np.where(np.arange(count) > 0, 0.013 / YEAR, 0.0)
    level = 3850.0 * np.cumprod(1 + growth)
    ratio = level / close[spy]
    index = np.vstack(
        [np.round(v[spy] * ratio, 2) for v in (start, upper, lower)] + [np.round(level, 2), volume[spy] * 45]
    )
    index[1] = np.maximum(index[1], np.maximum(index[0], index[3]))
    index[2] = np.minimum(index[2], np.minimum(index[0], index[3]))
    return Market(opens, highs, lows, closes, volume, dividends, gains, factors, halted, missing, index)
