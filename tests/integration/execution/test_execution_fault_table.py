"""The fault matrix, a test each: the short set always, every step and every point with the slow tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.integration.execution.fault_cases import CASES, Case, judge


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.name, marks=() if c.is_short else pytest.mark.slow) for c in CASES]
)
def test_after_every_fault_nothing_is_doubled_lost_or_unexplained(stage: Any, case: Case) -> None:
    verdict = judge(stage, case)
    assert verdict.orders == case.orders
    assert verdict.held == {key: Decimal(qty) for key, qty in case.held.items()}
    assert verdict.twice == 0
    assert verdict.fills_booked_once == verdict.fills_at_broker
    assert verdict.is_equal
    assert verdict.state == case.state
    assert case.reason in verdict.reason
    assert verdict.next_run.startswith(case.next_run)


def test_the_judge_sees_what_is_wrong(stage: Any) -> None:
    """A duplicate order, a fill that is not booked and an unequal position each spoil the verdict."""

    def play(stage: Any) -> str:
        stage.run({"alpha": {"AAA": 0.1}})
        stage.held_before = stage.holdings()
        first = stage.broker.book.orders()[0]["client_order_id"]
        again = "-".join([*first.split("-")[:-2], "2", "0" * 12])
        body = {"symbol": "AAA", "side": "buy", "type": "market", "time_in_force": "day", "qty": "98"}
        stage.broker.book.submit({**body, "client_order_id": again})
        return "nothing"

    verdict = judge(stage, Case("spoiled", play))
    assert (verdict.twice, verdict.is_equal, verdict.is_safe) == (1, False, False)
    assert (verdict.fills_at_broker, verdict.fills_booked_once) == (2, 1)
