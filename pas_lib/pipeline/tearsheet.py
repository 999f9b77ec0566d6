"""One page about a backtest that needs no network: charts, tables, and what they rest on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pas_lib.analytics import performance_summary, rolling_table
from pas_lib.backtest import GONE_AFTER
from pas_lib.errors import PasError
from pas_lib.pipeline.backtest import BOOK, Backtest, BacktestReport
from pas_lib.pipeline.backtest_store import LEAST_SESSIONS, Trials

_TEMPLATE = Path(__file__).with_name("tearsheet.html.j2")
_COLORS = (
    "#1f77b4", "#e07b00", "#2a9d4a", "#c2352b", "#7d5bb5", "#7a5548", "#d562a6", "#12a0ae", "#98931c", "#4f5d75",
    "#8ab6e1", "#f4b860", "#95d5a6",
)  # fmt: skip
_DASHES = ("solid", "dash", "dot")
#: How many strategies' lines show at first; the legend shows the others.
_SHOWN = 6
#: A mean information coefficient of fewer sessions is not shown at first.
_LEAST_SESSIONS = 10
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Windows of signal research that begin at the next open.
_HORIZONS = (1, 5, 21, 63)


def write_tear_sheet(
    path: Path, run: Backtest, trials: Trials, run_id: str, research: pd.DataFrame | None = None
) -> Path:
    """Write a backtest as one HTML file and return its path.

    Parameters
    ----------
    path
        The file; what is there is replaced.
    run, trials, run_id
        The backtest as it was stored.
    research
        From `pas_lib.pipeline.signal_research.read_research` over the same range; None says that its marts have not
        been built.

    Raises
    ------
    PasError
        When the file cannot be written.
    """
    text = tear_sheet(run, trials, run_id, research)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise PasError(f"the tear sheet {path} could not be written: {error.strerror or error}") from None
    return path


def tear_sheet(run: Backtest, trials: Trials, run_id: str, research: pd.DataFrame | None = None) -> str:
    """Return the page; see `write_tear_sheet`."""
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    page = _Page(run)
    template = Environment(autoescape=True).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    noted = [one for one in page.reports if one.note]
    sectors = page.sectors()
    rows = None if research is None or research.empty else research
    charts = {"equity": page.equity(), "rolling": page.rolling(), "turnover": page.turnover(), "gross": page.gross()}
    if run.book is not None:
        charts["book"] = page.book()
    if rows is not None:
        charts["decay"] = page.decay(rows)
    # Inside a script element only a closing tag could end the text.
    figures = json.dumps({"charts": charts, "sectors": [one for _, one in sectors]}, allow_nan=False)
    return template.render(
        title=f"{'A book of ' if run.book is not None else ''}{_count(run)}",
        start=run.start,
        end=run.end,
        run_id=run_id,
        costs=_costs(run),
        benchmark=run.benchmark_symbol,
        table=page.table(trials, noted),
        trials=trials.count,
        luck=f"{trials.best_by_luck:.2f}",
        notes=[f"{_name(one)}: {one.note}; its sites show no past, so that there is none before." for one in noted],
        without=", ".join(run.without),
        months=page.months(),
        month_names=_MONTHS,
        sector_names=[name for name, _ in sectors],
        has_book=run.book is not None,
        book_note=page.book_note(),
        research=page.research(rows) if rows is not None else None,
        is_researched=research is not None,
        horizons=[f"{day} d" for day in _HORIZONS],
        facts=_facts(run, trials),
        parameters=json.dumps(run.parameters, indent=2, default=str),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        figures=figures.replace("</", "<\\/"),
    )


def _count(run: Backtest) -> str:
    names = [one.strategy for one in run.reports if one.strategy != BOOK]
    return names[0] if len(names) == 1 else f"{len(names)} strategies"


def _costs(run: Backtest) -> str:
    parts = [f"{run.parameters['cost_bps']:g} bp commission"]
    if run.parameters["slippage_bps"]:
        parts.append(f"{run.parameters['slippage_bps']:g} bp slippage")
    return " and ".join(parts)


def _name(one: BacktestReport) -> str:
    return "Book" if one.strategy == BOOK else one.strategy


def _facts(run: Backtest, trials: Trials) -> list[tuple[str, str]]:
    gone, parameters = run.coverage, run.parameters
    lost = parameters["delisting_return"]
    rule = (
        f"worth {1 + lost:.0%} of the last close from the {GONE_AFTER}th session without a bar on"
        if lost
        else "held at the last close and sold there when the portfolio trades next"
    )
    names = f" ({', '.join(gone.gone_while_held[:12])})" if gone.gone_while_held else ""
    layers = [name for name, is_on in parameters["layers"].items() if is_on]
    texts = {"allocate": "allocation each week", "cci": "scaled by S of the crisis indicator", "caps": "limits"}
    return [
        (
            "Fills",
            "at the next open, adjusted for splits; dividends are reinvested at the close of the ex-date",
        ),
        ("Costs", f"{_costs(run)}, on the traded value"),
        ("Cash", "earns nothing"),
        ("On top", ", ".join(texts[name] for name in layers) or "nothing: each strategy alone"),
        ("Names that are gone", f"{rule}; what was paid for them is not recorded anywhere"),
        (
            "Coverage of delisted names",
            f"{len(gone.gone_while_held)} of {gone.held} names ever held ended while they were held{names}; of"
            f" {gone.universe} names known, the bars of {gone.ended} have ended, and {gone.without_prices} never had a"
            " price: what those would have done is missing from every figure",
        ),
        (
            "Trials",
            f"{trials.count} configurations so far, this run included; another range of the same is none",
        ),
        ("Code", run.code_version),
        ("Data", f"rows up to {sum(run.data_cut.values()):,} over {len(run.data_cut)} tables (numbers by table below)"),
        ("Random numbers", "none are drawn"),
    ]


class _Page:
    """Figures and tables of a run."""

    def __init__(self, run: Backtest) -> None:
        self.run = run
        self.reports = sorted(run.reports, key=lambda one: one.strategy != BOOK)
        alone = [one for one in self.reports if one.strategy != BOOK]
        # A Sharpe ratio of a few sessions may be anything.
        best = sorted(alone, key=lambda one: (one.n_obs < LEAST_SESSIONS, -_number(one.summary["sharpe"], -math.inf)))[
            :_SHOWN
        ]
        self.shown = {BOOK, *(one.strategy for one in best)}
        self.style = {
            one.strategy: (_COLORS[i % len(_COLORS)], _DASHES[i // len(_COLORS) % len(_DASHES)])
            for i, one in enumerate(alone)
        }
        self.style[BOOK] = ("#101820", "solid")

    # -- tables

    def table(self, trials: Trials, noted: Sequence[BacktestReport]) -> list[dict[str, Any]]:
        rows = []
        for one in self.reports:
            mark = noted.index(one) + 1 if one in noted else ""
            rows.append(
                {
                    "kind": "book" if one.strategy == BOOK else "",
                    "name": _name(one),
                    "mark": mark,
                    "deflated": _percent(trials.deflated[one.strategy], 0),
                    "turnover": f"{one.turnover:.1f}",
                    "cost": _percent(float(one.path["cost"].sum() / len(one.path) * 252.0), 2),
                    "gross": _percent(float(one.path["gross"].mean()), 0),
                    "names": f"{one.names:.1f}",
                    **_figures(one.summary, one.returns),
                }
            )
        market = self.run.benchmark
        if len(market):
            rows.append(
                {
                    "kind": "market",
                    "name": f"{self.run.benchmark_symbol} (benchmark)",
                    "deflated": "",
                    "turnover": "",
                    "cost": "",
                    "gross": "",
                    "names": "",
                    **_figures(performance_summary(market), market),
                }
            )
        return rows

    def months(self) -> list[dict[str, Any]]:
        out = []
        for i, one in enumerate(self.reports):
            growth: dict[tuple[int, int], float] = {}
            for stamp, value in zip(pd.DatetimeIndex(one.returns.index), one.returns.tolist(), strict=True):
                slot = (stamp.year, stamp.month)
                growth[slot] = growth.get(slot, 1.0) * (1.0 + value)
            largest = max(abs(value - 1.0) for value in growth.values()) or 1.0
            years = []
            for year in sorted({slot[0] for slot in growth}):
                own = {slot[1]: value - 1.0 for slot, value in growth.items() if slot[0] == year}
                cells = [_heat(own.get(month), largest) for month in range(1, 13)]
                whole = math.prod(1.0 + value for value in own.values()) - 1.0
                years.append({"year": year, "cells": [*cells, {"text": _percent(whole), "color": ""}]})
            out.append({"name": _name(one), "years": years, "is_open": i == 0})
        return out

    def research(self, rows: pd.DataFrame) -> list[list[str]]:
        out = []
        for name, group in rows.groupby("strategy"):
            windows = {(int(row["from_day"]), int(row["to_day"])): row for row in group.to_dict("records")}
            first = next(iter(windows.values()))
            line = [str(name), str(int(first["sessions"])), f"{_number(first['names']):.0f}"]
            for day in _HORIZONS:
                row = windows.get((0, day), {})
                line += [
                    _plain(row.get("mean_ic"), 3),
                    _plain(row.get("ic_t"), 1),
                    _percent(_number(row.get("mean_spread")), 2),
                ]
            line += [_plain(first["rank_autocorrelation"], 2), _percent(_number(first["new_share"]), 0)]
            out.append(line)
        return out

    def book_note(self) -> str:
        if self.run.book is None:
            return ""
        book = self.run.book
        crossed = float(book.table["crossed"].sum() / len(book.table) * 252.0)
        codes = pd.Series([one.code for _, one in book.breaches], dtype=object).value_counts()
        cuts = ", ".join(f"{code} {number}" for code, number in codes.items()) or "none"
        return (
            f"Shares of equity by portfolio at the close, cash of the portfolio included; what is missing to 100 % is"
            f" cash of none. {len(book.allocations)} allocations; limits that cut: {cuts}; crossed between portfolios"
            f" {crossed:.1f} times the equity a year."
        )

    # -- charts

    def _line(self, one: BacktestReport, values: pd.Series, **more: Any) -> dict[str, Any]:
        color, dash = self.style[one.strategy]
        return {
            "type": "scatter",
            "mode": "lines",
            "name": _name(one),
            "legendgroup": one.strategy,
            "x": _days(values.index),
            "y": _values(values),
            "line": {"color": color, "dash": dash, "width": 3 if one.strategy == BOOK else 1.6},
            "visible": True if one.strategy in self.shown else "legendonly",
            **more,
        }

    def _market(self, values: pd.Series, **more: Any) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": self.run.benchmark_symbol,
            "legendgroup": "benchmark",
            "x": _days(values.index),
            "y": _values(values),
            "line": {"color": "#8893a1", "width": 2, "dash": "dash"},
            **more,
        }

    def equity(self) -> dict[str, Any]:
        data = []
        for one in self.reports:
            growth = (1.0 + one.returns).cumprod()
            fall = growth / growth.cummax().clip(lower=1.0) - 1.0
            data.append(self._line(one, growth))
            data.append(self._line(one, fall, yaxis="y2", showlegend=False))
        if len(self.run.benchmark):
            growth = (1.0 + self.run.benchmark).cumprod()
            data.append(self._market(growth))
            fall = growth / growth.cummax().clip(lower=1.0) - 1.0
            data.append(self._market(fall, yaxis="y2", showlegend=False))
        layout = _layout(560)
        layout["yaxis"] |= {"domain": [0.36, 1.0], "title": {"text": "growth of 1"}, "type": "linear"}
        layout["yaxis2"] = {
            **_axis(), "domain": [0.0, 0.28], "title": {"text": "drawdown"}, "tickformat": ".0%", "anchor": "x",
        }  # fmt: skip
        layout["xaxis"] |= {"anchor": "y2"}
        layout["updatemenus"] = [
            {
                "type": "buttons",
                "direction": "right",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "showactive": True,
                "buttons": [
                    {"label": "linear", "method": "relayout", "args": [{"yaxis.type": "linear"}]},
                    {"label": "log", "method": "relayout", "args": [{"yaxis.type": "log"}]},
                ],
            }
        ]
        return {"data": data, "layout": layout}

    def rolling(self) -> dict[str, Any]:
        longest = max(one.n_obs for one in self.reports)
        days = next((days for days in (252, 63) if longest >= 1.3 * days), 21)
        data = [
            self._line(one, rolling_table(one.returns, days)["sharpe"]) for one in self.reports if one.n_obs >= days
        ]
        if len(self.run.benchmark) >= days:
            data.append(self._market(rolling_table(self.run.benchmark, days)["sharpe"]))
        layout = _layout(340)
        layout["yaxis"] |= {"title": {"text": f"Sharpe over {days} sessions"}}
        return {"data": data, "layout": layout}

    def turnover(self) -> dict[str, Any]:
        data = []
        for one in self.reports:
            monthly = one.path["turnover"].resample("MS").sum()
            color = self.style[one.strategy][0]
            data.append(
                {
                    "type": "bar",
                    "name": _name(one),
                    "x": _days(monthly.index),
                    "y": _values(monthly),
                    "marker": {"color": color},
                    "visible": True if one.strategy in self.shown else "legendonly",
                }
            )
        layout = _layout(320)
        layout["yaxis"] |= {"title": {"text": "traded a month"}, "tickformat": ".0%"}
        layout["barmode"] = "group"
        return {"data": data, "layout": layout}

    def gross(self) -> dict[str, Any]:
        layout = _layout(300)
        layout["yaxis"] |= {"title": {"text": "gross"}, "tickformat": ".0%", "rangemode": "tozero"}
        return {"data": [self._line(one, one.path["gross"]) for one in self.reports], "layout": layout}

    def sectors(self) -> list[tuple[str, dict[str, Any]]]:
        names = sorted({str(name) for one in self.reports for name in one.sectors.columns})
        color = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(names)}
        out = []
        for one in self.reports:
            data = [
                {
                    "type": "bar",
                    "name": str(name),
                    "x": _days(one.sectors.index),
                    "y": _values(one.sectors[name]),
                    "marker": {"color": color[str(name)]},
                }
                for name in one.sectors.columns
            ]
            layout = _layout(320)
            layout["yaxis"] |= {"title": {"text": "share of equity"}, "tickformat": ".0%"}
            layout["barmode"] = "stack"
            out.append((_name(one), {"data": data, "layout": layout}))
        return out

    def book(self) -> dict[str, Any]:
        assert self.run.book is not None  # noqa: S101 - asked for with a book only
        shares = self.run.book.shares
        held = [str(name) for name in shares.columns if float(shares[name].max()) > 1e-6]
        data: list[dict[str, Any]] = [
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "stackgroup": "shares",
                "x": _days(shares.index),
                "y": _values(shares[name]),
                "line": {"width": 0.5, "color": self.style[name][0]},
            }
            for name in held
        ]
        table = self.run.book.table
        if float(table["scale"].min()) < 1.0:
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "S",
                    "x": _days(table.index),
                    "y": _values(table["scale"]),
                    "line": {"color": "#101820", "width": 1.5, "dash": "dot"},
                }
            )
        layout = _layout(380)
        layout["yaxis"] |= {"title": {"text": "share of equity"}, "tickformat": ".0%", "rangemode": "tozero"}
        return {"data": data, "layout": layout}

    def decay(self, rows: pd.DataFrame) -> dict[str, Any]:
        windows = [(0, 5), (5, 10), (10, 21), (21, 42), (42, 63)]
        labels = [f"{first}-{last} d" for first, last in windows]
        data = []
        for name, group in rows.groupby("strategy"):
            found = {(int(row["from_day"]), int(row["to_day"])): row["mean_ic"] for row in group.to_dict("records")}
            color, dash = self.style.get(str(name), ("#8893a1", "solid"))
            is_thin = int(group["sessions"].max()) < _LEAST_SESSIONS
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": str(name),
                    "x": labels,
                    "y": [_finite(found.get(window)) for window in windows],
                    "line": {"color": color, "dash": dash, "width": 1.6},
                    "visible": "legendonly" if is_thin or str(name) not in self.shown else True,
                }
            )
        layout = _layout(340)
        layout["xaxis"] |= {"type": "category"}
        layout["yaxis"] |= {"title": {"text": "mean IC"}}
        return {"data": data, "layout": layout}


def _axis() -> dict[str, Any]:
    return {"gridcolor": "#e6eaef", "zerolinecolor": "#b9c2cd", "linecolor": "#b9c2cd", "automargin": True}


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 34, "b": 36},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1d2530"},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0, "font": {"size": 11}},
        "xaxis": {**_axis()},
        "yaxis": {**_axis()},
    }


def _figures(summary: Mapping[str, Any], returns: pd.Series) -> dict[str, Any]:
    return {
        "start": returns.index[0].date().isoformat(),
        "days": len(returns),
        "total": _percent(float(np.prod(1.0 + returns.to_numpy(dtype=float))) - 1.0),
        "cagr": _percent(summary["cagr"]),
        "volatility": _percent(summary["annual_volatility"]),
        "sharpe": _plain(summary["sharpe"], 2),
        "error": f"± {_plain(summary['sharpe_se'], 2)}",
        "probable": _percent(summary["probabilistic_sharpe"], 0),
        "sortino": _plain(summary["sortino"], 2),
        "drawdown": _percent(summary["max_drawdown"]),
        "beta": _plain(summary["beta"], 2),
        "alpha": _percent(summary["alpha"]),
    }


def _heat(value: float | None, largest: float) -> dict[str, str]:
    if value is None:
        return {"text": "", "color": ""}
    strength = min(abs(value) / largest, 1.0) * 0.55
    color = f"rgba(42, 157, 74, {strength:.2f})" if value >= 0.0 else f"rgba(194, 53, 43, {strength:.2f})"
    return {"text": _percent(value), "color": color}


def _number(value: Any, missing: float = math.nan) -> float:
    return missing if value is None or value != value else float(value)


def _finite(value: Any) -> float | None:
    number = _number(value)
    return number if math.isfinite(number) else None


def _plain(value: Any, digits: int) -> str:
    number = _number(value)
    return f"{number:.{digits}f}" if math.isfinite(number) else "-"


def _percent(value: Any, digits: int = 1) -> str:
    number = _number(value)
    return f"{number * 100:.{digits}f} %" if math.isfinite(number) else "-"


def _days(index: pd.Index) -> list[str]:
    return [stamp.date().isoformat() for stamp in pd.DatetimeIndex(index)]


def _values(series: pd.Series) -> list[float | None]:
    return [round(value, 8) if math.isfinite(value) else None for value in series.to_numpy(dtype=float).tolist()]
