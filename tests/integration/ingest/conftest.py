"""A road against loopback sites and a fresh warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pas_lib.clock import FixedClock
from pas_lib.warehouse import Warehouse
from tests.support.loopback import serve
from tests.support.road import EVENING, Road, World, settings_at


@pytest.fixture
def road(warehouse: Warehouse, tmp_path: Path) -> Iterator[Road]:
    world = World()
    with serve(world) as site:
        yield Road(world, site, settings_at(site.url, warehouse.url, tmp_path), FixedClock(EVENING), warehouse)


@pytest.fixture
def stocked(road: Road) -> Road:
    """The same with universe and prices collected."""
    road.collect("universe")
    road.collect("prices")
    return road
