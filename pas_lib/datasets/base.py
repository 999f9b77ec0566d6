"""What a dataset is: columns, key, time rules and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pas_lib import clock

SqlType = Literal["text", "double precision", "bigint", "integer", "date", "boolean", "timestamptz"]
Cadence = Literal["daily", "weekly"]

#: Type of every time stamp in Arrow tables: microseconds in UTC.
TIMESTAMP = pa.timestamp("us", tz="UTC")

_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "double precision": pa.float64(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "timestamptz": TIMESTAMP,
}

#: ``known_at`` of each row of a table (its own columns and ``event_date``), given the time it was fetched.
KnownAt = Callable[[pa.Table, datetime], pa.Array]

#: Settles rows of a payload against what is current in raw: ``resolve(parsed, current) -> parsed``.
Resolve = Callable[[pa.Table, pa.Table], pa.Table]


@dataclass(frozen=True)
class Column:
    """A column of a raw table.

    Parameters
    ----------
    name : str
        Its name.
    type : str
        PostgreSQL type; plain ones only, so that the DuckDB mirror can use the same.
    doc : str
        Meaning and unit.
    hashed : bool, default True
        Whether a different value makes a new version of the row.
    digits : int, optional
        Significant digits compared. Prices come as 32-bit floats restated after each split: what differs beyond the
        seventh digit is rounding, not news.
    required : bool, default False
        NULL is refused.
    default : str, optional
        Text of a source that says nothing about it.
    """

    name: str
    type: SqlType
    doc: str
    hashed: bool = True
    digits: int | None = None
    required: bool = False
    default: str | None = None

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of the column."""
        return _ARROW[self.type]


@dataclass(frozen=True)
class Rule:
    """A condition a valid row fulfils.

    Parameters
    ----------
    reason : str
        Why a row that breaks it goes to quarantine.
    broken : Callable
        Table -> boolean mask, true where a row breaks it. NULL counts as not broken.
    """

    reason: str
    broken: Callable[[pa.Table], Any]


@dataclass(frozen=True)
class Named:
    """Columns of a dataset whose sources may name companies instead of stating symbols.

    Parameters
    ----------
    name : str
        Column with the company's name.
    symbol : str
        Column of the symbol; filled from the name where the source states none, NULL where no name matches.
    basis : str
        Column that says how the symbol was found: ``source``, ``alias``, ``name``, ``fuzzy``, or NULL.
    """

    name: str
    symbol: str = "symbol"
    basis: str = "matched_by"


