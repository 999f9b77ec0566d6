"""Commands about research: backtests, and the proof that nothing knows the future."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pas_lib import clock as calendar
from pas_lib.cli.common import JsonFlag, context, parse_date, plain, print_json, print_table, working
from pas_lib.errors import PasError

if TYPE_CHECKING:
    from pas_lib.pipeline.backtest import Backtest
    from pas_lib.pipeline.backtest_store import Trials


def backtest(
    strategies: Annotated[list[str] | None, typer.Argument(help="Ids; all when none is named.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DATE", help="First session.")] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="Last session; the last closed by default.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a tear sheet, one file without a network.")] = None,
    is_allocated: Annotated[
        bool, typer.Option("--allocate", help="A book of them: sized each week from the model returns known then.")
    ] = False,
    has_cci: Annotated[
        bool, typer.Option("--cci", help="A book of them, scaled by S of the crisis indicator.")
    ] = False,
    has_caps: Annotated[
        bool, typer.Option("--caps", help="A book of them, cut by the limits of the settings.")
    ] = False,
    cost_bps: Annotated[
        float | None, typer.Option("--cost-bps", help="Commission, basis points of traded value; that of the settings.")
    ] = None,
    slippage_bps: Annotated[
        float, typer.Option("--slippage-bps", help="How much worse than the open a fill is, basis points.")
    ] = 0.0,
    delisting_return: Annotated[
        float, typer.Option("--delisting-return", help="Lost of the last close of a name that is gone: 0 to -1.")
    ] = 0.0,
    capital: Annotated[float, typer.Option("--capital", help="Of the book, USD.")] = 1_000_000.0,
    from_mirror: Annotated[bool, typer.Option("--mirror", help="Read the DuckDB mirror: faster.")] = False,
    lists: Annotated[bool, typer.Option("--list", help="Show what has been tried instead.")] = False,
    show: Annotated[str | None, typer.Option("--show", metavar="RUN", help="Show a stored run instead.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Backtest strategies on the warehouse's history, after costs; every run is recorded."""
    if lists:
        _list_backtests(as_json)
        return
    if show:
        _show_backtest(show, as_json)
        return
    from pas_lib.pipeline.backtest import Options, newest_session, run_backtest
    from pas_lib.pipeline.backtest_store import count_trials, metrics_of, store_backtest
    from pas_lib.pipeline.book_backtest import Layers
    from pas_lib.strategies import strategy
    from pas_lib.warehouse import DuckWarehouse

    names = [strategy(name).id for name in strategies or []]
    first = parse_date(start, "--start") if start else None
    here = context()
    source = DuckWarehouse(here.settings.mirror_path) if from_mirror else here.warehouse
    # Without an end: the last closed session, or where the marts (those of the mirror) end before.
    newest = None if end else newest_session(source)
    last = min(here.session(end, "--end"), newest or date.max)
    layers = Layers(is_allocated, has_cci, has_caps)
    options = Options(cost_bps, slippage_bps, delisting_return, layers, capital)
    with working(f"backtesting {', '.join(names) or 'all strategies'}"):
        done = run_backtest(source, here.settings, names, first, last, options)
    trials = count_trials(here.warehouse, done)
    run_id = store_backtest(here.warehouse, done, trials, now=calendar.SystemClock().now())
    page = None
    if html is not None:
        from pas_lib.pipeline.signal_research import read_research
        from pas_lib.pipeline.tearsheet import write_tear_sheet

        page = write_tear_sheet(
            html,
            done,
            trials,
            run_id,
            read_research(source, [one.strategy for one in done.reports], done.start, done.end),
        )
    figures = metrics_of(done, trials)
    if as_json:
        print_json(
            {
                "run_id": run_id,
                "parameters": done.parameters,
                "code_version": done.code_version,
                "data_cut": done.data_cut,
                "trials": trials.count,
                "best_sharpe_by_luck": trials.best_by_luck,
                "coverage": done.coverage,
                "without_returns": done.without,
                "html": page,
                "strategies": [plain(one) | {"metrics": plain(figures[one.strategy])} for one in done.reports],
            }
        )
        return
    costs = f"{done.parameters['cost_bps']:g} + {slippage_bps:g} basis points"
    _print_figures(
        f"backtest {run_id}, after {costs} of costs, against {here.settings.benchmark}",
        figures,
        {one.strategy: (one.start, one.end) for one in done.reports},
        _remarks(done, trials, page),
    )


_FIGURES = (
    "total_return",
    "cagr",
    "annual_volatility",
    "sharpe",
    "sharpe_se",
    "probabilistic_sharpe",
    "deflated_sharpe",
    "max_drawdown",
    "beta",
    "turnover",
)


def _print_figures(
    title: str, figures: Mapping[str, Mapping[str, float]], spans: Mapping[str, tuple[date, date]], note: str
) -> None:
    print_table(
        title,
        ["strategy", "from", "to", *(name.replace("_", " ") for name in _FIGURES)],
        [
            [name, *(day.isoformat() for day in spans[name]), *(plain(own.get(key)) for key in _FIGURES)]
            for name, own in figures.items()
        ],
        note=note,
    )


