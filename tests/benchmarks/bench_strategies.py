"""All strategies over ten years and 1,500 stocks, from the marts in a DuckDB file; some computed directly first.

``PAS_BENCH_STOCKS`` makes it smaller. Building the marts comes before and is not part of the time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.clock import FixedClock
from pas_lib.dbt import Dbt
from pas_lib.pipeline.backtest import backtest
from pas_lib.pipeline.model import ModelRun, run_model
from pas_lib.settings import load_settings
from pas_lib.strategies import strategy_ids
from pas_lib.warehouse import DuckWarehouse, Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.mirror import publish
from tests.benchmarks.report import Result, best_ms
from tests.support.raw_world import LEVERAGED_ETFS
from tests.support.scale_world import ScaleWorld

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONLY_BY_NAME = True
SECONDS = 20


def run() -> Iterator[Result]:
    """Yield the row."""
    # A year before the ten, for windows that look back.
    world = ScaleWorld(stocks=int(os.environ.get("PAS_BENCH_STOCKS", "1500")), start=date(2015, 1, 2))
    end = world.before
    with tempfile.TemporaryDirectory(prefix="pas-bench-") as folder:
        path = _built(world, Path(folder), end)
        warehouse = DuckWarehouse(path)
        settings = load_settings({"PAS_HOME": folder})
        with warehouse.kept_open():
            model = run_model(warehouse, end, cost_bps=settings.cost_bps, recompute=True)
            wrong = _composite(warehouse, model) or _momentum(warehouse, model) or _leveraged(warehouse, model)
            reports = backtest(warehouse, settings, [], None, end)
            ms = best_ms(lambda: backtest(warehouse, settings, [], None, end), repeat=1)
    sessions = max(one.n_obs for one in reports)
    decided = sum(len(items) for items in model.weights.values())
    yield Result(
        f"{len(reports)} portfolios, {sessions:,} sessions, {world.stocks:,} stocks, {decided:,} decisions",
        ms,
        parity=wrong
        or "composite_leaders, volatility_momentum and leveraged_sector as computed directly from the marts",
        gate=f"at most {SECONDS} s",
        passed=not wrong and ms <= SECONDS * 1e3 and len(reports) == len(strategy_ids()),
    )


def _built(world: ScaleWorld, home: Path, end: date) -> Path:
    path = home / "history.duckdb"
    server = EmbeddedPostgres(home / "pg", durable=False)
    server.start()
    try:
        create_database(Warehouse(server.url()), "bench")
        warehouse = Warehouse(server.url("bench"))
        migrate(warehouse, "sandbox", clock=FixedClock(NOW))
        publish(path, warehouse, NOW)
    finally:
        server.stop()
    with duckdb.connect(str(path)) as con:
        world.fill(con)
    Dbt(str(path), home / "dbt", target="duckdb", threads=2).build(end, data_tests=False, isolated=True)
    return path


def _chosen(model: ModelRun, name: str) -> dict[date, set[str]]:
    return {item.session: set(item.by_symbol().index) for item in model.weights[name]}


def _closes(warehouse: DuckWarehouse, condition: str) -> pd.DataFrame:
    rows = warehouse.frame(f"select session, symbol, adj_close from marts.daily_returns where {condition}")
    return rows.pivot(index="session", columns="symbol", values="adj_close")


def _composite(warehouse: DuckWarehouse, model: ModelRun) -> str:
    """The 20 best overall scores of each month, and what they returned: filled at the open, costs first."""
    scores = warehouse.frame(
        "select score_date, symbol, overall from marts.ticker_scores where overall is not null and is_frozen"
        " order by score_date, overall desc, symbol"
    )
    best = {day.date(): set(rows["symbol"].head(20)) for day, rows in scores.groupby("score_date")}
    ours = _chosen(model, "composite_leaders")
    if any(best[day] != names for day, names in ours.items() if names):
        return "composite_leaders chose other names"
    rows = warehouse.frame("select session, symbol, adj_open, adj_close from marts.daily_returns")
    opened = rows.pivot(index="session", columns="symbol", values="adj_open")
    closed = rows.pivot(index="session", columns="symbol", values="adj_close")
    executed = {pd.Timestamp(clock.next_session(day)): names for day, names in ours.items()}
    equity, shares, cash = [], pd.Series(dtype=float), 1.0
    for day in closed.index[closed.index >= min(executed)]:
        if day in executed:
            prices = opened.loc[day]
            held = shares * prices.reindex(shares.index)
            want = pd.Series(0.05, index=sorted(executed[day]))
            value = after = cash + float(held.sum())
            for _ in range(50):
                after = value - 0.001 * float((want * after).sub(held, fill_value=0.0).abs().sum())
            shares, cash = want * after / prices.reindex(want.index), after * (1 - float(want.sum()))
        equity.append(cash + float((shares * closed.loc[day].reindex(shares.index)).sum()))
    theirs = float(np.prod(1 + model.returns["composite_leaders"].dropna()))
    gap = abs(equity[-1] / theirs - 1)
    return "" if gap < 1e-9 else f"composite_leaders ends at {theirs}, computed directly at {equity[-1]}"


def _momentum(warehouse: DuckWarehouse, model: ModelRun) -> str:
    """Return of 252 sessions over the deviation of 60, of the stocks of the indices, in the last fifty weeks."""
    closes = _closes(warehouse, "symbol not in (select symbol from raw.universe where index_name = 'etf')")
    ratio = (closes / closes.shift(252) - 1) / (closes.pct_change().rolling(60).std() * np.sqrt(252))
    for day, names in sorted(_chosen(model, "volatility_momentum").items())[-50:]:
        if set(ratio.loc[pd.Timestamp(day)].nlargest(20).index) != names:
            return f"volatility_momentum chose other names on {day}"
    return ""


def _leveraged(warehouse: DuckWarehouse, model: ModelRun) -> str:
    """The three best of thirteen weeks among the leveraged funds, those above zero."""
    names = ", ".join(f"'{name}'" for name in ("UPRO", *LEVERAGED_ETFS))
    closes = _closes(warehouse, f"symbol in ({names})")
    weekly = closes[[clock.is_week_end(day.date()) for day in closes.index]]
    best = weekly / weekly.shift(13) - 1
    for day, chosen in sorted(_chosen(model, "leveraged_sector").items()):
        row = best.loc[pd.Timestamp(day)].nlargest(3)
        if set(row[row > 0].index) != chosen:
            return f"leveraged_sector chose other names on {day}"
    return ""
