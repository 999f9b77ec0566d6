"""What the compose stack runs besides the programs: its preparation, its health probe, the drive of a session."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import requests

from pas_lib.clock import clock_for
from pas_lib.errors import SettingsError
from pas_lib.execution import standing
from pas_lib.settings import Settings
from pas_lib.stack import secrets_file
from pas_lib.stack.airflow_env import ADMIN
from pas_lib.stack.airflow_rest import AirflowRest
from pas_lib.stack.engine import AirflowEngine
from pas_lib.stack.errors import StackError
from pas_lib.stack.job import run_session
from pas_lib.stack.progress import Progress
from pas_lib.stack.sandbox_client import SandboxClient
from pas_lib.stack.state import STEPS, SessionState
from pas_lib.stack.world import RealWorld, SandboxWorld, World
from pas_lib.warehouse import Warehouse, migrate
from pas_lib.warehouse.roles import API_ROLE, grant_api

_PATIENCE = 240.0


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set", hint="`make env` writes one")
    return value


def prepare(settings: Settings) -> None:
    """Bring both databases up to date, create the pools and the log-in, and grant the API its rights.

    Running programs are not disturbed: it may be run again at any time.

    Raises
    ------
    SettingsError
        If the log-in's password is not set.
    WarehouseError
        If the warehouse is newer than the code, or of another origin.
    """
    airflow_home = Path(_secret("AIRFLOW_HOME"))
    airflow_home.mkdir(parents=True, exist_ok=True)
    secrets_file.write_airflow_password(airflow_home, ADMIN, _secret("AIRFLOW_ADMIN_PASSWORD"))
    warehouse = Warehouse.from_settings(settings)
    migrate(warehouse, settings.origin)
    granted = grant_api(warehouse)
    importlib.import_module("pas_lib.stack.airflow_host").prepare_database(close_open_runs=False)
    print(f"prepared: warehouse {warehouse.shown_url}, Airflow's database, pools, log-in {ADMIN}")
    if not granted:
        print(f"there is no role {API_ROLE} on this server: the API uses the role of PAS_DATABASE_URL")


def probe(url: str) -> int:
    """Return 0 if an address answers with a status below 400; its own health is all a program is asked for."""
    try:
        answer = requests.get(url, timeout=8, proxies={"http": "", "https": ""})
    except requests.RequestException as error:
        print(f"{url}: {type(error).__name__}", file=sys.stderr)
        return 1
    return int(answer.status_code >= 400)


def drive(settings: Settings, sessions: int = 1) -> None:
    """Run sessions through a stack that is up, from outside: ask for the runs, follow them, move the sandbox's clock.

    Raises
    ------
    StackError
        If Airflow does not come up.
    StepFailed
        Naming the step.
    """
    rest = AirflowRest(settings.airflow_url, ADMIN, _secret("AIRFLOW_ADMIN_PASSWORD"))
    airflow_home = settings.home / "airflow"
    with Progress() as progress:
        _wait(rest, progress)
        state = SessionState.load(settings.home / "run" / "session.json")
        clock, warehouse = clock_for(settings), Warehouse.from_settings(settings)
        engine = AirflowEngine(
            rest, airflow_home, progress, lambda: None, lambda day: standing(day, settings, warehouse, clock)
        )
        world: World = (
            SandboxWorld(SandboxClient(settings.sandbox_url))
            if settings.sources == "sandbox"
            else RealWorld(clock_for(settings))
        )
        for _ in range(sessions):
            if run_session(engine, world, state, progress) is None:
                break
        progress.say(f"total {progress.elapsed:.1f}s")


def _wait(rest: AirflowRest, progress: Progress) -> None:
    deadline = time.monotonic() + _PATIENCE
    while missing := rest.unhealthy():
        progress.detail(f"waiting for Airflow's {', '.join(missing)}")
        if time.monotonic() > deadline:
            raise StackError(f"Airflow is not healthy after {_PATIENCE:.0f} seconds: {', '.join(missing)}")
        time.sleep(1.0)
    rest.log_in()
    while absent := sorted(set(STEPS) - set(rest.dags())):
        if errors := rest.import_errors():
            raise StackError(f"Airflow cannot read a DAG: {errors[0]}")
        progress.detail(f"waiting for the DAGs {', '.join(absent)}")
        if time.monotonic() > deadline:
            raise StackError(f"Airflow has not read {', '.join(absent)} after {_PATIENCE:.0f} seconds")
        time.sleep(1.0)