def _remarks(done: Backtest, trials: Trials, page: Path | None) -> str:
    gone = done.coverage
    lines = [
        f"trials so far: {trials.count}; the best of them shows a Sharpe ratio of {trials.best_by_luck:.2f} by luck",
        f"names gone while held: {len(gone.gone_while_held)} of {gone.held}; of {gone.universe} known names"
        f" {gone.ended} have ended and {gone.without_prices} never had a price",
        *(f"{one.strategy} {one.note}" for one in done.reports if one.note),
    ]
    if done.without:
        lines.append(f"without returns in this range: {', '.join(done.without)}")
    if page is not None:
        lines.append(f"tear sheet: {page}")
    return "\n".join(lines)


def _list_backtests(as_json: bool) -> None:
    from pas_lib.pipeline.backtest_store import list_backtests

    runs = list_backtests(context().warehouse)
    if as_json:
        print_json(runs)
        return
    print_table(
        "backtests, newest first",
        ["run", "ran at", "from", "to", "strategies", "costs", "layers", "trials", "code"],
        [
            [
                one.run_id,
                one.ran_at,
                one.start.isoformat(),
                one.end.isoformat(),
                f"{len(one.strategies)}: {' '.join(one.strategies[:3])}{' ...' if len(one.strategies) > 3 else ''}",
                f"{one.parameters['cost_bps']:g} + {one.parameters['slippage_bps']:g} bp",
                " ".join(name for name, on in one.parameters["layers"].items() if on) or "-",
                one.trials,
                one.code_version,
            ]
            for one in runs
        ],
    )


def _show_backtest(run_id: str, as_json: bool) -> None:
    from pas_lib.pipeline.backtest_store import stored_run

    run, figures = stored_run(context().warehouse, run_id)
    if as_json:
        print_json({**plain(run), "metrics": figures})
        return
    _print_figures(
        f"backtest {run_id} of {run.ran_at:%Y-%m-%d}",
        figures,
        dict.fromkeys(figures, (run.start, run.end)),
        f"parameters: {json.dumps(plain(run.parameters))}",
    )


def lookahead(
    strategies: Annotated[list[str] | None, typer.Argument(help="Ids; all when none is named.")] = None,
    at: Annotated[
        list[str] | None, typer.Option("--at", metavar="DATE", help="Session at which the future begins; repeatable.")
    ] = None,
    dates: Annotated[int, typer.Option("--dates", min=1, help="How many sessions, where none is named.")] = 4,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="Last session; the last closed by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove that strategies do not know the future: with it deleted or replaced by nonsense they must say the same."""
    import sys
    import tempfile
    from dataclasses import replace

    from pas_lib.dbt import Dbt
    from pas_lib.pipeline import marts
    from pas_lib.pipeline.lookahead import copy_raw, look_ahead, spread
    from pas_lib.strategies import strategy

    def told(line: str) -> None:
        print(line, file=sys.stderr)

    names = list(dict.fromkeys(strategy(name).id for name in strategies or []))
    here = context()
    last = here.session(end, "--end")
    chosen = sorted({here.session(text, "--at") for text in at or []})
    if late := [day for day in chosen if day >= last]:
        raise PasError(f"{late[0]} has no future before {last}: nothing would be proved", hint="take an earlier date")
    if not chosen:
        firsts = marts.first_signal_sessions(here.warehouse)
        first = min((day for name, day in firsts.items() if not names or name in names), default=last)
        chosen = spread(first, calendar.previous_session(last), dates)
        if not chosen:
            raise PasError(
                f"there is no week's end with a signal before {last}: nothing would be proved",
                hint="name a session with --at, or a later --end",
            )
        if len(chosen) < dates:
            told(f"there are no more than {len(chosen)} weeks' ends from the first signal to {last}")
    with tempfile.TemporaryDirectory(prefix="pas-lookahead-") as folder:
        raw = Path(folder) / "history.duckdb"
        copy_raw(here.warehouse, raw)
        dbt = replace(Dbt.from_settings(here.settings), work_dir=Path(folder) / "dbt")
        verdicts = look_ahead(raw, chosen, last, here.settings, dbt, strategies=names, told=told)
    if as_json:
        print_json([plain(one) | {"is_clean": one.is_clean} for one in verdicts])
    else:
        for one in verdicts:
            print(one.line)
    guilty = [one.name for one in verdicts if not one.is_clean]
    if guilty:
        raise PasError(f"{', '.join(guilty)}: what became known later changes what was said before")
    silent = [one.name for one in verdicts if not one.compared]
    if silent and (names or len(silent) == len(verdicts)):
        raise PasError(f"{', '.join(silent)}: nothing to compare, so nothing is proved", hint="take a later date")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backtest)
    app.command()(lookahead)
