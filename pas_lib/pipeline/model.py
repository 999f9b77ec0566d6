"""The model of every portfolio: what its strategy wanted at each rebalance session, and what that returned.

Model weights are written once per portfolio and session and never change afterwards, whatever rows arrive later.
Model returns are those weights filled at the next session's open, drifting until the next ones, net of costs, before
allocation, exposure scale and caps: a portfolio that is allocated nothing keeps a model return and can come back.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa

from pas_lib import clock as calendar
from pas_lib.backtest import SimulationResult, simulate
from pas_lib.pipeline import marts
from pas_lib.strategies import Strategy, StrategyWeights, all_strategies, due_sessions
from pas_lib.warehouse import Warehouse, copy_arrow

#: A session at which nothing is held still is a decision: it is stored as one row of cash.
CASH_ID = "cash"
CASH_SYMBOL = "CASH"

#: After whatever is stored.
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)

#: Where a simulation starts; only ratios of it are stored.
CAPITAL = 1_000_000.0


@dataclass(frozen=True)
class ModelRun:
    """Model weights and returns up to a session, what is stored and what is new.

    Attributes
    ----------
    session
        The last session that is covered.
    weights
        portfolio -> its weights at every rebalance session up to `session`, oldest first.
    returns
        Sessions x portfolios, daily model returns as fractions; NaN before a portfolio's first fill.
    drifted
        portfolio -> weights (by security_id) of the model after the close of `session`; the weights decided
        last when they have not been filled yet.
    new_weights
        Those of `weights` that were not stored yet.
    new_returns
        portfolio -> frame (index session; columns `model_return`, `turnover`, `cost`) not stored yet.
    """

    session: date
    weights: Mapping[str, Sequence[StrategyWeights]]
    returns: pd.DataFrame
    drifted: Mapping[str, pd.Series]
    new_weights: tuple[StrategyWeights, ...] = ()
    new_returns: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def latest(self, portfolio_id: str) -> StrategyWeights | None:
        """Return the newest weights of a portfolio, if it has any."""
        of_portfolio = self.weights.get(portfolio_id) or ()
        return of_portfolio[-1] if of_portfolio else None

    def is_due(self, portfolio_id: str) -> bool:
        """Tell whether the portfolio's strategy decided at `session`."""
        newest = self.latest(portfolio_id)
        return newest is not None and newest.session == self.session


def run_model(
    warehouse: Warehouse,
    session: date,
    *,
    cost_bps: float,
    recompute: bool = False,
    strategies: Sequence[Strategy] | None = None,
    computed_before: datetime | None = None,
) -> ModelRun:
    """Work out model weights and returns up to a session; nothing is written.

    Parameters
    ----------
    warehouse
        With marts built up to `session`.
    session
        The last session to cover.
    cost_bps
        Cost of a trade in basis points of the traded value.
    recompute
        True ignores what is stored and works everything out from the marts.
    strategies
        Those to run; all by default.
    computed_before
        Take only what was stored before as stored.

    Returns
    -------
    ModelRun

    Raises
    ------
    WarehouseError
        When a mart is missing.
    """
    with warehouse.kept_open() as source:
        stored = {} if recompute else stored_weights(source, session, computed_before)
        returned = pd.DataFrame() if recompute else stored_returns(source, session, computed_before)
        weights, new = _decide_all(source, session, strategies, stored, returned)
        returns, drifted, pending = _simulate(source, session, weights, cost_bps, returned)
    return ModelRun(session, weights, returns, drifted, tuple(new), pending)


def decide_history(
    warehouse: Warehouse, session: date, strategies: Sequence[Strategy] | None = None
) -> dict[str, list[StrategyWeights]]:
    """Return what each strategy says at all its sessions up to `session`, worked out from the marts as they are now.

    Parameters
    ----------
    warehouse, session
        With marts built up to the session.
    strategies
        Those to ask; all by default.

    Returns
    -------
    dict
        portfolio -> its weights, oldest first; empty for one without a signal.
    """
    with warehouse.kept_open() as source:
        return _decide_all(source, session, strategies, {}, pd.DataFrame())[0]


