"""A filled warehouse and a client of the API over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.roles import API_ROLE, grant_api
from tests.integration.api import seed

#: Before the open of the session in which the stored plan is executed.
MARKET_NOW = datetime(2026, 2, 2, 13, 0, tzinfo=UTC)
NOW = datetime(2026, 2, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """The warehouse with the known rows."""
    seed.fill(warehouse)
    return warehouse


@pytest.fixture
def api_settings(settings: Settings, warehouse: Warehouse, postgres_server: EmbeddedPostgres) -> Settings:
    """Settings with both tokens, opening the warehouse under the role the compose stack gives the API."""
    with warehouse.connect() as conn:
        (name,) = conn.execute("select current_database()").fetchone() or ("",)
        if conn.execute("select 1 from pg_roles where rolname = %s", (API_ROLE,)).fetchone() is None:
            conn.execute(f"create role {API_ROLE} login")
    assert grant_api(warehouse)
    tokens = {"api_token": SecretStr(seed.ADMIN), "api_read_token": SecretStr(seed.READ)}
    return settings.model_copy(update={**tokens, "database_url": postgres_server.url(name, user=API_ROLE)})


@pytest.fixture
def client(api_settings: Settings) -> Iterator[TestClient]:
    """A client that sends the read token."""
    app = create_app(api_settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
    headers = {"Authorization": f"Bearer {seed.READ}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as one:
        yield one
