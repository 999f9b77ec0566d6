"""Commands about orders and books: execute, approve, adopt, reconcile."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from pas_lib.cli.common import AsOf, JsonFlag, context, print_json, print_table

Who = Annotated[str | None, typer.Option("--by", help="Your name; the log-in name by default.")]


def execute(
    as_of: AsOf = None,
    retry: Annotated[bool, typer.Option("--retry", help="Send refused and cancelled orders once more.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Carry out the stored intents of a decision session; a second call sends nothing new."""
    from pas_lib.execution import execute as run

    here = context()
    session = here.session(as_of) if as_of else _last_planned(here)
    report = run(session, here.settings, here.clock, here.warehouse, retry=retry)
    here.announce()
    if as_json:
        print_json(report)
        return
    print_table(
        f"orders of {report.session} in {report.execution_session}: {report.sent} sent, {report.fills} fills,"
        f" {report.crosses} crossings, state {report.state}",
        ["portfolio", "side", "symbol", "quantity", "filled", "price", "state", "reason"],
        [
            [o.portfolio_id, o.side, o.symbol, o.qty, o.filled_qty, o.filled_avg_price, o.state, o.reason]
            for o in report.orders
        ],
        note="; ".join(report.problems),
    )
    if report.refusals:
        print_table(
            "refused",
            ["portfolio", "symbol", "side", "quantity", "reason"],
            [[r.portfolio_id, r.symbol, r.side, r.qty, r.code] for r in report.refusals],
        )


def _last_planned(here: Any) -> Any:
    from pas_lib.errors import OrderError

    rows = here.warehouse.rows("select max(session) as session from ops.order_plans")
    if rows[0]["session"] is None:
        raise OrderError("there is no order plan yet", hint="run `pas decide` first")
    return rows[0]["session"]


def approve(
    as_of: AsOf = None,
    plan: Annotated[str | None, typer.Option("--plan", help="Hash of the plan you have seen.")] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse instead.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Approve (or refuse) the order plan of a session; a live account needs it."""
    from pas_lib.execution import approve as run

    here = context()
    session = here.session(as_of) if as_of else _last_planned(here)
    who = by or getpass.getuser()
    hash_ = run(session, here.warehouse, here.clock, who=who, plan_hash=plan, refuse=refuse, note=note)
    verdict = "refused" if refuse else "approved"
    if as_json:
        print_json({"session": session, "plan_hash": hash_, "decision": verdict, "by": who})
    else:
        print(f"plan {hash_[:12]} of {session} {verdict} by {who}")


def adopt(
    reason: Annotated[str, typer.Option("--reason", help="Why; stored with your name.")],
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Bind the books to the broker's account, or book unexplained differences to EXTERNAL."""
    from pas_lib.execution import adopt as run

    here = context()
    told = run(here.settings, here.clock, here.warehouse, who=by or getpass.getuser(), reason=reason)
    if as_json:
        print_json({"result": told})
    else:
        print(told)


def reconcile(as_json: JsonFlag = False) -> None:
    """Bring in what the broker shows and compare the books with it; exit status 1 when they differ."""
    from pas_lib.execution import reconcile as run

    here = context()
    result = run(here.settings, here.clock, here.warehouse)
    here.announce()
    if as_json:
        print_json(result)
    else:
        print_table(
            f"books and broker {'agree' if result.is_clean else 'differ'}:"
            f" cash {result.cash_ledger} and {result.cash_broker}",
            ["asset", "books", "broker"],
            [[one.asset, one.ledger, one.broker] for one in result.differences],
        )
    if not result.is_clean:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (execute, approve, adopt, reconcile):
        app.command()(command)
