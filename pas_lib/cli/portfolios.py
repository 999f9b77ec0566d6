"""Commands about portfolios: list, create, weights, fund, rebalance, sweep, transfer, close, reopen, post."""

from __future__ import annotations

import csv
import getpass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from pas_lib.cli.common import JsonFlag, context, default_to, parse_date, print_json, print_table
from pas_lib.errors import PasError

portfolios = typer.Typer(help="Portfolios: manual ones are created, weighted and funded here.")

Id = Annotated[str, typer.Argument(help="Id of the portfolio.")]
Who = Annotated[str | None, typer.Option("--by", help="Your name; the log-in name by default.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]
Weights = Annotated[list[str], typer.Argument(help="SYMBOL=WEIGHT, e.g. BRK.B=0.25; what is not named is cash.")]


@portfolios.command("list")
def show(as_json: JsonFlag = False) -> None:
    """List all portfolios with their newest share and what was last done to them."""
    here = context()
    rows = here.warehouse.rows(
        "select p.portfolio_id, p.name, p.kind, p.cadence, p.status,"
        " (select l.share from ops.alloc_log l join ops.decisions d using (decision_id)"
        "  where l.portfolio_id = p.portfolio_id and l.event = 'allocation' and d.origin = 'live'"
        "  order by l.session desc, l.log_id desc limit 1) as share,"
        " (select e.event || ' by ' || e.by || ' at ' || to_char(e.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')"
        "  from ops.portfolio_events e where e.portfolio_id = p.portfolio_id order by e.event_id desc limit 1) as last"
        " from ops.portfolios p order by p.kind desc, p.portfolio_id"
    )
    if as_json:
        print_json(rows)
        return
    print_table(
        "portfolios",
        ["id", "name", "kind", "cadence", "status", "share", "last"],
        [list(row.values()) for row in rows],
    )


@portfolios.command("create")
def create(
    portfolio_id: Id,
    weights: Annotated[list[str] | None, typer.Argument(help="SYMBOL=WEIGHT; what is not named is cash.")] = None,
    name: Annotated[str, typer.Option("--name", help="In words; the id by default.")] = "",
    share: Annotated[float | None, typer.Option("--share", help="Of sizing equity, from the next decision on.")] = None,
    by: Who = None,
    note: Note = "",
    as_json: JsonFlag = False,
) -> None:
    """Create a manual portfolio."""
    from pas_lib.pipeline.portfolios import create as run

    here = context()
    run(
        here.warehouse,
        portfolio_id,
        name=name or portfolio_id,
        who=_who(by),
        now=here.clock.now(),
        weights=_weights(weights) if weights else None,
        share=share,
        settings=here.settings,
        note=note,
    )
    _say(f"portfolio {portfolio_id} was created", as_json)


@portfolios.command("weights")
def weights(portfolio_id: Id, weights: Weights, by: Who = None, note: Note = "", as_json: JsonFlag = False) -> None:
    """Put a manual portfolio's weights; the next decision trades them."""
    from pas_lib.pipeline.portfolios import set_weights

    here = context()
    put = _weights(weights)
    set_weights(here.warehouse, portfolio_id, put, who=_who(by), now=here.clock.now(), note=note)
    _say(f"{len(put)} weights of {portfolio_id} hold from the next decision on", as_json)


@portfolios.command("fund")
def fund(
    portfolio_id: Id,
    share: Annotated[float, typer.Argument(help="Share of sizing equity, e.g. 0.1.")],
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a manual portfolio a share of equity from the next decision on."""
    from pas_lib.pipeline.portfolios import fund as run

    here = context()
    run(here.warehouse, portfolio_id, share, settings=here.settings, who=_who(by), now=here.clock.now())
    _say(f"the next decision gives {portfolio_id} {share:.2%} of sizing equity", as_json)


@portfolios.command("rebalance")
def rebalance(portfolio_id: Id, by: Who = None, note: Note = "", as_json: JsonFlag = False) -> None:
    """Have the next decision bring a portfolio to its weights."""
    from pas_lib.pipeline.portfolios import ask_to_rebalance

    here = context()
    ask_to_rebalance(here.warehouse, portfolio_id, who=_who(by), now=here.clock.now(), note=note)
    _say(f"the next decision rebalances {portfolio_id}", as_json)


@portfolios.command("sweep")
def sweep(portfolio_id: Id, by: Who = None, as_json: JsonFlag = False) -> None:
    """Move the idle cash of a manual or closed portfolio back to the others."""
    from pas_lib.pipeline.portfolios import sweep as run

    here = context()
    amount = run(here.warehouse, here.clock, portfolio_id, who=_who(by))
    _say(f"{amount:.2f} USD left the book of {portfolio_id}", as_json)


@portfolios.command("transfer")
def transfer(
    source: Annotated[str, typer.Argument(help="From this manual portfolio.")],
    target: Annotated[str, typer.Argument(help="To this one.")],
    amount: Annotated[str, typer.Argument(help="USD.")],
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Move idle cash from one manual portfolio's book to another's."""
    from pas_lib.pipeline.portfolios import transfer as run

    here = context()
    try:
        money = Decimal(amount)
    except InvalidOperation:
        raise PasError(f"{amount!r} is not an amount") from None
    run(here.warehouse, here.clock, source, target, money, who=_who(by))
    _say(f"{money:.2f} USD moved from {source} to {target}", as_json)


@portfolios.command("close")
def close(
    portfolio_id: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why; stored with your name.")],
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Close a portfolio; the next decision sells what it holds."""
    from pas_lib.pipeline.portfolios import close as run

    here = context()
    run(here.warehouse, portfolio_id, who=_who(by), now=here.clock.now(), reason=reason)
    _say(f"portfolio {portfolio_id} is closed", as_json)


@portfolios.command("reopen")
def reopen(portfolio_id: Id, by: Who = None, as_json: JsonFlag = False) -> None:
    """Open a closed portfolio again."""
    from pas_lib.pipeline.portfolios import reopen as run

    here = context()
    run(here.warehouse, portfolio_id, who=_who(by), now=here.clock.now())
    _say(f"portfolio {portfolio_id} is open", as_json)


@portfolios.command("post")
def post(
    portfolio_id: Id,
    file: Annotated[Path, typer.Argument(help="CSV with the columns session and return (a fraction).", exists=True)],
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Append daily returns from a file and show the statistics of all posted ones."""
    from pas_lib.pipeline.portfolios import post_returns

    here = context()
    with file.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        if not {"session", "return"} <= set(reader.fieldnames or ()):
            raise PasError(f"{file.name} has no columns session and return")
        try:
            returns = {parse_date(row["session"], "session"): float(row["return"]) for row in reader}
        except ValueError:
            raise PasError(f"{file.name} line {reader.line_num}: the return is not a number") from None
    made = post_returns(
        here.warehouse,
        portfolio_id,
        returns,
        who=_who(by),
        now=here.clock.now(),
        source=file.name,
        benchmark=here.settings.benchmark,
    )
    if as_json:
        print_json(made)
        return
    print_table(
        f"{made.written} returns of {portfolio_id} posted, {made.corrected} of them corrections; {made.n_obs} in all",
        ["figure", "value"],
        [[key, value] for key, value in made.figures.items()],
    )


def _weights(words: list[str]) -> dict[str, float]:
    out: dict[str, float] = {}
    for word in words:
        symbol, found, number = word.partition("=")
        try:
            weight = float(number) if found else float("nan")
        except ValueError:
            weight = float("nan")
        if weight != weight or symbol in out:
            raise PasError(f"{word!r} is not SYMBOL=WEIGHT", hint="each symbol once, e.g. BRK.B=0.25")
        out[symbol] = weight
    return out


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _say(text: str, as_json: bool) -> None:
    if as_json:
        print_json({"result": text})
    else:
        print(text)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    default_to(portfolios, "list", show)
    app.add_typer(portfolios, name="portfolios")