def _decide_all(
    warehouse: Warehouse,
    session: date,
    strategies: Sequence[Strategy] | None,
    stored: Mapping[str, Sequence[StrategyWeights]],
    returned: pd.DataFrame,
) -> tuple[dict[str, list[StrategyWeights]], list[StrategyWeights]]:
    first = marts.first_signal_sessions(warehouse)
    weights: dict[str, list[StrategyWeights]] = {}
    new: list[StrategyWeights] = []
    returns_of = _Returns(warehouse, session)
    for one in all_strategies() if strategies is None else strategies:
        have = {item.session: item for item in stored.get(one.id, [])}
        begin = first.get(one.id)
        wanted = due_sessions(one.cadence, calendar.sessions(begin, session)) if begin else []
        review = _sessions_to_review(one, begin, session, wanted, returned) if begin else []
        fresh = _decide_sessions(warehouse, one, [day for day in wanted if day not in have], review, have, returns_of)
        new.extend(fresh)
        weights[one.id] = sorted([*have.values(), *fresh], key=lambda item: item.session)
    return weights, new


def _sessions_to_review(
    one: Strategy, begin: date, session: date, wanted: Sequence[date], returned: pd.DataFrame
) -> list[date]:
    """Return the sessions in which a strategy that is looked at every session has not been looked at yet.

    A session with a stored return was looked at when that was stored: what it said stays, whatever rows came since.
    """
    if not one.is_reviewed:
        return []
    seen = returned[one.id].last_valid_index() if one.id in returned else None
    after = begin if seen is None else pd.Timestamp(str(seen)).date()
    return [day for day in calendar.sessions(begin, session) if day > after and day not in set(wanted)]


def _decide_sessions(
    warehouse: Warehouse,
    one: Strategy,
    missing: Sequence[date],
    review: Sequence[date],
    have: Mapping[date, StrategyWeights],
    returns_of: _Returns,
) -> list[StrategyWeights]:
    if not missing and not review:
        return []
    by_session = marts.signals(warehouse, one.id, missing)
    times = {day: calendar.decision_time(day) for day in missing}
    newest = {name: marts.dataset_times(warehouse, name, times.values()) for name in one.datasets}
    returns_of.expect(lambda: {str(key) for rows in by_session.values() for key in one.select(rows)["security_id"]})
    known = sorted(have.values(), key=_session)
    out: list[StrategyWeights] = []
    for day in sorted({*missing, *review}):
        position = bisect.bisect_left(known, day, key=_session)
        decided: StrategyWeights | None
        if day in by_session:
            ages = {name: _age(found[times[day]], times[day]) for name, found in newest.items()}
            market = _WarehouseMarket(day, returns_of, ages, known[:position])
            decided = one.target_weights(by_session[day], market)
        else:
            decided = one.review(_WarehouseMarket(day, returns_of, {}, known[:position]))
        if decided is not None:
            known.insert(position, decided)
            out.append(decided)
    return out


def _session(item: StrategyWeights) -> date:
    return item.session


def _age(newest: datetime | None, at: datetime) -> float | None:
    return None if newest is None else (at - newest).total_seconds() / 86_400.0


