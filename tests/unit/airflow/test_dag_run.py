"""Operators run by Airflow itself, with `dag.test()`: the gate sees what became of the tasks before it."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

import pas_assets
import pytest
from pas_defaults import default_args
from pas_operators import GateOperator, Runtime, StepOperator

from pas_lib.errors import PayloadError

pytestmark = pytest.mark.airflow


class Works(StepOperator):
    def step(self, session: dt.date, here: Runtime, context: Any) -> Any:
        del here, context
        return {"session": session}


class Breaks(StepOperator):
    def step(self, session: dt.date, here: Runtime, context: Any) -> Any:
        raise PayloadError("column 'Ticker' not found")


@pytest.fixture
def run(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")

    def build_and_run(dag_id: str, *, critical: tuple[str, ...]) -> dict[str, str]:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from airflow.models.dagbundle import DagBundleModel
        from airflow.sdk import DAG, Param
        from airflow.utils.session import create_session

        with DAG(
            dag_id, schedule=None, default_args=default_args(retries=2), params={"session": Param("2026-01-30")}
        ) as dag:
            tasks = [Works(task_id="prices"), Breaks(task_id="wiki_views")]
            gate = GateOperator(
                task_id="gate",
                datasets={"prices": "prices", "wiki_views": "wiki_views"},
                critical=critical,
                announces=pas_assets.COLLECTED,
                trigger_rule="all_done",
                retries=0,
            )
            for task in tasks:
                task >> gate
        with create_session() as session:
            session.merge(DagBundleModel(name="test"))
        bag = DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        sync_bag_to_db(bag, bundle_name="test", bundle_version=None)
        finished = dag.test()
        return {ti.task_id: f"{ti.state} on try {ti.try_number}" for ti in finished.get_task_instances()}

    return build_and_run


def test_a_stale_dataset_does_not_shut_the_gate(run: Any) -> None:
    # A broken payload is not tried again, although two retries are allowed.
    assert run("gate_open", critical=("prices",)) == {
        "prices": "success on try 1",
        "wiki_views": "failed on try 1",
        "gate": "success on try 1",
    }


def test_a_critical_one_does(run: Any) -> None:
    assert run("gate_shut", critical=("prices", "wiki_views")) == {
        "prices": "success on try 1",
        "wiki_views": "failed on try 1",
        "gate": "failed on try 1",
    }
