"""A built warehouse, and comparing its marts row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from pas_lib.dbt import Dbt, DbtResult
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.mirror import publish
from tests.support.raw_world import RawWorld

#: Last session of the small history.
END = date(2025, 12, 31)

KEYS: dict[str, tuple[str, ...]] = {
    "daily_returns": ("security_id", "session"),
    "ticker_scores": ("security_id", "score_date"),
    "top_scores": ("score_date", "rank"),
    "signals": ("strategy", "session", "security_id"),
    "regime_inputs": ("session", "series_id"),
    "model_returns": ("portfolio_id", "session"),
    "portfolio_returns": ("portfolio_id", "session"),
    "metrics": ("portfolio_id", "basis"),
    "rolling_metrics": ("portfolio_id", "basis", "days", "session"),
    "correlations": ("portfolio_a", "portfolio_b"),
    "implementation_shortfall": ("intent_id",),
    "shortfall_by_session": ("portfolio_id", "execution_session"),
    "exposures": ("session", "portfolio_id", "symbol"),
    "signal_research": ("strategy", "session", "from_day", "to_day"),
    "signal_turnover": ("strategy", "session"),
    "signal_summary": ("strategy", "from_day", "to_day"),
    "backtest_runs": ("run_id",),
    "backtest_returns": ("run_id", "portfolio_id", "session"),
    "backtest_metrics": ("run_id", "portfolio_id"),
    "backtest_exposures": ("run_id", "portfolio_id", "session", "sector"),
}
#: The column that dates a row of a mart that is made night by night.
DATED = {
    "daily_returns": "session",
    "ticker_scores": "score_date",
    "top_scores": "score_date",
    "signals": "session",
    "regime_inputs": "session",
}


def read(frame: Callable[[str], pd.DataFrame], mart: str, where: str = "true") -> pd.DataFrame:
    """Return a mart sorted by its key, with the key as index."""
    out = frame(f"select * from marts.{mart} where {where}")
    for column in out.columns:
        if column in ("session", "execution_session", "score_date", "as_of", "previous_session"):
            out[column] = pd.to_datetime(out[column]).dt.date
        elif column in ("value_known_at", "ran_at"):
            out[column] = pd.to_datetime(out[column], utc=True).astype("int64")
    return out.set_index(list(KEYS[mart])).sort_index()


def differences(left: pd.DataFrame, right: pd.DataFrame, rel: float = 1e-9) -> list[str]:
    """Return what differs between two marts, at most one line per column; floats to a relative tolerance."""
    if list(left.columns) != list(right.columns):
        return [f"columns {list(left.columns)} <> {list(right.columns)}"]
    if not left.index.equals(right.index):
        only_left, only_right = left.index.difference(right.index), right.index.difference(left.index)
        return [
            f"{len(only_left)} keys only left {list(only_left[:3])},"
            f" {len(only_right)} only right {list(only_right[:3])}"
        ]
    out: list[str] = []
    for column in left.columns:
        a, b = left[column], right[column]
        if pd.api.types.is_float_dtype(a) or pd.api.types.is_float_dtype(b):
            x, y = a.to_numpy(dtype=float), b.to_numpy(dtype=float)
            close = np.isclose(x, y, rtol=rel, atol=1e-12, equal_nan=True)
        else:
            x, y = a.to_numpy(dtype=object), b.to_numpy(dtype=object)
            close = np.array([_same(u, v) for u, v in zip(x, y, strict=True)], dtype=bool)
        if not close.all():
            i = int(np.flatnonzero(~close)[0])
            out.append(f"{column}: {int((~close).sum())} rows, first {left.index[i]}: {x[i]!r} <> {y[i]!r}")
    return out


def _same(a: Any, b: Any) -> bool:
    if pd.isna(a) or pd.isna(b):
        return bool(pd.isna(a) and pd.isna(b))
    return bool(a == b)


@dataclass(frozen=True)
class Built:
    """A warehouse with marts, the history in it, and how dbt is called for it."""

    warehouse: Warehouse
    world: RawWorld
    dbt: Dbt
    result: DbtResult
    folder: Path


def duckdb_frame(path: Path) -> Callable[[str], pd.DataFrame]:
    """Return a function that runs a query on a DuckDB file."""

    def frame(statement: str) -> pd.DataFrame:
        with duckdb.connect(str(path), read_only=True) as conn:
            conn.execute("set timezone = 'UTC'")
            return conn.execute(statement).df()

    return frame


def mirrored(slot: Path, warehouse: Warehouse, now: datetime) -> Path:
    """Put raw and ops of a warehouse, and nothing of another one, into the slot; dbt makes everything else there."""
    slot.unlink(missing_ok=True)
    publish(slot, warehouse, now)
    with duckdb.connect(str(slot)) as conn:
        for schema in ("staging", "intermediate", "marts"):
            conn.execute(f"drop schema if exists {schema} cascade")
    return slot


def relations(target: Path, *, nightly: bool = False) -> list[str]:
    """Return ``schema.name`` of every model of the marts and below, as the manifest of a build tells: none is left out.

    With `nightly` those that are made before decisions.
    """
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    return sorted(
        f"{node['schema']}.{node['name']}"
        for node in nodes
        if node["resource_type"] == "model"
        and node["schema"] in ("marts", "intermediate")
        and not (nightly and "evaluate" in node["tags"])
    )


def everything(frame: Callable[[str], pd.DataFrame], names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return all rows of relations, in an order that follows from what they say; times as whole microseconds in UTC."""
    return {name: _in_order(frame(f"select * from {name}")) for name in names}


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    for column in out.columns:
        values = out[column]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            out[column] = values.dt.tz_convert("UTC").dt.as_unit("us").astype("int64")
        elif pd.api.types.is_datetime64_any_dtype(values):
            out[column] = values.dt.as_unit("us").astype("int64")
    exact = [column for column in out.columns if not pd.api.types.is_float_dtype(out[column])]
    order = pd.DataFrame({column: out[column].astype(str) for column in exact})
    for column in set(out.columns) - set(exact):
        order[column] = out[column].round(6)
    columns = [*exact, *sorted(set(out.columns) - set(exact))]
    return out.loc[order.sort_values(columns, kind="stable").index].reset_index(drop=True)


def disagreements(left: Mapping[str, pd.DataFrame], right: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """Return what differs, per relation; empty when both hold the same rows."""
    found = {name: differences(rows, right[name]) for name, rows in left.items()}
    return {name: lines for name, lines in found.items() if lines}
