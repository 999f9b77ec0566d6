"""What the marts say of how well signals foretell: for the tear sheet. Nothing that decides reads this."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pas_lib.errors import TableMissing
from pas_lib.pipeline import marts
from pas_lib.warehouse import Warehouse


def read_research(warehouse: Warehouse, strategies: Sequence[str]) -> pd.DataFrame | None:
    """Return ``marts.signal_summary`` of some strategies; None where it has not been built yet."""
    try:
        return marts.read(
            warehouse,
            "select strategy, from_day, to_day, sessions, names, mean_ic, ic_deviation, ic_t, hit_rate, mean_spread,"
            " rank_autocorrelation, new_share from marts.signal_summary where strategy in ({names})"
            " order by strategy, from_day, to_day",
            names=list(strategies),
        )
    except TableMissing:
        return None