class _Returns:
    """Daily returns by security, read once for each."""

    def __init__(self, warehouse: Warehouse, end: date) -> None:
        self._warehouse, self._end = warehouse, end
        self._known: pd.DataFrame | None = None
        self._place: dict[str, int] = {}
        self._values = np.empty((0, 0))
        self._asked: set[str] = set()
        self._expected: Callable[[], set[str]] = set

    def expect(self, security_ids: Callable[[], set[str]]) -> None:
        """Say which securities may be asked for, so that they are read together when the first one is."""
        self._expected = security_ids

    def up_to(self, session: date, security_ids: Sequence[str], sessions: int) -> pd.DataFrame:
        """Return the daily returns of the securities over the last `sessions` sessions up to one."""
        new = set(security_ids) - self._asked
        if new or self._known is None:
            self._asked |= new | self._expected()
            self._known = marts.wide(self._warehouse, ("ret",), self._asked, date(1990, 1, 1), self._end)[0]
            self._place = {str(key): i for i, key in enumerate(self._known.columns)}
            self._values = self._known.to_numpy()
        # As `FrameMarket` says it, from the numbers: a strategy that is reviewed asks thousands of times.
        stop = int(self._known.index.searchsorted(pd.Timestamp(session), side="right"))
        rows = slice(max(0, stop - sessions), stop)
        places = {at: self._place[key] for at, key in enumerate(security_ids) if key in self._place}
        values = np.full((len(self._values[rows]), len(security_ids)), np.nan)
        values[:, list(places)] = self._values[rows][:, list(places.values())]
        return pd.DataFrame(values, index=self._known.index[rows], columns=pd.Index(list(security_ids), dtype=object))


@dataclass(frozen=True)
class _WarehouseMarket:
    """A market view that reads the returns of a security when a strategy first asks for them."""

    session: date
    source: _Returns
    ages: Mapping[str, float | None]
    before: Sequence[StrategyWeights]

    def returns(self, security_ids: Sequence[str], sessions: int) -> pd.DataFrame:
        """Return the last `sessions` rows up to the session."""
        return self.source.up_to(self.session, security_ids, sessions)

    def age_days(self, dataset: str) -> float | None:
        """Return the age of a dataset at the decision time."""
        return self.ages.get(dataset)

    def previous(self, strategy_id: str) -> StrategyWeights | None:  # noqa: ARG002
        """Return the strategy's weights of the rebalance session before."""
        return self.before[-1] if self.before else None

    def history(self, strategy_id: str) -> Sequence[StrategyWeights]:  # noqa: ARG002
        """Return the strategy's weights before the session, oldest first."""
        return self.before


# -------------------------------------------------------------------------------------------------- returns


def _simulate(
    warehouse: Warehouse,
    session: date,
    weights: Mapping[str, Sequence[StrategyWeights]],
    cost_bps: float,
    stored: pd.DataFrame,
) -> tuple[pd.DataFrame, dict[str, pd.Series], dict[str, pd.DataFrame]]:
    executed = executions(weights, session)
    columns: dict[str, pd.Series] = {}
    pending: dict[str, pd.DataFrame] = {}
    drifted: dict[str, pd.Series] = {}
    close, opened = model_prices(warehouse, executed, session)
    for key, items in weights.items():
        done = executed[key]
        if not done:
            drifted[key] = items[-1].weights if items else pd.Series(dtype=float)
            continue
        path, drifted[key] = simulate_model([(day, item.weights) for day, item in done], close, opened, cost_bps)
        have = stored[key].dropna() if key in stored else pd.Series(dtype=float)
        fresh = path.loc[~path.index.isin(have.index)]
        if len(fresh):
            pending[key] = fresh
        columns[key] = pd.concat([have, fresh["model_return"]]).sort_index()
    returns = pd.DataFrame(columns)
    returns.index = marts.session_index(returns.index)
    return returns.sort_index(), drifted, pending


def executions(
    weights: Mapping[str, Sequence[StrategyWeights]], session: date
) -> dict[str, list[tuple[date, StrategyWeights]]]:
    """Return portfolio -> (session in which they are filled, weights), those that are filled up to `session`.

    Weights that stay since the data were old are not traded, here as in a decision: the portfolio drifts.
    """
    out = {}
    for key, items in weights.items():
        traded = [item for i, item in enumerate(items) if i == 0 or not item.is_stale]
        days = [(calendar.next_session(item.session), item) for item in traded]
        out[key] = [pair for pair in days if pair[0] <= session]
    return out


