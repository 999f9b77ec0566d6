"""Import time of each DAG file in a process of its own, Airflow itself already imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.report import Result

ROOT = Path(__file__).parents[2]
_PROBE = """
import json, runpy, sys, time
import airflow.sdk, airflow.timetables.base, airflow.plugins_manager
start = time.perf_counter()
runpy.run_path(sys.argv[1])
print(json.dumps((time.perf_counter() - start) * 1e3))
"""


def run() -> Iterator[Result]:
    """Yield one row a DAG file."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "dags", "plugins")),
        }
        for path in sorted((ROOT / "dags").glob("*.py")):
            if path.stem.startswith("pas_"):
                continue
            times = []
            for _ in range(3):
                done = subprocess.run(
                    [sys.executable, "-c", _PROBE, str(path)], env=env, capture_output=True, text=True, check=True
                )
                times.append(float(json.loads(done.stdout.strip().splitlines()[-1])))
            ms = min(times)
            yield Result(f"import of dags/{path.name}", ms, gate="under 1,000 ms", passed=ms < 1000)
