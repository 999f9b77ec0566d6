"""Where answers come from: PostgreSQL, or the DuckDB mirror while PostgreSQL is away.

An answer is computed by a function of a :class:`Reader`. It runs in one read-only transaction on PostgreSQL, so that
the numbers of one answer belong together, or, where it asks a single statement, without one; if PostgreSQL cannot be
reached, or goes away in the middle, the whole function runs again on the mirror, and the answer says so.
"""

from __future__ import annotations

import logging
import os
import re
import select
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeVar

import duckdb
import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

from api.errors import ApiError, NotReady
from api.values import plain
from pas_lib.clock import Clock
from pas_lib.warehouse.connection import trusted

log = logging.getLogger("api.store")

Source = Literal["postgres", "mirror"]
T = TypeVar("T")

#: Seconds a query may take.
STATEMENT_TIMEOUT = 15.0
#: Seconds to wait for PostgreSQL to accept a connection.
CONNECT_TIMEOUT = 2
#: Seconds during which a server that did not answer is not asked again.
RETRY_AFTER = 2.0
#: Seconds a connection may have rested without being asked whether it still lives.
RESTED = 5.0

#: How often an answer is computed anew because a build replaced what it reads.
ATTEMPTS = 5

_PARAMETER = re.compile(r"%\((\w+)\)s")
_TABLE = re.compile(r"\b(raw|marts|ops)\.(\w+)")
#: Of the tables named, those that are another one now than when the transaction's view of the data began. Names are
#: looked up as things are now, the catalogue is read as it was then.
_NOW_OTHERS = """
select name from unnest(%(names)s::text[]) as name
left join (
  select n.nspname || '.' || c.relname as seen_name, c.oid as seen from pg_class c
  join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'marts'
) as then_there on seen_name = name
where to_regclass(name)::oid is distinct from seen
"""
_REBUILDING = "a build replaces the tables again and again"
_HINTS = {
    "raw": "load it with `pas ingest {table}`",
    "marts": "build it with `pas build`",
    "ops": "`make run` brings the warehouse up to date",
}


class PostgresAway(Exception):
    """PostgreSQL cannot be reached, or went away during the query."""


class Replaced(Exception):
    """A build put a new table in place of one that this transaction reads; its rows cannot be seen from here."""


class MirrorAway(Exception):
    """There is no mirror file, or it cannot be opened."""


@dataclass(frozen=True)
class Rows:
    """A result: column names and rows in order, with the values as the driver gave them."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries of JSON-ready values (see :func:`plain`)."""
        return [dict(zip(self.columns, map(plain, row), strict=True)) for row in self.rows]


@dataclass
class Provenance:
    """Where an answer came from."""

    source: Source
    #: When the mirror was published; None for PostgreSQL.
    published_at: datetime | None = None
    #: The mirror's age in seconds; None for PostgreSQL.
    age: float | None = None

    def headers(self) -> dict[str, str]:
        """Return the answer headers ``X-PAS-Source`` and, for the mirror, its age and time of publication."""
        headers: dict[str, str] = {"X-PAS-Source": self.source}
        if self.published_at is not None and self.age is not None:
            headers["X-PAS-Mirror-Age"] = f"{self.age:.0f}"
            headers["X-PAS-Mirror-Published"] = self.published_at.isoformat(timespec="seconds")
        return headers


