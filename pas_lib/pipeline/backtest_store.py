"""Backtests as rows: what was tried, what came out, and how many trials there have been."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pas_lib.backtest import deflated_sharpe, expected_best_sharpe
from pas_lib.errors import PasError
from pas_lib.pipeline.backtest import Backtest, run_id_of, trial_key
from pas_lib.warehouse import Warehouse, copy_arrow

#: A trial of fewer sessions counts, but its Sharpe ratio is no measure of what luck brings: it may be anything.
LEAST_SESSIONS = 21


@dataclass(frozen=True)
class Trials:
    """What has been tried, this run included.

    Attributes
    ----------
    count
        Configurations: portfolios and the parameters their holdings follow from, whatever the range.
    best_by_luck
        Annual Sharpe ratio that the best of so many shows when none has any skill.
    deflated
        portfolio -> probability that its true Sharpe ratio is above that.
    """

    count: int
    best_by_luck: float
    deflated: Mapping[str, float]


@dataclass(frozen=True)
class StoredRun:
    """One row of the list of backtests."""

    run_id: str
    ran_at: datetime
    start: date
    end: date
    strategies: tuple[str, ...]
    parameters: Mapping[str, Any]
    code_version: str
    trials: int


def count_trials(warehouse: Warehouse, run: Backtest) -> Trials:
    """Count what has been tried, this run included, and judge the run's Sharpe ratios by it; nothing is written.

    A trial is one configuration (`pas_lib.pipeline.backtest.trial_key`), however often and over whichever sessions it
    was run; a book is one more portfolio. Its longest run speaks for it, the newest of equally long ones: luck is
    measured by how far the Sharpe ratios of configurations lie apart, not by what a window does to one of them.
    Configurations that resemble each other count in full: there may be fewer independent ones, so that the probability
    is stated too low rather than too high.
    """
    tried: dict[str, tuple[float, float]] = {}

    def note(parameters: Mapping[str, Any], portfolio_id: str, sharpe: Any, sessions: Any) -> None:
        key, length = trial_key(parameters, portfolio_id), float(sessions or 0)
        if length >= tried.get(key, (0.0, 0.0))[0]:
            tried[key] = length, math.nan if sharpe is None or length < LEAST_SESSIONS else float(sharpe)

    # By the parameters and not by the hash stored beside them: an older version may have told trials apart otherwise.
    for row in warehouse.rows(
        "select r.parameters, m.portfolio_id, m.value, n.value as n_obs from ops.backtest_metrics m"
        " join ops.backtest_runs r using (run_id)"
        " join ops.backtest_metrics n using (run_id, portfolio_id, trial)"
        " where m.metric = 'sharpe' and n.metric = 'n_obs' order by r.ran_at, r.run_id"
    ):
        note(row["parameters"], str(row["portfolio_id"]), row["value"], row["n_obs"])
    for one in run.reports:
        note(run.parameters, one.strategy, one.summary["sharpe"], one.n_obs)
    sharpes = [sharpe for _, sharpe in tried.values()]
    return Trials(
        len(tried),
        expected_best_sharpe(sharpes),
        {one.strategy: deflated_sharpe(one.returns, sharpes) for one in run.reports},
    )


def store_backtest(warehouse: Warehouse, run: Backtest, trials: Trials, *, now: datetime) -> str:
    """Write a run in one transaction and return its id.

    Raises
    ------
    WarehouseUnavailable
        When PostgreSQL cannot be reached: a trial that is not recorded would make the others look better.
    """
    run_id = run_id_of(now, run.parameters)
    capital = float(run.parameters.get("capital", 1_000_000.0))
    with warehouse.connect() as conn:
        conn.execute(
            "insert into ops.backtest_runs (run_id, ran_at, start_session, end_session, strategies, parameters,"
            " code_version, data_cut, trials, coverage) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                run_id,
                now,
                run.start,
                run.end,
                " ".join(one.strategy for one in run.reports),
                json.dumps(run.parameters, default=str),
                run.code_version,
                json.dumps(run.data_cut),
                trials.count,
                json.dumps(asdict(run.coverage)),
            ),
        )
        copy_arrow(conn, pa.concat_tables([_returns(run_id, one.strategy, one.path, capital) for one in run.reports]),
                   "ops.backtest_returns")  # fmt: skip
        copy_arrow(conn, _metrics(run_id, run, trials), "ops.backtest_metrics")
        exposures = _exposures(run_id, run)
        if exposures.num_rows:
            copy_arrow(conn, exposures, "ops.backtest_exposures")
    return run_id


def _returns(run_id: str, name: str, path: pd.DataFrame, capital: float) -> pa.Table:
    values = path["model_return"].to_numpy(dtype=float)
    return pa.table(
        {
            "run_id": [run_id] * len(path),
            "portfolio_id": [name] * len(path),
            "session": pa.array([stamp.date() for stamp in path.index], pa.date32()),
            "ret": values,
            "equity": capital * np.cumprod(1.0 + values),
            "turnover": path["turnover"].to_numpy(dtype=float),
            "cost": path["cost"].to_numpy(dtype=float),
            "gross": path["gross"].to_numpy(dtype=float),
        }
    )


def metrics_of(run: Backtest, trials: Trials) -> dict[str, dict[str, float]]:
    """Return portfolio -> figure -> value: the summary, what it traded and held, and what luck would have shown."""
    out = {}
    for one in run.reports:
        out[one.strategy] = {
            **{key: float(value) for key, value in one.summary.items()},
            "n_obs": float(one.n_obs),
            "total_return": one.total_return,
            "turnover": one.turnover,
            "cost": float(one.path["cost"].sum() / len(one.path) * 252.0),
            "gross": float(one.path["gross"].mean()),
            "names": one.names,
            "deflated_sharpe": trials.deflated[one.strategy],
        }
    return out


def _metrics(run_id: str, run: Backtest, trials: Trials) -> pa.Table:
    rows = [
        (run_id, name, trial_key(run.parameters, name), metric, value if math.isfinite(value) else None)
        for name, figures in metrics_of(run, trials).items()
        for metric, value in figures.items()
    ]
    names = ("run_id", "portfolio_id", "trial", "metric", "value")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return pa.table({**columns, "value": pa.array(columns["value"], pa.float64())})


def _exposures(run_id: str, run: Backtest) -> pa.Table:
    rows = [
        (run_id, one.strategy, pd.Timestamp(str(stamp)).date(), str(sector), float(share))
        for one in run.reports
        for stamp, row in one.sectors.iterrows()
        for sector, share in row.items()
        if share > 0.0
    ]
    names = ("run_id", "portfolio_id", "session", "sector", "share")
    columns: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    columns["session"] = pa.array(columns["session"], pa.date32())
    return pa.table(columns)


_RUN = "run_id, ran_at, start_session, end_session, strategies, parameters, code_version, trials"


def list_backtests(warehouse: Warehouse, limit: int = 20) -> list[StoredRun]:
    """Return the newest runs, newest first."""
    rows = warehouse.rows(
        f"select {_RUN} from ops.backtest_runs order by ran_at desc, run_id desc limit %s",  # noqa: S608 - own names
        (limit,),
    )
    return [_run(row) for row in rows]


def stored_run(warehouse: Warehouse, run_id: str) -> tuple[StoredRun, dict[str, dict[str, float]]]:
    """Return a stored run, and portfolio -> figure -> value.

    Raises
    ------
    PasError
        When there is no such run.
    """
    runs = warehouse.rows(f"select {_RUN} from ops.backtest_runs where run_id = %s", (run_id,))  # noqa: S608 - own names
    if not runs:
        raise PasError(f"there is no backtest '{run_id}'", hint="list them with `pas backtest --list`")
    out: dict[str, dict[str, float]] = {}
    for row in warehouse.rows(
        "select portfolio_id, metric, value from ops.backtest_metrics where run_id = %s order by portfolio_id, metric",
        (run_id,),
    ):
        value = math.nan if row["value"] is None else float(row["value"])
        out.setdefault(str(row["portfolio_id"]), {})[str(row["metric"])] = value
    return _run(runs[0]), out


def _run(row: Mapping[str, Any]) -> StoredRun:
    return StoredRun(
        str(row["run_id"]),
        row["ran_at"],
        row["start_session"],
        row["end_session"],
        tuple(str(row["strategies"]).split()),
        row["parameters"],
        str(row["code_version"]),
        int(row["trials"]),
    )
