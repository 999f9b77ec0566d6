"""Airflow's environment, and what is read from its task logs."""

from __future__ import annotations

import json
from pathlib import Path

from pas_lib.settings import load_settings
from pas_lib.stack import airflow_host
from pas_lib.stack.airflow_env import airflow_environment, program_environment
from pas_lib.stack.airflow_rest import Run, Task, failure_in, task_log

KEYS = {"jwt_secret": "j" * 64, "api_secret_key": "s" * 32, "fernet_key": "f" * 44}


def environment(tmp_path: Path) -> dict[str, str]:
    settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_AIRFLOW_PORT": "18080"}, root=tmp_path)
    return airflow_environment(
        settings,
        metadata_url="postgresql+psycopg2://airflow@/airflow?host=/run/pg",
        warehouse_url="postgresql://postgres@/pas?host=/run/pg",
        keys=KEYS,
        passwords_file=tmp_path / "passwords.json",
        base={"PATH": "/usr/bin", "PYTHONPATH": "/elsewhere"},
    )


def test_airflow_listens_on_loopback_asks_for_a_log_in_and_tells_nobody(tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:18080"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18080/execution/"
    assert env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in env
    assert env["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert int(env["AIRFLOW__CORE__PARALLELISM"]) <= 4
    assert env["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert env["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] == str(tmp_path / "airflow" / "logs")


def test_the_connection_names_the_warehouse_not_airflows_database(tmp_path: Path) -> None:
    assert json.loads(environment(tmp_path)["AIRFLOW_CONN_PAS_WAREHOUSE"]) == {
        "conn_type": "postgres",
        "host": "/run/pg",
        "login": "postgres",
        "schema": "pas",
    }


def test_every_program_can_import_the_project_and_keeps_its_own_path(tmp_path: Path) -> None:
    settings = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    env = program_environment(settings, base={"PYTHONPATH": "/elsewhere"})
    first, second = env["PYTHONPATH"].split(":")
    assert (Path(first) / "pas_lib").is_dir()
    assert second == "/elsewhere"
    assert program_environment(settings, base=env)["PYTHONPATH"] == env["PYTHONPATH"]
    assert env["PAS_HOME"] == str(tmp_path)


def test_the_four_programs_of_airflow_and_the_pools() -> None:
    assert {arguments[0] for arguments in airflow_host.COMPONENTS.values()} == {
        "scheduler",
        "dag-processor",
        "api-server",
        "triggerer",
    }
    assert airflow_host.pools()["alpaca"]["slots"] == 1


def test_where_a_tasks_log_is(tmp_path: Path) -> None:
    run = Run("collect", "manual__2026-01-30__x", "failed")
    assert task_log(tmp_path, run, Task("prices", "failed", 2)) == (
        tmp_path / "logs/dag_id=collect/run_id=manual__2026-01-30__x/task_id=prices/attempt=2.log"
    )
    assert task_log(tmp_path, run, Task("prices", "", 0)).name == "attempt=1.log"


def test_a_log_gives_its_error_in_one_line(tmp_path: Path) -> None:
    log = tmp_path / "attempt=1.log"
    entries = [
        {"level": "info", "event": "starting"},
        {"level": "error", "event": "Failed to send notification"},
        {
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "PayloadError", "exc_value": "column 'Ticker'\n not found"}],
        },
    ]
    log.write_text("not json\n" + "\n".join(json.dumps(entry) for entry in entries))
    assert failure_in(log) == "PayloadError: column 'Ticker' not found"
    assert failure_in(tmp_path / "missing.log") == ""
