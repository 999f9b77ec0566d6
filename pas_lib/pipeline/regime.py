"""The regime of each session: crisis indicator and exposure scale from macro values as they were known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa

from pas_lib.errors import PasError, WarehouseError
from pas_lib.pipeline import marts
from pas_lib.regime import regime_history, rolling_z, stress_frame
from pas_lib.warehouse import Warehouse, copy_arrow


@dataclass(frozen=True)
class RegimeState:
    """The regime of one session.

    Attributes
    ----------
    session
        Which session.
    cci
        Crisis indicator; NaN when nothing is known.
    scale
        Exposure scale S in [0.3, 1].
    parts
        Series -> z-score that day (None: no score).
    note
        Which series were held at their last z, or lost; empty when all speak.
    is_stored
        True when this is what was stored at the time, False when it was computed just now.
    """

    session: date
    cci: float
    scale: float
    parts: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""
    is_stored: bool = False


def compute_regimes(warehouse: Warehouse, session: date) -> list[RegimeState]:
    """Work out the regime of every session that has macro values, up to `session`; nothing is written.

    Raises
    ------
    WarehouseError
        When ``marts.regime_inputs`` is missing, or does not reach the session.
    """
    rows = marts.read(
        warehouse,
        "select session, series_id, value, value_year_before, value_known_at from marts.regime_inputs"
        " where session <= {session} order by session",
        bulk=True,
        session=session,
    )
    last = marts.as_date(rows["session"].max()) if len(rows) else None
    if last != session:
        raise WarehouseError(
            f"macro values go up to {last}, not to {session}", hint=f"run `pas build --as-of {session}`"
        )
    known = rows.pivot(index="session", columns="series_id", values="value").astype(float)
    year_before = rows.pivot(index="session", columns="series_id", values="value_year_before").astype(float)
    known_at = rows.pivot(index="session", columns="series_id", values="value_known_at")
    known.index = year_before.index = known_at.index = pd.DatetimeIndex(known.index)
    stress = stress_frame(known, known_at, year_before)
    history = regime_history(stress)
    z = rolling_z(stress)
    states = []
    scores = z.to_numpy(dtype=float)
    records = history.to_dict("records")
    # Macro values are observed on days that are no sessions, too; decisions are made at sessions.
    is_session = pd.DatetimeIndex(history.index).isin(known.index)
    for i, (stamp, row) in enumerate(zip(pd.DatetimeIndex(history.index), records, strict=True)):
        if not is_session[i]:
            continue
        notes = [f"{what}: {row[what]!s}" for what in ("held", "lost") if row[what]]
        if math.isnan(float(row["cci"])):
            notes.append("nothing known")
        states.append(
            RegimeState(
                stamp.date(),
                float(row["cci"]),
                float(row["scale"]),
                {
                    str(name): None if np.isnan(value) else float(value)
                    for name, value in zip(z.columns, scores[i], strict=True)
                },
                "; ".join(notes),
            )
        )
    return states


def regime_as_of(warehouse: Warehouse, session: date, *, research: bool = False) -> RegimeState:
    """Return the regime of a session: what was stored, or (research) what comes out of the marts as they are now.

    Raises
    ------
    PasError
        When nothing is stored for the session.
    WarehouseError
        When it is to be computed and the marts do not reach the session.
    """
    if research:
        return compute_regimes(warehouse, session)[-1]
    rows = warehouse.rows(
        "select session, cci, scale, parts, note from ops.regime_history where session = %s", (session,)
    )
    if not rows:
        newest = warehouse.rows("select max(session) as session from ops.regime_history")[0]["session"]
        told = f"; the newest is of {newest}" if newest else ""
        raise PasError(f"no regime is stored for {session}{told}", hint="run `pas decide`, or add --research")
    row = rows[0]
    cci = math.nan if row["cci"] is None else float(row["cci"])
    return RegimeState(row["session"], cci, float(row["scale"]), dict(row["parts"]), str(row["note"]), True)


def store_regimes(conn: psycopg.Connection[Any], states: list[RegimeState], *, now: datetime) -> int:
    """Append the sessions that are not stored yet; returns how many. Nothing is committed here."""
    have = {row[0] for row in conn.execute("select session from ops.regime_history").fetchall()}
    new = [state for state in states if state.session not in have]
    if not new:
        return 0
    table = pa.table(
        {
            "session": pa.array([state.session for state in new], pa.date32()),
            "cci": pa.array([None if math.isnan(state.cci) else state.cci for state in new], pa.float64()),
            "scale": pa.array([state.scale for state in new], pa.float64()),
            "parts": pa.array([json.dumps(dict(state.parts)) for state in new]),
            "note": pa.array([state.note for state in new]),
            "computed_at": pa.array([now] * len(new), pa.timestamp("us", tz="UTC")),
        }
    )
    return copy_arrow(conn, table, "ops.regime_history")
