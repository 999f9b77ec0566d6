"""The page of the risks: crisis indicator with its parts, losses by history, limits, alerts."""

from __future__ import annotations

from dataclasses import dataclass

from api import models, queries, risk
from api.listing import Window
from api.store import Reader
from api.views import charts
from api.views.charts import Chart
from api.views.frame import Frame, Panel, frame, panel

#: Sessions of the crisis indicator that are shown.
HISTORY = 504


@dataclass(frozen=True)
class Dangers:
    """Everything on the page."""

    frame: Frame
    regime: models.RegimeAnswer
    history: Chart | None
    parts: Chart | None
    risk: Panel[models.RiskAnswer]
    seen: list[models.Alert]

    @property
    def charts(self) -> list[Chart]:
        """The charts that can be drawn."""
        return [one for one in (self.history, self.parts) if one is not None]


def build(reader: Reader) -> Dangers:
    """Return the page's content.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    regime = queries.regime(reader, HISTORY)
    return Dangers(
        frame=frame(reader),
        regime=regime,
        history=charts.regime(regime) if len(regime.records) > 1 else None,
        parts=charts.parts(regime.latest) if regime.latest and regime.latest.parts else None,
        risk=panel(reader, lambda r: risk.holdings_risk(r, queries.ALL)),
        seen=risk.alerts(reader, is_open=False, window=Window(limit=20)).records,
    )
