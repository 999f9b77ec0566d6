"""What was known of securities as time goes by: sector, kind and leverage, read once for a whole history."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from pas_lib.pipeline import marts
from pas_lib.pipeline.sizing import SecurityInfo
from pas_lib.warehouse import Warehouse


class Register:
    """The rows of ``raw.securities`` in the order in which they became known.

    Parameters
    ----------
    warehouse
        The store.
    security_ids
        Securities of interest.
    """

    def __init__(self, warehouse: Warehouse, security_ids: Iterable[str]) -> None:
        self._rows = marts.read(
            warehouse,
            "select security_id, known_at, sector, asset_class, leverage from raw.securities"
            " where security_id in ({ids}) order by known_at, row_id",
            bulk=True,
            ids=set(security_ids),
        )
        self._known = pd.DatetimeIndex(pd.to_datetime(self._rows["known_at"], utc=True))
        self._at = 0
        self.sector: dict[str, str] = {}
        self.leverage: dict[str, float] = {}
        self._etfs: set[str] = set()

    def advance(self, to: datetime) -> SecurityInfo:
        """Take in what became known up to a time, which never goes back, and return what is known then."""
        until = int(self._known.searchsorted(pd.Timestamp(to), side="right"))
        new = self._rows.iloc[self._at : until]
        columns = [new[name].tolist() for name in ("security_id", "sector", "asset_class", "leverage")]
        for key, sector, kind, leverage in zip(*columns, strict=True):
            if isinstance(sector, str) and sector:
                self.sector[key] = sector
            else:
                self.sector.pop(key, None)
            if kind == "etf":
                self._etfs.add(key)
            else:
                self._etfs.discard(key)
            if leverage is not None and math.isfinite(leverage):
                self.leverage[key] = float(leverage)
            else:
                self.leverage.pop(key, None)
        self._at = max(until, self._at)
        return SecurityInfo(dict(self.sector), frozenset(self._etfs), dict(self.leverage))
