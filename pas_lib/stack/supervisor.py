"""Brings the programs of the stack up together, and takes them down again whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

from pas_lib.clock import clock_for
from pas_lib.settings import PROJECT_ROOT, Settings
from pas_lib.stack import secrets_file, signals
from pas_lib.stack.airflow_env import ADMIN, airflow_environment, program_environment
from pas_lib.stack.airflow_rest import AirflowRest
from pas_lib.stack.errors import StackError
from pas_lib.stack.ports import Port, require_free
from pas_lib.stack.processes import Child, Processes
from pas_lib.stack.progress import Progress
from pas_lib.stack.sandbox_client import SandboxClient
from pas_lib.stack.world import RealWorld, SandboxWorld, World
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres

_START_PATIENCE = 240.0
_POLL = 0.2


class Stack:
    """The programs one machine needs; a context manager.

    Parameters
    ----------
    settings : Settings
        The configuration.
    progress : Progress
        Where to tell.
    airflow, api : bool
        Which of them to start beside PostgreSQL and the sandbox.
    dotenv : Path, optional
        Where random tokens are kept; ``.env`` of the checkout by default.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        airflow: bool = True,
        api: bool = True,
        dotenv: Path | None = None,
    ) -> None:
        self.settings = settings
        self.progress = progress
        self._with_airflow = airflow
        self._with_api = api
        self.tokens = secrets_file.ensure_tokens(dotenv or PROJECT_ROOT / ".env")
        self.processes = Processes(settings.home)
        self.postgres = EmbeddedPostgres(settings.home / "postgres")
        self.warehouse = Warehouse.from_settings(settings)
        self.sandbox = SandboxClient(settings.sandbox_url)
        self.airflow_home = settings.home / "airflow"
        self.airflow = AirflowRest(f"http://127.0.0.1:{settings.airflow_port}", ADMIN, self.password)
        self.state_file = settings.home / "run" / "session.json"
        self._stack = contextlib.ExitStack()

    # -- what it consists of

    @property
    def needs_sandbox(self) -> bool:
        """Whether data or broker come from the sandbox."""
        return "sandbox" in (self.settings.sources, self.settings.broker)

    @property
    def world(self) -> World:
        """Time as the job sees it."""
        if self.settings.sources == "sandbox":
            return SandboxWorld(self.sandbox)
        return RealWorld(clock_for(self.settings))

    @property
    def api_address(self) -> str:
        """Where the API listens."""
        host = self.settings.api_host
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.settings.api_port}"  # noqa: S104

    @property
    def password(self) -> str:
        """Airflow's log-in, for the person who started it."""
        return self.tokens["AIRFLOW_ADMIN_PASSWORD"]

    @property
    def _needs_postgres(self) -> bool:
        """Whether the embedded server runs: for the warehouse, or for Airflow's own database."""
        return self.settings.database_url is None or (self._with_airflow and not self._own_metadata_url)

    @property
    def _own_metadata_url(self) -> str:
        return os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "")

    def ports(self) -> list[Port]:
        """Return the ports that will be listened on."""
        ports = []
        if self.needs_sandbox:
            ports.append(Port(urlsplit(self.settings.sandbox_url).port or 80, "the sandbox", "PAS_SANDBOX_URL"))
        if self._with_api:
            ports.append(Port(self.settings.api_port, "the API", "PAS_API_PORT"))
        if self._with_airflow:
            ports.append(Port(self.settings.airflow_port, "Airflow", "PAS_AIRFLOW_PORT"))
        return ports

    # -- up and down

    def __enter__(self) -> Self:
        self._stack.enter_context(self.processes.only_one())
        self._stack.callback(self._down)
        try:
            self._up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _up(self) -> None:
        for name in self.processes.end_leftovers():
            self.progress.say(f"ended {name}, left over from a run that was killed")
        require_free(self.ports())
        self.processes.put_logs_aside()
        # Slow starters first: each is a process of its own and loads its libraries while the next one starts.
        host = self._start_airflow() if self._with_airflow else None
        if self.needs_sandbox:
            self._start_sandbox()
        if self._needs_postgres:
            self.progress.say(
                "starting PostgreSQL" + (", sandbox" if self.needs_sandbox else "") + self._rest_of_names()
            )
            # Cut off between its start and its record, the server could not be found again.
            with signals.held_back():
                self.postgres.start()
        self._create_databases()
        if host is not None and host.popen.stdin is not None:
            host.popen.stdin.write(b"the database is there\n")
            host.popen.stdin.flush()
        self._migrate()
        if self._with_api:
            self.processes.start(
                "api", [sys.executable, "-m", "api"], env=program_environment(self.settings), cwd=PROJECT_ROOT
            )
        self._wait()

    def _rest_of_names(self) -> str:
        return (", Airflow" if self._with_airflow else "") + (", API" if self._with_api else "")

    def _down(self) -> None:
        """End everything, deaf to further Ctrl-C: what is half ended would be left behind."""
        with signals.ignored():
            self.processes.stop()
            if self._needs_postgres:
                self.postgres.stop()

    # -- the programs

    def _start_sandbox(self) -> Child:
        port = urlsplit(self.settings.sandbox_url).port or 80
        folder = self.settings.home / "sandbox"
        # Tests may ask for the small world; its figures mean nothing.
        size = os.environ.get("PAS_TEST_SANDBOX_SIZE", "full")
        market = "world" if self.settings.sources == "sandbox" else "warehouse"
        options = ["--port", str(port), "--home", str(folder)]
        return self.processes.start(
            "sandbox",
            [sys.executable, "-m", "pas_lib.sandbox", *options, "--size", size, "--market", market],
            env=program_environment(self.settings),
            cwd=PROJECT_ROOT,
        )

    def _start_airflow(self) -> Child:
        folder = self.airflow_home
        env = airflow_environment(
            self.settings,
            metadata_url=self._own_metadata_url or self.postgres.url("airflow", user="airflow", driver="psycopg2"),
            warehouse_url=self.warehouse.url,
            keys=secrets_file.airflow_keys(folder),
            passwords_file=secrets_file.write_airflow_password(folder, ADMIN, self.password),
        )
        return self.processes.start(
            "airflow",
            [sys.executable, "-W", "ignore", "-m", "pas_lib.stack.airflow_host", str(self.processes.log_dir)],
            env=env,
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
        )

    def _create_databases(self) -> None:
        from pas_lib.warehouse.migrate import create_database

        if not self._needs_postgres:
            return
        server = Warehouse(self.postgres.url())
        if self.settings.database_url is None:
            create_database(server, "pas")
        if self._with_airflow and not self._own_metadata_url:
            create_database(server, "airflow", owner="airflow")

    def _migrate(self) -> None:
        from pas_lib.warehouse.migrate import migrate

        migrate(self.warehouse, self.settings.origin)

    def note_timings(self) -> None:
        """Keep what each step took in ``run/timings.json``, in seconds."""
        text = json.dumps({"steps": self.progress.taken, "total": self.progress.elapsed, "airflow": self._with_airflow})
        (self.processes.run_dir / "timings.json").write_text(text, encoding="utf-8")

    # -- waiting

    def _wait(self) -> None:
        """Wait until every program answers.

        Raises
        ------
        StackError
            If one dies or does not answer in time.
        """
        pending: dict[str, Callable[[], bool]] = {}
        if self.needs_sandbox:
            pending["sandbox"] = self.sandbox.is_up
        if self._with_api:
            pending["api"] = self._api_is_up
        if self._with_airflow:
            pending["airflow"] = self._airflow_is_up
        everything = len(pending)
        deadline = time.monotonic() + _START_PATIENCE
        self.progress.step(0, 5, "start")
        while pending:
            self.processes.require_alive()
            for name in [name for name, is_up in pending.items() if is_up()]:
                del pending[name]
            if pending:
                self.progress.detail(
                    f"{everything - len(pending)} of {everything} up, waiting for {', '.join(pending)}"
                )
                if time.monotonic() > deadline:
                    name = next(iter(pending))
                    raise StackError(
                        f"{name} does not answer after {_START_PATIENCE:.0f} seconds",
                        hint=f"log: {self.processes.log_dir / name}.log",
                    )
                time.sleep(_POLL)
        self.progress.done()

    def _api_is_up(self) -> bool:
        try:
            answer = requests.get(f"{self.api_address}/health", timeout=10)
        except requests.RequestException:
            return False
        return answer.status_code == 200

    def _airflow_is_up(self) -> bool:
        """Return whether Airflow is healthy and has read every DAG."""
        if self.airflow.unhealthy():
            return False
        if not self._logged_in:
            self.airflow.warm_up()
            self.airflow.log_in()
            self._logged_in = True
        errors = self.airflow.import_errors()
        if errors:
            raise StackError(f"Airflow cannot read a DAG: {errors[0]}", hint=f"log: {self.airflow_home / 'logs'}")
        from pas_lib.stack.state import STEPS

        return set(STEPS) <= set(self.airflow.dags())

    _logged_in = False
