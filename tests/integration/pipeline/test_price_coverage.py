"""A session whose prices came for some names only is not decided."""

from __future__ import annotations

import pytest

from pas_lib.errors import WarehouseError
from pas_lib.pipeline import decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner


def test_half_of_the_prices_is_no_session(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("delete from marts.daily_returns where session = %s and symbol < 'S20'", (DECISION,))
    with pytest.raises(WarehouseError, match="2026-01-30 has prices of 21 securities, the one before of 41"):
        decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert warehouse.rows("select count(*) as n from ops.decisions") == [{"n": 0}]


def test_a_few_halted_names_are_no_reason_to_stop(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("delete from marts.daily_returns where session = %s and symbol < 'S03'", (DECISION,))
    assert decide(DECISION, settings, EVENING, warehouse, planner=Planner()).origin == "live"
