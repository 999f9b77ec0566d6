"""The page of the models: the best scores and how they moved, model returns, their correlations and statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api import models, queries
from api.store import Reader
from api.views import charts
from api.views.charts import Chart
from api.views.frame import Frame, Panel, frame, panel

#: Sessions of the model returns that are shown.
HISTORY = 504


@dataclass(frozen=True)
class Research:
    """Everything on the page."""

    frame: Frame
    scores: Panel[models.TopScores]
    metrics: Panel[list[models.Metrics]]
    names: dict[str, str]
    growth: Panel[Chart | None]
    correlation: Panel[Chart | None]

    @property
    def charts(self) -> list[Chart]:
        """The charts that can be drawn."""
        return [one for one in (self.growth.content, self.correlation.content) if one is not None]


def build(reader: Reader) -> Research:
    """Return the page's content.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    rows = reader.records("select portfolio_id, name from ops.portfolios order by portfolio_id")
    names = {row["portfolio_id"]: row["name"] for row in rows}
    return Research(
        frame=frame(reader),
        scores=panel(reader, queries.top_scores),
        metrics=panel(reader, _metrics),
        names=names,
        growth=panel(reader, lambda r: _growth(r, names)),
        correlation=panel(reader, lambda r: _correlation(r, names)),
    )


def _metrics(reader: Reader) -> list[models.Metrics]:
    ids = [str(row[0]) for row in reader.fetch("select portfolio_id from ops.portfolios order by portfolio_id").rows]
    return [record for one in (queries.ALL, *ids) for record in queries.metrics(reader, one).records]


def _correlation(reader: Reader, names: dict[str, str]) -> Chart | None:
    found = queries.correlations(reader)
    return charts.correlation(found, names) if len(found.portfolios) > 1 else None


def _growth(reader: Reader, names: dict[str, str]) -> Chart | None:
    """Return the growth of 1 in each portfolio's model, over the latest sessions."""
    rows = reader.records(
        "select portfolio_id, session, model_return from marts.model_returns"
        " where session >= (select min(session) from ("
        "   select distinct session from marts.model_returns order by session desc limit %(n)s) w)"
        " order by portfolio_id, session",
        {"n": HISTORY},
    )
    series: dict[str, dict[str, Any]] = {}
    for row in rows:
        portfolio_id = row["portfolio_id"]
        one = series.setdefault(portfolio_id, {"id": portfolio_id, "name": names.get(portfolio_id, portfolio_id)})
        x, y = one.setdefault("x", []), one.setdefault("y", [])
        x.append(row["session"].isoformat())
        y.append((y[-1] if y else 1.0) * (1.0 + (row["model_return"] or 0.0)))
    return charts.growth(list(series.values())) if series else None
