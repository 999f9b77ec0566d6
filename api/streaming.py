"""A whole table as one stream: CSV or newline-delimited JSON, however large it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Literal

import orjson

from api import catalogue
from api.errors import NotReady
from api.store import MirrorReader, PostgresReader, Provenance, Reader, Store
from api.values import cell, plain

Format = Literal["csv", "ndjson"]
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
}
_CHUNK = 256 * 1024
_ROWS = 5_000
_FLOATS = frozenset({"double precision", "real"})


def table_stream(
    store: Store,
    table: catalogue.Table,
    fields: str | None,
    kind: Format,
    provenance: Callable[[Provenance], None],
) -> Iterator[bytes]:
    """Return a table's rows as text, in pieces; the first one is computed before this returns.

    Parameters
    ----------
    store : Store
        PostgreSQL, or the mirror while it is away; what was begun on one is not continued on the other.
    table : catalogue.Table
        Which table.
    fields : str, optional
        Columns wanted, separated by commas; all by default.
    kind : {"csv", "ndjson"}
        NULL and NaN are an empty cell in CSV and null in JSON.
    provenance : Callable
        Told where the rows come from.

    Returns
    -------
    Iterator of bytes
        In no particular order: sorting a large table would take longer than sending it.

    Raises
    ------
    NotReady
        If the table is not there yet, or neither store can be read.
    Unprocessable
        If there is no such column.
    """

    def pieces(reader: Reader) -> Iterator[bytes]:
        columns = catalogue.columns_of(reader, table)
        if not columns:
            raise NotReady(f"{table.schema}.{table.name} is not there yet", hint="`make run` or `pas build` creates it")
        names = list(columns) if fields is None else list(dict.fromkeys(f.strip() for f in fields.split(",")))
        shown = [catalogue.checked(name, columns, table) for name in names]
        if isinstance(reader, PostgresReader):
            return _from_postgres(reader, table, columns, names, shown, kind)
        assert isinstance(reader, MirrorReader)  # noqa: S101 - there are two
        return _from_mirror(reader, table, names, shown, kind)

    stream = store.stream(pieces, provenance)
    first = next(stream, b"")
    return chain([first], stream)


def _from_postgres(
    reader: PostgresReader,
    table: catalogue.Table,
    columns: dict[str, str],
    names: list[str],
    shown: list[str],
    kind: Format,
) -> Iterator[bytes]:
    """COPY does the formatting in the server."""
    picked = []
    for name, value in zip(names, shown, strict=True):
        text = f"nullif({value}, 'NaN')" if columns[name] in _FLOATS else value
        if columns[name] == "timestamp with time zone" and kind == "csv":
            text = f"""to_char({value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
        if columns[name] == "boolean" and kind == "csv":
            text = f"case {value} when true then 'true' when false then 'false' end"
        picked.append(f'{text} as "{name}"')
    rows = f"select {', '.join(picked)} from {table.qualified}"  # noqa: S608 - names are checked against the store's own
    if kind == "csv":
        statement = f"copy ({rows}) to stdout (format csv, header)"
    else:
        # Neither of the two characters can stand in JSON text: nothing is ever quoted.
        lines = f"select row_to_json(r) from ({rows}) as r"  # noqa: S608
        statement = f"copy ({lines}) to stdout (format csv, quote e'\\x01', delimiter e'\\x02')"
    return reader.copy(statement, _CHUNK)


def _from_mirror(
    reader: MirrorReader, table: catalogue.Table, names: list[str], shown: list[str], kind: Format
) -> Iterator[bytes]:
    picked = ", ".join(f'{value} as "{name}"' for name, value in zip(names, shown, strict=True))
    for number, rows in enumerate(reader.batches(f"select {picked} from {table.qualified}", _ROWS)):  # noqa: S608
        found = catalogue.decoded(rows)
        if kind == "csv":
            buffer = io.StringIO()
            writer = csv.writer(buffer, lineterminator="\n")
            if number == 0:
                writer.writerow(names)
            writer.writerows([cell(value) for value in row] for row in found.rows)
            yield buffer.getvalue().encode()
        else:
            lines = (orjson.dumps(dict(zip(names, map(plain, row), strict=True))) for row in found.rows)
            yield b"".join(line + b"\n" for line in lines)
