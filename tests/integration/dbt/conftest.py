"""One small history, built once on PostgreSQL; tests that change something work on a copy of the database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from pas_lib.dbt import Dbt
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.mirror import publish
from tests.support.marts import END, Built, duckdb_frame
from tests.support.performance_world import load_performance
from tests.support.raw_world import RawWorld

_copies = itertools.count(1)


@pytest.fixture(scope="session")
def world() -> RawWorld:
    return RawWorld()


@pytest.fixture(scope="session")
def built(
    postgres_server: EmbeddedPostgres,
    warehouse_template: str,
    world: RawWorld,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Built]:
    """Everything, built once with dbt's own unit tests."""
    admin = Warehouse(postgres_server.url())
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database dbt_built template {warehouse_template} strategy file_copy")
    warehouse = Warehouse(postgres_server.url("dbt_built"))
    world.load(warehouse)
    load_performance(warehouse, world)
    folder = tmp_path_factory.mktemp("dbt")
    dbt = Dbt(warehouse.url, folder / "work", threads=2)
    result = dbt.build(END, part="all", unit_tests=True)
    yield Built(warehouse, world, dbt, result, folder)
    with admin.connect(autocommit=True) as conn:
        conn.execute("drop database dbt_built with (force)")


@pytest.fixture(scope="session")
def raw_mirror(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mirror of the built warehouse, without its marts: raw and ops only."""
    path = tmp_path_factory.mktemp("mirror") / "history.duckdb"
    publish(path, built.warehouse, datetime(2026, 1, 2, tzinfo=UTC))
    with duckdb.connect(str(path)) as conn:
        conn.execute("drop schema marts cascade")
    return path


@pytest.fixture
def warehouse(dbt_warehouse: Warehouse) -> Warehouse:
    return dbt_warehouse


@pytest.fixture(scope="session")
def duck(slot: Path, dbt_work: Path) -> Dbt:
    """The runner for the file in the slot."""
    return Dbt(str(slot), dbt_work, target="duckdb", threads=2)


@pytest.fixture(scope="session")
def on_duckdb(raw_mirror: Path, slot: Path, duck: Dbt) -> Path:
    """The same marts, built by the DuckDB target."""
    slot.write_bytes(raw_mirror.read_bytes())
    duck.build(END, part="all")
    kept = raw_mirror.with_name("kept.duckdb")
    kept.write_bytes(slot.read_bytes())
    return kept


@pytest.fixture
def rebuild(raw_mirror: Path, slot: Path, duck: Dbt) -> Callable[..., Callable[[str], pd.DataFrame]]:
    """Return a function that changes a copy of the raw mirror with SQL and builds the marts of it on DuckDB."""

    def change(*statements: str, as_of: date = END) -> Callable[[str], pd.DataFrame]:
        slot.write_bytes(raw_mirror.read_bytes())
        with duckdb.connect(str(slot)) as conn:
            conn.execute("set timezone = 'UTC'")
            for statement in statements:
                conn.execute(statement)
        duck.build(as_of, data_tests=False)
        return duckdb_frame(slot)

    return change


@pytest.fixture
def copy_of(postgres_server: EmbeddedPostgres) -> Iterator[Callable[[str], Warehouse]]:
    """Return a function that copies a database nobody is connected to."""
    admin = Warehouse(postgres_server.url())
    made: list[str] = []

    def copy(template: str) -> Warehouse:
        made.append(f"dbt_copy_{next(_copies)}")
        with admin.connect(autocommit=True) as conn:
            conn.execute(f"create database {made[-1]} template {template} strategy file_copy")
        return Warehouse(postgres_server.url(made[-1]))

    yield copy
    with admin.connect(autocommit=True) as conn:
        for name in made:
            conn.execute(f"drop database {name} with (force)")
