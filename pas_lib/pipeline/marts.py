"""Reads of the marts that the steps after dbt share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql

from pas_lib import clock as calendar
from pas_lib.errors import WarehouseError
from pas_lib.warehouse import Warehouse, trusted


def read(warehouse: Warehouse, statement: str, *, bulk: bool = False, **values: Any) -> pd.DataFrame:
    """Return a query as a frame, its named values quoted by the driver.

    Parameters
    ----------
    statement
        SQL of this code base with ``{name}`` where a value goes; a list or tuple becomes ``a, b, c``.
    bulk
        True reads through Arrow: faster from some ten thousand rows on, slower to connect.
    values
        Dates, times, numbers, texts, or lists of them.

    Raises
    ------
    TableMissing
        When a mart has not been built.
    WarehouseUnavailable
        When PostgreSQL cannot be reached.
    """
    quoted = {name: _quote(value) for name, value in values.items()}
    text = sql.SQL(trusted(statement)).format(**quoted).as_string(None)
    if not bulk:
        text = text.replace("%", "%%")
    return warehouse.frame(text, None if bulk else ())


def _quote(value: Any) -> sql.Composable:
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value)
        return sql.SQL(", ").join([sql.Literal(item) for item in items]) if items else sql.SQL("null")
    return sql.Literal(value)


#: A session with prices of fewer securities than this share of the session before was not collected whole.
LEAST_COVERAGE = 0.8


def require_built(warehouse: Warehouse, session: date) -> None:
    """Refuse to go on when dbt has not been run for the session, or the session's prices are missing or not all there.

    Raises
    ------
    WarehouseError
        Naming which, and up to which session the marts go.
    """
    found = read(
        warehouse,
        "select (select max(session) from marts.regime_inputs) as built,"
        " (select max(session) from marts.daily_returns where session <= {session}) as priced,"
        " (select count(*) from marts.daily_returns where session = {session}) as bars,"
        " (select count(*) from marts.daily_returns where session = {before}) as bars_before",
        session=session,
        before=calendar.previous_session(session),
    ).iloc[0]
    built, priced = as_date(found["built"]), as_date(found["priced"])
    if built is None or built < session:
        raise WarehouseError(f"the marts go up to {built}, not to {session}", hint=f"run `pas build --as-of {session}`")
    if priced != session:
        last = "nor any before" if priced is None else f"the last are of {priced}"
        raise WarehouseError(f"there are no prices of session {session}; {last}", hint="run `pas ingest prices`")
    if found["bars"] < LEAST_COVERAGE * found["bars_before"]:
        raise WarehouseError(
            f"session {session} has prices of {found['bars']} securities, the one before of {found['bars_before']}",
            hint="the site has not published all of them yet: run `pas ingest prices` and `pas build` again",
        )


def as_date(value: Any) -> date | None:
    """Return a database date as `date`; None for a missing one."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return pd.Timestamp(value).date()


def signals(warehouse: Warehouse, strategy_id: str, sessions: Iterable[date]) -> dict[date, pd.DataFrame]:
    """Return the signal rows of a strategy at the given sessions; a session without rows is an empty frame."""
    wanted = list(sessions)
    frame = read(
        warehouse,
        "select session, security_id, symbol, score, rank, until from marts.signals"
        " where strategy = {strategy} and session in ({sessions}) order by session, rank, symbol",
        bulk=len(wanted) > 4,
        strategy=strategy_id,
        sessions=wanted,
    )
    columns = ["security_id", "symbol", "score", "rank", "until"]
    frame = frame.astype({"security_id": object, "symbol": object})
    if frame["until"].isna().all():
        frame["until"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    else:
        frame["until"] = pd.Series([as_date(day) for day in frame["until"]], index=frame.index, dtype=object)
    days = frame["session"].to_numpy().astype("datetime64[D]")
    rows = frame[columns]
    out = {}
    for day in wanted:
        first, last = (
            np.searchsorted(days, np.datetime64(day), "left"),
            np.searchsorted(days, np.datetime64(day), "right"),
        )
        out[day] = rows.iloc[first:last].set_axis(pd.RangeIndex(int(last - first)), axis=0)
    return out


def first_signal_sessions(warehouse: Warehouse) -> dict[str, date]:
    """Return the first session each strategy has a signal for."""
    frame = read(warehouse, "select strategy, min(session) as first from marts.signals group by strategy")
    return {str(row["strategy"]): pd.Timestamp(row["first"]).date() for row in frame.to_dict("records")}


def wide(
    warehouse: Warehouse, columns: Sequence[str], security_ids: Iterable[str], start: date, end: date
) -> list[pd.DataFrame]:
    """Return columns of ``marts.daily_returns``, each with a row per session and a column per security.

    Parameters
    ----------
    columns
        Of `open`, `close`, `adj_open`, `adj_close` and `ret`.
    security_ids
        Securities wanted; one without bars is absent from the result.
    start, end
        First and last session, both included.

    Returns
    -------
    list of DataFrame
        One per column, with the same labels: session dates (datetime64, ascending) and security ids (sorted); NaN
        where a security had no bar.
    """
    frame = read(
        warehouse,
        f"select session, security_id, {', '.join(columns)} from marts.daily_returns"  # noqa: S608 - own column names
        " where security_id in ({ids}) and session between {start} and {end}",
        bulk=True,
        ids=set(security_ids),
        start=start,
        end=end,
    )
    row, sessions = pd.factorize(frame["session"], sort=True)
    column, names = pd.factorize(frame["security_id"].astype(object), sort=True)
    out = []
    for name in columns:
        values = np.full((len(sessions), len(names)), np.nan)
        values[row, column] = frame[name].to_numpy(dtype=float)
        out.append(pd.DataFrame(values, index=session_index(sessions), columns=pd.Index(names, dtype=object)))
    return out


def session_index(days: Iterable[Any]) -> pd.DatetimeIndex:
    """Return sessions as an index of one resolution, so that frames of different origin align."""
    return pd.DatetimeIndex(pd.to_datetime(list(days)), name="session").as_unit("ns")


def dataset_times(warehouse: Warehouse, dataset: str, times: Iterable[datetime]) -> dict[datetime, datetime | None]:
    """Return, for each time, the newest `known_at` of a dataset that is not after it."""
    wanted = sorted(times)
    if not wanted:
        return {}
    table = sql.Identifier("raw", dataset).as_string(None)
    if len(wanted) > 4:
        # Many times at once: one pass over the table instead of one per time.
        stamps = read(warehouse, f"select distinct known_at from {table} order by known_at")["known_at"]  # noqa: S608
        seen = pd.DatetimeIndex(stamps)
        out: dict[datetime, datetime | None] = {}
        for at in wanted:
            position = int(seen.searchsorted(pd.Timestamp(at), side="right"))
            out[at] = seen[position - 1].to_pydatetime() if position else None
        return out
    found = {}
    for at in wanted:
        value = read(
            warehouse,
            f"select max(known_at) as newest from {table} where known_at <= {{at}}",  # noqa: S608
            at=at,
        )["newest"].iloc[0]
        found[at] = None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()
    return found
