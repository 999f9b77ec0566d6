"""The DuckDB mirror: raw, marts and ops in one file, for offline analytics and for reads while PostgreSQL is away.

A refresh reads one snapshot of PostgreSQL. It starts from a copy of the published file, brings over what changed,
compares row counts and checksums, and publishes the new file by an atomic rename. Readers of the old file keep it until
they close it. Nothing is published when a comparison fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from pas_lib.errors import WarehouseError, WarehouseUnavailable

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from pas_lib.clock import Clock
    from pas_lib.settings import Settings
    from pas_lib.warehouse.connection import Warehouse

SCHEMAS = ("raw", "marts", "ops")
#: Not copied: what opens the API is asked of PostgreSQL alone, and belongs in no file that people pass on.
PRIVATE = ("tokens", "ended_sessions")
#: Version of this file's layout; another one is built from nothing.
LAYOUT = 1

_PLAIN = {
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "double precision": "DOUBLE",
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "smallint": "SMALLINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True)
class _Column:
    name: str
    type: str  # PostgreSQL's, with precision

    @property
    def duckdb_type(self) -> str:
        if self.type in _PLAIN:
            return _PLAIN[self.type]
        if self.type == "numeric":  # sums in views; money and shares have nine decimals
            return "DECIMAL(38,9)"
        return f"DECIMAL{self.type[7:]}" if self.type.startswith("numeric(") else "VARCHAR"

    @property
    def read(self) -> str:
        """Expression that PostgreSQL sends: numbers of fixed precision, JSON and the like as text."""
        return f'"{self.name}"' if self.type in _PLAIN else f'"{self.name}"::text as "{self.name}"'

    def sums(self, engine: str) -> list[str]:
        """Return aggregates that are equal on both engines exactly when the values are, but for wilful forgery."""
        name = f'"{self.name}"'
        out = [f"count({name})"]
        kind = self.duckdb_type
        if kind in ("BIGINT", "INTEGER", "SMALLINT"):
            out.append(f"sum({name})")
        elif kind.startswith("DECIMAL"):
            out.append(f"sum(round({name}, 9))" if self.type == "numeric" else f"sum({name})")
        elif kind == "DOUBLE":
            # floor, not round: the engines round halves differently
            out.append(f"sum(cast(floor(case when abs({name}) < 1e12 then {name} * 1000 else 0 end) as bigint))")
        elif kind == "BOOLEAN":
            out.append(f"sum(case when {name} then 1 else 0 end)")
        elif kind == "DATE":
            out.append(f"sum({name} - date '2000-01-01')")
        elif kind.startswith("TIMESTAMP"):
            micros = f"epoch_us({name})" if engine == "duckdb" else f"(extract(epoch from {name}) * 1000000)::bigint"
            out.append(f"sum({micros})")
        else:
            text = name if engine == "duckdb" else f"{name}::text"
            out.append(f"sum(length({text}))")
            if self.name == "content_hash":
                digits = f"left(md5({text}), 8)"
                out.append(
                    f"sum(cast('0x' || {digits} as bigint))"
                    if engine == "duckdb"
                    else f"sum(('x' || {digits})::bit(32)::bigint)"
                )
        return out


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    columns: tuple[_Column, ...]

    @property
    def full(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def has(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    @property
    def is_appended(self) -> bool:
        return self.schema == "raw" and "row_id" in self.has

    @property
    def by_month(self) -> bool:
        """Large marts by session: only the months that differ are brought over again."""
        return self.schema == "marts" and "session" in self.has

    def checksum(self, engine: str) -> str:
        """One text of all sums, the same on both engines."""
        sums = [f"coalesce(cast({each} as text), '0')" for column in self.columns for each in column.sums(engine)]
        return " || ',' || ".join(["cast(count(*) as text)", *sums])


@dataclass(frozen=True)
class MirrorReport:
    """What a refresh published.

    Attributes
    ----------
    path : Path
        The published file.
    rows : dict
        ``schema.table`` -> rows.
    transferred : int
        Rows brought over from PostgreSQL.
    rebuilt : bool
        True when the file was made from nothing.
    published_at : datetime
        By the injected clock.
    seconds : float
        Wall time.
    """

    path: Path
    rows: dict[str, int]
    transferred: int
    rebuilt: bool
    published_at: datetime
    seconds: float


def refresh(settings: Settings, clock: Clock, warehouse: Warehouse) -> MirrorReport:
    """Bring the mirror up to date and publish it.

    Parameters
    ----------
    settings : Settings
        Names the mirror's path.
    clock : Clock
        Time stamp of the publication.
    warehouse : Warehouse
        The store of record.

    Returns
    -------
    MirrorReport

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached.
    WarehouseError
        If a table differs after the transfer, or another refresh is under way. The published file stays as it was.
    """
    return publish(settings.mirror_path, warehouse, clock.now())


def publish(path: Path, warehouse: Warehouse, now: datetime) -> MirrorReport:
    """Bring the mirror at ``path`` up to date and publish it; see :func:`refresh`."""
    import duckdb

    began = monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with _only_one(path), _snapshot(warehouse) as source:
        tables = source.tables()
        identity = source.rows("select warehouse_id, origin from ops.warehouse_identity")
        if not identity:
            raise WarehouseError("the warehouse has no identity: it cannot be mirrored", hint="run `make run` first")
        warehouse_id, origin = identity[0]
        _forget(fresh)
        rebuilt = not _copy_published(path, fresh, warehouse_id)
        try:
            with duckdb.connect(str(fresh)) as target:
                target.execute("set timezone = 'UTC'")
                sent = _bring_over(source, target, tables)
                rows = _compare(source, target, tables, {name for name, count in sent.items() if count})
                _stamp(target, warehouse_id, origin, now, rows)
                target.execute("checkpoint")
        except duckdb.Error as error:
            raise WarehouseError(f"the mirror could not be written: {str(error).strip().splitlines()[0]}") from None
        _sync(fresh)
        fresh.replace(path)
    return MirrorReport(path, rows, sum(sent.values()), rebuilt, now, monotonic() - began)


def extract(path: Path, warehouse: Warehouse, condition: Callable[[str], str | None]) -> dict[str, int]:
    """Write a part of the warehouse into a new DuckDB file; JSON columns keep their type.

    Parameters
    ----------
    path : Path
        A file that does not exist.
    warehouse : Warehouse
        The store of record, read in one snapshot.
    condition : callable
        ``schema.table`` -> the condition that rows must meet, in PostgreSQL's words; None leaves the table out.

    Returns
    -------
    dict
        ``schema.table`` -> rows.

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached.
    WarehouseError
        If the file cannot be written.
    """
    import duckdb

    sent: dict[str, int] = {}
    try:
        with _snapshot(warehouse) as source, duckdb.connect(str(path)) as target:
            target.execute("set timezone = 'UTC'")
            for schema in SCHEMAS:
                target.execute(f"create schema {schema}")
            wanted = {table: where for table in source.tables() if (where := condition(table.full)) is not None}
            _ensure(target, list(wanted))
            for table, where in wanted.items():
                sent[table.full] = _insert(source, target, table, where)
                for column in table.columns:
                    if column.type in ("json", "jsonb"):
                        target.execute(f'alter table {table.full} alter "{column.name}" type json')
    except duckdb.Error as error:
        raise WarehouseError(f"{path.name} could not be written: {str(error).strip().splitlines()[0]}") from None
    return sent


# ------------------------------------------------------------------------------------------------ PostgreSQL's side


class _Source:
    """One snapshot of PostgreSQL, read through ADBC."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._conn.cursor() as cursor:
            cursor.execute(statement)
            table = cursor.fetch_arrow_table()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_rows else []

    @contextmanager
    def batches(self, statement: str) -> Iterator[pa.RecordBatchReader]:
        with self._conn.cursor() as cursor:
            cursor.execute(statement)
            yield cursor.fetch_record_batch()

    def tables(self) -> list[_Table]:
        """Tables and views of the mirrored schemas with their columns in order."""
        names = ", ".join(f"'{name}'" for name in SCHEMAS)
        private = ", ".join(f"'{name}'" for name in PRIVATE)
        found: dict[tuple[str, str], list[_Column]] = {}
        for schema, table, column, kind in self.rows(
            "select n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)"  # noqa: S608
            " from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
            f" where n.nspname in ({names}) and c.relkind in ('r', 'v', 'p', 'm') and a.attnum > 0"
            " and not a.attisdropped and c.relname not like '%\\_\\_dbt\\_%'"
            f" and not (n.nspname = 'ops' and c.relname in ({private}))"
            " order by n.nspname, c.relname, a.attnum"
        ):
            found.setdefault((schema, table), []).append(_Column(column, kind))
        return [_Table(schema, name, tuple(columns)) for (schema, name), columns in found.items()]