@dataclass(frozen=True)
class Dataset:
    """One raw table and how it is filled.

    Parameters
    ----------
    name : str
        Name of the dataset and of its table in schema ``raw``.
    doc : str
        One line for people.
    columns : tuple of Column
        Its own columns; the common ones (``event_date``, ``known_at``, ...) are added to every table.
    key : tuple of str
        Natural key: own columns, or ``event_date``.
    subject : tuple of str
        The part of the key that names what a row is about, where the rest of the key are statements about it. A new key
        that comes as another one of the same subject vanishes corrects that one: it is known from then on, not before.
    event_date : str
        The own column that gives the event date, or ``"event_date"`` where the parser sets it.
    known_at : KnownAt
        When a row's first version became public.
    known_at_doc : str
        The same rule in words.
    ends_doc : str
        In words, when a row that its site states no more ends; empty where a site only ever adds.
    cadence : {"daily", "weekly"}
        How often it is collected.
    history : {"full", "none"}
        Whether the site gives the past.
    tolerance : timedelta
        A last good collection older than that counts as stale.
    sources : tuple of str
        Modules of :mod:`pas_lib.sources`, first choice first.
    parse_only : tuple of str
        Further modules whose files can be read but are not collected.
    all_sources : bool
        Collect from every usable source, not only from the first usable one.
    official : tuple of str
        Modules of the publishers themselves, each with a part of the data: all of them are collected from where none of
        ``sources`` is usable.
    critical : bool
        A failure stops the session.
    max_quarantine_share : float
        Above this share of invalid rows the load is refused.
    max_missing_share : float
        Above this share of items (symbols, articles) the site does not know, the load is refused.
    max_failed_share : float
        Up to this share of items may get no answer (time-outs, 5xx) and is left for the next collection, with a note.
        An answer that cannot be read is never tolerated.
    max_vanished_share : float
        Above this share of known rows gone from a payload (and more than 50), the load is refused.
    min_count_share : float, optional
        Below this share of the rows of the collection before, the load is refused. Only where a site states everything
        each time: how much an increment holds says nothing.
    may_be_empty : bool
        An empty answer is not a failure, while the newest row is no older than ``quiet``.
    quiet : timedelta, optional
        The longest time between rows that became known one after another: weekends and holidays at least. After it, a
        site that answers only repeats old bytes. ``None`` where nothing new may come for as long as it likes.
    moves_by : {"event_date", "known_at", "content"}, optional
        By what it shows that a site says something new, and not the same again: the newest event date, the newest time
        a row became known, or, for captures that state no time, what a capture says as a whole. ``None`` where the
        rows of another dataset show it.
    history_start : date, optional
        Start of the first full load.
    overlap : timedelta
        How far an incremental request reaches back before what is loaded.
    followers : tuple of str
        Datasets parsed out of the same payloads.
    leader : str, optional
        For a follower: the dataset whose payloads it comes from.
    scope_columns : tuple of str
        Columns that name the part of the key space a payload states completely.
    ordinal : str, optional
        Key column that numbers rows which are otherwise equal.
    numbered_by : tuple of str
        Sources whose parser numbers rows for good: of rows that come twice, because pages overlap, one counts.
    rules : tuple of Rule
        What a valid row fulfils.
    document : str, optional
        Column with the number of the document a row was read from, where sources list their documents.
    document_day : str, optional
        Column with the day a document was filed on.
    resolve : Resolve, optional
        Settles a payload's rows against the current rows; for small tables.
    named : Named, optional
        Companies are named: symbols are looked up when the rows are loaded, as of their event dates.
    windowed : bool
        Asked by a window of dates: after the first load only what is newer than the last rows less ``overlap``.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    known_at: KnownAt
    known_at_doc: str
    subject: tuple[str, ...] = ()
    event_date: str = "event_date"
    cadence: Cadence = "daily"
    history: Literal["full", "none"] = "full"
    tolerance: timedelta = timedelta(days=4)
    sources: tuple[str, ...] = ()
    parse_only: tuple[str, ...] = ()
    all_sources: bool = False
    official: tuple[str, ...] = ()
    critical: bool = False
    max_quarantine_share: float = 0.02
    max_missing_share: float = 0.25
    max_failed_share: float = 0.0
    max_vanished_share: float = 0.2
    min_count_share: float | None = None
    may_be_empty: bool = False
    quiet: timedelta | None = None
    moves_by: Literal["event_date", "known_at", "content"] | None = None
    history_start: date | None = None
    overlap: timedelta = timedelta(days=7)
    followers: tuple[str, ...] = ()
    leader: str | None = None
    scope_columns: tuple[str, ...] = ()
    ordinal: str | None = None
    numbered_by: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    document: str | None = None
    document_day: str | None = None
    resolve: Resolve | None = None
    named: Named | None = None
    windowed: bool = False
    ends_doc: str = ""

    @property
    def table(self) -> str:
        """Qualified name of the raw table."""
        return f"raw.{self.name}"

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of parsed rows: ``event_date`` and the own columns."""
        fields = [pa.field("event_date", pa.date32())]
        return pa.schema(fields + [pa.field(column.name, column.arrow) for column in self.columns])

    @property
    def scope_schema(self) -> pa.Schema:
        """Arrow schema of a scope: the scope columns and an inclusive range of event dates (NULL = open)."""
        types = {column.name: column.arrow for column in self.columns}
        fields = [pa.field(name, types[name]) for name in self.scope_columns]
        return pa.schema([*fields, pa.field("scope_start", pa.date32()), pa.field("scope_end", pa.date32())])

    def column(self, name: str) -> Column:
        """Return an own column by name."""
        return next(column for column in self.columns if column.name == name)

    def records_table(self, records: list[dict[str, Any]]) -> pa.Table:
        """Build a table of this dataset from records; missing fields are NULL."""
        stated = set().union(*records)
        columns = [
            pa.array([record.get(field.name) for record in records], field.type)
            if field.name in stated
            else pa.nulls(len(records), field.type)
            for field in self.schema
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def scope_table(self, scopes: list[dict[str, Any]]) -> pa.Table:
        """Build a scope table from dictionaries; missing bounds are open."""
        schema = self.scope_schema
        return pa.table(
            {field.name: pa.array([s.get(field.name) for s in scopes], field.type) for field in schema},
            schema=schema,
        )


def per_date(column: str, rule: Callable[[date], datetime]) -> KnownAt:
    """Return a ``known_at`` rule that depends on one date column; NULL dates get the fetch time."""

    def known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
        values = table.column(column).combine_chunks().dictionary_encode()
        known = [rule(day) for day in values.dictionary.to_pylist()]
        found = pa.array(known, TIMESTAMP).take(values.indices)
        return found.fill_null(pa.scalar(fetched_at, TIMESTAMP))

    return known_at


def per_time(*columns: str) -> KnownAt:
    """Return a ``known_at`` rule: the first of some time columns that is stated, else the fetch time."""

    def known_at(table: pa.Table, fetched_at: datetime) -> pa.Array:
        stated = [table.column(name) for name in columns]
        found = pc.coalesce(*stated, pa.scalar(fetched_at, TIMESTAMP))
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    return known_at


def fetch_time(table: pa.Table, fetched_at: datetime) -> pa.Array:
    """``known_at`` rule of rows that state no time at all: when they were fetched."""
    return pa.repeat(pa.scalar(fetched_at, TIMESTAMP), table.num_rows)


def next_session_midnight(day: date) -> datetime:
    """Return 00:00 New York of the first session after ``day``; before the calendar begins, of the next weekday."""
    if day < clock.session_on_or_before(_CALENDAR_FIRST):
        ahead = {4: 3, 5: 2}.get(day.weekday(), 1)
        return clock.ny_midnight(day + timedelta(days=ahead))
    return clock.next_session_midnight(day)


_CALENDAR_FIRST = date(2000, 1, 3)


def raw_ddl(dataset: Dataset) -> str:
    """Return the PostgreSQL statements that create a dataset's raw table and indexes unless they exist.

    Plain types only; the table is append-only and bitemporal.
    """
    key = set(dataset.key)
    lines = [
        "row_id bigint generated always as identity primary key",
        "source text not null",
        "event_date date not null",
        "known_at timestamptz not null",
        "ingested_at timestamptz not null",
        "source_url text not null",
        "run_id text not null",
        "content_hash text not null",
        "is_deleted boolean not null",
    ]
    for column in dataset.columns:
        null = " not null" if column.required or column.name in key else ""
        default = "" if column.default is None else f" default '{column.default}'"
        lines.append(f"{column.name} {column.type}{null}{default}")
    body = ",\n    ".join(lines)
    keys = ", ".join(dataset.key)
    name = dataset.name
    return (
        f"create table if not exists raw.{name} (\n    {body}\n);\n"
        f"create index if not exists {name}_versions on raw.{name} ({keys}, known_at desc, row_id desc);\n"
        f"create index if not exists {name}_ingested on raw.{name} using brin (ingested_at);\n"
        f"create index if not exists {name}_known on raw.{name} using brin (known_at);\n"
    )


def due(dataset: Dataset, session: date, last_loaded: date | None) -> bool:
    """Return whether a dataset is to be collected in a session.

    Parameters
    ----------
    dataset : Dataset
        Which one. A follower is never due by itself: it comes with its leader.
    session : date
        The session.
    last_loaded : date, optional
        Session of the last good collection; ``None`` for an empty table, which is always due.
    """
    if dataset.leader:
        return False
    if last_loaded is None:
        return True
    if last_loaded >= session:
        return False
    return dataset.cadence == "daily" or clock.is_week_end(session) or (session - last_loaded).days >= 7
