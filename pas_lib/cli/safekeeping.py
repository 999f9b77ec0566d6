"""Commands that keep the system safe: backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pas_lib.cli.common import JsonFlag, context, print_json, working


def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; by default into the home, dated.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write warehouse, landing and sandbox state into one file; the system may be running."""
    from pas_lib.clock import SystemClock
    from pas_lib.stack.backup import create

    here, clock = context(), SystemClock()
    target = file or here.settings.home / "backups" / f"pas-{clock.now():%Y%m%dT%H%M%SZ}.tar"
    with working("writing the backup"):
        made = create(here.settings, clock, target)
    if as_json:
        print_json({"file": target, "bytes": target.stat().st_size, "backup": made})
        return
    size, rows = target.stat().st_size / 2**20, sum(made.rows.values())
    print(f"{target}: {size:,.1f} MB, {rows:,} rows in {len(made.rows)} tables")
    if made.landing != "included":
        print(f"the landing {made.landing} is not on this machine and not in the file")


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `pas backup`.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the warehouse that is there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup in place of what is there; the system must not be running."""
    from pas_lib.stack.backup import restore as put_back

    here = context()
    with working(f"restoring {file.name}"):
        made = put_back(here.settings, file, replace=replace)
    if as_json:
        print_json(made)
        return
    print(f"restored {sum(made.rows.values()):,} rows in {len(made.rows)} tables, as of {made.created_at}")
    print(
        "what was landed after that is in the landing still: `pas replay` loads it; `pas mirror` makes the mirror anew"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (backup, restore):
        app.command()(command)
