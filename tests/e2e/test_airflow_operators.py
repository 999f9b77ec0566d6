"""Operators with their real functions: `execute(context)` against the sandbox's sites and a real warehouse."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.warehouse import Warehouse

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: dict[str, Any] = {"partition_key": "2026-01-30", "params": {}, "run_id": "manual__test"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def operators(sandbox: RunningSandbox, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The operators' module, in an environment as the supervisor makes it."""
    import json

    from pas_lib.stack.airflow_env import warehouse_connection

    os.environ.setdefault("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("PAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PAS_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("AIRFLOW_CONN_PAS_WAREHOUSE", json.dumps(warehouse_connection(warehouse.url)))
    for folder in ("dags", "plugins"):
        if str(ROOT / folder) not in sys.path:
            monkeypatch.syspath_prepend(str(ROOT / folder))
    import pas_operators

    return pas_operators


def test_a_dataset_is_collected_into_the_connections_warehouse_and_then_not_due(
    operators: Any, warehouse: Warehouse
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    operator = operators.IngestOperator(task_id="universe", dataset="universe")
    result = operator.execute(CONTEXT)
    assert result["status"] == "loaded"
    assert result["session"] == "2026-01-30"
    rows = warehouse.rows("select count(*) as n from raw.universe")[0]["n"]
    assert rows == result["new"] > 0
    assert set(result["followers"]) == {"securities"}
    with pytest.raises(AirflowSkipException, match="universe is not due in session 2026-01-30"):
        operator.execute(CONTEXT)


def test_a_failed_load_is_an_error_the_retry_policy_knows(operators: Any, sandbox: RunningSandbox) -> None:
    from airflow.sdk import RetryAction
    from pas_retry import PasRetryPolicy

    from pas_lib.errors import PayloadError
    from pas_lib.sandbox.faults import Fault

    sandbox.faults.put(Fault(site="wikipedia", kind="columns"))
    try:
        with pytest.raises(PayloadError) as caught:
            operators.IngestOperator(task_id="universe", dataset="universe").execute(CONTEXT)
    finally:
        sandbox.faults.clear(None, None)
    assert PasRetryPolicy().evaluate(caught.value, 1, 3).action is RetryAction.FAIL


def test_a_failure_is_recorded_beside_the_decisions(operators: Any, warehouse: Warehouse) -> None:
    del operators
    from pas_notifier import PasNotifier

    task = SimpleNamespace(dag_id="collect", task_id="prices", run_id="r", try_number=2, map_index=-1)
    PasNotifier().notify(CONTEXT | {"ti": task, "exception": ValueError("no\nsecond line")})  # type: ignore[arg-type]
    PasNotifier().notify({"ti": task, "dag_run": SimpleNamespace(partition_key="2026-02-02")})  # type: ignore[arg-type]
    rows = warehouse.rows("select session, event, reason, details, logged_at from ops.alloc_log order by log_id")
    assert [(str(row["session"]), row["event"], row["reason"]) for row in rows] == [
        ("2026-01-30", "task_failed", "ValueError: no"),
        ("2026-02-02", "task_failed", "ended without an exception"),
    ]
    assert rows[0]["details"] == {
        "dag_id": "collect",
        "task_id": "prices",
        "run_id": "r",
        "try_number": 2,
        "map_index": -1,
    }
    # The record carries the world's time, not the machine's.
    assert rows[0]["logged_at"].isoformat() == "2026-01-31T01:00:00+00:00"


def test_without_the_warehouse_a_notifier_does_not_hide_the_failure_it_reports(
    operators: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del operators
    from pas_notifier import PasNotifier

    monkeypatch.setenv("AIRFLOW_CONN_PAS_WAREHOUSE", '{"conn_type": "postgres", "host": "/nowhere", "schema": "pas"}')
    PasNotifier()(CONTEXT | {"exception": ValueError("x")})  # logs, and returns


def test_due_by_what_was_collected_before(operators: Any, warehouse: Warehouse) -> None:
    del operators
    from datetime import date

    from pas_lib.stack.due import is_due

    friday, monday = date(2026, 1, 30), date(2026, 2, 2)
    assert is_due("universe", friday, warehouse)
    warehouse.execute(
        "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at)"
        " values ('1', 'universe', 's', '2026-01-30', 'loaded', now()),"
        " ('1', 'prices', 's', '2026-01-30', 'loaded', now()),"
        " ('2', 'prices', 's', '2026-02-02', 'failed', now())"
    )
    assert not is_due("universe", friday, warehouse)
    assert not is_due("universe", monday, warehouse)  # weekly
    assert is_due("prices", monday, warehouse)  # a failed try is none
    assert is_due("universe", friday, Warehouse("postgresql:///pas?host=/nowhere"))
