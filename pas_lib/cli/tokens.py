"""Commands about the named tokens of the API: create, list, revoke."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from pas_lib.cli.common import JsonFlag, context, default_to, print_json, print_table
from pas_lib.clock import SystemClock

tokens = typer.Typer(help="Named tokens of the API, beside the two of the settings.")

Who = Annotated[str | None, typer.Option("--by", help="Your name; the log-in name by default.")]
Name = Annotated[str, typer.Argument(help="Its name: 2 to 40 of a-z 0-9 _ . -; the audit writes it.")]


@tokens.command("create")
def create(
    name: Name,
    scope: Annotated[
        str, typer.Option("--scope", help="read, trade (also approve, acknowledge, start jobs) or admin (everything).")
    ] = "read",
    days: Annotated[int, typer.Option("--days", help="How long it holds; 0 for ever.")] = 365,
    by: Who = None,
    note: Annotated[str, typer.Option("--note", help="What it is for.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a token and show it, this once: only its digest is kept."""
    from pas_lib import access

    made, token = access.create(
        context().warehouse,
        name,
        scope,
        who=by or getpass.getuser(),
        now=SystemClock().now(),
        days=days or None,
        note=note,
    )
    if as_json:
        print_json({**asdict(made), "token": token})
        return
    end = "has no end" if made.expires_at is None else f"ends {made.expires_at:%Y-%m-%d}"
    print(token)
    print(f"token {made.name}, scope {made.scope}, {end}; it is not shown again", file=sys.stderr)


@tokens.command("list")
def show(as_json: JsonFlag = False) -> None:
    """List the named tokens, those that hold first."""
    from pas_lib import access

    now = SystemClock().now()
    found = access.tokens(context().warehouse)
    if as_json:
        print_json([{**asdict(one), "is_valid": one.holds(now)} for one in found])
        return
    print_table(
        "tokens",
        ["name", "scope", "holds", "made", "by", "ends", "revoked", "by", "note"],
        [
            [
                one.name,
                one.scope,
                one.holds(now),
                one.created_at,
                one.created_by,
                one.expires_at,
                one.revoked_at,
                one.revoked_by,
                one.note,
            ]
            for one in found
        ],
    )


@tokens.command("revoke")
def revoke(name: Name, by: Who = None, as_json: JsonFlag = False) -> None:
    """End a token, and every browser session that was opened with it."""
    from pas_lib import access

    ended = access.revoke(context().warehouse, name, who=by or getpass.getuser(), now=SystemClock().now())
    if as_json:
        print_json(asdict(ended))
    else:
        print(f"token {ended.name} is revoked")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    default_to(tokens, "list", show)
    app.add_typer(tokens, name="tokens")