def model_prices(
    warehouse: Warehouse, executed: Mapping[str, Sequence[tuple[date, StrategyWeights]]], session: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return adjusted closes and opens of all that was executed, from the first execution on; empty without one."""
    ids = {str(sid) for items in executed.values() for _, item in items for sid in item.weights.index}
    starts = [items[0][0] for items in executed.values() if items]
    if not starts:
        return pd.DataFrame(), pd.DataFrame()
    # Every session of the calendar has a row, so that a portfolio that was all cash still has returns.
    index = marts.session_index(calendar.sessions(min(starts), session))
    close, opened = marts.wide(warehouse, ("adj_close", "adj_open"), ids, min(starts), session)
    return close.reindex(index), opened.reindex(index)


def simulate_model(
    weights: Sequence[tuple[date, pd.Series]], close: pd.DataFrame, opened: pd.DataFrame, cost_bps: float
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the model path of one portfolio, and its weights at the end.

    Parameters
    ----------
    weights
        (execution session, weights by security_id), oldest first.
    close, opened
        Adjusted closes and opens, sessions x securities; the same shape.
    cost_bps
        Cost in basis points of the traded value.

    Returns
    -------
    path : DataFrame
        Index session, from the first execution session; `model_return` (fraction, the first one from open to
        close after costs), `turnover` (traded value over equity, both sides counted) and `cost` (fraction of the
        equity before).
    drifted : Series
        Weights by security_id after the last close; 1 minus their sum is cash.
    """
    result = simulate_weights(weights, close, opened, cost_bps)
    last = result.weights.iloc[-1]
    return model_path(result), last[last > 0.0]


def simulate_weights(
    weights: Sequence[tuple[date, pd.Series]], close: pd.DataFrame, opened: pd.DataFrame, cost_bps: float
) -> SimulationResult:
    """Simulate one portfolio's weights from their first execution session on; the arguments of `simulate_model`."""
    index = marts.session_index(day for day, _ in weights)
    ids = sorted({str(sid) for _, one in weights for sid in one.index})
    place = {name: i for i, name in enumerate(ids)}
    values = np.zeros((len(index), len(ids)))
    for row, (_, one) in enumerate(weights):
        values[row, [place[str(key)] for key in one.index]] = one.to_numpy(dtype=float)
    targets = pd.DataFrame(values, index=index, columns=pd.Index(ids, dtype=object))
    prices = close.loc[index[0] :].reindex(columns=ids)
    fills = opened.loc[index[0] :].reindex(columns=ids)
    return simulate(prices, targets, cost_bps=cost_bps, capital=CAPITAL, fill_prices=fills)


def model_path(result: SimulationResult) -> pd.DataFrame:
    """Return a simulation as it is stored: `model_return`, `turnover` and `cost` by session."""
    before = result.equity.shift(1).fillna(CAPITAL)
    return pd.DataFrame(
        {
            "model_return": result.returns,
            "turnover": result.turnover,
            "cost": result.costs / before,
        }
    )


# ------------------------------------------------------------------------------------------------- storage


_STORED = ("portfolio_id", "session", "security_id", "symbol", "weight", "note", "until")


def stored_weights(
    warehouse: Warehouse, session: date, computed_before: datetime | None = None
) -> dict[str, list[StrategyWeights]]:
    """Return the stored model weights up to a session (and stored before a time): portfolio -> oldest first."""
    frame = marts.read(
        warehouse,
        f"select {', '.join(_STORED)} from ops.model_weights"  # noqa: S608 - own column names
        " where session <= {session} and computed_at < {before} order by portfolio_id, session, weight desc, symbol",
        session=session,
        before=computed_before or _NEVER,
    )
    out: dict[str, list[StrategyWeights]] = {}
    records = zip(*(frame[name].tolist() for name in _STORED), strict=True)
    for (portfolio_id, day), rows in itertools.groupby(records, key=lambda record: (record[0], record[1])):
        held = list(rows)
        note = str(held[0][5])
        named = [record for record in held if record[2] != CASH_ID]
        ids = pd.Index([str(record[2]) for record in named], name="security_id", dtype=object)
        out.setdefault(str(portfolio_id), []).append(
            StrategyWeights(
                str(portfolio_id),
                pd.Timestamp(day).date(),
                pd.Series([float(record[4]) for record in named], index=ids, dtype=float),
                {str(record[2]): str(record[3]) for record in named},
                note,
                note.startswith("stale:"),
                {str(record[2]): marts.as_date(record[6]) for record in named},
            )
        )
    return out


def stored_returns(warehouse: Warehouse, session: date, computed_before: datetime | None = None) -> pd.DataFrame:
    """Return the stored model returns up to a session (and stored before a time): sessions x portfolios."""
    frame = marts.read(
        warehouse,
        "select portfolio_id, session, model_return from ops.simulated_returns"
        " where session <= {session} and computed_at < {before}",
        session=session,
        before=computed_before or _NEVER,
    )
    if frame.empty:
        return pd.DataFrame()
    out = frame.pivot(index="session", columns="portfolio_id", values="model_return")
    out.index = marts.session_index(out.index)
    out.columns.name = None
    return out.sort_index()


def store_model(conn: psycopg.Connection[Any], run: ModelRun, *, now: datetime, live: bool) -> tuple[int, int]:
    """Append the new weights and returns of a run inside the connection's transaction.

    Parameters
    ----------
    conn
        Open connection; nothing is committed here.
    run
        From `run_model`.
    now
        When they were computed.
    live
        True when `run.session` is being decided now: its weights and returns get the origin ``live``, earlier
        ones ``history``.

    Returns
    -------
    tuple of int
        Rows of weights and of returns written.
    """

    def origin(day: date) -> str:
        return "live" if live and day == run.session else "history"

    rows: list[dict[str, Any]] = []
    for item in run.new_weights:
        common = {
            "portfolio_id": item.strategy,
            "session": item.session,
            "note": item.note,
            "origin": origin(item.session),
            "computed_at": now,
        }
        rows.extend(
            common
            | {
                "symbol": item.symbols[str(key)],
                "security_id": str(key),
                "weight": float(value),
                "until": item.until.get(str(key)),
            }
            for key, value in item.weights.items()
        )
        if item.weights.empty:
            rows.append(common | {"symbol": CASH_SYMBOL, "security_id": CASH_ID, "weight": 1.0})
    if rows:
        schema = pa.schema(
            [
                ("portfolio_id", pa.string()),
                ("session", pa.date32()),
                ("symbol", pa.string()),
                ("security_id", pa.string()),
                ("weight", pa.float64()),
                ("note", pa.string()),
                ("until", pa.date32()),
                ("origin", pa.string()),
                ("computed_at", pa.timestamp("us", tz="UTC")),
            ]
        )
        copy_arrow(conn, pa.Table.from_pylist(rows, schema=schema), "ops.model_weights")
    tables = []
    for key, frame in run.new_returns.items():
        days = [stamp.date() for stamp in frame.index]
        tables.append(
            pa.table(
                {
                    "portfolio_id": pa.array([key] * len(frame)),
                    "session": pa.array(days, pa.date32()),
                    "model_return": frame["model_return"].to_numpy(dtype=float),
                    "turnover": frame["turnover"].to_numpy(dtype=float),
                    "cost": frame["cost"].to_numpy(dtype=float),
                    "origin": pa.array([origin(day) for day in days]),
                    "computed_at": pa.array([now] * len(frame), pa.timestamp("us", tz="UTC")),
                }
            )
        )
    returns = pa.concat_tables(tables) if tables else None
    if returns is not None:
        copy_arrow(conn, returns, "ops.simulated_returns")
    return len(rows), 0 if returns is None else int(returns.num_rows)