@contextmanager
def _snapshot(warehouse: Warehouse) -> Iterator[_Source]:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc

    try:
        conn = adbc.connect(warehouse.url)
    except adbc_driver_manager.Error as error:
        raise WarehouseUnavailable(
            f"PostgreSQL at {warehouse.shown_url} cannot be reached: {str(error).strip().splitlines()[0]}",
            hint="start it with `make run` or set PAS_DATABASE_URL",
        ) from None
    try:
        with conn.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute("set local timezone = 'UTC'")
        yield _Source(conn)
    except adbc_driver_manager.Error as error:
        raise WarehouseError(f"the mirror could not be read: {str(error).strip().splitlines()[0]}") from None
    finally:
        conn.close()


# ---------------------------------------------------------------------------------------------------- DuckDB's side


def _one(target: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    """Return the only row; all of it is fetched, for a connection with an unfinished result refuses other work."""
    row: tuple[Any, ...] = target.execute(statement).fetchall()[0]
    return row


def _copy_published(path: Path, fresh: Path, warehouse_id: str) -> bool:
    """Start from the published file when it mirrors the same warehouse; return whether it does."""
    import duckdb

    if not path.exists():
        return False
    shutil.copyfile(path, fresh)
    try:
        with duckdb.connect(str(fresh)) as target:
            stamp = target.execute("select warehouse_id, layout from mirror.stamp").fetchall()
        if stamp == [(warehouse_id, LAYOUT)]:
            return True
    except duckdb.Error:
        pass  # not a mirror, or a damaged one: build it anew
    _forget(fresh)
    return False


def _bring_over(source: _Source, target: duckdb.DuckDBPyConnection, tables: list[_Table]) -> dict[str, int]:
    for schema in (*SCHEMAS, "mirror"):
        target.execute(f"create schema if not exists {schema}")
    wanted = {table.full for table in tables}
    for schema, name, kind in target.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
        " where table_schema in ('raw', 'marts', 'ops')"
    ).fetchall():
        if f"{schema}.{name}" not in wanted:
            target.execute(f'drop {"view" if kind == "VIEW" else "table"} "{schema}"."{name}"')
    _ensure(target, tables)
    sent: dict[str, int] = {}
    for table in tables:
        if _one(target, f"select count(*) from {table.full}")[0] == 0:  # noqa: S608 - names of the catalogue
            sent[table.full] = _insert(source, target, table, "true")
        elif table.is_appended:
            sent[table.full] = _append(source, target, table)
        elif table.by_month:
            sent[table.full] = _replace_months(source, target, table)
        elif _checksum(source, target, table, "true") is not None:
            sent[table.full] = max(_replace(source, target, table, "true"), 1)
    return sent


