"""A portfolio of portfolios over history: allocation, S and limits session by session, as a decision makes them.

The steps and their order are those of `pas_lib.pipeline.decide`, by the same functions: shares (`share_out`, on the
model returns known by then), wishes (`wish`), limits (`cap_wishes`). What differs is where the book comes from: here it
is simulated, filled at the next open.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib import clock as calendar
from pas_lib.backtest import BookHoldings, BookOrder, SimulationResult, fill_book
from pas_lib.pipeline import marts
from pas_lib.pipeline.decide import share_out, wanted_weights
from pas_lib.pipeline.records import AllocationState
from pas_lib.pipeline.regime import compute_regimes
from pas_lib.pipeline.register import Register
from pas_lib.pipeline.risk import VAR_WINDOW, caps_of, market_of
from pas_lib.pipeline.sizing import TINY, CapBreach, Caps, SecurityInfo, Sleeve, Wish, cap_wishes, wish
from pas_lib.settings import Settings
from pas_lib.strategies import StrategyWeights
from pas_lib.warehouse import Warehouse

#: A portfolio with less than this share and no holding has none.
_POCKET = 1e-6


@dataclass(frozen=True)
class Layers:
    """What lies on top of the strategies.

    Attributes
    ----------
    allocate
        True sizes the portfolios anew each week from their model returns; False gives each the same share.
    cci
        True scales by S as known.
    caps
        True cuts by the limits of the settings.
    """

    allocate: bool = False
    cci: bool = False
    caps: bool = False

    @property
    def any(self) -> bool:
        """Whether there is a book at all."""
        return self.allocate or self.cci or self.caps


@dataclass(frozen=True)
class Prices:
    """Prices of everything that is ever held, sessions x securities, the same labels.

    Attributes
    ----------
    close, opened
        Adjusted; NaN without a bar.
    valued
        What a holding counts at a session's close: `close`, or what is assumed of a name that is gone.
    """

    close: pd.DataFrame
    opened: pd.DataFrame
    valued: pd.DataFrame


@dataclass(frozen=True)
class BookPath:
    """What became of a book.

    Attributes
    ----------
    table : DataFrame
        Index session; `model_return` (fraction), `turnover` (net traded value over equity, both sides), `cost`
        (fraction of equity), `gross` (holdings over equity), `crossed` (value crossed over equity), `scale` (S of the
        decision that was filled), `capped` (how many limits cut it).
    shares : DataFrame
        Sessions x portfolios, shares of equity at the close, cash of the portfolio included.
    weights : DataFrame
        Sessions x securities, shares of equity at the close over all portfolios.
    holdings : DataFrame
        Portfolios x securities, shares of equity at the last close.
    allocations : list of AllocationState
        Those that were made.
    breaches : list of (date, CapBreach)
        What the limits cut, by decision session.
    """

    table: pd.DataFrame
    shares: pd.DataFrame
    weights: pd.DataFrame
    holdings: pd.DataFrame
    allocations: list[AllocationState]
    breaches: list[tuple[date, CapBreach]]


@dataclass
class _Past:
    """Prices and what limits look at, sessions x securities."""

    returns: pd.DataFrame
    volume: pd.DataFrame

    def info(self, known: SecurityInfo, session: date, held: set[str]) -> SecurityInfo:
        ids = sorted(held)
        days = self.returns.index.searchsorted(pd.Timestamp(session), side="right")
        rows = slice(max(0, int(days) - VAR_WINDOW), int(days))
        returns = self.returns.iloc[rows].reindex(columns=ids)
        return market_of(known, returns, self.volume.iloc[rows].reindex(columns=ids), known.leverage)


def backtest_book(
    warehouse: Warehouse,
    settings: Settings,
    weights: Mapping[str, Sequence[StrategyWeights]],
    simulated: Mapping[str, SimulationResult],
    prices: Prices,
    start: date,
    end: date,
    layers: Layers,
    *,
    cost_bps: float,
    capital: float,
) -> BookPath:
    """Run a book from cash, deciding each session's evening and filling at the next open.

    Parameters
    ----------
    warehouse
        With marts built up to `end`.
    settings
        Bounds, band, limits, cash buffer.
    weights
        portfolio -> its weights at all its sessions, oldest first; from `decide_history`.
    simulated
        portfolio -> its model, simulated at the same costs; its returns are what the allocation knows.
    prices
        From the first execution of any model on.
    start, end
        First decision and last session.
    layers
        What lies on top.
    cost_bps
        Of the net traded value.
    capital
        USD; the limit on daily volume looks at it.

    Returns
    -------
    BookPath

    Raises
    ------
    WarehouseError
        When the marts do not reach the end.
    """
    return _Run(warehouse, settings, weights, simulated, prices, (start, end), layers, cost_bps, capital).path()


class _Run:
    def __init__(
        self,
        warehouse: Warehouse,
        settings: Settings,
        weights: Mapping[str, Sequence[StrategyWeights]],
        simulated: Mapping[str, SimulationResult],
        prices: Prices,
        span: tuple[date, date],
        layers: Layers,
        cost_bps: float,
        capital: float,
    ) -> None:
        self.settings = settings if layers.allocate else settings.model_copy(update={"allocation_method": "equal"})
        self.layers, self.rate, self.capital = layers, cost_bps / 1e4, capital
        self.caps = caps_of(settings) if layers.caps else Caps(gross=settings.gross_cap, slack=settings.band)
        self.start, self.end = span
        self.weights = {key: list(items) for key, items in weights.items() if items}
        self.decided = {key: [item.session for item in items] for key, items in self.weights.items()}
        self.simulated = simulated
        self.names = sorted(self.weights)
        self.row = {name: i for i, name in enumerate(self.names)}
        self.ids = [str(name) for name in prices.close.columns]
        self.column = {name: i for i, name in enumerate(self.ids)}
        self.index = prices.close.index
        self.opened = prices.opened.to_numpy(dtype=float)
        self.quoted = ~np.isnan(prices.close.to_numpy(dtype=float))
        self.filled = prices.valued.ffill().to_numpy(dtype=float)
        self.returns = pd.DataFrame({key: one.returns for key, one in simulated.items()})
        self.drifted = {key: self._placed(one.weights) for key, one in simulated.items()}
        self.keys = np.array(self.ids, dtype=object)
        self.scales = _scales(warehouse, self.end) if layers.cci else {}
        self.rates = _rates(warehouse, self.end) if layers.allocate else {}
        self.register = Register(warehouse, self.ids) if layers.caps else None
        self.past = _past(warehouse, self.ids, self.start, self.end) if layers.caps else None

    def path(self) -> BookPath:
        shape = (len(self.names), len(self.ids))
        holdings = BookHoldings(np.zeros(shape), np.zeros(shape[0]), self.capital)
        before: AllocationState | None = None
        allocations: list[AllocationState] = []
        breaches: list[tuple[date, CapBreach]] = []
        rows, owned, exposed, sessions = [], [], [], []
        equity = self.capital
        values = np.zeros(shape)
        for session in calendar.sessions(self.start, self.end):
            at = int(self.index.searchsorted(pd.Timestamp(session)))
            following = calendar.next_session(session)
            if following > self.end or following < self.index[0].date():
                continue
            scale = self.scales.get(session, 1.0) if self.layers.cci else 1.0
            state, wishes, sleeves, found = self._decide(session, at, holdings, values, equity, before, scale)
            if state is not None and state is not before and state.is_new:
                allocations.append(state)
            before = state
            breaches += [(session, one) for one in found]
            next_at = int(self.index.searchsorted(pd.Timestamp(following)))
            fill_prices, missing = self._fill_prices(next_at)
            pairs = zip(wishes, sleeves, strict=True)
            orders = [self._order(one, sleeve) for one, sleeve in pairs if one.trades]
            fill = fill_book(holdings, orders, fill_prices, missing, self.rate)
            holdings = fill.holdings
            values = holdings.values(self.filled[next_at])
            now = float(holdings.idle + holdings.cash.sum() + values.sum())
            rows.append(
                {
                    "model_return": now / equity - 1.0,
                    "turnover": fill.traded / fill.equity_before,
                    "cost": fill.cost / equity,
                    "gross": float(values.sum()) / now,
                    "crossed": fill.crossed / fill.equity_before,
                    "scale": scale,
                    "capped": len(found),
                }
            )
            sessions.append(following)
            owned.append((values.sum(axis=1) + holdings.cash) / now)
            exposed.append(values.sum(axis=0) / now)
            equity = now
        index = marts.session_index(sessions)
        ids = pd.Index(self.ids, dtype=object)
        return BookPath(
            pd.DataFrame(rows, index=index),
            pd.DataFrame(owned, index=index, columns=self.names),
            pd.DataFrame(exposed, index=index, columns=ids),
            pd.DataFrame(values / equity, index=self.names, columns=ids),
            allocations,
            breaches,
        )

    # -- one evening

    def _taking_part(self, session: date) -> list[str]:
        return [name for name in self.names if self.decided[name][0] <= session]

    def _decide(
        self,
        session: date,
        at: int,
        holdings: BookHoldings,
        values: npt.NDArray[np.float64],
        equity: float,
        before: AllocationState | None,
        scale: float,
    ) -> tuple[AllocationState | None, list[Wish], list[Sleeve], tuple[CapBreach, ...]]:
        names = self._taking_part(session)
        if not names:
            return before, [], [], ()
        sizing = equity * (1.0 - self.settings.cash_buffer)
        own = values.sum(axis=1) + holdings.cash
        current = pd.Series(
            {
                name: max(float(own[i]), 0.0) / sizing
                for i, name in enumerate(self.names)
                if values[i].any() or own[i] / sizing > _POCKET
            },
            dtype=float,
        )
        state, shares = share_out(
            session,
            self.settings,
            self.returns,
            current,
            names,
            before,
            scale=scale,
            risk_free=lambda: self.rates.get(session, 0.0),
        )
        sleeves = [self._sleeve(str(name), session, at, values, sizing, shares, current) for name in shares.index]
        held = {str(key) for one in sleeves for key in [*one.model.index, *one.held.index]}
        info = SecurityInfo()
        if self.register is not None and self.past is not None:
            info = self.past.info(self.register.advance(calendar.decision_time(session)), session, held)
        wishes, breaches = cap_wishes([wish(one) for one in sleeves], self.caps, info, equity=sizing)
        return state, wishes, sleeves, breaches

    def _sleeve(
        self,
        name: str,
        session: date,
        at: int,
        values: npt.NDArray[np.float64],
        sizing: float,
        shares: pd.Series,
        current: pd.Series,
    ) -> Sleeve:
        newest = self.weights[name][bisect.bisect_right(self.decided[name], session) - 1]
        is_due = newest.session == session and not newest.is_stale
        now = float(current.get(name, 0.0))
        wanted = pd.Series(dtype=float)
        if is_due or now <= TINY:
            # Only who is due, or comes in, buys what the model holds.
            drifted = None if is_due else self._drifted(name, session, at)
            wanted = self._priced(wanted_weights(newest, session, drifted), session, at)
        row = values[self.row[name]]
        held = np.flatnonzero(row)
        return Sleeve(
            name,
            newest.session if is_due else None,
            float(shares[name]),
            now,
            wanted,
            pd.Series(row[held] / sizing, index=pd.Index(self.keys[held]), dtype=float),
        )

    def _placed(self, path: pd.DataFrame) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.object_]]:
        """Return where a model's path begins among the sessions, its weights, and its names."""
        return int(self.index.searchsorted(path.index[0])), path.to_numpy(), path.columns.to_numpy(dtype=object)

    def _drifted(self, name: str, session: date, at: int) -> pd.Series | None:
        """Return the weights of a portfolio's model after a session; None before its first fill."""
        if name not in self.drifted:
            return None
        first, path, names = self.drifted[name]
        if at < first or session < self.index[0].date():
            return None
        now = path[min(at - first, len(path) - 1)]
        return pd.Series(now[now > 0.0], index=pd.Index(names[now > 0.0]), dtype=float)

    def _priced(self, wanted: pd.Series, session: date, at: int) -> pd.Series:
        """Leave out names without a price at the session: they cannot be bought, their share stays cash."""
        if session < self.index[0].date():
            return wanted
        places = [self.column[str(key)] for key in wanted.index]
        there = self.quoted[at, places]
        return wanted if there.all() else wanted[there]

    def _order(self, one: Wish, sleeve: Sleeve) -> BookOrder:
        buffer = 1.0 - self.settings.cash_buffer
        scaled = sleeve.due is None and sleeve.current > TINY and one.share > TINY
        vector = np.zeros(len(self.ids))
        where = [self.column[str(key)] for key in one.holdings.index]
        if scaled:
            # The same names in the same proportion, but for what a limit cut: share counts follow, not weights.
            vector[where] = one.holdings.to_numpy() / sleeve.held.reindex(one.holdings.index).to_numpy()
            return BookOrder(self.row[one.portfolio_id], ratios=vector, factor=one.share / sleeve.current)
        vector[where] = one.holdings.to_numpy() * buffer
        return BookOrder(self.row[one.portfolio_id], weights=vector, share=one.share * buffer)

    def _fill_prices(self, at: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        opens = self.opened[at]
        missing = ~(opens > 0.0) | np.isinf(opens)
        last = self.filled[at - 1] if at > 0 else np.full(len(self.ids), np.nan)
        return np.where(missing, last, opens), missing


def _scales(warehouse: Warehouse, end: date) -> dict[date, float]:
    return {state.session: state.scale for state in compute_regimes(warehouse, end)}


def _rates(warehouse: Warehouse, end: date) -> dict[date, float]:
    """Return the one-month treasury rate as known at each session, an annual fraction."""
    rows = marts.read(
        warehouse,
        "select session, value from marts.regime_inputs where series_id = 'DGS1MO' and session <= {end}",
        end=end,
    )
    days = pd.to_datetime(rows["session"])
    return {
        day.date(): float(value) / 100.0
        for day, value in zip(days, rows["value"], strict=True)
        if value is not None and value == value
    }


def _past(warehouse: Warehouse, ids: list[str], start: date, end: date) -> _Past:
    days = calendar.sessions(date(1990, 1, 1), start)[-VAR_WINDOW:]
    index = marts.session_index(calendar.sessions(days[0], end))
    found = marts.wide(warehouse, ("ret", "dollar_volume"), ids, days[0], end)
    return _Past(*(frame.reindex(index) for frame in found))
