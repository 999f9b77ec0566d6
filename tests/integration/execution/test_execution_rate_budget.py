"""200 requests a minute: the broker's rule switched on, the budget in front of it, a clock that nobody waits for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from pas_lib.execution.broker import AlpacaGateway
from pas_lib.execution.rate import RateBudget
from pas_lib.sandbox.broker_rate import RateRule


class Ticks:
    """Seconds that pass when somebody sleeps, and a little at every request."""

    def __init__(self, each: float = 0.0) -> None:
        self.at = 1000.0
        self.each = each
        self.slept = 0.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept += seconds


@pytest.mark.parametrize("each", [0.0, 0.05, 1.0])
def test_the_budget_never_breaks_the_rule_and_uses_what_there_is(each: float) -> None:
    ticks = Ticks()
    rule, budget = RateRule(ticks, 200), RateBudget(200, ticks, ticks.sleep)
    for _ in range(1000):
        budget.take()
        assert rule.take()
        ticks.at += each
    assert (rule.answered, rule.refused) == (1000, 0)
    # Twenty at once, then three a second: (1000 - 20) / 3 = 327 seconds, or as long as the requests themselves take.
    assert ticks.at - 1000.0 == pytest.approx(max(326.7, 1000 * each), abs=1.5)


def test_without_a_budget_the_rule_strikes() -> None:
    ticks = Ticks()
    rule = RateRule(ticks, 200)
    assert [rule.take() for _ in range(201)] == [True] * 200 + [False]
    told = rule.headers(1_700_000_000.0)
    assert told == {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1700000060",
        "Retry-After": "60",
    }
    ticks.at += 59.9
    assert not rule.take()
    ticks.at += 0.2
    assert rule.take()


def paced(stage: Any, ticks: Ticks, **patience: Any) -> AlpacaGateway:
    made = stage.gateway(**patience)
    gateway = AlpacaGateway(
        "sandbox", "SANDBOX", "sandbox-secret", f"{stage.url}/alpaca", f"{stage.url}/alpaca-data",
        options=made.options, sleep=ticks.sleep, ticks=ticks,
    )  # fmt: skip
    stage.broker.rate._ticks = ticks
    answer = requests.put(f"{stage.url}/sandbox/broker-rate", json={"per_minute": 200}, timeout=5)
    assert answer.json()["per_minute"] == 200
    return gateway


def basket(stage: Any, portfolios: int, names: int) -> None:
    stage.world.prices.update({f"N{n:02d}": 10.0 + n for n in range(names)})
    weight = 0.9 / portfolios / names
    stage.decide({f"p{p}": {f"N{n:02d}": weight for n in range(names)} for p in range(portfolios)})
    stage.at_open()


def test_a_basket_above_a_minutes_limit_goes_through_without_a_single_refusal(stage: Any) -> None:
    basket(stage, 8, 30)
    ticks = Ticks()
    report = stage.execute(gateway=paced(stage, ticks, calls_per_minute=200))
    assert report.problems == ()
    assert (report.sent, report.fills, report.is_complete) == (240, 240, True)
    asked = requests.get(f"{stage.url}/sandbox/broker-rate", timeout=5).json()
    assert asked["refused"] == 0
    assert asked["answered"] >= 240
    assert ticks.slept == pytest.approx((asked["answered"] - 20) / 3.0, abs=10)
    stage.assert_books_are_the_brokers()


def test_a_client_without_a_budget_is_turned_away_waits_as_told_and_loses_nothing(stage: Any) -> None:
    basket(stage, 8, 30)
    ticks = Ticks()
    report = stage.execute(gateway=paced(stage, ticks, calls_per_minute=0))
    assert report.problems == ()
    assert (report.sent, report.fills, report.is_complete) == (240, 240, True)
    asked = requests.get(f"{stage.url}/sandbox/broker-rate", timeout=5).json()
    assert asked["refused"] >= 1
    assert ticks.slept >= 55.0
    assert len(stage.broker_orders()) == 240
    assert sum((h.qty for h in stage.broker.book.positions().values()), Decimal(0)) > 0
    stage.assert_books_are_the_brokers()
