"""The dbt project at full size: 3,000 stocks x 20 years of prices, alternative data to match; rebuilt, and a night on.

``PAS_BENCH_STOCKS`` makes it smaller, ``PAS_BENCH_ENGINES=duckdb`` leaves PostgreSQL out. On PostgreSQL a statement may
take half an hour.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pas_lib.clock import FixedClock
from pas_lib.dbt import Dbt, DbtError
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.mirror import publish
from tests.benchmarks.report import Result
from tests.support.scale_world import ScaleWorld, copy_to_postgres

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONLY_BY_NAME = True
FULL_SECONDS, NIGHT_SECONDS, MEMORY_GB, POSTGRES_NIGHT_SECONDS = 120, 20, 8, 40
STATEMENT_MS = 1_800_000


def run() -> Iterator[Result]:
    """Yield the rows; the slowest models are in the line of parity."""
    world = ScaleWorld(stocks=int(os.environ.get("PAS_BENCH_STOCKS", "3000")))
    with tempfile.TemporaryDirectory(prefix="pas-bench-") as folder:
        home = Path(folder)
        server = EmbeddedPostgres(home / "pg")
        server.start()
        try:
            create_database(Warehouse(server.url()), "bench")
            warehouse = Warehouse(server.url("bench"))
            migrate(warehouse, "sandbox", clock=FixedClock(NOW))
            path = home / "history.duckdb"
            publish(path, warehouse, NOW)
            with duckdb.connect(str(path)) as con:
                rows = sum(world.fill(con).values())
            bare = home / "collected.duckdb"
            bare.write_bytes(path.read_bytes())
            yield from _duckdb(world, path, home, rows)
            if os.environ.get("PAS_BENCH_ENGINES", "both") != "duckdb":
                yield from _postgres(world, bare, path, warehouse, home)
        finally:
            server.stop()


def _duckdb(world: ScaleWorld, path: Path, home: Path, rows: int) -> Iterator[Result]:
    dbt = Dbt(str(path), home / "dbt", target="duckdb", threads=2)
    dbt.parse(world.before)
    full = _Build(dbt, world, is_night=False)
    passed = full.seconds <= FULL_SECONDS and full.memory_gb <= MEMORY_GB
    gate = f"at most {FULL_SECONDS} s and {MEMORY_GB} GB"
    yield full.result(f"DuckDB: full rebuild, {rows:,} raw rows", gate, passed)
    with duckdb.connect(str(path)) as con:
        con.execute("set timezone = 'UTC'")
        came = world.collect_night(con)
    os.sync()  # what the rebuild wrote is on the disk long before the night
    night = _Build(dbt, world, is_night=True)
    yield night.result(f"DuckDB: a night, {came:,} rows", f"at most {NIGHT_SECONDS} s", night.seconds <= NIGHT_SECONDS)


def _postgres(world: ScaleWorld, bare: Path, path: Path, warehouse: Warehouse, home: Path) -> Iterator[Result]:
    began = time.perf_counter()
    rows = copy_to_postgres(bare, warehouse)
    settle(warehouse)
    yield Result(f"PostgreSQL: COPY of {rows:,} rows into indexed tables", (time.perf_counter() - began) * 1e3)
    dbt = Dbt(warehouse.url, home / "dbt", threads=2)
    dbt.parse(world.before)
    os.environ["PGOPTIONS"] = f"-c statement_timeout={STATEMENT_MS}"
    try:
        full = _Build(dbt, world, is_night=False)
        yield full.result(f"PostgreSQL: full rebuild, {rows:,} raw rows", "", True)
        came = copy_to_postgres(bare, warehouse, "night")
        night = _Build(dbt, world, is_night=True)
        fast = night.seconds <= POSTGRES_NIGHT_SECONDS
        yield night.result(f"PostgreSQL: a night, {came:,} rows", f"at most {POSTGRES_NIGHT_SECONDS} s", fast)
    except DbtError as error:
        yield Result(f"PostgreSQL: gave up: {error}", STATEMENT_MS, passed=False)
        return
    finally:
        del os.environ["PGOPTIONS"]
    differing = _differing(path, warehouse)
    yield Result("both engines after the night", 0.0, parity=differing or "the same signals", passed=not differing)


def settle(warehouse: Warehouse) -> None:
    """Bring the planner's statistics and the visibility map up to date, as autovacuum would have by the night."""
    with warehouse.connect(autocommit=True) as conn:
        conn.execute("vacuum analyze")


class _Build:
    """One build in a process of its own: its time with dbt's start-up, processor time, memory, and slowest models."""

    def __init__(self, dbt: Dbt, world: ScaleWorld, *, is_night: bool) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = dbt.build(world.end if is_night else world.before, isolated=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = done.seconds
        self.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.memory_gb = after.ru_maxrss / 1e6
        slowest = sorted(done.timings.items(), key=lambda item: -item[1])[:6]
        self.slowest = ", ".join(f"{name.split('.')[2]} {seconds:.1f} s" for name, seconds in slowest)

    def result(self, work: str, gate: str, passed: bool) -> Result:
        load = os.getloadavg()[0]
        told = f"{self.processor:.0f} s of processor, {self.memory_gb:.1f} GB, load {load:.1f}; {self.slowest}"
        return Result(work, self.seconds * 1e3, parity=told, gate=gate, passed=passed)


def _differing(path: Path, warehouse: Warehouse) -> str:
    statement = (
        "select strategy, count(*) as n, sum(score) as total, sum(rank) as ranks from marts.signals"
        " group by strategy order by strategy"
    )
    ours = warehouse.rows(statement)
    with duckdb.connect(str(path), read_only=True) as con:
        theirs = con.execute(statement).fetchall()
    for row, (name, n, total, ranks) in zip(ours, theirs, strict=True):
        same = row["n"] == n and row["ranks"] == ranks and abs(row["total"] - total) <= 1e-9 * max(abs(total), 1.0)
        if row["strategy"] != name or not same:
            return f"{name} differs: {n} rows and {row['n']}"
    return ""
