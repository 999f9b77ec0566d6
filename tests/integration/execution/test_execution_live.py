"""Real money: every condition is checked inside `execute`, whoever calls it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pas_lib.clock import next_session
from pas_lib.errors import GuardError, OrderError
from pas_lib.execution import AlpacaGateway, Decision, Target, approve, create_plan, execute
from pas_lib.execution.broker import GatewayOptions
from pas_lib.execution.steps import Steps

D = date(2026, 1, 30)
E = next_session(D)


class Live:
    """The stage's paper broker, dressed as a live account of a real warehouse."""

    def __init__(self, stage: Any, **change: Any) -> None:
        self.stage = stage
        stage.warehouse.execute("update ops.warehouse_identity set origin = 'real'")
        self.number = stage.broker.book.meta("account_number")
        base = {"broker": "live", "sources": "public", "allow_live": True, "live_account": self.number}
        self.settings = stage.settings.model_copy(update={**base, **change})

    def gateway(self) -> AlpacaGateway:
        return AlpacaGateway(
            "live", "SANDBOX", "sandbox-secret", f"{self.stage.url}/alpaca", f"{self.stage.url}/alpaca-data",
            options=GatewayOptions(timeout=5, pause=0, poll_pause=0, polls=3, lookups=2), sleep=lambda _: None,
        )  # fmt: skip

    def decide(self) -> Any:
        decision = Decision(D, (Target("alpha", "AAA", 0.2, 100),), frozenset({"alpha"}))
        return create_plan(decision, self.settings, self.stage.clock, self.stage.warehouse, gateway=self.gateway())

    def execute(self) -> Any:
        return execute(
            D, self.settings, self.stage.clock, self.stage.warehouse, gateway=self.gateway(), steps=Steps({})
        )


def test_an_approved_plan_is_executed(stage: Any) -> None:
    live = Live(stage)
    plan = live.decide()
    approve(D, stage.warehouse, stage.clock, who="ann", plan_hash=plan.plan_hash)
    stage.at_open()
    assert live.execute().is_complete
    assert len(stage.broker_orders()) == 1
    assert stage.rows("select count(*) as n from ops.account_metrics_live")[0]["n"] == 1


def test_without_an_approval_nothing_is_sent(stage: Any) -> None:
    live = Live(stage)
    live.decide()
    stage.at_open()
    with pytest.raises(GuardError, match="is not approved"):
        live.execute()
    assert stage.broker_orders() == []


def test_a_refusal_after_an_approval_counts(stage: Any) -> None:
    live = Live(stage)
    plan = live.decide()
    approve(D, stage.warehouse, stage.clock, who="ann")
    approve(D, stage.warehouse, stage.clock, who="bob", refuse=True)
    stage.at_open()
    report = live.execute()
    assert stage.broker_orders() == []
    assert (report.sent, report.orders, report.reconciliation.is_clean) == (0, (), True)
    assert report.problems == (f"plan {plan.plan_hash[:12]} of session {D} was refused by bob: nothing is sent",)
    # The account is looked at all the same: what follows the execution can evaluate the session.
    assert stage.rows("select count(*) as n from ops.account_metrics_live")[0]["n"] == 1
    assert stage.rows("select finished_at from ops.order_plans") == [{"finished_at": None}]
    # Until the close the last word counts.
    approve(D, stage.warehouse, stage.clock, who="bob")
    assert live.execute().sent == 1
    assert len(stage.broker_orders()) == 1


def test_after_a_refusal_and_the_close_nothing_is_left_open(stage: Any) -> None:
    live = Live(stage)
    live.decide()
    approve(D, stage.warehouse, stage.clock, who="bob", refuse=True)
    stage.at_evening(E)
    assert live.execute().sent == 0
    assert stage.broker_orders() == []
    assert stage.rows("select finished_at is null as is_open from ops.order_plans") == [{"is_open": False}]


def test_an_approval_of_another_plan_does_not_count(stage: Any) -> None:
    live = Live(stage)
    live.decide()
    with pytest.raises(OrderError, match="look at it again"):
        approve(D, stage.warehouse, stage.clock, who="ann", plan_hash="0" * 64)
    stage.warehouse.execute(
        """insert into ops.approvals (broker, account_number, session, plan_hash, decision, decided_by, decided_at,
        expires_at)
           values ('live', %s, %s, %s, 'approved', 'x', now(), 'infinity')""",
        (live.number, D, "0" * 64),
    )
    stage.at_open()
    with pytest.raises(GuardError, match="is not approved"):
        live.execute()


def test_approvals_end_with_the_close(stage: Any) -> None:
    live = Live(stage)
    live.decide()
    stage.at_evening(E)
    with pytest.raises(OrderError, match="expired at the close"):
        approve(D, stage.warehouse, stage.clock, who="ann")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"allow_live": False}, "PAS_ALLOW_LIVE"),
        ({"live_account": "someone else's"}, "PAS_LIVE_ACCOUNT"),
        ({"live_account": None}, "PAS_LIVE_ACCOUNT"),
        ({"broker": "paper"}, "the gateway is a live broker but PAS_BROKER=paper"),
    ],
)
def test_each_condition_is_enough_to_stop(stage: Any, change: dict[str, Any], message: str) -> None:
    live = Live(stage, **change)
    with pytest.raises(GuardError, match=message):
        live.decide()
    with pytest.raises(GuardError, match=message):
        live.execute()
    assert stage.broker_orders() == []


def test_a_sandbox_warehouse_is_refused(stage: Any) -> None:
    live = Live(stage)
    stage.warehouse.execute("update ops.warehouse_identity set origin = 'sandbox'")
    with pytest.raises(GuardError, match="origins never mix"):
        live.decide()
