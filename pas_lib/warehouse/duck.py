"""A DuckDB file that answers what is asked of the store of record: the same statements, for reading only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pas_lib.errors import TableMissing, WarehouseError
from pas_lib.warehouse.connection import Parameters, Warehouse

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import psycopg
    import pyarrow as pa


class DuckWarehouse(Warehouse):
    """Reads of a DuckDB file with the warehouse's schemas, for the steps after dbt.

    Statements are those of the store of record, with ``%s`` for values; columns of type JSON come back decoded.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

    @property
    def shown_url(self) -> str:
        """The file's name."""
        return self.path.name

    @contextmanager
    def kept_open(self) -> Iterator[DuckWarehouse]:
        """Keep the file open: reads inside share one database instead of opening it a hundred times over."""
        with self._open():
            yield self

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        try:
            with duckdb.connect(str(self.path), read_only=True) as conn:
                conn.execute("set timezone = 'UTC'")
                yield conn
        except duckdb.CatalogException as error:
            raise TableMissing(_missing_name(str(error))) from None
        except duckdb.Error as error:
            first = str(error).strip().splitlines()[0]
            raise WarehouseError(f"{self.shown_url} could not be read: {first}") from None

    def rows(self, statement: str, parameters: Parameters = None) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries. For small results."""
        with self._open() as conn:
            cursor = conn.execute(*_translated(statement, parameters))
            described = [(column[0], str(column[1])) for column in cursor.description or ()]
            found = cursor.fetchall()
        return [
            {
                name: json.loads(value) if kind == "JSON" and value is not None else value
                for (name, kind), value in zip(described, row, strict=True)
            }
            for row in found
        ]

    def frame(self, statement: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return a query as a DataFrame: dates as ``datetime64``, ``timestamptz`` in UTC, NULL as NaN or None."""
        with self._open() as conn:
            text, values = _translated(statement, parameters)
            table: Any = conn.sql(text, params=values).to_arrow_table()
        return cast("pd.DataFrame", table.to_pandas(date_as_object=False))

    def arrow(self, statement: str) -> pa.Table:
        """Return a query as an Arrow table."""
        with self._open() as conn:
            return conn.sql(statement).to_arrow_table()

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:  # noqa: ARG002
        """Refuse: nothing is written to such a file.

        Raises
        ------
        WarehouseError
            Always.
        """
        self._refuse()
        yield  # type: ignore[unreachable]

    def execute(self, statement: str, parameters: Parameters = None) -> int:  # noqa: ARG002
        """Refuse: nothing is written to such a file.

        Raises
        ------
        WarehouseError
            Always.
        """
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise WarehouseError(f"{self.shown_url} is for reading only")


def _translated(statement: str, parameters: Parameters) -> tuple[str, Any]:
    """Return a statement and its values as DuckDB takes them."""
    if parameters is None:
        return statement, None
    return statement.replace("%s", "?").replace("%%", "%"), list(parameters)


def _missing_name(message: str) -> str:
    start = message.find("Table with name ")
    return message[start + 16 :].split(" ", 1)[0] if start >= 0 else message.strip().splitlines()[0]