def _ensure(target: duckdb.DuckDBPyConnection, tables: list[_Table]) -> None:
    """Create the tables, anew those whose columns changed; in one transaction, for each is a wait for the disk."""
    found: dict[str, list[tuple[str, str]]] = {}
    for schema, name, column, kind in target.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns"
        " where table_schema in ('raw', 'marts', 'ops') order by table_schema, table_name, ordinal_position"
    ).fetchall():
        found.setdefault(f"{schema}.{name}", []).append((column, kind))
    target.begin()
    for table in tables:
        declared = [(column.name, column.duckdb_type) for column in table.columns]
        if found.get(table.full) != declared:
            body = ", ".join(f'"{name}" {kind}' for name, kind in declared)
            target.execute(f"drop table if exists {table.full}")
            target.execute(f"create table {table.full} ({body})")
    target.commit()


def _append(source: _Source, target: duckdb.DuckDBPyConnection, table: _Table) -> int:
    """Bring over the rows after the last one; the whole table if its older part is not what it was."""
    count, total, last = _one(
        target,
        f"select count(*), coalesce(sum(row_id), 0), coalesce(max(row_id), 0) from {table.full}",  # noqa: S608
    )
    older = source.rows(
        f"select count(*), coalesce(sum(row_id), 0)::text from {table.full} where row_id <= {last}"  # noqa: S608
    )[0]
    if (int(older[0]), int(older[1])) != (int(count), int(total)):
        return _replace(source, target, table, "true")
    return _insert(source, target, table, f"row_id > {last}")


