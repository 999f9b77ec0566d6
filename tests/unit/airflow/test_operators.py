"""Operators: finding the session and the warehouse, the gate's verdict, retries, and the record of failures."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pas_assets
import pas_operators
import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException
from pas_operators import GateOperator, StepOperator, connection_url, plain, session_of
from pas_retry import PasRetryPolicy

from pas_lib import errors
from pas_lib.dbt import DbtError, DbtResult


@pytest.mark.parametrize(
    "context",
    [
        {"partition_key": "2026-01-30"},
        {"partition_key": None, "params": {"session": "2026-01-30"}},
        {"partition_key": "2026-01-30", "params": {"session": "2026-01-29"}},
    ],
)
def test_the_session_is_the_partition_key_or_else_the_parameter(context: dict[str, Any]) -> None:
    assert session_of(context) == dt.date(2026, 1, 30)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "trigger the run with a partition key"),
        ({"partition_key": "2026-01-31"}, "2026-01-31 is not a session"),
        ({"partition_key": "tomorrow"}, "'tomorrow' is not a date"),
    ],
)
def test_a_run_without_a_session_fails_for_good(context: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        session_of(context)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (
            {"host": "/run/pg", "login": "postgres", "schema": "pas"},
            "postgresql://postgres@/pas?host=%2Frun%2Fpg",
        ),
        (
            {"host": "db.example.org", "login": "u", "password": "a/b@c", "schema": "pas", "port": 5433},
            "postgresql://u:a%2Fb%40c@db.example.org:5433/pas",
        ),
        (
            {"host": "db", "login": "u", "schema": "pas", "extra": '{"sslmode": "require"}'},
            "postgresql://u@db/pas?sslmode=require",
        ),
    ],
)
def test_the_airflow_connection_becomes_an_address(fields: dict[str, Any], url: str) -> None:
    from airflow.sdk import Connection

    assert connection_url(Connection(conn_id="x", conn_type="postgres", **fields)) == url


def test_address_and_connection_say_the_same() -> None:
    from airflow.sdk import Connection

    from pas_lib.stack.airflow_env import warehouse_connection

    for url in (
        "postgresql://postgres@/pas?host=%2Frun%2Fpg",
        "postgresql://u:p%40ss@db:5433/pas?sslmode=require",
    ):
        fields = warehouse_connection(url)
        extra = fields.pop("extra", {})
        assert connection_url(Connection(conn_id="x", extra=json.dumps(extra), **fields)) == url


def test_the_warehouse_is_the_connections_and_settings_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_PAS_WAREHOUSE", '{"conn_type": "postgres", "host": "/nowhere", "schema": "pas"}')
    here = pas_operators.runtime()
    assert here.warehouse.url == here.settings.database_url == "postgresql:///pas?host=%2Fnowhere"
    monkeypatch.delenv("AIRFLOW_CONN_PAS_WAREHOUSE")
    here = pas_operators.runtime()
    assert here.settings.database_url is None
    assert str(tmp_path / "postgres") in here.warehouse.url


@dataclass(frozen=True)
class Inner:
    day: dt.date
    rows: int


@dataclass(frozen=True)
class Outer:
    parts: tuple[Inner, ...]
    note: str | None
    share: float
    by_name: dict[str, Inner] = field(default_factory=dict)


def test_results_become_plain_values() -> None:
    value = Outer((Inner(dt.date(2026, 1, 30), 3),), None, 0.5, {"a": Inner(dt.date(2026, 1, 29), 1)})
    assert plain(value) == {
        "parts": [{"day": "2026-01-30", "rows": 3}],
        "note": None,
        "share": 0.5,
        "by_name": {"a": {"day": "2026-01-29", "rows": 1}},
    }


# ----------------------------------------------------------------------------------------------------- the gate


class FakeTask:
    def __init__(self, states: dict[str, str]) -> None:
        self.states = states

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        assert dag_id == "collect"
        return {run_ids[0]: {task: state for task, state in self.states.items() if task in task_ids}}


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")
    operator = GateOperator(
        task_id="gate",
        datasets={"prices": "prices", "universe": "universe", "wiki_views": "wiki_views"},
        critical=("prices", "universe"),
        announces=pas_assets.COLLECTED,
    )

    def run(states: dict[str, str]) -> tuple[Any, dict[str, Any]]:
        event = SimpleNamespace(extra={})
        context = {
            "partition_key": "2026-01-30",
            "ti": FakeTask(states),
            "dag_run": SimpleNamespace(dag_id="collect", run_id="r"),
            "outlet_events": {pas_assets.COLLECTED: event},
        }
        return operator.execute(context), event.extra  # type: ignore[arg-type]

    return run


def test_the_gate_opens_when_all_is_collected_or_not_due(gate: Any) -> None:
    result, extra = gate({"prices": "success", "universe": "skipped", "wiki_views": "success"})
    assert result == extra == {"session": "2026-01-30", "stale": [], "collected": 3}


def test_the_gate_lists_what_is_stale(gate: Any) -> None:
    result, extra = gate({"prices": "success", "universe": "success", "wiki_views": "failed"})
    assert result["stale"] == extra["stale"] == ["wiki_views"]


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "removed", ""])
def test_the_gate_stays_shut_without_a_critical_dataset(gate: Any, state: str) -> None:
    with pytest.raises(AirflowFailException, match=r"2026-01-30: prices could not be collected"):
        gate({"prices": state, "universe": "success", "wiki_views": "success"})


def test_a_state_that_is_missing_counts_as_failed(gate: Any) -> None:
    with pytest.raises(AirflowFailException, match="prices, universe"):
        gate({"wiki_views": "success"})


# ------------------------------------------------------------------------------------------------------ retries


class Answered(errors.SourceError):
    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"the site answered {status}")
        self.status = status
        self.retry_after = retry_after


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (Answered(429), RetryAction.RETRY),
        (Answered(503), RetryAction.RETRY),
        (Answered(401), RetryAction.FAIL),
        (Answered(403), RetryAction.FAIL),
        (errors.SourceError("time-out"), RetryAction.RETRY),
        (errors.PayloadError("column 'Ticker' not found"), RetryAction.FAIL),
        (errors.QuarantineError("too many"), RetryAction.FAIL),
        (errors.WarehouseUnavailable("away"), RetryAction.RETRY),
        (errors.WarehouseError("newer than the code"), RetryAction.FAIL),
        (errors.SettingsError("bad"), RetryAction.FAIL),
        (errors.BrokerError("away"), RetryAction.RETRY),
        (DbtError("node x error"), RetryAction.RETRY),
        (errors.LedgerError("unbalanced"), RetryAction.FAIL),
        (errors.OrderError("plan"), RetryAction.FAIL),
        (errors.GuardError("guard"), RetryAction.FAIL),
        (TimeoutError(), RetryAction.RETRY),
        (ConnectionResetError(), RetryAction.RETRY),
        (ZeroDivisionError(), RetryAction.DEFAULT),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, action: RetryAction) -> None:
    assert PasRetryPolicy().evaluate(error, 1, 3).action is action


def test_a_site_that_names_a_delay_is_obeyed() -> None:
    assert PasRetryPolicy().evaluate(Answered(429, 17), 1, 3).retry_delay == dt.timedelta(seconds=17)
    assert PasRetryPolicy().evaluate(Answered(429), 1, 3).retry_delay is None


def test_a_step_without_work_of_its_own_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        StepOperator(task_id="x")


# ---------------------------------------------------------------------------------------------------------- dbt


class RecordingDbt:
    """Stands where the runner stands, and notes what is asked of it; its target folder is real."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def target_path(self, part: str) -> Any:
        return self.folder / part

    def build(self, session: dt.date) -> DbtResult:
        return self._note(f"build {session}")

    def retry(self, session: dt.date) -> DbtResult:
        return self._note(f"retry {session}")

    def _note(self, text: str) -> DbtResult:
        self.asked.append(text)
        return DbtResult(("build",), 1.25, {"a": "success", "b": "success", "c": "pass"}, {}, self.folder)


def test_a_build_starts_anew_and_a_retry_goes_by_its_own_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from pas_operators import DbtBuildOperator

    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")
    runner = RecordingDbt(tmp_path)
    monkeypatch.setattr("pas_lib.dbt.Dbt.from_settings", lambda settings: runner)
    # The real one would hold back this process, and all it starts, for good.
    monkeypatch.setattr("pas_lib.warehouse.priority.give_way", lambda: runner.asked.append("give way"))
    results = tmp_path / "transform" / "run_results.json"
    results.parent.mkdir()
    results.write_text("another session's")
    operator = DbtBuildOperator(task_id="dbt_build")
    first = operator.execute({"partition_key": "2026-01-30", "ti": SimpleNamespace(try_number=1)})  # type: ignore[arg-type]
    assert first == {"seconds": 1.2, "nodes": {"pass": 1, "success": 2}}
    # A build killed before it wrote its results must not be "retried" by those of the session before.
    assert not results.exists()
    results.write_text("this session's")
    operator.execute({"partition_key": "2026-01-30", "ti": SimpleNamespace(try_number=2)})  # type: ignore[arg-type]
    assert results.read_text() == "this session's"
    assert runner.asked == ["give way", "build 2026-01-30", "give way", "retry 2026-01-30"]