class Reader(ABC):
    """Runs queries of one answer against one store.

    Statements use named parameters ``%(name)s`` and SQL that both engines understand.
    """

    source: Source

    @abstractmethod
    def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Return all rows of a query.

        Raises
        ------
        NotReady
            If a table or column is not there yet, or the query takes too long.
        """

    def records(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all rows of a query as dictionaries of JSON-ready values."""
        return self.fetch(statement, parameters).records()

    def first(self, statement: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the first row of a query as a dictionary, or None."""
        found = self.records(statement, parameters)
        return found[0] if found else None

    def scalar(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the first value of the first row, or None."""
        rows = self.fetch(statement, parameters).rows
        return plain(rows[0][0]) if rows else None

    def attempt(self, answer: Callable[[Reader], T]) -> T | NotReady:
        """Return a part of an answer, or why it cannot be given, without spoiling the parts that follow."""
        try:
            return answer(self)
        except NotReady as error:
            return error

    def columns(self, schema: str, table: str) -> tuple[tuple[str, str], ...]:
        """Return the columns of a table as (name, type) in their order; empty if it does not exist."""
        found = self.fetch(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %(schema)s and table_name = %(table)s order by ordinal_position",
            {"schema": schema, "table": table},
        )
        return tuple((str(name), str(kind)) for name, kind in found.rows)


def missing(statement: str, message: str) -> NotReady:
    """Return the failure for a table that a query needs and that is not there."""
    named = [(schema, table) for schema, table in _TABLE.findall(statement) if table in message]
    schema, table = (named or _TABLE.findall(statement) or [("ops", "?")])[0]
    return NotReady(f"{schema}.{table} is not there yet", hint=_HINTS[schema].format(table=table))


def outdated(statement: str, message: str) -> NotReady:
    """Return the failure for a table whose columns are not those this version expects."""
    tables = sorted({f"{schema}.{table}" for schema, table in _TABLE.findall(statement)})
    reason = message.strip().splitlines()[0]
    hint = _HINTS["ops"] if all(one.startswith("ops.") for one in tables) else "rebuild with `pas build`"
    return NotReady(f"{' or '.join(tables)} has other columns than expected: {reason}", hint=hint)


def _marts(statement: str) -> set[str]:
    """Return the marts that a statement names."""
    return {f"{schema}.{table}" for schema, table in _TABLE.findall(statement) if schema == "marts"}


class PostgresReader(Reader):
    """Reads inside one transaction of one connection."""

    source: Source = "postgres"

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        self._marts: set[str] = set()

    def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Return all rows of a query."""
        self._marts |= _marts(statement)
        try:
            cursor = self._conn.execute(trusted(statement), parameters)
            return Rows(tuple(c.name for c in cursor.description or ()), cursor.fetchall())
        except (pg.UndefinedTable, pg.InvalidSchemaName) as error:
            raise missing(statement, str(error)) from None
        except pg.UndefinedColumn as error:
            raise outdated(statement, str(error)) from None
        except pg.QueryCanceled:
            raise NotReady(f"the query took longer than {STATEMENT_TIMEOUT:.0f} s", hint="ask for less") from None
        except psycopg.OperationalError as error:
            if self._conn.broken or self._conn.closed or isinstance(error, pg.AdminShutdown | pg.CrashShutdown):
                raise PostgresAway(str(error)) from None
            raise

    def confirm(self) -> None:
        """Make sure that all that was read was there.

        dbt builds a table beside the old one and swaps the names. A transaction whose view began before that finds the
        new table, and in it no row.

        Raises
        ------
        Replaced
            If a mart that was read is another table now than when the transaction's view of the data began.
        """
        if self._marts:
            found = self.fetch(_NOW_OTHERS, {"names": sorted(self._marts)}).rows
            if found:
                raise Replaced(", ".join(name for (name,) in found))

    def copy(self, statement: str, chunk: int) -> Iterator[bytes]:
        """Yield what a COPY writes, in pieces of about ``chunk`` bytes; it may take as long as its reader does."""
        for name in _marts(statement):
            self.fetch(f"select 1 from {name} limit 0")  # noqa: S608 - a name of the statement; held from here on
        self.confirm()
        self._conn.execute("set local statement_timeout = 0")
        with self._conn.cursor() as cursor, cursor.copy(trusted(statement)) as copy:
            gathered: list[bytes] = []
            size = 0
            for line in copy:
                gathered.append(bytes(line))
                size += len(line)
                if size >= chunk:
                    yield b"".join(gathered)
                    gathered, size = [], 0
            yield b"".join(gathered)

    def attempt(self, answer: Callable[[Reader], T]) -> T | NotReady:
        """Return a part of an answer, or why it cannot be given; a savepoint keeps the transaction usable."""
        try:
            with self._conn.transaction():
                return answer(self)
        except NotReady as error:
            return error


class PointReader(PostgresReader):
    """Reads without a transaction: each statement sees the newest state, and is its own.

    A statement's view of the data begins when its tables are locked. What a build swapped in before is committed then,
    and what it would swap in waits for the lock: nothing is left to be confirmed.
    """

    def confirm(self) -> None:
        """Nothing can have been replaced."""

    def attempt(self, answer: Callable[[Reader], T]) -> T | NotReady:
        """Return a part of an answer, or why it cannot be given: a failure spoils nothing here."""
        return Reader.attempt(self, answer)


class MirrorReader(Reader):
    """Reads the DuckDB mirror."""

    source: Source = "mirror"

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Return all rows of a query."""
        translated = _PARAMETER.sub(r"$\1", statement)
        timer = threading.Timer(STATEMENT_TIMEOUT, self._cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            result = (
                self._cursor.execute(translated, dict(parameters)) if parameters else self._cursor.execute(translated)
            )
            columns = tuple(str(c[0]) for c in result.description or ())
            return Rows(columns, result.fetchall())
        except duckdb.CatalogException as error:
            raise missing(statement, str(error)) from None
        except duckdb.BinderException as error:
            raise outdated(statement, str(error)) from None
        except duckdb.InterruptException:
            raise NotReady(f"the query took longer than {STATEMENT_TIMEOUT:.0f} s", hint="ask for less") from None
        finally:
            timer.cancel()

    def batches(self, statement: str, size: int) -> Iterator[Rows]:
        """Yield the rows of a query in batches; at least one, which may be empty."""
        result = self._cursor.execute(statement)
        columns = tuple(str(c[0]) for c in result.description or ())
        rows = result.fetchmany(size)
        yield Rows(columns, rows)
        while rows := result.fetchmany(size):
            yield Rows(columns, rows)


class PostgresPool:
    """A few connections, opened when needed and given back after every answer.

    Parameters
    ----------
    address : Callable[[], str]
        Tells the server's address; asked at every new connection, since an embedded server may start later.
    size : int
        Most connections held at once; further answers wait for a free one.
    """

    def __init__(self, address: Callable[[], str], size: int = 8) -> None:
        self._address = address
        self._slots = threading.BoundedSemaphore(size)
        # The connection, and since when it rests.
        self._idle: list[tuple[psycopg.Connection[Any], float]] = []
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._reason = ""

    @contextmanager
    def connection(self, *, steady: bool = True) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection that can only read.

        Parameters
        ----------
        steady : bool
            All statements are one transaction, which sees one state of the data; else each sees the newest.

        Raises
        ------
        PostgresAway
            If the server cannot be reached.
        NotReady
            If every connection stays busy.
        """
        if not self._slots.acquire(timeout=STATEMENT_TIMEOUT):
            raise NotReady("all database connections are busy", hint="try again")
        try:
            conn = self._take()
            conn.autocommit = not steady
            try:
                yield conn
            finally:
                self._give_back(conn)
        finally:
            self._slots.release()

    def _take(self) -> psycopg.Connection[Any]:
        while True:
            with self._lock:
                conn, since = self._idle.pop() if self._idle else (None, 0.0)
            if conn is None:
                return self._open()
            if monotonic() - since < RESTED and not _has_news(conn):
                return conn
            try:
                # A connection may have died while it waited.
                conn.autocommit = True
                conn.execute("select 1")
                return conn
            except psycopg.Error:
                conn.close()

    def _open(self) -> psycopg.Connection[Any]:
        if monotonic() < self._away_until:
            raise PostgresAway(self._reason)
        try:
            conn = psycopg.connect(
                self._address(),
                connect_timeout=CONNECT_TIMEOUT,
                application_name="pas-api",
                options=f"-c statement_timeout={int(STATEMENT_TIMEOUT * 1000)} -c timezone=UTC"
                " -c default_transaction_read_only=on",
            )
        except psycopg.OperationalError as error:
            self._reason = (str(error).strip().splitlines() or ["no answer"])[0]
            self._away_until = monotonic() + RETRY_AFTER
            log.warning("PostgreSQL cannot be reached: %s", self._reason)
            raise PostgresAway(self._reason) from None
        conn.read_only = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return conn

    def _give_back(self, conn: psycopg.Connection[Any]) -> None:
        try:
            if conn.info.transaction_status != TransactionStatus.IDLE:
                conn.rollback()
        except psycopg.Error:
            conn.close()
        if conn.closed:
            return
        with self._lock:
            self._idle.append((conn, monotonic()))

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for conn, _ in idle:
            conn.close()


def _has_news(conn: psycopg.Connection[Any]) -> bool:
    """Return whether the server said something unasked: above all, that it ended the connection."""
    news = select.poll()
    news.register(conn.fileno(), select.POLLIN)
    return bool(news.poll(0))


@dataclass
class Mirror:
    """The DuckDB mirror file, opened read-only and reopened when a new one is published.

    Parameters
    ----------
    path : Path
        The published file; it is replaced by an atomic rename.
    """

    path: Path
    _open: duckdb.DuckDBPyConnection | None = None
    _key: tuple[int, int, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def cursor(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, datetime]]:
        """Lend a cursor, with the file's time of publication.

        Raises
        ------
        MirrorAway
            If there is no mirror, or it cannot be opened.
        """
        with self._lock:
            try:
                stat = os.stat(self.path)
            except OSError:
                raise MirrorAway("there is no mirror file yet") from None
            key = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._open is None or key != self._key:
                self._open, self._key = self._connect(), key
            # Cursors of a replaced file stay valid: they hold the old file open until they end.
            cursor = self._open.cursor()
        try:
            cursor.execute("use pas")
            yield cursor, datetime.fromtimestamp(stat.st_mtime, UTC)
        finally:
            cursor.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        # Attached to a database of its own: a file opened by its name is cached by that name in the process, and a
        # newly published one would be taken for the old.
        conn = duckdb.connect(":memory:", config={"threads": 2})
        try:
            quoted = str(self.path).replace("'", "''")
            conn.execute(f"attach '{quoted}' as pas (read_only)")
            conn.execute("set enable_external_access = false")
            conn.execute("set timezone = 'UTC'")
            conn.execute("set lock_configuration = true")
        except duckdb.Error as error:
            conn.close()
            reason = str(error).strip().splitlines()[0]
            raise MirrorAway(f"the mirror file cannot be opened: {reason}") from None
        return conn

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = self._key = None


def _confirmed(answer: Callable[[Reader], T], reader: PostgresReader) -> T:
    try:
        result = answer(reader)
    except NotReady:
        raise
    except ApiError:  # what is not found may be in a table that was replaced
        reader.confirm()
        raise
    reader.confirm()
    return result


class Store:
    """Answers from PostgreSQL, or from the mirror while PostgreSQL is away.

    Parameters
    ----------
    pool : PostgresPool
    mirror : Mirror
    clock : Clock
        Tells the mirror's age (the machine's time).
    """

    def __init__(self, pool: PostgresPool, mirror: Mirror, clock: Clock) -> None:
        self._pool = pool
        self._mirror = mirror
        self._clock = clock

    def read(
        self, answer: Callable[[Reader], T], provenance: Callable[[Provenance], None], *, steady: bool = True
    ) -> T:
        """Compute an answer from whichever store can be read.

        Parameters
        ----------
        answer : Callable[[Reader], T]
            Pure of side effects: it may run twice.
        provenance : Callable[[Provenance], None]
            Told where the answer comes from before it is computed.
        steady : bool
            Whether it asks several statements that have to see one state of the data.

        Raises
        ------
        NotReady
            If neither store can be read.
        """
        try:
            for _ in range(ATTEMPTS):
                with self._pool.connection(steady=steady) as conn, suppress(Replaced):
                    provenance(Provenance("postgres"))
                    return _confirmed(answer, PostgresReader(conn) if steady else PointReader(conn))
            raise NotReady(_REBUILDING, hint="ask again")
        except PostgresAway:
            pass
        try:
            with self._mirror.cursor() as (cursor, published_at):
                age = max(0.0, (self._clock.now() - published_at).total_seconds())
                provenance(Provenance("mirror", published_at, age))
                return answer(MirrorReader(cursor))
        except MirrorAway as error:
            raise NotReady(
                f"PostgreSQL cannot be reached, and {error}",
                hint="`make run` starts PostgreSQL, `pas mirror` writes the mirror",
            ) from None

    def read_primary(self, answer: Callable[[Reader], T]) -> T:
        """Compute an answer from PostgreSQL itself, for what a copy of earlier must not decide.

        Raises
        ------
        NotReady
            If PostgreSQL cannot be reached.
        """
        try:
            with self._pool.connection(steady=False) as conn:
                return answer(PointReader(conn))
        except PostgresAway:
            raise NotReady(
                "PostgreSQL cannot be reached, and named tokens are checked there alone",
                hint="the tokens of the settings still read the mirror",
            ) from None

    def stream(
        self, pieces: Callable[[Reader], Iterator[bytes]], provenance: Callable[[Provenance], None]
    ) -> Iterator[bytes]:
        """Yield the pieces of a long answer from whichever store can be read when it begins.

        Raises
        ------
        NotReady
            If neither store can be read.
        PostgresAway
            If PostgreSQL goes away in the middle: the answer is cut off, never continued with other rows.
        """
        begun = False
        try:
            for _ in range(ATTEMPTS):
                with self._pool.connection() as conn, suppress(Replaced):
                    provenance(Provenance("postgres"))
                    for piece in pieces(PostgresReader(conn)):
                        begun = True
                        yield piece
                    return
            raise NotReady(_REBUILDING, hint="ask again")
        except PostgresAway:
            if begun:
                raise
        try:
            with self._mirror.cursor() as (cursor, published_at):
                age = max(0.0, (self._clock.now() - published_at).total_seconds())
                provenance(Provenance("mirror", published_at, age))
                yield from pieces(MirrorReader(cursor))
        except MirrorAway as error:
            raise NotReady(
                f"PostgreSQL cannot be reached, and {error}",
                hint="`make run` starts PostgreSQL, `pas mirror` writes the mirror",
            ) from None

    def check(self) -> dict[Source, str]:
        """Return for each store ``"ok"`` or why it cannot be read."""
        result: dict[Source, str] = {}
        try:
            with self._pool.connection() as conn:
                conn.execute("select 1")
            result["postgres"] = "ok"
        except PostgresAway:
            result["postgres"] = "cannot be reached"
        except NotReady as error:
            result["postgres"] = str(error)
        try:
            with self._mirror.cursor() as (cursor, _):
                cursor.execute("select 1")
            result["mirror"] = "ok"
        except MirrorAway as error:
            result["mirror"] = str(error)
        return result

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        self._mirror.close()
