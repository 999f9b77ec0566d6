"""Bulk load of 500,000 price rows on both engines, against an INSERT of the same columns from the engine's own memory.

The whole versioned load (stage, hash, compare, insert) into the indexed raw table is shown beside it: what a first
load of a dataset costs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pas_lib.clock import FixedClock, sessions
from pas_lib.datasets import dataset
from pas_lib.warehouse import Warehouse, copy_arrow, create_database, migrate
from pas_lib.warehouse.bitemporal import VersionedLoad
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result, best_ms

SYMBOLS, DAYS = 500, 1000
NOW = datetime(2026, 1, 30, 23, 0, tzinfo=UTC)


def bars() -> pa.Table:
    """Random bars with the columns of ``raw.prices``."""
    rng = np.random.default_rng(3)
    n = SYMBOLS * DAYS
    days = list(sessions(date(2021, 1, 4), date(2025, 12, 31)))[:DAYS]
    close = np.round(rng.uniform(5, 500, n), 2)
    return pa.table(
        {
            "event_date": pa.array(np.tile(np.array(days, dtype="datetime64[D]"), SYMBOLS), pa.date32()),
            "symbol": pa.array(np.repeat([f"S{i:03d}" for i in range(SYMBOLS)], DAYS)),
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": np.round(rng.uniform(1e4, 1e7, n)),
            "currency": pa.repeat("USD", n),
            "split_factor": np.ones(n),
        }
    )


def run() -> Iterator[Result]:
    """Yield the rows."""
    table = bars()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        server.start()
        try:
            create_database(Warehouse(server.url()), "bench")
            warehouse = Warehouse(server.url("bench"))
            migrate(warehouse, "sandbox", clock=FixedClock(NOW))
            yield from _postgres(warehouse, table)
        finally:
            server.stop()
        yield _duckdb(Path(folder) / "bench.duckdb", table)


def _postgres(warehouse: Warehouse, table: pa.Table) -> Iterator[Result]:
    columns = (
        "event_date date, symbol text, open double precision, high double precision, low double precision,"
        " close double precision, volume double precision, currency text, split_factor double precision"
    )
    counts: list[int] = []

    def ours() -> None:
        with warehouse.connect() as conn:
            conn.execute("drop table if exists loaded")
            conn.execute(f"create table loaded ({columns})")
            copy_arrow(conn, table, "loaded")

    def insert() -> None:
        with warehouse.connect() as conn:
            conn.execute("drop table if exists inserted")
            conn.execute(f"create table inserted ({columns})")
            conn.execute("insert into inserted select * from loaded")

    def versioned() -> None:
        with warehouse.connect() as conn:
            conn.execute("truncate raw.prices")
            load = VersionedLoad(conn, dataset("prices"), "bench", NOW)
            load.add(table, pa.repeat("http://127.0.0.1/chart", table.num_rows), "yahoo_chart", NOW)
            counts.append(load.merge()[0])

    mine = best_ms(ours, repeat=3)
    theirs = best_ms(insert, repeat=3)
    same = warehouse.rows("select count(*) as n from (table loaded except all table inserted) d")[0]["n"] == 0
    rate = theirs / mine
    yield Result(
        f"PostgreSQL: Arrow to table by COPY, {table.num_rows:,} rows",
        mine,
        "insert ... select",
        theirs,
        parity="every row equal" if same else "rows differ",
        gate=f"at least half the rate of the INSERT (is {rate:.2f})",
        passed=same and rate >= 0.5,
    )
    full = best_ms(versioned, repeat=2)
    yield Result(
        f"PostgreSQL: the whole versioned load into raw.prices, {table.num_rows:,} rows",
        full,
        "insert ... select",
        theirs,
        parity=f"{counts[-1]:,} rows new",
        passed=counts[-1] == table.num_rows,
    )


def _duckdb(path: Path, table: pa.Table) -> Result:
    with duckdb.connect(str(path)) as con:
        con.register("incoming", table)
        con.execute("create temporary table in_memory as select * from incoming")

        def ours() -> None:
            con.execute("create or replace table loaded as select * from incoming limit 0")
            con.execute("insert into loaded select * from incoming")

        def insert() -> None:
            con.execute("create or replace table inserted as select * from in_memory limit 0")
            con.execute("insert into inserted select * from in_memory")

        mine, theirs = best_ms(ours, repeat=3), best_ms(insert, repeat=3)
        differing = con.execute("select count(*) from (from loaded except all from inserted)").fetchone()
        same = differing == (0,)
    rate = theirs / mine
    return Result(
        f"DuckDB: Arrow to table, {table.num_rows:,} rows",
        mine,
        "insert ... select",
        theirs,
        parity="every row equal" if same else "rows differ",
        gate=f"at least half the rate of the INSERT (is {rate:.2f})",
        passed=same and rate >= 0.5,
    )
