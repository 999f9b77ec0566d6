"""Simulate target weights over prices: fills, drift, costs, ledger.

Accounting, exact at every session: ``equity = cash + sum(shares x price)``. At an execution session the equity
before trading, valued at the fill prices, pays the cost first: with E the equity after trading, ``E + c sum|w_i E
- x_i| = cash + sum x_i`` where x_i is the value held and c the cost rate; so weights after the fill are exactly
the target weights and cash never goes negative. Between rows shares stay and weights drift.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.errors import PasError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_WEIGHT_TOLERANCE = 1e-9


class SimulationError(PasError, ValueError):
    """Prices and target weights do not fit together."""


@dataclass(frozen=True)
class _Segment:
    """Holdings between two executions: sessions [start, stop), columns held, their shares."""

    start: int
    stop: int
    columns: IntArray
    shares: FloatArray
    last_prices: FloatArray


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation did.

    Attributes
    ----------
    equity : Series
        Currency, at the session's price, one value per session of the prices.
    returns : Series
        Fraction per session, net of costs; the first one is against the starting capital.
    cash : Series
        Currency at the end of each session.
    turnover : Series
        Traded value over equity before trading, both sides counted, 0 where nothing was executed.
    costs : Series
        Currency per session.
    ledger : DataFrame
        One row per trade: session, symbol, shares (signed), price, notional (signed), cost, shares_after,
        stale_price (the fill used the last known price because there was none that session).
    unfilled : DataFrame
        Purchases that could not be made for lack of a price: session, symbol, weight (target). The money stayed in
        cash.
    """

    equity: pd.Series
    returns: pd.Series
    cash: pd.Series
    turnover: pd.Series
    costs: pd.Series
    ledger: pd.DataFrame
    unfilled: pd.DataFrame
    _prices: pd.DataFrame = field(repr=False)
    _segments: tuple[_Segment, ...] = field(repr=False)

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Shares held at the end of each session, sessions x symbols ever held."""
        return self._frame(values=False)

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Drifted weights at each session's price, sessions x symbols ever held; 1 minus the sum is cash."""
        return self._frame(values=True).div(self.equity, axis=0)

    def _frame(self, *, values: bool) -> pd.DataFrame:
        """Shares, or their values, of every symbol ever held."""
        prices = self._prices.to_numpy()
        held = np.unique(np.concatenate([s.columns for s in self._segments] or [np.empty(0, dtype=np.intp)]))
        result = np.zeros((len(prices), len(held)))
        for segment in self._segments:
            where = np.searchsorted(held, segment.columns)
            block = np.broadcast_to(segment.shares, (segment.stop - segment.start, len(segment.shares)))
            if values:
                block = block * _filled(prices[segment.start : segment.stop, segment.columns], segment.last_prices)
            result[segment.start : segment.stop, where] = block
        return pd.DataFrame(result, index=self._prices.index, columns=self._prices.columns[held])


