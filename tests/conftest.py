"""Fixtures shared by all tests: real engines, nothing mocked."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# Settings of the developer's shell must not leak into tests.
for _name in [n for n in os.environ if n.startswith(("PAS_", "ALPACA_", "API_", "FRED_", "QUIVER_", "BENZINGA_"))]:
    if not _name.startswith("PAS_TEST_"):
        del os.environ[_name]
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "True")

from pas_lib.clock import FixedClock
from pas_lib.settings import Settings, load_settings
from pas_lib.warehouse import Warehouse, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.support.paths import folder_in_memory

_numbers = itertools.count(1)
_TEMPLATE = "pas_template"
_DBT_DATABASE = "dbt_world"
_TOGETHER = "tests/integration/dbt/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers a file at a time, and the tests of the models all to one: they share what takes longest to build."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return _TOGETHER if file.startswith(_TOGETHER) else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the test session (one per worker under xdist).

    Its folder is not pytest's: each pytest that starts closes that one to other users, and as root the server runs
    as one.
    """
    with tempfile.TemporaryDirectory(prefix="pas-pg-", dir=folder_in_memory()) as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def warehouse_template(postgres_server: EmbeddedPostgres) -> str:
    """A migrated, empty warehouse, copied for each test that needs one."""
    admin = Warehouse(postgres_server.url())
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database {_TEMPLATE}")
    migrate(
        Warehouse(postgres_server.url(_TEMPLATE)),
        "sandbox",
        clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)),
        warehouse_id="test-warehouse",
    )
    return _TEMPLATE


@pytest.fixture
def empty_database(postgres_server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """An empty PostgreSQL database."""
    yield from database(postgres_server, "template0")


@pytest.fixture
def warehouse(postgres_server: EmbeddedPostgres, warehouse_template: str) -> Iterator[Warehouse]:
    """A fresh, migrated, empty warehouse of its own."""
    yield from database(postgres_server, warehouse_template)


@pytest.fixture
def dbt_warehouse(postgres_server: EmbeddedPostgres, warehouse_template: str) -> Iterator[Warehouse]:
    """A fresh, migrated, empty warehouse for dbt: a module takes it as its `warehouse`.

    There is one at a time, and all have the same name: dbt parses its whole project anew for another address.
    """
    yield from database(postgres_server, warehouse_template, _DBT_DATABASE)


@pytest.fixture(scope="module")
def dbt_world(postgres_server: EmbeddedPostgres, warehouse_template: str) -> Iterator[Warehouse]:
    """The same for a whole module, which then has no other one for dbt."""
    yield from database(postgres_server, warehouse_template, _DBT_DATABASE)


@pytest.fixture(scope="session")
def dbt_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of dbt for `dbt_warehouse` and `slot`, in which their parsed project stays."""
    return tmp_path_factory.mktemp("dbt_work")


@pytest.fixture(scope="session")
def slot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one path at which DuckDB files are built; who needs the file for longer copies it."""
    return tmp_path_factory.mktemp("slot") / "slot.duckdb"


def database(server: EmbeddedPostgres, template: str, name: str | None = None) -> Iterator[Warehouse]:
    """Yield a warehouse in a database of its own, copied from a template, and drop it afterwards."""
    admin = Warehouse(server.url())
    name = name or f"test_{next(_numbers)}"
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database {name} template {template} strategy file_copy")
    yield Warehouse(server.url(name))
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings in a folder of their own; with the ``warehouse`` fixture in the same test they point at it."""
    env = {"PAS_HOME": str(tmp_path / "home")}
    if "warehouse" in request.fixturenames:
        env["PAS_DATABASE_URL"] = request.getfixturevalue("warehouse").url
    return load_settings(env, root=tmp_path)
