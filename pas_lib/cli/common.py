"""What commands share: settings, clock, warehouse, dates, and the two ways to answer."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pas_lib import clock as calendar
from pas_lib.clock import Clock, clock_for
from pas_lib.errors import PasError, SourceError
from pas_lib.settings import Settings, load_settings

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

JsonFlag = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="Session (YYYY-MM-DD); the last closed one by default.")
]


@dataclass(frozen=True)
class Context:
    """Settings of this call, and what is opened from them on demand."""

    settings: Settings

    @cached_property
    def clock(self) -> Clock:
        """The clock that belongs to the configured sources."""
        return clock_for(self.settings)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The configured warehouse; nothing is opened yet."""
        from pas_lib.warehouse import Warehouse

        return Warehouse.from_settings(self.settings)

    def session(self, text: str | None, option: str = "--as-of") -> date:
        """Return the session meant by an option, or the last one that has closed.

        Raises
        ------
        PasError
            When the text is no date, or the day is no session, or one that has not closed yet.
        """
        if text is None:
            return calendar.last_closed_session(self.clock.now())
        day = parse_date(text, option)
        if not calendar.is_session(day):
            before = calendar.session_on_or_before(day)
            raise PasError(f"{day} is not a session of the exchange", hint=f"the one before is {before}")
        now = self._now()
        if now is not None and calendar.session_close(day) > now:
            raise PasError(
                f"session {day} has not closed yet",
                hint=f"the last one that has is {calendar.last_closed_session(now)}",
            )
        return day

    def _now(self) -> datetime | None:
        """Return the time; where the sandbox is away the one it stopped at, None where that is not known either."""
        try:
            return self.clock.now()
        except SourceError:
            return calendar.kept_time(self.settings.home / "sandbox")

    def announce(self) -> None:
        """Tell the channels of PAS_NOTIFY_URLS what a command brought about; never fatal."""
        from pas_lib.notify import announce

        announce(self.settings, self.clock, self.warehouse)


def default_to(group: typer.Typer, name: str, show: Callable[[bool], None]) -> None:
    """Make a group of commands, called without one, do what one of them does; its ``--json`` counts for what follows.

    Parameters
    ----------
    group : Typer
        The group.
    name : str
        The command, as its help names it.
    show : callable
        Called with whether JSON is wanted.
    """
    told = f"{group.info.help} Alone: {name}."

    @group.callback(invoke_without_command=True, help=told)
    def alone(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        if ctx.invoked_subcommand is None:
            show(as_json)
        elif as_json:
            ctx.default_map = {ctx.invoked_subcommand: {"as_json": True}}


@contextmanager
def working(title: str) -> Iterator[None]:
    """Show on a terminal's standard error that long work goes on, and for how long; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(title, total=None)
        yield


def context() -> Context:
    """Read the settings of this call."""
    return Context(load_settings())


def api_address(settings: Settings) -> str:
    """Return where the REST API is reached from here."""
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host  # noqa: S104
    return (settings.api_url or f"http://{host}:{settings.api_port}").rstrip("/")


def parse_date(text: str, option: str) -> date:
    """Return an ISO date.

    Raises
    ------
    PasError
        Naming the option.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PasError(f"{option}: {text!r} is not a date", hint="write it as 2026-01-30") from None


# -------------------------------------------------------------------------------------------------- answers


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it: dates as text, NaN and infinities as null, frames as records."""
    import numpy as np
    import pandas as pd

    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, Decimal):
        return float(value)
    if value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() and value.tz is None else value.isoformat()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, pd.Series):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, pd.DataFrame):
        return [{str(key): plain(item) for key, item in row.items()} for row in value.to_dict("records")]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, Path):
        return str(value)
    return str(value)


class Answered:
    """Whether a command has written its JSON: what fails after that must not write a second document."""

    yet = False


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    Answered.yet = True
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def print_json_line(value: Any) -> None:
    """Write one JSON record on a line of its own."""
    Answered.yet = True
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, note: str = "") -> None:
    """Print a table; numbers are right-aligned, missing values a dash."""
    from rich.console import Console
    from rich.table import Table

    # Where nobody looks (a pipe, a log) a line may be as long as it needs to be.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
    console.print(title, style="bold", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    number = int | float | Decimal | None
    numeric = [bool(rows) and all(isinstance(row[i], number) for row in rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*[cell(value) for value in row])
    console.print(table)
    if not rows:
        console.print("  nothing")
    if note:
        console.print(note, style="dim", markup=False)


def cell(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:,.4f}" if abs(value) < 100 else f"{value:,.2f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    from rich.markup import escape

    return escape(str(value))
