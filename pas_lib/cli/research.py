"""Commands about research: backtests."""

from __future__ import annotations

from typing import Annotated

import typer

from pas_lib.cli.common import JsonFlag, context, parse_date, print_json, print_table


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


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backtest)
