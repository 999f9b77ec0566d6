"""The stress series in one place: transform, the sign that means stress, weight, and how long a value stays usable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transform = Literal["level", "change_63", "change_12m", "difference_12m"]


@dataclass(frozen=True)
class StressSeries:
    """One FRED series of the crisis indicator.

    Attributes
    ----------
    series_id : str
        FRED id.
    transform : {"level", "change_63", "change_12m", "difference_12m"}
        ``change_63``: difference over 63 daily observations; ``change_12m``: relative change over twelve months;
        ``difference_12m``: difference over twelve months.
    sign : int
        +1 when a high transformed value means stress, -1 when a low one does.
    weight : float
        Share in the indicator; all weights add to 1.
    fresh_days : int
        Calendar days after which the next value is overdue (its usual distance plus slack); the series then counts
        as missing.
    max_age_days : int
        Calendar days after which a missing series may no longer speak with its last z.
    """

    series_id: str
    transform: Transform
    sign: int
    weight: float
    fresh_days: int
    max_age_days: int


#: Daily series are overdue after ten days (holidays), monthly ones after 50, quarterly ones after 110.
SERIES: tuple[StressSeries, ...] = (
    StressSeries("VIXCLS", "level", +1, 0.20, 10, 30),
    StressSeries("DEXUSEU", "change_63", -1, 0.05, 17, 45),
    StressSeries("DGS1MO", "change_63", -1, 0.05, 10, 30),
    StressSeries("DGS5", "change_63", -1, 0.05, 10, 30),
    StressSeries("DGS10", "change_63", -1, 0.10, 10, 30),
    StressSeries("DGS30", "change_63", -1, 0.10, 10, 30),
    StressSeries("FEDFUNDS", "change_63", -1, 0.10, 50, 100),
    StressSeries("CPIAUCSL", "change_12m", +1, 0.10, 50, 100),
    StressSeries("UNRATE", "difference_12m", +1, 0.10, 50, 100),
    StressSeries("GDPC1", "change_12m", -1, 0.05, 110, 200),
    StressSeries("INDPRO", "change_12m", -1, 0.05, 50, 100),
    StressSeries("UMCSENT", "level", -1, 0.05, 50, 100),
)

#: Weight by series id.
WEIGHTS: dict[str, float] = {series.series_id: series.weight for series in SERIES}
