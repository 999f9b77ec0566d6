"""Charts as the pages carry them: the numbers, one sentence that says what they show, and the same as a table.

The numbers are those of the API's answers, unrounded; `static/charts.js` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api import models
from api.pages import money, percent, plain, signed_percent
from api.performance import AllocationHistory, Performance

#: Rows of a chart's table: the newest ones; the API has the others.
TABLE = 30
#: Sessions below which a correlation says nothing, and is left out of the chart.
ENOUGH = 20


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes
    ----------
    key : str
        Which one; `charts.js` has a function of that name.
    summary : str
        What a person who cannot see it is told.
    data : dict
        Its numbers.
    columns, rows : list
        The same as a table, the newest first; formatted.
    """

    key: str
    summary: str
    data: dict[str, Any]
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


def performance(found: Performance) -> Chart:
    """Return equity and drawdown against the benchmark."""
    points = found.records
    last = points[-1]
    text = (
        f"Since {points[0].session} the account made {signed_percent(last.growth - 1.0, 2)} and is worth"
        f" {money(last.equity)}; its deepest drawdown was {percent(min(p.drawdown for p in points), 2)}."
    )
    if last.benchmark_growth is not None:
        deepest = min(p.benchmark_drawdown or 0.0 for p in points)
        text += (
            f" The same money in {found.benchmark} made {signed_percent(last.benchmark_growth - 1.0, 2)},"
            f" with a drawdown of {percent(deepest, 2)}."
        )
    return Chart(
        key="performance",
        summary=text,
        data={
            "benchmark": found.benchmark,
            "x": [p.session.isoformat() for p in points],
            "equity": [p.equity for p in points],
            "benchmark_equity": [p.benchmark_equity for p in points],
            "drawdown": [p.drawdown for p in points],
            "benchmark_drawdown": [p.benchmark_drawdown for p in points],
        },
        columns=["Session", "Equity", f"In {found.benchmark}", "Drawdown", f"Drawdown of {found.benchmark}"],
        rows=[
            [
                p.session.isoformat(),
                money(p.equity),
                money(p.benchmark_equity),
                percent(p.drawdown, 2),
                percent(p.benchmark_drawdown, 2),
            ]
            for p in reversed(points[-TABLE:])
        ],
    )


def allocation(found: AllocationHistory, names: dict[str, str]) -> Chart:
    """Return the shares of equity by session, the largest of the last session first."""
    points = found.records
    last = points[-1]
    ids = sorted(
        {one for p in points for one, share in p.shares.items() if share},
        key=lambda one: (-last.shares.get(one, 0.0), one),
    )
    largest = [f"{names.get(one, one)} {percent(last.shares.get(one, 0.0))}" for one in ids[:3]]
    return Chart(
        key="allocation",
        summary=(
            f"At {last.session} the largest shares of equity go to {', '.join(largest)}; {percent(last.cash)} is cash."
            f" {len(points)} session{'s' if len(points) > 1 else ''} since {points[0].session}."
        ),
        data={
            "x": [p.session.isoformat() for p in points],
            "series": [
                {"id": one, "name": names.get(one, one), "y": [p.shares.get(one) for p in points]} for one in ids
            ],
            "cash": [p.cash for p in points],
        },
        columns=["Session", *(names.get(one, one) for one in ids), "Cash"],
        rows=[
            [p.session.isoformat(), *(percent(p.shares.get(one)) for one in ids), percent(p.cash)]
            for p in reversed(points[-TABLE:])
        ],
    )


def sectors(found: models.SectorExposure) -> Chart:
    """Return the exposure by sector."""
    first = found.records[0]
    return Chart(
        key="sectors",
        summary=(
            f"Up to {found.session} the decisions aim at {len(found.records)} sectors, {first.sector} the most with"
            f" {percent(first.weight)} of managed equity; {percent(found.gross)} together."
        ),
        data={
            "sectors": [one.sector for one in found.records],
            "weights": [one.weight for one in found.records],
            "symbols": [one.symbols for one in found.records],
        },
        columns=["Sector", "Share of equity", "Symbols"],
        rows=[[one.sector, percent(one.weight), str(one.symbols)] for one in found.records],
    )


