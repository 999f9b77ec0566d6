"""Airflow's REST interface, as far as the supervisor needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from pas_lib.clock import SystemClock
from pas_lib.stack.errors import StackError

_FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Run:
    """A DAG run.

    Attributes
    ----------
    dag_id, run_id, state : str
        As Airflow names them.
    """

    dag_id: str
    run_id: str
    state: str

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end."""
        return self.state in _FINISHED


@dataclass(frozen=True)
class Task:
    """A task of a run.

    Attributes
    ----------
    task_id : str
        Its name in the DAG.
    state : str
        Empty until it is scheduled.
    try_number : int
        Which attempt.
    """

    task_id: str
    state: str
    try_number: int


class AirflowRest:
    """A logged-in client.

    Parameters
    ----------
    address : str
        ``http://127.0.0.1:<port>``.
    user, password : str
        Log-in.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._login = {"username": user, "password": password}
        self._http = requests.Session()
        # Loopback never goes through a proxy.
        self._http.trust_env = False

    def unhealthy(self) -> list[str]:
        """Return the components that do not report to be healthy; all of them while nothing answers."""
        everything = ["metadatabase", "scheduler", "dag_processor", "triggerer"]
        try:
            answer = self._http.get(f"{self.address}/api/v2/monitor/health", timeout=10)
            health = answer.json()
        except (requests.RequestException, ValueError):
            return ["api-server", *everything]
        return [name for name in everything if (health.get(name) or {}).get("status") != "healthy"]

    def warm_up(self) -> None:
        """Make the api-server build what it builds at the first task's first call, before there is a task."""
        self._http.get(f"{self.address}/execution/health", timeout=60)

    def log_in(self) -> None:
        """Get a token for the calls that follow."""
        answer = self._http.post(f"{self.address}/auth/token", json=self._login, timeout=30)
        if answer.status_code not in (200, 201):
            raise StackError(f"Airflow refused the log-in of {self._login['username']} ({answer.status_code})")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> dict[str, bool]:
        """Return DAG id -> whether it is paused."""
        return {dag["dag_id"]: bool(dag["is_paused"]) for dag in self.dag_entries()}

    def dag_entries(self) -> list[dict[str, Any]]:
        """Return every DAG as Airflow describes it."""
        return list(self._get("/dags", limit=100)["dags"])

    def run_entries(self, dag_id: str, *, limit: int) -> list[dict[str, Any]]:
        """Return the latest runs of a DAG as Airflow describes them, newest first."""
        return list(self._get(f"/dags/{quote(dag_id)}/dagRuns", order_by="-id", limit=limit)["dag_runs"])

    def run_entry(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as Airflow describes it."""
        return dict(self._get(f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"))

    def import_errors(self) -> list[str]:
        """Return one line per DAG file that could not be read."""
        return [
            f"{entry['filename']}: {(entry['stack_trace'] or '').strip().splitlines()[-1]}"
            for entry in self._get("/importErrors")["import_errors"]
        ]

    def trigger(self, dag_id: str, session: date, conf: Mapping[str, Any] | None = None) -> Run:
        """Ask for a run keyed by a session, with parameters if any; its id names the session, and so do its logs."""
        run_id = f"manual__{session}__{SystemClock().now():%Y%m%dT%H%M%S.%fZ}"
        answer = self._http.post(
            f"{self.address}/api/v2/dags/{dag_id}/dagRuns",
            json={
                "logical_date": None,
                "partition_key": session.isoformat(),
                "dag_run_id": run_id,
                "conf": dict(conf or {}),
            },
            timeout=60,
        )
        if answer.status_code != 200:
            raise StackError(f"Airflow refused to run {dag_id} for {session}: {_detail(answer)}")
        return _run(answer.json())

    def note(self, dag_id: str, run_id: str, text: str) -> None:
        """Put a note on a run, in the place of an earlier one."""
        answer = self._http.patch(
            f"{self.address}/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}",
            params={"update_mask": "note"},
            json={"note": text[:1000]},
            timeout=30,
        )
        if answer.status_code != 200:
            raise StackError(f"Airflow answered {answer.status_code} to a note on {run_id}: {_detail(answer)}")

    def run(self, dag_id: str, run_id: str) -> Run:
        """Return a run as it is now."""
        return _run(self.run_entry(dag_id, run_id))

    def runs_of(self, dag_id: str, session: date) -> list[Run]:
        """Return the runs of a DAG keyed by a session, newest first."""
        entries = self.run_entries(dag_id, limit=25)
        return [_run(entry) for entry in entries if entry.get("partition_key") == session.isoformat()]

    def tasks(self, run: Run) -> list[Task]:
        """Return the tasks of a run."""
        entries = self._get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", limit=100)["task_instances"]
        return [Task(e["task_id"], e["state"] or "", int(e["try_number"] or 0)) for e in entries]

    def _get(self, path: str, **query: Any) -> Any:
        answer = self._http.get(f"{self.address}/api/v2{path}", params=query, timeout=60)
        if answer.status_code != 200:
            raise StackError(f"Airflow answered {answer.status_code} to {path}: {_detail(answer)}")
        return answer.json()


def _run(entry: dict[str, Any]) -> Run:
    return Run(entry["dag_id"], entry["dag_run_id"], entry["state"])


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))[:300]
    except (ValueError, AttributeError):
        return answer.text[:300]


def task_log(airflow_home: Path, run: Run, task: Task) -> Path:
    """Return where a task's log is written."""
    folder = airflow_home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={task.task_id}"
    return folder / f"attempt={max(1, task.try_number)}.log"


def failure_in(log: Path) -> str:
    """Return, in one line, the last error a task's log tells of."""
    found = ""
    for entry in _entries(log):
        details = entry.get("error_detail")
        if isinstance(details, list) and details:
            # The outermost exception comes first in the list; its text is what the program said.
            found = f"{details[0].get('exc_type', '')}: {details[0].get('exc_value', '')}"
        elif entry.get("level") in ("error", "critical") and not found:
            found = str(entry.get("event", ""))
    return " ".join(found.split())[:400]


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
