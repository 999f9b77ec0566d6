"""The crisis indicator over years: a table by year, and a picture in one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pas_lib.errors import PasError

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Pixels: a chart, a row of the table, between two of them, and around all.
_CHART, _TABLE_ROW, _GAP, _MARGINS = 330, 22, 70, 180

#: Drawn where they lie within the history.
CRISES: tuple[tuple[str, str, str], ...] = (
    ("2008-09-15", "2009-03-09", "2008"),
    ("2011-08-01", "2011-10-03", "2011"),
    ("2020-02-20", "2020-04-30", "2020"),
    ("2022-01-03", "2022-10-12", "2022"),
)


def yearly(history: pd.DataFrame) -> pd.DataFrame:
    """Return what the scale did year by year.

    Parameters
    ----------
    history : DataFrame
        Sessions x (cci, scale), as `pas_lib.regime.regime_history` gives it.

    Returns
    -------
    DataFrame
        Index year; `highest_cci`, `lowest_scale`, `days_below_1` (a fraction of the sessions whose indicator is known)
        and `sessions`.

    Raises
    ------
    PasError
        When there is nothing to tell.
    """
    known = history.dropna(subset=["cci"])
    if known.empty:
        raise PasError("no session has an indicator yet", hint="a series needs 252 observations first")
    year = pd.DatetimeIndex(known.index).year
    groups = known.groupby(year)
    table = pd.DataFrame(
        {
            "highest_cci": groups["cci"].max(),
            "lowest_scale": groups["scale"].min(),
            "days_below_1": (known["scale"] < 1.0).groupby(year).mean(),
            "sessions": groups.size(),
        }
    )
    table.index.name = "year"
    return table


def draw(history: pd.DataFrame) -> go.Figure:
    """Draw indicator and scale over time above the table by year, which is shown whole.

    Raises
    ------
    PasError
        When there is nothing to draw.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    table = yearly(history)
    known = history.dropna(subset=["cci"])
    days = pd.DatetimeIndex(known.index)
    heights = [_CHART, _CHART, _TABLE_ROW * (len(table) + 2)]
    height = sum(heights) + 2 * _GAP
    figure = make_subplots(
        rows=3,
        cols=1,
        row_heights=heights,
        vertical_spacing=_GAP / height,
        specs=[[{"type": "scatter"}], [{"type": "scatter"}], [{"type": "table"}]],
        subplot_titles=("Crisis indicator (CCI)", "Exposure scale S", "By year"),
    )
    figure.add_trace(go.Scatter(x=days, y=known["cci"], name="CCI", line={"width": 1}), row=1, col=1)
    figure.add_trace(
        go.Scatter(x=days, y=known["scale"], name="S", fill="tozeroy", line={"width": 1}),
        row=2,
        col=1,
    )
    for level in (1.0, 2.0):
        figure.add_hline(y=level, line={"dash": "dot", "width": 1}, row=1, col=1)
    for start, end, name in CRISES:
        if days[0] <= pd.Timestamp(start) and pd.Timestamp(end) <= days[-1]:
            shade = {"x0": start, "x1": end, "fillcolor": "#888", "opacity": 0.15, "line_width": 0}
            figure.add_vrect(**shade, row=1, col=1, annotation_text=name, annotation_position="top left")
            figure.add_vrect(**shade, row=2, col=1)
    figure.add_trace(
        go.Table(
            header={"values": ["year", "highest CCI", "lowest S", "days below 1", "sessions"]},
            cells={
                "values": [
                    [str(year) for year in table.index],
                    [f"{value:.2f}" for value in table["highest_cci"]],
                    [f"{value:.2f}" for value in table["lowest_scale"]],
                    [f"{value:.0%}" for value in table["days_below_1"]],
                    [str(value) for value in table["sessions"]],
                ]
            },
        ),
        row=3,
        col=1,
    )
    figure.update_yaxes(range=[0.0, 1.05], row=2, col=1)
    figure.update_layout(
        title=f"Crisis indicator and exposure scale, {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}",
        height=height + _MARGINS,
        showlegend=False,
        template="plotly_white",
    )
    return figure


def write_html(history: pd.DataFrame, path: Path) -> Path:
    """Write the picture into one file that needs nothing else; return the file.

    Raises
    ------
    PasError
        When there is nothing to draw, or the file cannot be written.
    """
    page = draw(history).to_html(include_plotlyjs=True, full_html=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise PasError(f"{path} cannot be written: {error.strerror}") from None
    return path
