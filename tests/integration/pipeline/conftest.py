"""The known marts, written once, and decided on once: each test works on a copy of the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pas_lib.cli.app import run
from pas_lib.pipeline import decide
from pas_lib.settings import Settings, load_settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.conftest import database
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner

Pas = Callable[..., tuple[int, object, str]]


def _template(server: EmbeddedPostgres, name: str, template: str) -> Warehouse:
    with Warehouse(server.url()).connect(autocommit=True) as conn:
        conn.execute(f"create database {name} template {template} strategy file_copy")
    return Warehouse(server.url(name))


@pytest.fixture(scope="session")
def marts_template(postgres_server: EmbeddedPostgres, warehouse_template: str) -> str:
    """A warehouse with the marts of `MartsWorld`."""
    MartsWorld().write(_template(postgres_server, "pas_marts", warehouse_template))
    return "pas_marts"


@pytest.fixture(scope="session")
def decided_template(
    postgres_server: EmbeddedPostgres, marts_template: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The same after the decision of its last session."""
    warehouse = _template(postgres_server, "pas_decided", marts_template)
    home = tmp_path_factory.mktemp("decided")
    settings = load_settings({"PAS_HOME": str(home), "PAS_DATABASE_URL": warehouse.url}, root=Path(home))
    decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    return "pas_decided"


@pytest.fixture
def marts(postgres_server: EmbeddedPostgres, marts_template: str) -> Iterator[Warehouse]:
    """A copy of the warehouse with marts: a module takes it as its `warehouse`."""
    yield from database(postgres_server, marts_template)


@pytest.fixture
def decided(postgres_server: EmbeddedPostgres, decided_template: str) -> Iterator[Warehouse]:
    """A copy of the warehouse with a decision: a module takes it as its `warehouse`."""
    yield from database(postgres_server, decided_template)


@pytest.fixture
def pas(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings, warehouse: Warehouse
) -> Pas:
    """Return a function that runs a command on the warehouse: status, answer, what was said on standard error."""
    monkeypatch.setenv("PAS_HOME", str(settings.home))
    monkeypatch.setenv("PAS_DATABASE_URL", warehouse.url)

    def call(*words: str) -> tuple[int, object, str]:
        status = run([*words, "--json"])
        out = capsys.readouterr()
        return status, json.loads(out.out) if out.out else None, out.err

    return call
