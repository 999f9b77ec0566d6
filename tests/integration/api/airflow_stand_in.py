"""A server that answers as Airflow's REST interface does, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

PASSWORD = "airflow-password"


class Airflow(BaseHTTPRequestHandler):
    """Keeps runs, demands its own log-in, and forgets a log-in when told to."""

    runs: ClassVar[list[dict[str, Any]]] = []
    tokens: ClassVar[set[str]] = set()
    paused: ClassVar[set[str]] = set()
    logins: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None: ...

    def _answer(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _is_known(self) -> bool:
        known = self.headers.get("Authorization", "").removeprefix("Bearer ") in self.tokens
        if not known:
            self._answer(401, {"detail": "not authenticated"})
        return known

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            self.logins.append(body["username"])
            if body["password"] != PASSWORD:
                return self._answer(401, {"detail": "wrong"})
            self.tokens.add(f"jwt-{len(self.logins)}")
            return self._answer(201, {"access_token": f"jwt-{len(self.logins)}"})
        if not self._is_known():
            return None
        run = {
            "dag_id": self.path.split("/")[4],
            "dag_run_id": body["dag_run_id"],
            "partition_key": body["partition_key"],
            "state": "queued",
            "conf": body["conf"],
            "start_date": None,
            "end_date": None,
        }
        self.runs.insert(0, run)
        return self._answer(200, run)

    def do_GET(self) -> None:
        if not self._is_known():
            return
        path = self.path.partition("?")[0].removeprefix("/api/v2/dags")
        if not path:
            dags = [
                {"dag_id": name, "description": None, "is_paused": name in self.paused, "next_dagrun_run_after": None}
                for name in ("collect", "collect_dataset", "decide")
            ]
            self._answer(200, {"dags": dags})
        elif path.endswith("/taskInstances"):
            tasks = [{"task_id": "prices", "state": "running", "try_number": 2}]
            self._answer(200, {"task_instances": tasks})
        elif path.endswith("/dagRuns"):
            dag_id = path.split("/")[1]
            self._answer(200, {"dag_runs": [run for run in self.runs if run["dag_id"] == dag_id]})
        else:
            found = [run for run in self.runs if path.endswith(run["dag_run_id"])]
            self._answer(200 if found else 404, found[0] if found else {"detail": "no such run"})


@contextmanager
def airflow_stand_in() -> Iterator[str]:
    """Serve until the block ends; yield the address."""
    Airflow.runs, Airflow.tokens, Airflow.paused, Airflow.logins = [], set(), set(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
