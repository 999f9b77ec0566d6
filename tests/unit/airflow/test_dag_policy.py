"""What every DAG of the project must keep to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pas_assets
import pytest

from pas_lib.datasets import catalogue, leaders

ROOT = Path(__file__).resolve().parents[3]
DAG_IDS = {"collect", "collect_dataset", "transform", "decide", "execute", "evaluate", "freshness"}


def tasks_of(bag: Any) -> list[Any]:
    return [task for dag in bag.dags.values() for task in dag.tasks]


def test_every_dag_file_is_read_without_error(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == DAG_IDS


def test_helpers_in_the_dag_folder_are_ignored_and_nothing_is_named_like_a_dbt_plugin() -> None:
    files = {path.stem for path in (ROOT / "dags").glob("*.py")}
    ignored = {
        line.removesuffix(".py")
        for line in (ROOT / "dags/.airflowignore").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert files - ignored == DAG_IDS
    # dbt imports every module called dbt_* as a plugin of its own.
    assert not [name for name in files if name.startswith("dbt_")]


def test_plugins_and_dags_have_names_of_their_own() -> None:
    names = [path.stem for folder in ("dags", "plugins") for path in (ROOT / folder).rglob("*.py")]
    assert len(names) == len(set(names))
    assert not set(names) & set(sys.stdlib_module_names)
    assert not [path for path in (ROOT / "plugins").rglob("*.py") if path.parent.name != "plugins"]


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_dag_explains_itself_and_runs_one_session_at_a_time(dag_bag: Any, dag_id: str) -> None:
    from pas_defaults import TAGS

    dag = dag_bag.dags[dag_id]
    assert dag.doc_md
    assert dag.doc_md.strip()
    assert dag.tags
    assert dag.tags <= TAGS
    assert dag.catchup is False
    assert dag.max_active_runs == 1


def test_every_task_has_owner_notifier_and_retry_policy(dag_bag: Any) -> None:
    for task in tasks_of(dag_bag):
        assert task.owner == "pas"
        callbacks = task.on_failure_callback
        callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
        assert any(type(callback).__name__ == "PasNotifier" for callback in callbacks), task.task_id
        assert type(task.retry_policy).__name__ == "PasRetryPolicy"
        # The gate only looks at what happened; looking twice changes nothing.
        assert task.retries >= 1 or task.task_id == "gate"
        assert not isinstance(task.retry_exponential_backoff, bool)


def test_collect_has_one_task_per_leader_and_a_gate(dag_bag: Any) -> None:
    dag = dag_bag.dags["collect"]
    names = {dataset.name for dataset in leaders()}
    assert set(dag.task_ids) == names | {"gate"}
    assert {dag.get_task(name).dataset for name in names} == names
    gate = dag.get_task("gate")
    assert gate.upstream_task_ids == names
    assert gate.trigger_rule == "all_done"
    assert not gate.downstream_task_ids


def test_the_universe_comes_before_what_it_is_asked_for(dag_bag: Any) -> None:
    dag = dag_bag.dags["collect"]
    assert dag.get_task("universe").downstream_task_ids == {"prices", "wiki_views", "gate"}
    # A universe that is not due is skipped, and the others still run.
    assert all(dag.get_task(name).trigger_rule == "none_failed" for name in ("prices", "wiki_views"))


def test_the_gate_guards_universe_prices_and_corporate_actions(dag_bag: Any) -> None:
    critical = {name for name, dataset in catalogue().items() if dataset.critical}
    assert {"universe", "prices", "corporate_actions"} <= critical
    gate = dag_bag.dags["collect"].get_task("gate")
    assert set(gate.critical) == {catalogue()[name].leader or name for name in critical}


def test_assets_are_declared_once_and_produced_once(dag_bag: Any) -> None:
    producers: dict[str, list[str]] = {}
    for task in tasks_of(dag_bag):
        for outlet in task.outlets:
            producers.setdefault(outlet.name, []).append(f"{task.dag_id}.{task.task_id}")
    assert producers == {
        "collected": ["collect.gate"],
        "transformed": ["transform.dbt_build"],
        "decided": ["decide.decide"],
        "executed": ["execute.execute"],
        "evaluated": ["evaluate.evaluate"],
    }
    declared = [asset.name for asset in pas_assets.ALL]
    assert len(declared) == len(set(declared))
    assert set(declared) == set(producers)


def test_the_chain_of_assets(dag_bag: Any) -> None:
    consumed = {
        dag_id: dag.timetable.asset_condition.name
        for dag_id, dag in dag_bag.dags.items()
        if dag.timetable.asset_condition
    }
    assert consumed == {"transform": "collected", "decide": "transformed", "evaluate": "executed"}


def test_every_pool_is_declared_and_the_broker_has_one_slot(dag_bag: Any) -> None:
    declared = json.loads((ROOT / "dags/pas_pools.json").read_text())
    used = {task.pool for task in tasks_of(dag_bag)} - {"default_pool"}
    assert used == set(declared)
    assert declared["alpaca"]["slots"] == 1
    trader = dag_bag.dags["execute"].get_task("execute")
    assert trader.pool == "alpaca"
    assert trader.max_active_tis_per_dag == 1


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_dag_survives_serialisation(dag_bag: Any, dag_id: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dag_bag.dags[dag_id]
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(stored)
    assert set(again.task_dict) == set(dag.task_ids)
    assert again.timetable.partitioned
    if dag_id in ("collect", "execute", "freshness"):
        # Airflow loads a plugin's modules anew: the class is the same by name.
        assert type(again.timetable).__qualname__ == type(dag.timetable).__qualname__ == "SessionTimetable"
        assert again.timetable.serialize() == dag.timetable.serialize()


def test_dag_files_are_read_in_under_a_second_each(dag_bag: Any) -> None:
    from airflow.dag_processing.dagbag import DagBag

    # The first bag paid for Airflow's own imports.
    again = DagBag(dag_folder=str(ROOT / "dags"))
    seconds = {Path(stat.file).name: stat.duration.total_seconds() for stat in again.dagbag_stats}
    assert len(seconds) == len(DAG_IDS)
    assert max(seconds.values()) < 1.0


@pytest.mark.airflow
def test_reading_the_dags_imports_nothing_heavy() -> None:
    probe = """
import sys
sys.path[:0] = ["dags", "plugins", "."]
import airflow.sdk, airflow.timetables.base
before = set(sys.modules)
import collect, transform, decide, execute, evaluate, freshness
new = set(sys.modules) - before
heavy = ["pandas", "duckdb", "sklearn", "scipy", "dbt", "psycopg", "requests", "alpaca", "pas_lib.warehouse",
         "pas_lib.ingest", "pas_lib.pipeline", "pas_lib.execution"]
print([name for name in heavy if name in new])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_plugins_load_without_error(dag_bag: Any) -> None:
    from airflow import plugins_manager

    plugins, errors = plugins_manager._get_plugins()
    assert errors == {}
    assert "pas" in {plugin.name for plugin in plugins}


def test_the_plugins_web_application_lets_nobody_in_without_log_in() -> None:
    from fastapi.testclient import TestClient
    from pas_plugin import PasPlugin

    (entry,) = PasPlugin.fastapi_apps
    client = TestClient(entry["app"], raise_server_exceptions=False)
    for path in ("/dbt-docs", "/docs", "/openapi.json", "/redoc"):
        assert client.get(path).status_code in (401, 404, 500), path
    assert client.get("/dbt-docs").status_code != 200