def simulate(
    prices: pd.DataFrame,
    target_weights: pd.DataFrame,
    *,
    cost_bps: float,
    capital: float,
    fill_prices: pd.DataFrame | None = None,
    allow_borrowing: bool = False,
) -> SimulationResult:
    """Trade to target weights and let them drift in between.

    Parameters
    ----------
    prices : DataFrame
        Sessions x symbols, closing prices used for valuation (adjusted for splits and, for total returns, dividends).
    target_weights : DataFrame
        Rows indexed by **execution** session (each must be a session of `prices`), columns symbols; fractions of
        equity. What a row does not give to a symbol is cash; a row of zeros liquidates. Sessions without a row do
        not trade.
    cost_bps : float
        Cost in basis points of traded value, buys and sells alike.
    capital : float
        Starting cash, currency.
    fill_prices : DataFrame, optional
        Prices at which rows are filled, e.g. opens, same labels as `prices`. Default: `prices` of that session.
    allow_borrowing : bool
        Accept negative weights and rows above 1 (cash goes negative, at no interest).

    Returns
    -------
    SimulationResult
        Equity, returns, turnover, costs, cash, ledger and, on demand, drifted weights and positions.

    Raises
    ------
    SimulationError
        Unsorted or duplicated sessions, a row that is no session of the prices, a symbol without prices, weights
        that are not finite, negative or above 1 in sum, a capital or cost that makes no sense.

    Notes
    -----
    NaN policy: a NaN weight is 0. A missing price never looks ahead: a position is valued at its last known price;
    it may be sold (in full or in part) at that price, since a delisted name would otherwise stay for ever; it is
    never bought, the money stays in cash and the row appears in `unfilled`. A price of zero or less counts as
    missing for trading.
    """
    _check(prices, target_weights, cost_bps, capital, fill_prices)
    close = prices.to_numpy(dtype=np.float64)
    fill_frame = prices if fill_prices is None else fill_prices
    fill = close if fill_prices is None else fill_prices.to_numpy(dtype=np.float64)
    rows, columns = _locate(prices, fill_frame, target_weights)
    fill_rows, fill_columns = (
        (rows, np.arange(close.shape[1]))
        if fill_prices is None
        else (fill_frame.index.get_indexer(target_weights.index), fill_frame.columns.get_indexer(prices.columns))
    )
    targets = np.nan_to_num(target_weights.to_numpy(dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    _check_weights(targets, target_weights, allow_borrowing)

    n_sessions = len(close)
    rate = cost_bps / 1e4
    equity = np.full(n_sessions, float(capital))
    cash_path = np.full(n_sessions, float(capital))
    turnover = np.zeros(n_sessions)
    costs = np.zeros(n_sessions)
    trades: list[tuple[Any, ...]] = []
    unfilled: list[tuple[int, IntArray, FloatArray]] = []
    segments: list[_Segment] = []

    cash = float(capital)
    held = np.empty(0, dtype=np.intp)
    shares = np.empty(0)
    last = np.empty(0)
    for k, row in enumerate(rows):
        stop = rows[k + 1] if k + 1 < len(rows) else n_sessions
        wanted = np.flatnonzero(targets[k])
        involved = np.union1d(held, columns[wanted])
        old = np.zeros(len(involved))
        known = np.full(len(involved), np.nan)
        spot = np.searchsorted(involved, held)
        old[spot], known[spot] = shares, last
        weight = np.zeros(len(involved))
        weight[np.searchsorted(involved, columns[wanted])] = targets[k][wanted]

        quoted = fill[fill_rows[k], fill_columns[involved]]
        missing = ~(quoted > 0.0) | np.isinf(quoted)
        price = np.where(missing, known, quoted)
        value = np.where(old != 0.0, old * price, 0.0)
        before = cash + float(value.sum())
        delta_value, refused = _trade(weight, value, missing, cash, rate)

        with np.errstate(divide="ignore", invalid="ignore"):
            delta = np.where(delta_value != 0.0, delta_value / price, 0.0)
        new = np.where((weight == 0.0) & ~refused, 0.0, old + delta)
        delta = new - old
        traded = np.flatnonzero(delta)
        notional = delta[traded] * price[traded]
        cost = rate * np.abs(notional)
        total_cost = float(cost.sum())
        cash = cash - float(notional.sum()) - total_cost
        if -1e-12 * before < cash < 0.0:
            # Fully invested: what is left is rounding of the sum of trades.
            cash = 0.0
        turnover[row] = float(np.abs(notional).sum()) / before if before > 0.0 else 0.0
        costs[row] = total_cost
        trades.append(
            (row, involved[traded], delta[traded], price[traded], notional, cost, new[traded], missing[traded])
        )
        if refused.any():
            unfilled.append((row, involved[refused], weight[refused]))

        keep = np.flatnonzero(new)
        held, shares = involved[keep], new[keep]
        segment = _Segment(row, stop, held, shares, price[keep])
        segments.append(segment)
        block = np.ascontiguousarray(_filled(close[row:stop, held], price[keep]))
        # Row by row in one order of addition: the same to the last bit however many sessions follow.
        equity[row:stop] = cash + np.einsum("ij,j->i", block, shares)
        cash_path[row:stop] = cash
        last = block[-1] if len(block) else price[keep]

    index = prices.index
    equity_series = pd.Series(equity, index=index, name="equity")
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = equity / np.r_[float(capital), equity[:-1]] - 1.0
    return SimulationResult(
        equity=equity_series,
        returns=pd.Series(returns, index=index, name="return"),
        cash=pd.Series(cash_path, index=index, name="cash"),
        turnover=pd.Series(turnover, index=index, name="turnover"),
        costs=pd.Series(costs, index=index, name="cost"),
        ledger=_ledger(trades, prices),
        unfilled=_unfilled(unfilled, prices),
        _prices=prices,
        _segments=tuple(segments),
    )


def _trade(
    weight: FloatArray, value: FloatArray, missing: npt.NDArray[np.bool_], cash: float, rate: float
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return value changes and which purchases were refused.

    Solves ``E + rate x sum|w E - x| = cash + sum x`` for E by Newton's method (the left side is piecewise linear
    and increasing, so it ends after a few steps).
    """
    before = cash + float(value.sum())
    refused = np.zeros(len(weight), dtype=bool)
    after = before
    for _ in range(len(weight) + 1):
        free = ~refused
        after = before
        for _ in range(100):
            gap = weight[free] * after - value[free]
            error = after + rate * float(np.abs(gap).sum()) - before
            slope = 1.0 + rate * float((np.sign(gap) * weight[free]).sum())
            step = error / slope
            after -= step
            if abs(step) <= 1e-15 * max(abs(before), 1.0):
                break
        change = np.where(refused, 0.0, weight * after - value)
        newly = missing & ~refused & (change > 0.0)
        if not newly.any():
            return change, refused
        refused |= newly
    return np.where(refused, 0.0, weight * after - value), refused


def _filled(block: FloatArray, last: FloatArray) -> FloatArray:
    """Carry prices forward over missing ones; `last` is what was known before the block."""
    if not np.isnan(block).any():
        return block
    result = block.copy()
    result[0] = np.where(np.isnan(result[0]), last, result[0])
    where = np.where(np.isnan(result), 0, np.arange(len(result))[:, None])
    np.maximum.accumulate(where, axis=0, out=where)
    filled: FloatArray = result[where, np.arange(result.shape[1])]
    return filled


def _check(
    prices: pd.DataFrame, weights: pd.DataFrame, cost_bps: float, capital: float, fill_prices: pd.DataFrame | None
) -> None:
    """Refuse labels and numbers that make no sense."""
    for name, frame in (("prices", prices), ("target_weights", weights), ("fill_prices", fill_prices)):
        if frame is None:
            continue
        if not frame.index.is_unique or not frame.index.is_monotonic_increasing:
            raise SimulationError(f"{name}: sessions must be unique and ascending")
        if not frame.columns.is_unique:
            raise SimulationError(f"{name}: symbol {frame.columns[frame.columns.duplicated()][0]!r} occurs twice")
    if len(prices) == 0:
        raise SimulationError("prices: no sessions")
    if not capital > 0.0 or not np.isfinite(capital):
        raise SimulationError(f"capital must be a positive amount, not {capital}")
    if not 0.0 <= cost_bps < 1e4:
        raise SimulationError(f"cost_bps must lie between 0 and 10,000, not {cost_bps}")


def _locate(prices: pd.DataFrame, fill: pd.DataFrame, weights: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Rows and columns of the weights within the prices."""
    rows = prices.index.get_indexer(weights.index)
    if (rows < 0).any():
        raise SimulationError(
            f"target_weights: {weights.index[int(np.argmax(rows < 0))]} is no session of the prices",
            hint="rows are indexed by their execution session",
        )
    columns = prices.columns.get_indexer(weights.columns)
    if (columns < 0).any():
        used = (weights.fillna(0.0) != 0.0).any().to_numpy()
        unpriced = (columns < 0) & used
        if unpriced.any():
            raise SimulationError(f"target_weights: no prices for {weights.columns[int(np.argmax(unpriced))]!r}")
    if fill is not prices:
        if (fill.index.get_indexer(weights.index) < 0).any():
            raise SimulationError("fill_prices: an execution session is missing")
        if (fill.columns.get_indexer(prices.columns) < 0).any():
            raise SimulationError("fill_prices: a symbol of the prices is missing")
    return rows, columns


def _check_weights(targets: FloatArray, weights: pd.DataFrame, allow_borrowing: bool) -> None:
    """Refuse weights that are infinite or, unless allowed, borrow."""
    wrong = ~np.isfinite(targets)
    what = "is not finite"
    if not wrong.any() and not allow_borrowing:
        wrong, what = targets < 0.0, "is negative"
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise SimulationError(f"target_weights: {weights.columns[column]!r} on {weights.index[row]} {what}")
    total = targets.sum(axis=1)
    if not allow_borrowing and (total > 1.0 + _WEIGHT_TOLERANCE).any():
        row = int(np.argmax(total))
        raise SimulationError(f"target_weights: row {weights.index[row]} sums to {total[row]:.6g}, above 1")


def _ledger(trades: list[tuple[Any, ...]], prices: pd.DataFrame) -> pd.DataFrame:
    """One row per trade, in order of session and symbol column."""
    parts = [t for t in trades if len(t[1])]

    def joined(i: int, kind: Any = np.float64) -> npt.NDArray[Any]:
        return np.concatenate([t[i] for t in parts]) if parts else np.empty(0, dtype=kind)

    sessions = np.repeat([t[0] for t in parts], [len(t[1]) for t in parts]) if parts else np.empty(0, dtype=np.intp)
    return pd.DataFrame(
        {
            "session": prices.index[sessions],
            "symbol": prices.columns[joined(1, np.intp)],
            "shares": joined(2),
            "price": joined(3),
            "notional": joined(4),
            "cost": joined(5),
            "shares_after": joined(6),
            "stale_price": joined(7, np.bool_),
        }
    )


def _unfilled(rows: list[tuple[int, IntArray, FloatArray]], prices: pd.DataFrame) -> pd.DataFrame:
    """Return the purchases that found no price."""
    sessions = [prices.index[row] for row, names, _ in rows for _ in names]
    return pd.DataFrame(
        {
            "session": pd.Index(sessions, dtype=prices.index.dtype),
            "symbol": [prices.columns[i] for _, names, _ in rows for i in names],
            "weight": np.concatenate([w for _, _, w in rows]) if rows else np.empty(0),
        }
    )