def _replace_months(source: _Source, target: duckdb.DuckDBPyConnection, table: _Table) -> int:
    month = "cast(extract(year from session) * 12 + extract(month from session) as integer)"
    query = "select {month}, {sums} from {table} group by 1"
    ours = dict(source.rows(query.format(month=month, sums=table.checksum("pg"), table=table.full)))
    theirs = dict(target.execute(query.format(month=month, sums=table.checksum("duckdb"), table=table.full)).fetchall())
    changed = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if not changed:
        return 0
    if len(changed) == len(ours.keys() | theirs.keys()):
        return _replace(source, target, table, "true")
    return _replace(source, target, table, f"{month} in ({', '.join(map(str, changed))})")


def _replace(source: _Source, target: duckdb.DuckDBPyConnection, table: _Table, where: str) -> int:
    target.execute(f"delete from {table.full} where {where}")  # noqa: S608 - names of the catalogue
    return _insert(source, target, table, where)


def _insert(source: _Source, target: duckdb.DuckDBPyConnection, table: _Table, where: str) -> int:
    columns = ", ".join(column.read for column in table.columns)
    order = " order by row_id" if table.is_appended else ""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(f'cast("{column.name}" as {column.duckdb_type})' for column in table.columns)
    with source.batches(f"select {columns} from {table.full} where {where}{order}") as batches:  # noqa: S608
        target.register("incoming", batches)
        (count,) = _one(target, f"insert into {table.full} ({names}) select {values} from incoming")  # noqa: S608
        target.unregister("incoming")
    return int(count)


def _checksum(source: _Source, target: duckdb.DuckDBPyConnection, table: _Table, where: str) -> str | None:
    """Return None when the rows agree, else what differs."""
    query = "select {sums} from {table} where {where}"
    ours = source.rows(query.format(sums=table.checksum("pg"), table=table.full, where=where))[0][0]
    (theirs,) = _one(target, query.format(sums=table.checksum("duckdb"), table=table.full, where=where))
    return None if ours == theirs else f"{ours} <> {theirs}"


def _compare(
    source: _Source, target: duckdb.DuckDBPyConnection, tables: list[_Table], touched: set[str]
) -> dict[str, int]:
    """Compare row counts of all tables, and all columns of those that were touched; return the row counts.

    A table that was not touched was found equal before.

    Raises
    ------
    WarehouseError
        Naming the first table that differs.
    """
    counts: dict[str, int] = {}
    for table in tables:
        count = int(_one(target, f"select count(*) from {table.full}")[0])  # noqa: S608
        difference: str | None
        if table.full in touched:
            difference = _checksum(source, target, table, "true")
        else:
            expected = int(source.rows(f"select count(*) from {table.full}")[0][0])  # noqa: S608
            difference = None if expected == count else f"{expected} rows <> {count} rows"
        if difference is not None:
            raise WarehouseError(
                f"the mirror's {table.full} differs from PostgreSQL's after the transfer: {difference[:200]}",
                hint="nothing was published; delete the mirror file to build it anew",
            )
        counts[table.full] = count
    return counts


def _stamp(
    target: duckdb.DuckDBPyConnection, warehouse_id: str, origin: str, now: datetime, rows: dict[str, int]
) -> None:
    target.execute(
        "create or replace table mirror.stamp as select cast(? as text) as warehouse_id, cast(? as text) as origin,"
        " cast(? as timestamp with time zone) as published_at, cast(? as integer) as layout",
        [warehouse_id, origin, now, LAYOUT],
    )
    target.execute("create or replace table mirror.tables (table_name text, row_count bigint)")
    target.executemany("insert into mirror.tables values (?, ?)", sorted(rows.items()))


# ------------------------------------------------------------------------------------------------------- the files


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let one refresh of a mirror run at a time."""
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as handle:
        try:
            import fcntl
        except ImportError:  # Windows: the new file's own lock has to do
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WarehouseError(
                f"another refresh of the mirror {path.name} is under way", hint="wait for it to end"
            ) from None
        yield


def _forget(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
