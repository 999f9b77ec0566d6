"""How well signals foretell within a range of sessions: for the tear sheet. Nothing that decides reads this."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pas_lib import clock as calendar
from pas_lib.errors import TableMissing
from pas_lib.pipeline import marts
from pas_lib.warehouse import Warehouse

#: Less than this is no deviation, as in ``marts.signal_summary``.
_FLAT = 1e-12


def read_research(warehouse: Warehouse, strategies: Sequence[str], start: date, end: date) -> pd.DataFrame | None:
    """Return the figures of ``marts.signal_summary`` over a range: what was bought and came to its end within it.

    Parameters
    ----------
    warehouse
        With the marts of signal research.
    strategies
        Ids.
    start, end
        First session in which something is bought (signals are of the evening before), last one that is looked at: a
        window of 21 sessions counts for signals of 21 sessions before `end` and earlier.

    Returns
    -------
    DataFrame or None
        A row per strategy and window; None where the marts have not been built yet.
    """
    first = calendar.previous_session(start)
    try:
        windows = marts.read(
            warehouse,
            "select strategy, session, from_day, to_day, names, information_coefficient as ic,"
            " quantile_spread as spread from marts.signal_research"
            " where strategy in ({names}) and session between {first} and {end}",
            bulk=True,
            names=list(strategies),
            first=first,
            end=end,
        )
        turned = marts.read(
            warehouse,
            "select strategy, rank_autocorrelation, new_share from marts.signal_turnover"
            " where strategy in ({names}) and previous_session >= {first} and session <= {end}",
            bulk=True,
            names=list(strategies),
            first=first,
            end=end,
        )
    except TableMissing:
        return None
    known = calendar.sessions(first, end)
    last = {day: known[-1 - day] for day in {int(one) for one in windows["to_day"]} if day < len(known)}
    over = [pd.Timestamp(day).date() for day in windows["session"]]
    ended = [day in last and one <= last[day] for one, day in zip(over, windows["to_day"].astype(int), strict=True)]
    return _summed(windows[np.array(ended, dtype=bool)], turned)


def _summed(windows: pd.DataFrame, turned: pd.DataFrame) -> pd.DataFrame:
    changes = turned.groupby("strategy")[["rank_autocorrelation", "new_share"]].mean()
    rows = []
    by_window: Any = windows.groupby(["strategy", "from_day", "to_day"])
    for (strategy, first, last), group in by_window:
        found = group["ic"].to_numpy(dtype=float)
        found = found[~np.isnan(found)]
        deviation = float(found.std(ddof=1)) if len(found) > 1 else np.nan
        deviation = deviation if deviation > _FLAT else np.nan
        mean = float(found.mean()) if len(found) else np.nan
        change = dict(changes.loc[strategy]) if strategy in changes.index else {}
        rows.append(
            {
                "strategy": strategy,
                "from_day": int(first),
                "to_day": int(last),
                "sessions": len(found),
                "names": float(group["names"].mean()),
                "mean_ic": mean,
                "ic_deviation": deviation,
                "ic_t": mean / deviation * np.sqrt(len(found)),
                "hit_rate": float((found > 0.0).mean()) if len(found) else np.nan,
                "mean_spread": float(group["spread"].astype(float).mean()),
                "rank_autocorrelation": float(change.get("rank_autocorrelation", np.nan)),
                "new_share": float(change.get("new_share", np.nan)),
            }
        )
    return pd.DataFrame(rows)
