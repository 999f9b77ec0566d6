"""Airflow's configuration on one machine, as environment variables: it needs no configuration file of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from pas_lib.settings import PROJECT_ROOT, Settings

ADMIN = "admin"
#: Tasks at a time. Each is a process of its own.
PARALLELISM = 3


def airflow_environment(
    settings: Settings,
    *,
    metadata_url: str,
    warehouse_url: str,
    keys: Mapping[str, str],
    passwords_file: Path,
    base: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the environment Airflow's programs run in.

    Parameters
    ----------
    settings : Settings
        Ports and folders.
    metadata_url : str
        SQLAlchemy address of Airflow's own database.
    warehouse_url : str
        libpq address of the warehouse; becomes the connection ``pas_warehouse``.
    keys : Mapping[str, str]
        Signing and encryption keys.
    passwords_file : Path
        The log-in file of Airflow's simple authentication.
    base : Mapping[str, str], optional
        Environment to build on; this process's own by default.

    Returns
    -------
    dict of str to str
    """
    logs = settings.home / "airflow" / "logs"
    address = f"http://127.0.0.1:{settings.airflow_port}"
    options: dict[str, dict[str, str]] = {
        "CORE": {
            "DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
            "PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
            "LOAD_EXAMPLES": "False",
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": str(PARALLELISM),
            # A DAG is ready when it is found; one that a person paused stays paused.
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "FERNET_KEY": keys["fernet_key"],
            "SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file),
            "EXECUTION_API_SERVER_URL": f"{address}/execution/",
            # The default asks the resolver, which may take seconds without a network.
            "HOSTNAME_CALLABLE": "socket.gethostname",
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": metadata_url, "SQL_ALCHEMY_POOL_SIZE": "3"},
        "API": {
            "HOST": "127.0.0.1",
            "PORT": str(settings.airflow_port),
            "BASE_URL": address,
            "SECRET_KEY": keys["api_secret_key"],
            "EXPOSE_CONFIG": "False",
            "WORKERS": "1",
        },
        "API_AUTH": {"JWT_SECRET": keys["jwt_secret"]},
        "SCHEDULER": {"SCHEDULER_IDLE_SLEEP_TIME": "0.3", "ENABLE_HEALTH_CHECK": "False"},
        # Files are read at the start; an edited one is noticed within a minute.
        "DAG_PROCESSOR": {"MIN_FILE_PROCESS_INTERVAL": "60", "REFRESH_INTERVAL": "60", "PARSING_PROCESSES": "2"},
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
        # Said outright: the configuration file Airflow makes for itself would remember where its home was first.
        "LOGGING": {
            "COLORED_CONSOLE_LOG": "False",
            "BASE_LOG_FOLDER": str(logs),
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(logs / "dag_processor"),
        },
    }
    env = dict(os.environ if base is None else base)
    env["AIRFLOW_HOME"] = str(settings.home / "airflow")
    for section, values in options.items():
        env |= {f"AIRFLOW__{section}__{name}": value for name, value in values.items()}
    # On macOS a forked process may not touch system libraries otherwise.
    env["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    env["AIRFLOW_CONN_PAS_WAREHOUSE"] = json.dumps(warehouse_connection(warehouse_url))
    return program_environment(settings, base=env)


def program_environment(settings: Settings, *, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment every program of the stack runs in: the project importable, no telemetry, one home."""
    env = dict(os.environ if base is None else base)
    path = [str(PROJECT_ROOT), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    env |= {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        "PYTHONUNBUFFERED": "1",
        "PAS_HOME": str(settings.home),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    }
    return env


def warehouse_connection(url: str) -> dict[str, Any]:
    """Return a libpq address as the fields of an Airflow connection."""
    parts = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items() if value is not None}
    connection: dict[str, Any] = {"conn_type": "postgres"}
    for field, name in (("host", "host"), ("login", "user"), ("password", "password"), ("schema", "dbname")):
        if name in parts:
            connection[field] = parts.pop(name)
    if "port" in parts:
        connection["port"] = int(parts.pop("port"))
    if parts:
        connection["extra"] = parts
    return connection
