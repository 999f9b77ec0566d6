"""The third clock: a stored decision worked out again from the rows it can have seen, and compared with the stored one.

A copy of the store of record as it was at ``decided_at`` is made in a temporary DuckDB file: raw rows that were known
at the session's decision time and ingested before the decision, books, orders and earlier decisions as they stood. The
real dbt models are built in it, and the code that decides runs on it. Only that file is written, and it is removed.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pas_lib import clock as calendar
from pas_lib.errors import PasError
from pas_lib.pipeline.decide import Made, work_out
from pas_lib.pipeline.differences import Difference, compare, decision_differences, targets_of
from pas_lib.pipeline.records import Decision, decision_inputs, load_decision
from pas_lib.pipeline.regime import RegimeState
from pas_lib.settings import Settings
from pas_lib.strategies import Strategy, StrategyWeights, all_strategies
from pas_lib.warehouse import DuckWarehouse, Warehouse

#: The marts that a decision reads; dbt builds what they need.
_MARTS = ("signals", "daily_returns", "regime_inputs")


@dataclass(frozen=True)
class Recomputation:
    """A decision worked out again.

    Attributes
    ----------
    stored
        As it was stored.
    made
        As it comes out of the rows of its time.
    rows
        Raw rows it was worked out from.
    differences
        All there are, in the order of the steps.
    """

    stored: Decision
    made: Made
    rows: int
    differences: tuple[Difference, ...]

    def of(self, *parts: str, portfolio_id: str | None = None) -> tuple[Difference, ...]:
        """Return the differences of some parts, of one portfolio if it is named."""
        return tuple(
            one
            for one in self.differences
            if one.part in parts and (portfolio_id is None or one.name.split(" ")[0] == portfolio_id)
        )


def recompute(session: date, settings: Settings, warehouse: Warehouse) -> Recomputation:
    """Work out the stored decision of a session again.

    Parameters
    ----------
    session
        A decided session.
    settings
        For places; what decides is taken from the decision itself, where it was stored with it.
    warehouse
        The store of record.

    Returns
    -------
    Recomputation

    Raises
    ------
    PasError
        When nothing was decided at the session.
    WarehouseUnavailable
        When the store of record cannot be reached.
    DbtError
        When a model fails on the rows of that time.
    """
    stored = load_decision(warehouse, session) or load_decision(warehouse, session, "replay")
    if stored is None:
        raise PasError(
            f"nothing was decided at {session}: there is no moment whose rows could be taken",
            hint="--research works it out from what is known now",
        )
    inputs = decision_inputs(warehouse, stored.decision_id)
    then = settings.model_copy(update=dict(inputs.get("settings", {})))
    part = _strategies_of(warehouse, stored.decided_at)
    with as_it_was(warehouse, stored, then, inputs) as (copy, rows):
        made = work_out(session, then, copy, stored.origin, stored.decided_at, part)
    return Recomputation(stored, made, rows, tuple(_differences(warehouse, stored, made)))


def recompute_made_at(computed_at: datetime, settings: Settings, warehouse: Warehouse, what: str) -> Recomputation:
    """Work out the decision again that stored something at a time; see `recompute`.

    Raises
    ------
    PasError
        When no decision was made at that time.
    """
    rows = warehouse.rows("select session from ops.decisions where decided_at = %s and origin = 'live'", (computed_at,))
    if not rows:
        raise PasError(
            f"{what} was stored at {computed_at:%Y-%m-%d %H:%M:%SZ}, when nothing was decided: it cannot be recomputed"
        )
    return recompute(rows[0]["session"], settings, warehouse)


def weights_again(
    stored: StrategyWeights, settings: Settings, warehouse: Warehouse
) -> tuple[StrategyWeights, tuple[Difference, ...]]:
    """Work out stored model weights again, with the rows of the decision that made them.

    Parameters
    ----------
    stored
        As read from the store.

    Returns
    -------
    tuple
        The weights as they come out, and how they differ from the stored ones.

    Raises
    ------
    PasError
        When no decision made them, or they do not come out at all.
    """
    (row,) = warehouse.rows(
        "select max(computed_at) as at from ops.model_weights where portfolio_id = %s and session = %s",
        (stored.strategy, stored.session),
    )
    what = f"the weights of {stored.strategy} of {stored.session}"
    again = recompute_made_at(row["at"], settings, warehouse, what)
    for item in again.made.model.new_weights:
        if (item.strategy, item.session) == (stored.strategy, stored.session):
            head = f"{stored.strategy} {stored.session} "
            return item, tuple(one for one in again.of("weight") if one.name.startswith(head))
    raise PasError(f"{what} do not come out of the rows of {row['at']:%Y-%m-%d %H:%MZ}")


def regime_again(session: date, settings: Settings, warehouse: Warehouse) -> tuple[RegimeState, tuple[Difference, ...]]:
    """Work out the stored regime of a session again; as `weights_again`."""
    (row,) = warehouse.rows("select computed_at as at from ops.regime_history where session = %s", (session,))
    again = recompute_made_at(row["at"], settings, warehouse, f"the regime of {session}")
    for state in again.made.regimes:
        if state.session == session:
            return state, tuple(one for one in again.of("regime") if one.name.startswith(f"{session} "))
    raise PasError(f"the regime of {session} does not come out of the rows of {row['at']:%Y-%m-%d %H:%MZ}")


def _strategies_of(warehouse: Warehouse, at: datetime) -> list[Strategy]:
    """Return the strategies that there were: each has a portfolio from its first decision on."""
    rows = warehouse.rows("select portfolio_id from ops.portfolios where created_at <= %s", (at,))
    there = {str(row["portfolio_id"]) for row in rows}
    return [one for one in all_strategies() if one.id in there]


# -------------------------------------------------------------------------------------- the store as it was


@contextmanager
def as_it_was(
    warehouse: Warehouse, decision: Decision, settings: Settings, inputs: Mapping[str, Any]
) -> Iterator[tuple[DuckWarehouse, int]]:
    """Make a copy of the store as a decision found it, with marts built for its session; removed at the end.

    Parameters
    ----------
    warehouse
        The store of record.
    decision
        Its session and ``decided_at`` are where the copy is cut.
    settings
        For dbt.
    inputs
        What was stored with the decision: ``sources`` that staging read, ``raw``, dataset -> newest row number at the
        decision, for rows that came in the same moment. What is missing is taken from the settings, or not looked at.

    Yields
    ------
    tuple
        The copy, and its number of raw rows.
    """
    import duckdb

    from pas_lib.dbt import Dbt
    from pas_lib.warehouse.mirror import extract

    with _place(settings) as folder:
        path = folder / "recompute.duckdb"
        sent = extract(path, warehouse, _cut(decision, inputs.get("raw", {})))
        with duckdb.connect(str(path)) as conn:
            conn.execute("set timezone = 'UTC'")
            _set_back(conn, decision.decided_at)
        dbt = Dbt.from_settings(settings)
        read = inputs.get("sources", dbt.read_sources)
        dbt = replace(dbt, url=str(path), target="duckdb", work_dir=folder / "dbt", read_sources=read)
        dbt.build(decision.session, data_tests=False, select=[f"+{name}" for name in _MARTS])
        with DuckWarehouse(path).kept_open() as copy:
            yield copy, sum(count for name, count in sent.items() if name.startswith("raw."))


@contextmanager
def _place(settings: Settings) -> Iterator[Path]:
    """Give a folder for the copy: always the same one, because dbt parses its project anew for another path.

    Where somebody else works in it, or nothing can be written there, it is one that goes away.
    """
    import fcntl

    folder = settings.home / "recompute"
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((folder / "lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pas-recompute-")))
        copies = (folder / "recompute.duckdb", folder / "recompute.duckdb.wal")
        # A run that was killed leaves its copy.
        for each in copies:
            each.unlink(missing_ok=True)
        try:
            yield folder
        finally:
            for each in copies:
                each.unlink(missing_ok=True)


def _cut(decision: Decision, known: Mapping[str, int]) -> Callable[[str], str | None]:
    """Return the condition for each table: what was there when the decision was made."""
    at = f"timestamptz '{decision.decided_at.isoformat()}'"
    evening = f"timestamptz '{calendar.decision_time(decision.session).isoformat()}'"
    # A live decision stores what it works out under its own time; a replay stores nothing of that and finds it.
    before = f"< {at}" if decision.origin == "live" else f"<= {at}"
    ops = {
        "sessions": "true",
        "portfolios": f"created_at <= {at}",
        "portfolio_events": f"at <= {at}",
        "manual_weights": f"set_at <= {at}",
        "decisions": f"decided_at < {at}",
        "alloc_log": f"logged_at < {at}",
        "model_weights": f"computed_at {before}",
        "simulated_returns": f"computed_at {before}",
        "regime_history": f"computed_at {before}",
        "ledger_bindings": f"bound_at <= {at}",
        "ledger_entries": f"recorded_at <= {at}",
        "order_plans": f"created_at <= {at}",
        "intents": f"created_at <= {at}",
        "orders": f"created_at <= {at}",
        "order_events": f"at <= {at}",
    }

    def condition(table: str) -> str | None:
        schema, _, name = table.partition(".")
        if schema == "raw":
            newest = f" and row_id <= {known[name]}" if name in known else ""
            return f"known_at <= {evening} and ingested_at <= {at}{newest}"
        return ops.get(name) if schema == "ops" else None

    return condition


def _set_back(conn: Any, at: datetime) -> None:
    """Give the rows that are kept up to date the state they had."""
    conn.execute(
        "update ops.portfolios set status = case when portfolio_id in ("
        " select portfolio_id from ops.portfolio_events where event in ('closed', 'reopened')"
        " group by portfolio_id having arg_max(event, event_id) = 'closed') then 'closed' else 'active' end"
    )
    conn.execute(
        "update ops.orders set state = newest.state from (select client_order_id, arg_max(state, event_id) as state"
        " from ops.order_events group by client_order_id) newest where orders.client_order_id = newest.client_order_id"
    )
    conn.execute("update ops.orders set broker_order_id = null where sent_at is null or sent_at > ?", [at])
    conn.execute(
        "update ops.ledger_bindings set is_active ="
        " binding_id = (select arg_max(binding_id, bound_at) from ops.ledger_bindings)"
    )


# ------------------------------------------------------------------------------------------- the comparison


def _differences(warehouse: Warehouse, stored: Decision, made: Made) -> Iterator[Difference]:
    again = made.decision
    if stored.origin == "live":
        yield from compare("weight", _stored_weights(warehouse, stored.decided_at), _new_weights(made), absolute=True)
        yield from compare("model return", _stored_returns(warehouse, stored.decided_at), _new_returns(made))
        yield from compare("regime", _stored_regimes(warehouse, stored.decided_at), _new_regimes(warehouse, made))
    yield from decision_differences(stored, again)
    if stored.origin == "live":
        yield from compare("history", _weight_history(warehouse, stored), targets_of(again), absolute=True)


def _stored_weights(warehouse: Warehouse, at: datetime) -> dict[str, float | str | None]:
    rows = warehouse.rows(
        "select portfolio_id, session, symbol, weight from ops.model_weights where computed_at = %s", (at,)
    )
    return {f"{row['portfolio_id']} {row['session']} {row['symbol']}": float(row["weight"]) for row in rows}


def _new_weights(made: Made) -> dict[str, float | str | None]:
    from pas_lib.pipeline.model import CASH_SYMBOL

    out: dict[str, float | str | None] = {}
    for item in made.model.new_weights:
        head = f"{item.strategy} {item.session}"
        out |= {f"{head} {symbol}": float(weight) for symbol, weight in item.by_symbol().items()}
        if item.weights.empty:
            out[f"{head} {CASH_SYMBOL}"] = 1.0
    return out


def _stored_returns(warehouse: Warehouse, at: datetime) -> dict[str, float | str | None]:
    rows = warehouse.rows(
        "select portfolio_id, session, model_return from ops.simulated_returns where computed_at = %s", (at,)
    )
    return {f"{row['portfolio_id']} {row['session']}": float(row["model_return"]) for row in rows}


def _new_returns(made: Made) -> dict[str, float | str | None]:
    return {
        f"{name} {day.date()}": float(value)
        for name, path in made.model.new_returns.items()
        for day, value in zip(pd.DatetimeIndex(path.index), path["model_return"], strict=True)
    }


def _stored_regimes(warehouse: Warehouse, at: datetime) -> dict[str, float | str | None]:
    rows = warehouse.rows("select session, cci, scale from ops.regime_history where computed_at = %s", (at,))
    out: dict[str, float | str | None] = {}
    for row in rows:
        out[f"{row['session']} CCI"] = math.nan if row["cci"] is None else float(row["cci"])
        out[f"{row['session']} S"] = float(row["scale"])
    return out


def _new_regimes(warehouse: Warehouse, made: Made) -> dict[str, float | str | None]:
    rows = warehouse.rows("select session from ops.regime_history where computed_at < %s", (made.decision.decided_at,))
    before = {row["session"] for row in rows}
    out: dict[str, float | str | None] = {}
    for state in made.regimes:
        if state.session not in before:
            out[f"{state.session} CCI"] = state.cci
            out[f"{state.session} S"] = state.scale
    return out


def _weight_history(warehouse: Warehouse, one: Decision) -> dict[str, float | str | None]:
    rows = warehouse.rows(
        "select portfolio_id, symbol, share from ops.weight_history where decision_id = %s", (one.decision_id,)
    )
    return {f"{row['portfolio_id']} {row['symbol']}": float(row["share"]) for row in rows}
