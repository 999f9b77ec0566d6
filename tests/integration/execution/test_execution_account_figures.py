"""The account's figures of a session are of that session, whenever somebody looks again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

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
