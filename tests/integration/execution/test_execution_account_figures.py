"""The account's figures of a session are of that session, whenever somebody looks again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pas_lib import clock as calendar
from pas_lib.execution import snapshot_account
from tests.integration.execution.conftest import D, E

LATER = date(2026, 2, 5)


def test_looking_at_an_old_plan_again_leaves_the_figures_of_its_session_alone(stage: Any) -> None:
    stage.run({"p": {"AAA": 0.2}}, D)
    stage.at_evening(LATER)
    stage.world.prices["AAA"] = 120.0
    report = stage.execute(D)
    assert report.sent == 0
    figures = {r["session"]: r["equity"] for r in stage.rows("select session, equity from ops.account_metrics")}
    assert figures[E] == Decimal(100_000)


def test_the_evening_stores_the_close_and_the_next_morning_does_not(stage: Any) -> None:
    stage.run({"p": {"AAA": 0.2}}, D)
    stage.world.closes[("AAA", E)] = 110.0
    stage.at_evening(E)

    def look() -> Decimal:
        snapshot_account(E, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
        rows = stage.rows("select equity from ops.account_metrics where session = %s", (E,))
        return Decimal(rows[0]["equity"])

    assert look() == Decimal(101_960)
    stage.world.closes[("AAA", calendar.next_session(E))] = 200.0
    stage.at_evening(calendar.next_session(E))
    assert look() == Decimal(101_960)
