"""Connections to PostgreSQL and the bulk paths in and out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg import sql

from pas_lib.errors import TableMissing, WarehouseUnavailable

if TYPE_CHECKING:
    import adbc_driver_postgresql.dbapi as adbc
    import pandas as pd
    import pyarrow as pa

    from pas_lib.settings import Settings

Parameters = Sequence[Any] | Mapping[str, Any] | None


#: SQLSTATEs of PostgreSQL for a table and for a schema that do not exist.
_MISSING = frozenset({"42P01", "3F000"})


class Warehouse:
    """PostgreSQL, the store of record.

    Parameters
    ----------
    url : str
        A libpq address. Nothing is opened until it is needed.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    def from_settings(cls, settings: Settings) -> Warehouse:
        """Return the configured warehouse: ``PAS_DATABASE_URL``, or the embedded server's ``pas`` database."""
        if settings.database_url:
            return cls(settings.database_url)
        from pas_lib.warehouse.embedded import EmbeddedPostgres

        return cls(EmbeddedPostgres(settings.home / "postgres").url("pas"))

    @property
    def shown_url(self) -> str:
        """The address without credentials, for messages."""
        info = psycopg.conninfo.conninfo_to_dict(self.url)
        return f"{info.get('host', 'localhost')}/{info.get('dbname', '')}"

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection; commit when the block ends well, roll back when it raises.

        Raises
        ------
        WarehouseUnavailable
            If PostgreSQL cannot be reached, or goes away in the block.
        TableMissing
            If the block read a table that does not exist.
        """
        try:
            conn = psycopg.connect(self.url, autocommit=autocommit, connect_timeout=10, application_name="pas")
        except psycopg.OperationalError as error:
            raise self._away(error) from None
        try:
            with conn:
                yield conn
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise TableMissing(_missing_name(error)) from None
        except psycopg.OperationalError as error:
            if conn.broken or isinstance(error, psycopg.errors.AdminShutdown):
                raise self._away(error) from None
            raise
        finally:
            conn.close()

    def _away(self, error: Exception) -> WarehouseUnavailable:
        reason = (str(error).strip().splitlines() or ["no answer"])[0]
        return WarehouseUnavailable(
            f"PostgreSQL at {self.shown_url} cannot be reached: {reason}",
            hint="start it with `make run` or set PAS_DATABASE_URL",
        )

    def execute(self, statement: str, parameters: Parameters = None) -> int:
        """Run one statement in a transaction of its own and return the number of rows it touched."""
        with self.connect() as conn:
            return conn.execute(trusted(statement), parameters).rowcount

    def rows(self, statement: str, parameters: Parameters = None) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries. For small results."""
        with self.connect() as conn, conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            return cursor.execute(trusted(statement), parameters).fetchall()

    def frame(self, statement: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return a query as a DataFrame: dates as ``datetime64``, ``timestamptz`` in UTC, NULL as NaN or None.

        Large results without parameters go through Arrow; the others through the driver.
        """
        import pandas as pd

        if parameters is None:
            frame = cast("pd.DataFrame", self.arrow(statement).to_pandas(date_as_object=False))
        else:
            with self.connect() as conn:
                cursor = conn.execute(trusted(statement), parameters)
                names = [column.name for column in cursor.description or ()]
                frame = pd.DataFrame(cursor.fetchall(), columns=names)
                for column in cursor.description or ():
                    if column.type_code == psycopg.adapters.types["date"].oid:
                        frame[column.name] = pd.to_datetime(frame[column.name])
                    elif column.type_code == psycopg.adapters.types["float8"].oid:
                        frame[column.name] = frame[column.name].astype(float)
        return frame

    @contextmanager
    def kept_open(self) -> Iterator[Warehouse]:
        """Give the same warehouse with one connection for all that is read through Arrow.

        To connect takes longer than a small read: the driver asks for every type there is. It is for one thread.
        """
        with ExitStack() as held:
            yield _KeptOpen(self.url, held)

    @contextmanager
    def _through_arrow(self) -> Iterator[adbc.Connection]:
        import adbc_driver_postgresql.dbapi as adbc

        with adbc.connect(self.url) as conn:
            yield conn

    def arrow(self, statement: str) -> pa.Table:
        """Return a query as an Arrow table, through ADBC.

        Raises
        ------
        WarehouseUnavailable
            If PostgreSQL cannot be reached.
        TableMissing
            If a table does not exist.
        """
        import adbc_driver_manager

        try:
            with self._through_arrow() as conn, conn.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetch_arrow_table()
        except adbc_driver_manager.OperationalError as error:
            raise self._away(error) from None
        except adbc_driver_manager.Error as error:
            if error.sqlstate in _MISSING:
                raise TableMissing(_named_in(str(error))) from None
            raise


class _KeptOpen(Warehouse):
    """A warehouse whose connection for reads through Arrow is opened once, and closed by who keeps it open."""

    def __init__(self, url: str, held: ExitStack) -> None:
        super().__init__(url)
        self._held = held
        self._conn: adbc.Connection | None = None

    @contextmanager
    def _through_arrow(self) -> Iterator[adbc.Connection]:
        import adbc_driver_postgresql.dbapi as adbc

        if self._conn is None:
            # Each read is a transaction of its own: none holds a table that a build wants to replace.
            self._conn = self._held.enter_context(adbc.connect(self.url, autocommit=True))
        yield self._conn


def _missing_name(error: psycopg.Error) -> str:
    return _named_in(error.diag.message_primary or str(error))


def _named_in(message: str) -> str:
    """Return what a message of PostgreSQL puts into its first quotes: the error's own fields do not carry it."""
    parts = message.split('"')
    return parts[1] if len(parts) > 2 else "a table"


def trusted(statement: str) -> LiteralString:
    """Mark a statement written in this code base (never user input) as safe to run."""
    return statement


def copy_arrow(conn: psycopg.Connection[Any], table: pa.Table, target: str) -> int:
    """Append an Arrow table to a database table through COPY, inside the connection's transaction.

    Parameters
    ----------
    conn : psycopg.Connection
        An open connection.
    table : pyarrow.Table
        Columns named as in the target; its types must be what the target's columns take.
    target : str
        ``schema.table``, or the name of a temporary table.

    Returns
    -------
    int
        Rows copied.
    """
    import io
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow.csv as pa_csv

    columns = sql.SQL(", ").join(sql.Identifier(name) for name in table.column_names)
    # Arrow writes NULL as an unquoted empty field and quotes every text: COPY's own convention for CSV.
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(sql.Identifier(*target.split(".")), columns)
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")

    def encoded(batch: pa.RecordBatch) -> bytes:
        buffer = io.BytesIO()
        pa_csv.write_csv(batch, buffer, options)
        return buffer.getvalue()

    # The next batch is written while the server reads the one before.
    with ThreadPoolExecutor(max_workers=1) as writer, conn.cursor() as cursor, cursor.copy(statement) as copy:
        for text in writer.map(encoded, table.to_batches(max_chunksize=20_000)):
            copy.write(text)
    return int(table.num_rows)
