"""Commands about risk: the figures of the last decision, rules, alerts, and the trading state."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from pas_lib.cli.common import AsOf, JsonFlag, context, default_to, print_json, print_table
from pas_lib.errors import PasError

risk = typer.Typer(help="Risk: figures of the last decision, rules, alerts, trading state.")

Who = Annotated[str | None, typer.Option("--by", help="Your name; the log-in name by default.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


@risk.command("show")
def show(
    portfolio: Annotated[str | None, typer.Argument(help="One portfolio's part of the book.")] = None,
    as_of: AsOf = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what the book of the last decision, or one portfolio in it, is exposed to, and which limits cut the book."""
    here = context()
    session = here.session(as_of)
    found = here.warehouse.rows(
        "select decision_id, session from ops.decisions where origin = 'live' and session <= %s"
        " order by session desc limit 1",
        (session,),
    )
    if not found:
        raise PasError(f"nothing was decided up to {session}", hint="run `pas decide` first")
    one = found[0]["decision_id"]
    part, which = ("portfolio_", (one, portfolio)) if portfolio else ("", (one,))
    clause = "decision_id = %s" + (" and portfolio_id = %s" if portfolio else "")
    figures = here.warehouse.rows(
        f"select metric, value from ops.{part}risk_figures where {clause}",  # noqa: S608 - own words
        which,
    )
    if portfolio and not figures:
        raise PasError(
            f"portfolio {portfolio} holds nothing in the decision of {found[0]['session']}", hint="pas portfolios list"
        )
    exposed = here.warehouse.rows(
        f"select kind, label, share from ops.{part}risk_exposures where {clause}"  # noqa: S608 - own words
        " order by kind, abs(share) desc, label",
        which,
    )
    cuts = here.warehouse.rows(
        "select details from ops.alloc_log where decision_id = %s and event = 'cap' order by log_id", (one,)
    )
    answer: dict[str, Any] = {
        "session": found[0]["session"],
        "figures": {row["metric"]: row["value"] for row in figures},
        "exposures": exposed,
        "cuts": [row["details"] for row in cuts],
    }
    if as_json:
        print_json(answer)
        return
    print_table(
        f"risk of {f'{portfolio} in ' if portfolio else ''}the decision of {answer['session']}",
        ["figure", "value"],
        [[name, value] for name, value in answer["figures"].items()],
    )
    for kind in ("sector", "name") if portfolio else ("portfolio", "sector", "name"):
        print_table(
            kind, [kind, "share of equity"], [[row["label"], row["share"]] for row in exposed if row["kind"] == kind]
        )
    print_table(
        "limits reached",
        ["reason", "what", "wanted", "allowed"],
        [[cut["code"], cut["name"], cut["before"], cut["after"]] for cut in answer["cuts"]],
    )


@risk.command("rules")
def rules(as_json: JsonFlag = False) -> None:
    """List the rules in force: those of PAS_RISK_RULES and those of the table."""
    from pas_lib.pipeline.risk import rules_in_force

    here = context()
    found = rules_in_force(here.warehouse, here.settings)
    if as_json:
        print_json(
            [{"rule": name, "metric": one.metric, "op": one.op, "threshold": one.threshold} for name, one in found]
        )
        return
    print_table(
        "risk rules", ["rule", "metric", "is", "threshold"], [[name, r.metric, r.op, r.threshold] for name, r in found]
    )


@risk.command("add-rule")
def add(
    rule: Annotated[str, typer.Argument(help="Such as 'var_99 > 0.04'.")],
    by: Who = None,
    note: Note = "",
    as_json: JsonFlag = False,
) -> None:
    """Put a rule in force from the next decision on."""
    from pas_lib.pipeline.risk import add_rule
    from pas_lib.risk import parse_rules

    here = context()
    parsed = parse_rules(rule)
    if len(parsed) != 1:
        raise PasError("one rule at a time", hint="such as 'var_99 > 0.04'")
    number = add_rule(here.warehouse, parsed[0], who=by or getpass.getuser(), now=here.clock.now(), note=note)
    if as_json:
        print_json({"rule_id": number})
    else:
        print(f"rule {number} is in force: {rule}")


@risk.command("end-rule")
def end(rule_id: Annotated[int, typer.Argument(help="Its number.")], by: Who = None, as_json: JsonFlag = False) -> None:
    """End a rule of the table; its alerts stay."""
    from pas_lib.pipeline.risk import end_rule

    here = context()
    end_rule(here.warehouse, rule_id, who=by or getpass.getuser(), now=here.clock.now())
    if as_json:
        print_json({"rule_id": rule_id, "result": "over"})
    else:
        print(f"rule {rule_id} is over")


@risk.command("alerts")
def alerts(
    everything: Annotated[bool, typer.Option("--all", help="Acknowledged ones too.")] = False, as_json: JsonFlag = False
) -> None:
    """List the alerts that nobody has acknowledged."""
    here = context()
    rows = here.warehouse.rows(
        "select alert_id, raised_at, session, rule, message, acknowledged_at, acknowledged_by, note"
        " from ops.risk_alerts where %s or acknowledged_at is null order by alert_id desc",
        (everything,),
    )
    if as_json:
        print_json(rows)
        return
    print_table(
        "risk alerts",
        ["#", "raised", "session", "rule", "what", "seen by"],
        [[r["alert_id"], r["raised_at"], r["session"], r["rule"], r["message"], r["acknowledged_by"]] for r in rows],
    )


@risk.command("acknowledge")
def acknowledge(
    alert_id: Annotated[int, typer.Argument(help="Its number.")],
    by: Who = None,
    note: Note = "",
    as_json: JsonFlag = False,
) -> None:
    """Say that you have seen an alert."""
    from pas_lib.pipeline.risk import acknowledge as run

    here = context()
    who = by or getpass.getuser()
    run(here.warehouse, alert_id, who=who, now=here.clock.now(), note=note)
    if as_json:
        print_json({"alert_id": alert_id, "by": who})
    else:
        print(f"alert {alert_id} acknowledged by {who}")


@risk.command("state")
def state(
    new: Annotated[
        str | None, typer.Argument(help="ACTIVE, REDUCING or HALTED; without it the state is shown.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; stored with your name.")] = "",
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the trading state, or set it."""
    from pas_lib.execution import current_state, set_state

    here = context()
    if new is not None:
        set_state(here.warehouse, here.clock, new.upper(), who=by or getpass.getuser(), reason=reason)  # type: ignore[arg-type]
        here.announce()
    now, why = current_state(here.warehouse)
    if as_json:
        print_json({"state": now, "reason": why})
    else:
        print(f"{now}{': ' + why if why else ''}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    default_to(risk, "show", lambda as_json: show(None, None, as_json))
    app.add_typer(risk, name="risk")
