"""Runs Airflow's programs in one family of processes: ``python -m pas_lib.stack.airflow_host``.

Importing Airflow takes seconds of processor time, and four programs and every task need it. Here it is imported once,
and scheduler, dag-processor, triggerer and api-server are forked from that; tasks are forked from the scheduler, with
the libraries they use already in memory (and shared).

Protocol with the supervisor: it writes one line to standard input when the database is there; this process prints
``ready`` when Airflow's tables are; it ends its family when standard input closes.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from pas_lib.settings import PROJECT_ROOT

#: What the forked programs share. Imported by name: this package stands without Airflow.
_SHARED = (
    "airflow.__main__",
    "airflow.cli.cli_parser",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.dag_processing.dagbag",
    "airflow.executors.local_executor",
    "airflow.sdk.api.client",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
#: What tasks use; imported in the scheduler, from which they are forked.
_FOR_TASKS = (
    "pandas",
    "pyarrow.compute",
    "psycopg",
    "requests",
    "adbc_driver_postgresql.dbapi",
    "pas_lib.warehouse",
    "pas_lib.ingest",
    "pas_lib.dbt",
    "pas_lib.pipeline",
    "pas_lib.execution",
    "dbt.cli.main",
)
_OPEN = "('queued', 'scheduled', 'running', 'restarting', 'up_for_retry', 'up_for_reschedule', 'deferred')"
#: Runs and tasks that were cut off, and runs an asset had asked for that had not begun.
_CLOSE_OPEN_RUNS = (
    f"update task_instance set state = 'failed', end_date = current_timestamp where state in {_OPEN}",  # noqa: S608
    f"update dag_run set state = 'failed', end_date = current_timestamp where state in {_OPEN}",  # noqa: S608
    "delete from partitioned_asset_key_log where asset_partition_dag_run_id in"
    " (select id from asset_partition_dag_run where created_dag_run_id is null)",
    "delete from asset_partition_dag_run where created_dag_run_id is null",
)
COMPONENTS: dict[str, list[str]] = {
    "airflow-scheduler": ["scheduler", "--skip-serve-logs"],
    "airflow-dag-processor": ["dag-processor"],
    "airflow-api-server": ["api-server"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
}


def pools() -> dict[str, dict[str, Any]]:
    """Return the pools the DAGs use: name -> slots and description."""
    text = (PROJECT_ROOT / "dags" / "pas_pools.json").read_text(encoding="utf-8")
    return {str(name): dict(pool) for name, pool in json.loads(text).items()}


def prepare_database(*, close_open_runs: bool = True) -> None:
    """Bring Airflow's database up to date, create the pools, and close the runs an earlier supervisor left open.

    A run that was cut off would hold its DAG's only slot until its heartbeat times out; the supervisor starts the step
    again instead, and every step may be started again.
    """
    _airflow("db", "migrate")
    session_module = importlib.import_module("airflow.utils.session")
    models = importlib.import_module("airflow.models.pool")
    sqlalchemy = importlib.import_module("sqlalchemy")
    with session_module.create_session() as session:
        for name, pool in pools().items():
            models.Pool.create_or_update_pool(
                name, pool["slots"], pool["description"], include_deferred=False, session=session
            )
        for statement in _CLOSE_OPEN_RUNS if close_open_runs else ():
            session.execute(sqlalchemy.text(statement))


def _airflow(*arguments: str) -> None:
    """Run an Airflow command in this process."""
    sys.argv = ["airflow", *arguments]
    importlib.import_module("airflow.__main__").main()


def _preload(names: tuple[str, ...]) -> None:
    for name in names:
        # A library that cannot be imported is the task's failure to report, not the scheduler's.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _fork(work: Callable[[], None], log: Path | None) -> int:
    """Run work in a forked process, its output going to a log of its own."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if log is not None:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _component(name: str, arguments: list[str]) -> Callable[[], None]:
    def run() -> None:
        if name == "airflow-scheduler":
            _preload(_FOR_TASKS)
        _airflow(*arguments)

    return run


def _end_family(pids: dict[int, str]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def main(logs: Path) -> int:
    """Wait for the database, prepare it, start the components, and stay until told to end or one of them dies."""
    _preload(_SHARED)
    if not sys.stdin.readline():
        return 1
    _, status = os.waitpid(_fork(prepare_database, logs / "airflow-migrate.log"), 0)
    if status:
        print(f"Airflow's database could not be prepared; see {logs / 'airflow-migrate.log'}", flush=True)
        return 1
    family = {_fork(_component(name, arguments), logs / f"{name}.log"): name for name, arguments in COMPONENTS.items()}

    def stop(*_: object) -> NoReturn:
        _end_family(family)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            stop()
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in family:
            name = family.pop(pid)
            _end_family(family)
            print(f"{name} ended with status {os.waitstatus_to_exitcode(status)}; see {logs / name}.log", flush=True)
            return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
