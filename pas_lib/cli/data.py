"""Commands about data: collect, parse, build."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pas_lib.cli.common import (
    AsOf,
    JsonFlag,
    context,
    parse_date,
    print_json,
    print_json_line,
    print_table,
    working,
)
from pas_lib.errors import PasError


@contextmanager
def shown_progress(name: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a bar on a terminal's standard error; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total, label: bar.update(task, completed=done, total=total, description=f"{name} {label}")


def ingest(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    as_of: AsOf = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DATE", help="First date wanted.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="DATE", help="Last date wanted.")] = None,
    accept_rows: Annotated[
        str | None,
        typer.Option("--accept-rows", metavar="REASON", help="Far fewer rows than before are true: why. It is kept."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who accepts them; by default this machine's user.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Collect a dataset: fetch, land, validate, load. Without PostgreSQL it lands and waits."""
    from pas_lib.datasets import dataset as known
    from pas_lib.ingest import ingest as run
    from pas_lib.landing import Accepted

    if accept_rows is not None and not accept_rows.strip():
        raise PasError("--accept-rows wants a reason", hint="say why the rows are fewer")

    name = known(dataset).name
    here = context()
    with shown_progress(name) as progress:
        result = run(
            name,
            here.session(as_of),
            settings=here.settings,
            clock=here.clock,
            warehouse=here.warehouse,
            start=parse_date(start, "--start") if start else None,
            end=parse_date(end, "--end") if end else None,
            progress=progress,
            accepted=Accepted(accept_rows.strip(), by or getpass.getuser()) if accept_rows is not None else None,
        )
    if as_json:
        print_json(result)
        return
    columns = ["dataset", "parsed", "new", "changed", "deleted", "quarantined"]
    own = {dataset: result, **result.followers}
    print_table(
        f"{dataset}: {result.status}, {result.payloads} payloads, session {result.session}",
        columns,
        [[name, *(getattr(counts, column, None) for column in columns[1:])] for name, counts in own.items()],
        note="; ".join(result.notes),
    )


def replay(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Only what was loaded from this day on.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what differs from the landing.")] = False,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Only read the refused records again, after a parser was mended.")
    ] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="Only load the captures that could not be loaded when they came.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Build a raw table again from the landing and compare; fill it where it is empty.

    Ends with status 1 where raw differs from the landing and was not replaced.
    """
    from pas_lib.datasets import dataset as known
    from pas_lib.ingest import load_refused, replay_quarantined
    from pas_lib.ingest import replay as run

    name = known(dataset).name
    here = context()
    if refused:
        loaded = load_refused(name, settings=here.settings, clock=here.clock, warehouse=here.warehouse)
        if as_json:
            print_json(loaded)
            return
        columns = ["run_id", "status", "parsed", "new", "changed", "deleted", "quarantined"]
        print_table(f"{name}: runs loaded", columns, [[getattr(one, column) for column in columns] for one in loaded])
        return
    if quarantined:
        found = replay_quarantined(name, settings=here.settings, clock=here.clock, warehouse=here.warehouse)
        if as_json:
            print_json(found)
            return
        columns = ["looked_at", "payloads", "resolved", "superseded", "refused", "new", "changed"]
        print_table(f"{found.dataset}: quarantine", columns, [[getattr(found, column) for column in columns]])
        return
    first = parse_date(since, "--since") if since else None
    with working(f"building raw.{name} from the landing"):
        result = run(name, settings=here.settings, warehouse=here.warehouse, since=first, replace=replace)
    if as_json:
        print_json(result)
    else:
        columns = ["outcome", "rows", "rows_before", "only_before", "only_built", "digest"]
        print_table(
            f"{result.dataset}: {result.runs} runs, {result.payloads} payloads read again",
            ["table", *columns],
            [[f"raw.{name}", *(getattr(table, c) for c in columns)] for name, table in result.tables.items()],
            note="--replace puts the rows of the landing there; build the marts anew after it"
            if result.differs
            else "",
        )
    if result.differs:
        raise typer.Exit(1)


def parse(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    file: Annotated[Path, typer.Argument(help="A recorded payload (may be gzipped).")],
    source: Annotated[
        str | None, typer.Option("--source", help="Whose format it is; else it shows from the content.")
    ] = None,
    as_json: JsonFlag = False,  # noqa: ARG001 - the answer is JSON anyway
) -> None:
    """Print the records of a recorded payload, one JSON record a line."""
    from pas_lib.ingest import parse_file

    for record in parse_file(dataset, file, source):
        print_json_line(record)


def build(
    as_of: AsOf = None,
    part: Annotated[str, typer.Option("--part", help="transform, evaluate or all.")] = "transform",
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Build from nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run dbt for a session: staging, intermediate, marts and their tests."""
    from typing import cast

    from pas_lib.dbt import Dbt, Part
    from pas_lib.errors import UnknownName

    if part not in ("transform", "evaluate", "all"):
        raise UnknownName("part of the build", part, ["transform", "evaluate", "all"])
    here = context()
    session = here.session(as_of)
    with working(f"building the models of {session}"):
        result = Dbt.from_settings(here.settings).build(session, part=cast("Part", part), full_refresh=full_refresh)
    if as_json:
        print_json({"session": session, "seconds": result.seconds, "statuses": dict(result.statuses)})
        return
    kinds: dict[str, int] = {}
    for status in result.statuses.values():
        kinds[status] = kinds.get(status, 0) + 1
    slowest = sorted(result.timings.items(), key=lambda item: -item[1])[:5]
    told = ", ".join(f"{count} {status}" for status, count in sorted(kinds.items()))
    print_table(
        f"dbt build of session {session}: {told} in {result.seconds:.1f} s",
        ["slowest node", "seconds"],
        [[name.rpartition(".")[2], round(seconds, 2)] for name, seconds in slowest],
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(replay)
    app.command()(parse)
    app.command()(build)
