"""The approval of a live plan in a run of Airflow itself: shown, answered as a person does there, and obeyed.

The account is the paper broker on loopback, dressed as a live one; Airflow's tables, the order of the tasks and the
resumption of the waiting one are its own. An answer goes in as Airflow's server writes it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.execution.conftest import D, stage
from tests.integration.execution.test_execution_live import Live
from tests.unit.airflow.conftest import airflow_db

__all__ = ["airflow_db", "stage"]

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

WHO = {"id": "7", "name": "ann"}


def answer_in_airflow(choice: str, shown: dict[str, Any]) -> None:
    """Wait for the question, and answer it."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    for _ in range(300):
        with create_session() as session:
            asked = session.scalar(select(HITLDetail).where(HITLDetail.responded_at.is_(None)))
            task = session.get(TaskInstance, asked.ti_id) if asked is not None else None
            if task is not None and task.state == TaskInstanceState.AWAITING_INPUT:
                shown.update(subject=asked.subject, body=asked.body, options=list(asked.options))
                if choice == "timeout":
                    event = {"error": "the time has passed", "error_type": "timeout"}
                else:
                    asked.chosen_options, asked.params_input = [choice], {"note": "looked at"}
                    asked.responded_by, asked.responded_at = WHO, task.start_date
                    event = asked.as_resume_event_payload()
                handle_event_submit(TriggerEvent(event), task_instance=task, session=session)
                return
        time.sleep(0.2)


def run_in_airflow(
    live: Live, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[dict[str, Any]], None]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Run plan, approval and execution as one DAG; return the states of its tasks and what was shown."""
    import pas_approval
    import pas_operators
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.sdk import DAG, Param
    from airflow.utils.session import create_session
    from pas_approval import ApprovePlanOperator
    from pas_defaults import default_args
    from pas_operators import ExecuteOperator, StepOperator

    from pas_lib.execution import AlpacaGateway

    at = live.stage
    here = pas_operators.Runtime(live.settings, at.clock, at.warehouse)
    monkeypatch.setattr(AlpacaGateway, "from_settings", classmethod(lambda *_, **__: live.gateway()))
    monkeypatch.setattr(pas_operators, "runtime", lambda: here)
    monkeypatch.setattr(pas_approval, "runtime", lambda: here)

    class Plans(StepOperator):
        def step(self, session: Any, here: Any, context: Any) -> Any:
            del session, here, context
            live.decide()
            at.at_open()

    name = f"approval_{time.monotonic_ns()}"
    with DAG(
        name, schedule=None, default_args=default_args(retries=0), params={"session": Param(D.isoformat())}
    ) as dag:
        Plans(task_id="decide") >> ApprovePlanOperator(task_id="approve") >> ExecuteOperator(task_id="execute")
    with create_session() as session:
        session.merge(DagBundleModel(name="test"))
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, bundle_name="test", bundle_version=None)
    shown: dict[str, Any] = {}
    person = threading.Thread(target=meanwhile, args=(shown,), daemon=True)
    person.start()
    finished = dag.test()
    person.join(timeout=60)
    return {ti.task_id: str(ti.state) for ti in finished.get_task_instances()}, shown


def test_what_a_person_approves_in_airflow_is_executed(
    airflow_db: None, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(stage)
    states, shown = run_in_airflow(live, monkeypatch, lambda shown: answer_in_airflow("Approve", shown))
    assert states == {"decide": "success", "approve": "success", "execute": "success"}
    plan_hash = str(stage.rows("select plan_hash from ops.order_plans")[0]["plan_hash"])
    assert shown["subject"] == f"Live order plan of {D}: {plan_hash[:12]}"
    assert shown["options"] == ["Approve", "Refuse"]
    assert "| alpha | buy | AAA | 196 | 100" in shown["body"]
    (row,) = stage.rows("select plan_hash, decision, decided_by, note from ops.approvals")
    assert row == {"plan_hash": plan_hash, "decision": "approved", "decided_by": "ann (Airflow)", "note": "looked at"}
    assert [(s, d, q, st) for _, s, d, q, st in stage.broker_orders()] == [("AAA", "buy", "196", "filled")]


@pytest.mark.parametrize(
    ("choice", "states"),
    [
        # The execution of a refused plan sends nothing and ends well, so that the session is evaluated.
        ("Refuse", {"decide": "success", "approve": "success", "execute": "success"}),
        ("timeout", {"decide": "success", "approve": "failed", "execute": "upstream_failed"}),
    ],
)
def test_a_refusal_or_no_answer_sends_nothing(
    airflow_db: None,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    choice: str,
    states: dict[str, str],
) -> None:
    live = Live(stage)
    assert run_in_airflow(live, monkeypatch, lambda shown: answer_in_airflow(choice, shown))[0] == states
    assert stage.broker_orders() == []
    failed = stage.rows("select reason from ops.alloc_log where event = 'task_failed'")
    if choice == "Refuse":
        assert failed == []
        assert stage.rows("select decision, decided_by from ops.approvals") == [
            {"decision": "refused", "decided_by": "ann (Airflow)"}
        ]
    else:
        assert len(failed) == 1
        assert "nobody has approved the plan of 2026-01-30 in time" in failed[0]["reason"]
        assert "\n" not in failed[0]["reason"]
