"""Every fault, on sells and on buys, once and often: however many calls it takes, the end is the same."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session
from pas_lib.errors import BrokerError

D = date(2026, 1, 30)
E = next_session(D)
F = next_session(E)
FAULTS: dict[str, dict[str, Any]] = {
    "accept_then_timeout": {"seconds": 0.6},
    "timeout": {"seconds": 0.6},
    "accept_then_error": {"status": 504},
    "accept_then_error 500": {"status": 500},
    "error": {"status": 504},
    "error 502": {"status": 502},
    "accept_then_cut": {},
    "cut": {},
    "accept_then_garbage": {},
    "garbage": {},
    "rate_limit": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("symbol", ["AAA", "WHL", ""])
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_no_fault_makes_a_second_order_or_loses_a_fill(stage: Any, name: str, symbol: str, times: int) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_evening(E)
    stage.decide({"alpha": {"BBB": 0.1, "WHL": 0.1}, "beta": {"AAA": 0.05}}, E)
    stage.at_open(F)
    stage.fault(name.split(" ")[0], symbol=symbol, times=times, **FAULTS[name])
    for _ in range(4):
        report = stage.execute(E, timeout=0.3)
        if report.is_complete:
            break
    assert report.is_complete
    assert report.state == "ACTIVE"
    # A sell whose fate stays unknown does not hold up buys that the cash allows: it may then come after them.
    sent = sorted((s, d, q, st) for _, s, d, q, st in stage.broker_orders()[2:])
    assert sent == [("AAA", "sell", "147", "filled"), ("WHL", "buy", "980", "filled")]
    assert stage.holdings() == {
        ("alpha", "BBB"): Decimal(196), ("alpha", "WHL"): Decimal(980), ("beta", "AAA"): Decimal(49),
    }  # fmt: skip
    stage.assert_books_are_the_brokers()


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    "path", ["GET /v2/account", "GET /v2/positions", "GET /v2/orders", "GET /v2/account/activities", "GET /v2/assets"]
)
def test_reads_that_fail_for_good_stop_before_or_after_but_never_in_between(stage: Any, path: str, status: int) -> None:
    stage.decide({"alpha": {"AAA": 0.2}, "beta": {"CCC": 0.1}})
    stage.at_open()
    stage.fault("error", status=status, times=500, on=path)
    with contextlib.suppress(BrokerError):
        stage.execute()
    stage.broker.faults.clear()
    for _ in range(3):
        report = stage.execute()
        if report.is_complete:
            break
    assert {o.symbol: o.state for o in report.orders} == {"AAA": "filled", "CCC": "filled"}
    assert len(stage.broker_orders()) == 2
    stage.assert_books_are_the_brokers()
