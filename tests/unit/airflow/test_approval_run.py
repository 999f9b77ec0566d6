"""The approval in a run of Airflow itself: outside live mode it is skipped, and the run is a success."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pas_approval import ApprovePlanOperator
from pas_defaults import default_args
from pas_operators import Runtime, StepOperator

pytestmark = pytest.mark.airflow


class Decides(StepOperator):
    def step(self, session: Any, here: Runtime, context: Any) -> Any:
        del here, context
        return {"session": session}


def test_without_a_live_account_nobody_is_asked(
    airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.sdk import DAG, Param
    from airflow.utils.session import create_session

    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")
    monkeypatch.setenv("PAS_CONTACT", "https://example.com/contact")
    with DAG(
        "asks_nobody", schedule=None, default_args=default_args(retries=1), params={"session": Param("2026-01-30")}
    ) as dag:
        Decides(task_id="decide") >> ApprovePlanOperator(task_id="approve")
    with create_session() as session:
        session.merge(DagBundleModel(name="test"))
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, bundle_name="test", bundle_version=None)
    finished = dag.test()
    states = {ti.task_id: str(ti.state) for ti in finished.get_task_instances()}
    assert states == {"decide": "success", "approve": "skipped"}
    assert str(finished.state) == "success"
