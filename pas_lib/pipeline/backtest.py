"""Strategies over history, from stored signals: the same weights, fills and costs as the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pas_lib.analytics import performance_summary
from pas_lib.errors import PasError
from pas_lib.pipeline import marts
from pas_lib.pipeline.model import run_model
from pas_lib.settings import Settings
from pas_lib.strategies import strategy, strategy_ids
from pas_lib.warehouse import Warehouse


@dataclass(frozen=True)
class BacktestReport:
    """One strategy over a range of sessions.

    Attributes
    ----------
    strategy
        Its id.
    start, end
        First and last session with a return.
    n_obs
        Sessions.
    total_return
        Compounded, a fraction.
    turnover
        Traded value over equity, mean per year.
    summary
        As `pas_lib.analytics.performance_summary` tells; against the benchmark where it has bars.
    returns
        Daily returns, fractions, indexed by session.
    """

    strategy: str
    start: date
    end: date
    n_obs: int
    total_return: float
    turnover: float
    summary: Mapping[str, Any]
    returns: pd.Series


def backtest(
    warehouse: Warehouse, settings: Settings, strategies: Sequence[str], start: date | None, end: date
) -> list[BacktestReport]:
    """Backtest strategies on the marts; nothing is read from or written to decisions.

    Parameters
    ----------
    warehouse, settings
        The store and the costs.
    strategies
        Ids; empty means all.
    start, end
        First (None: the earliest there is) and last session.

    Returns
    -------
    list of BacktestReport
        In the order asked for.

    Raises
    ------
    UnknownName
        When a strategy does not exist.
    PasError
        When one has no returns in the range.
    """
    chosen = [strategy(name).id for name in strategies] or list(strategy_ids())
    run = run_model(warehouse, end, cost_bps=settings.cost_bps, recompute=True)
    market = _benchmark(warehouse, settings.benchmark, end)
    reports = []
    for name in chosen:
        path = run.new_returns.get(name)
        if path is not None and start is not None:
            path = path.loc[pd.Timestamp(start) :]
        if path is None or path.empty:
            raise PasError(f"{name} has no returns from {start or 'its beginning'} to {end}", hint="run `pas build`")
        returns = path["model_return"]
        against = market.reindex(returns.index) if len(market) else None
        reports.append(
            BacktestReport(
                name,
                returns.index[0].date(),
                returns.index[-1].date(),
                len(returns),
                float(np.prod(1.0 + returns.to_numpy(dtype=float))) - 1.0,
                float(path["turnover"].sum() / len(path) * 252.0),
                performance_summary(returns, benchmark=against),
                returns,
            )
        )
    return reports


def _benchmark(warehouse: Warehouse, symbol: str, end: date) -> pd.Series:
    rows = marts.read(
        warehouse,
        "select session, ret from marts.daily_returns where symbol = {symbol} and session <= {end} order by session",
        symbol=symbol,
        end=end,
    )
    return pd.Series(rows["ret"].to_numpy(dtype=float), index=marts.session_index(rows["session"]))