def correlation(found: models.CorrelationList, names: dict[str, str]) -> Chart:
    """Return the correlations of the portfolios' model returns as a square."""
    ids = found.portfolios
    value = {
        (one.portfolio_a, one.portfolio_b): one.correlation if one.n_obs >= ENOUGH else None for one in found.records
    }
    short = sum(1 for one in found.records if one.portfolio_a < one.portfolio_b and one.n_obs < ENOUGH)
    square = [[value.get((a, b)) for b in ids] for a in ids]
    pairs = sorted(
        ((v, a, b) for (a, b), v in value.items() if a < b and v is not None), key=lambda pair: (-pair[0], pair[1:])
    )
    text = f"Correlations of {len(ids)} portfolios' daily model returns at {found.as_of}."
    if pairs:
        high, low = pairs[0], pairs[-1]
        text += (
            f" Closest: {names.get(high[1], high[1])} and {names.get(high[2], high[2])} ({plain(high[0])});"
            f" furthest apart: {names.get(low[1], low[1])} and {names.get(low[2], low[2])} ({plain(low[0])})."
        )
    if short:
        text += f" {short} pairs with fewer than {ENOUGH} common sessions are left blank."
    return Chart(
        key="correlation",
        summary=text,
        data={"names": [names.get(one, one) for one in ids], "ids": ids, "z": square},
        columns=["", *(names.get(one, one) for one in ids)],
        rows=[[names.get(one, one), *(plain(v) for v in line)] for one, line in zip(ids, square, strict=True)],
    )


def growth(series: list[dict[str, Any]]) -> Chart:
    """Return the growth of 1 of each portfolio's model."""
    ends = sorted(series, key=lambda one: (-one["y"][-1], one["name"]))
    best, last = ends[0], ends[-1]
    return Chart(
        key="growth",
        summary=(
            f"Growth of 1 in {len(series)} models from {best['x'][0]} to {best['x'][-1]}: best {best['name']} with"
            f" {plain(best['y'][-1])}, last {last['name']} with {plain(last['y'][-1])}."
        ),
        data={"series": ends},
        columns=["Portfolio", "From", "To", "Growth of 1"],
        rows=[[one["name"], one["x"][0], one["x"][-1], plain(one["y"][-1], 3)] for one in ends],
    )


def regime(found: models.RegimeAnswer) -> Chart:
    """Return crisis indicator and exposure scale by session."""
    points = found.records
    last = points[-1]
    lowest = min(points, key=lambda p: p.scale)
    return Chart(
        key="regime",
        summary=(
            f"At {last.session} the crisis indicator is {plain(last.cci)} and the exposure scale S {plain(last.scale)}."
            f" S was lowest at {lowest.session} with {plain(lowest.scale)}, within {len(points)} sessions."
        ),
        data={
            "x": [p.session.isoformat() for p in points],
            "cci": [p.cci for p in points],
            "scale": [p.scale for p in points],
        },
        columns=["Session", "Crisis indicator", "Exposure scale S"],
        rows=[[p.session.isoformat(), plain(p.cci), plain(p.scale)] for p in reversed(points[-TABLE:])],
    )


#: What the stress series are, in words.
SERIES = {
    "VIXCLS": "Expected volatility (VIX)",
    "DEXUSEU": "Dollar per euro",
    "DGS1MO": "Treasury 1 month",
    "DGS5": "Treasury 5 years",
    "DGS10": "Treasury 10 years",
    "DGS30": "Treasury 30 years",
    "FEDFUNDS": "Federal funds rate",
    "CPIAUCSL": "Consumer prices",
    "UNRATE": "Unemployment",
    "GDPC1": "Real output (GDP)",
    "INDPRO": "Industrial production",
    "UMCSENT": "Consumer sentiment",
}


def parts(found: models.Regime) -> Chart:
    """Return what each series adds to the crisis indicator: its weight times its z-score where that is positive.

    Weights of series that are lost are spread over the others, as in the indicator itself.
    """
    from pas_lib.regime.series import WEIGHTS

    scores: dict[str, float | None] = dict(found.parts or {})
    known = sum(WEIGHTS.get(name, 0.0) for name, z in scores.items() if z is not None)
    lines = [
        (
            name,
            z,
            WEIGHTS.get(name, 0.0),
            max(z, 0.0) * WEIGHTS.get(name, 0.0) / known if z is not None and known else None,
        )
        for name, z in scores.items()
    ]
    lines.sort(key=lambda line: (-(line[3] or 0.0), line[0]))
    top = [f"{SERIES.get(name, name)} {plain(adds)}" for name, _, _, adds in lines[:3] if adds]
    return Chart(
        key="parts",
        summary=(
            f"Of the indicator's {plain(found.cci)} at {found.session}"
            + (f", the most comes from {', '.join(top)}." if top else " no series adds anything.")
        ),
        data={
            "ids": [line[0] for line in lines],
            "names": [SERIES.get(line[0], line[0]) for line in lines],
            "adds": [line[3] for line in lines],
            "z": [line[1] for line in lines],
        },
        columns=["Series", "Id", "Weight", "z", "Adds"],
        rows=[
            [SERIES.get(name, name), name, percent(weight, 0), plain(z), plain(adds, 3)]
            for name, z, weight, adds in lines
        ],
    )
