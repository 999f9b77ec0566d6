"""Operators run by Airflow itself, with `dag.test()`: the gate sees what became of the tasks before it."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
from collections.abc import Callable
from typing import Any

import pas_assets
import pytest
from pas_defaults import default_args
from pas_operators import FreshnessOperator, GateOperator, Runtime, StepOperator

from pas_lib.datasets import catalogue
from pas_lib.errors import PayloadError
from pas_lib.stack.airflow_env import warehouse_connection
from pas_lib.warehouse import Warehouse

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


@pytest.fixture
def look(
    airflow_db: None, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Callable[[], tuple[str, str]]:
    """Run the operator of the DAG `freshness` by Airflow on a warehouse; return its state and what it failed with."""
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")
    monkeypatch.setenv("AIRFLOW_CONN_PAS_WAREHOUSE", json.dumps(warehouse_connection(warehouse.url)))
    numbers = itertools.count(1)

    def run_it() -> tuple[str, str]:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from airflow.models.dagbundle import DagBundleModel
        from airflow.sdk import DAG, Param
        from airflow.utils.session import create_session

        failures: list[str] = []
        with DAG(
            f"freshness_{next(numbers)}",
            schedule=None,
            default_args=default_args(retries=1),
            params={"session": Param("2026-01-30")},
        ) as dag:
            FreshnessOperator(
                task_id="freshness", on_failure_callback=lambda context: failures.append(str(context["exception"]))
            )
        with create_session() as session:
            session.merge(DagBundleModel(name="test"))
        bag = DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        sync_bag_to_db(bag, bundle_name="test", bundle_version=None)
        (ti,) = dag.test().get_task_instances()
        return f"{ti.state} on try {ti.try_number}", "".join(failures)

    return run_it


def test_freshness_fails_with_each_stale_dataset_and_its_age_and_succeeds_without(
    look: Callable[[], tuple[str, str]], warehouse: Warehouse
) -> None:
    names = sorted(catalogue())

    def collected(name: str, age: str, newest: str = "0 days") -> None:
        warehouse.execute(
            "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at, newest_at) values"
            " (%s, %s, 's', '2026-01-30', 'loaded', now() - %s::interval, now() - %s::interval)",
            (f"{name}-{age}-{newest}", name, age, newest),
        )

    for name in names[1:]:
        collected(name, "30 days" if name == "wiki_views" else "0 days", "20 days" if name == "prices" else "0 days")
    state, said = look()
    # A stale dataset is not fresher a minute later: there is no second try.
    assert state == "failed on try 1"
    assert said.startswith("stale: ")
    told = dict(part.split(": ", 1) for part in said.removeprefix("stale: ").split("; "))
    assert set(told) == {names[0], "prices", "wiki_views"}
    assert told[names[0]] == f"never collected, tolerance {catalogue()[names[0]].tolerance.days} days"
    assert told["wiki_views"] == "30 days old, tolerance 7 days"
    assert told["prices"].startswith("its site says nothing new since ")
    assert told["prices"].endswith(", 20 days, at most 6 days")
    logged = warehouse.rows("select level, fields from ops.system_logs where event = 'stale'")
    assert [row["level"] for row in logged] == ["error"]
    assert {line.split(":")[0] for line in logged[0]["fields"]["datasets"]} == set(told)
    for name in (names[0], "wiki_views", "prices"):
        collected(name, "1 hour", "1 hour")
    assert look() == ("success on try 1", "")
    assert len(warehouse.rows("select 1 from ops.system_logs where event = 'stale'")) == 1


def test_runs_cut_off_by_a_kill_are_closed_and_pools_are_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import sqlalchemy
    from airflow.utils.session import create_session

    from pas_lib.stack.airflow_host import prepare_database

    def query(statement: str) -> list[tuple[Any, ...]]:
        with create_session() as session:
            found = session.execute(sqlalchemy.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    run("cut_off", critical=("prices",))
    query("update dag_run set state = 'running' where dag_id = 'cut_off'")
    query("update task_instance set state = 'queued' where dag_id = 'cut_off' and task_id = 'gate'")
    columns = "(id, target_dag_id, created_dag_run_id, partition_key, created_at, updated_at)"
    for number, created in ((901, "null"), (902, "1")):
        query(
            f"insert into asset_partition_dag_run {columns} values"
            f" ({number}, 'transform', {created}, '2026-01-30', current_timestamp, current_timestamp)"
        )
    monkeypatch.setattr(sys, "argv", ["pytest"])
    prepare_database()
    assert query("select state from dag_run where dag_id = 'cut_off'") == [("failed",)]
    states = dict(query("select task_id, state from task_instance where dag_id = 'cut_off'"))
    assert states == {"prices": "success", "wiki_views": "failed", "gate": "failed"}
    assert query("select id from asset_partition_dag_run where id > 900") == [(902,)]
    assert set(query("select pool, slots from slot_pool")) >= {("sites", 3), ("alpaca", 1)}
