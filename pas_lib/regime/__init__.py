"""Crisis indicator and exposure scale: pure functions of macro series as known."""

from pas_lib.regime.indicator import (
    FLOOR,
    UNKNOWN_SCALE,
    WINDOW,
    Regime,
    crisis_indicator,
    exposure_scale,
    regime_at,
    regime_history,
    rolling_z,
    stress_frame,
)
from pas_lib.regime.series import SERIES, WEIGHTS, StressSeries

__all__ = [
    "FLOOR",
    "SERIES",
    "UNKNOWN_SCALE",
    "WEIGHTS",
    "WINDOW",
    "Regime",
    "StressSeries",
    "crisis_indicator",
    "exposure_scale",
    "regime_at",
    "regime_history",
    "rolling_z",
    "stress_frame",
]
