"""Trade a book of portfolios: what each wants, one symbol at a time crossed between them, at one price and one cost.

Accounting, exact at every fill: ``equity = idle + sum(cash of portfolios) + sum(shares x price)``. With E the equity
after trading and the net trade of symbol s ``n_s(E) = sum over trading portfolios of (wanted value - held value)``, a
fill solves ``E + c sum|n_s(E)| = equity before``: opposite wishes of two portfolios are crossed at the price and cost
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: The fill converges by the factor of the cost rate; more rounds than this change nothing.
_ROUNDS = 60


@dataclass(frozen=True)
class BookHoldings:
    """What a book holds.

    Attributes
    ----------
    shares : ndarray of shape (portfolios, symbols)
        Shares, not negative.
    cash : ndarray of shape (portfolios,)
        Cash inside each portfolio, currency.
    idle : float
        Cash of no portfolio, currency. The cost of trading is taken from it where a portfolio's own share is a share of
        equity after costs; it may then be a hair below 0 for a book without a buffer.
    """

    shares: FloatArray
    cash: FloatArray
    idle: float

    def values(self, prices: FloatArray) -> FloatArray:
        """Return the values of all holdings, portfolios x symbols; what is not held is worth 0 whatever its price."""
        return np.where(self.shares > 0.0, self.shares * prices, 0.0)

    def equity(self, prices: FloatArray) -> float:
        """Return the value of everything."""
        return float(self.idle + self.cash.sum() + self.values(prices).sum())


@dataclass(frozen=True)
class BookOrder:
    """What one portfolio wants: new weights, or its holdings scaled; the other one is None.

    Attributes
    ----------
    portfolio : int
        Its row.
    weights : ndarray of shape (symbols,) or None
        Shares of the book's equity after the fill.
    share : float
        With `weights`: its share of that equity, its own cash included.
    ratios : ndarray of shape (symbols,) or None
        What remains of each holding, as a factor.
    factor : float
        With `ratios`: the same of everything it owns, its cash included.
    """

    portfolio: int
    weights: FloatArray | None = None
    share: float = 0.0
    ratios: FloatArray | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class BookFill:
    """What a fill did.

    Attributes
    ----------
    holdings : BookHoldings
        Afterwards.
    equity_before : float
        At the fill prices.
    traded : float
        Net value sent to the market, both sides counted, currency.
    crossed : float
        Value that changed hands between portfolios, one side counted, currency.
    cost : float
        Currency.
    refused : ndarray of bool, shape (portfolios, symbols)
        Purchases that found no price; the money stays cash of the portfolio.
    """

    holdings: BookHoldings
    equity_before: float
    traded: float
    crossed: float
    cost: float
    refused: BoolArray


def fill_book(
    holdings: BookHoldings, orders: list[BookOrder], prices: FloatArray, missing: BoolArray, cost_rate: float
) -> BookFill:
    """Carry out what portfolios want at one set of prices.

    Parameters
    ----------
    holdings
        Before.
    orders
        At most one per portfolio; a portfolio without one keeps its shares and cash.
    prices
        By symbol; where `missing`, the last known one (NaN where there never was one).
    missing
        Symbols without a price now: they may be sold at the last known one, never bought.
    cost_rate
        Cost as a fraction of the net traded value.

    Notes
    -----
    NaN policy: a NaN price only matters where something is held or wanted; a purchase there is refused.
    """
    shape = holdings.shares.shape
    weight, fixed = np.zeros(shape), np.zeros(shape)
    trades = np.zeros(shape[0], dtype=bool)
    held = holdings.values(prices)
    for order in orders:
        trades[order.portfolio] = True
        if order.weights is not None:
            weight[order.portfolio] = order.weights
        elif order.ratios is not None:
            fixed[order.portfolio] = order.ratios * held[order.portfolio]
    before = holdings.equity(prices)
    blind = missing | ~(prices > 0.0)
    refused = np.zeros(shape, dtype=bool)
    while True:
        free = trades[:, None] & ~refused
        constant = np.where(free, fixed - held, 0.0).sum(axis=0)
        slope = np.where(free, weight, 0.0).sum(axis=0)
        after = before
        for _ in range(_ROUNDS):
            again = before - cost_rate * float(np.abs(slope * after + constant).sum())
            if again == after:
                break
            after = again
        change = np.where(free, weight * after + fixed - held, 0.0)
        newly = free & blind[None, :] & (change > 0.0)
        if not newly.any():
            break
        refused |= newly
    wanted = np.where(free, weight * after + fixed, held)
    with np.errstate(divide="ignore", invalid="ignore"):
        bought = np.where(change != 0.0, change / prices[None, :], 0.0)
    shares = np.where(free, np.where(wanted > 0.0, holdings.shares + bought, 0.0), holdings.shares)
    net = change.sum(axis=0)
    traded = float(np.abs(net).sum())
    cash = holdings.cash.copy()
    now = wanted.sum(axis=1)
    for order in orders:
        p = order.portfolio
        own = order.share * after if order.weights is not None else order.factor * float(cash[p] + held[p].sum())
        cash[p] = own - float(now[p])
    cost = before - after
    return BookFill(
        BookHoldings(shares, cash, float(after - cash.sum() - now.sum())),
        before,
        traded,
        float((np.abs(change).sum() - traded) / 2.0),
        cost,
        refused,
    )
