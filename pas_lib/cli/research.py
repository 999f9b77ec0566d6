"""Commands about research: backtests, and the proof that nothing knows the future."""

from __future__ import annotations

from typing import Annotated

import typer

from pas_lib import clock as calendar
from pas_lib.cli.common import JsonFlag, context, parse_date, plain, print_json, print_table
from pas_lib.errors import PasError


def backtest(
    strategies: Annotated[list[str] | None, typer.Argument(help="Ids; all when none is named.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DATE", help="First session.")] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="Last session; the last closed by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Backtest strategies on the warehouse's history, after costs."""
    from pas_lib.pipeline.backtest import backtest as run

    here = context()
    reports = run(
        here.warehouse,
        here.settings,
        strategies or [],
        parse_date(start, "--start") if start else None,
        here.session(end),
    )
    if as_json:
        print_json(reports)
        return
    figures = ("cagr", "annual_volatility", "sharpe", "sortino", "max_drawdown", "beta", "alpha")
    print_table(
        f"backtest after {here.settings.cost_bps:g} basis points of costs, against {here.settings.benchmark}",
        ["strategy", "from", "to", "sessions", "total return", *figures, "turnover a year"],
        [
            [one.strategy, one.start.isoformat(), one.end.isoformat(), one.n_obs, one.total_return]
            + [one.summary.get(name) for name in figures]
            + [one.turnover]
            for one in reports
        ],
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
    from pathlib import Path

    from pas_lib.dbt import Dbt
    from pas_lib.pipeline import marts
    from pas_lib.pipeline.lookahead import copy_raw, look_ahead, spread
    from pas_lib.strategies import strategy

    names = [strategy(name).id for name in strategies or []]
    here = context()
    last = here.session(end)
    chosen = [here.session(text) for text in at or []]
    if not chosen:
        first = min(marts.first_signal_sessions(here.warehouse).values(), default=last)
        chosen = spread(first, calendar.previous_session(last), dates)
    if not chosen:
        raise PasError(f"there is no session to judge before {last}", hint="name one with --at, or a later --end")
    with tempfile.TemporaryDirectory(prefix="pas-lookahead-") as folder:
        raw = Path(folder) / "history.duckdb"
        copy_raw(here.warehouse, raw)
        dbt = replace(Dbt.from_settings(here.settings), work_dir=Path(folder) / "dbt")
        verdicts = look_ahead(
            raw, chosen, last, here.settings, dbt, strategies=names, told=lambda line: print(line, file=sys.stderr)
        )
    if as_json:
        print_json([plain(one) | {"is_clean": one.is_clean} for one in verdicts])
    else:
        for one in verdicts:
            print(one.line)
    guilty = [one.name for one in verdicts if not one.is_clean]
    if guilty:
        raise PasError(f"{', '.join(guilty)}: what became known later changes what was said before")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backtest)
    app.command()(lookahead)
