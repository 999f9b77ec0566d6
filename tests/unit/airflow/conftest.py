"""Airflow for tests: a home in a temporary folder, this project's DAGs and plugins, no database unless a test asks."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

# Airflow reads these when it is first imported.
if "AIRFLOW_HOME" not in os.environ:
    _home = tempfile.mkdtemp(prefix="pas-airflow-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
os.environ.update(
    {
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
)


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """All DAGs of the project, parsed as Airflow does."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags"))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's own tables, in a file of the temporary home."""
    from airflow.utils import db

    db.initdb()
