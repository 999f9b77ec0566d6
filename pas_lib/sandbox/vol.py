"""The market's volatility, shared by prices and the volatility index."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

MACRO_START = date(2018, 1, 1)
MACRO_END = date(2027, 12, 31)


def vix_path(seed: int) -> NDArray[np.float64]:
    """Return the volatility index of every calendar day from `MACRO_START` to `MACRO_END`: calm, reverting to 16."""
    rng = np.random.default_rng([seed, 3])
    days = MACRO_END.toordinal() - MACRO_START.toordinal() + 1
    level = 0.0
    path = np.empty(days)
    shocks = rng.normal(0, 1, days)
    for t in range(days):
        level = 0.95 * level + 0.032 * shocks[t]
        path[t] = level
    return np.clip(15.8 * np.exp(path), 10.5, 27.0)
