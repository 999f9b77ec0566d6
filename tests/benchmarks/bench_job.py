"""The whole job on the full world: through Airflow, and the same steps directly in one process; time and memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from tests.benchmarks.report import Result
from tests.support.job import Job, job_of_its_own

MOST_SECONDS = 150.0
MOST_BYTES = 6 * 2**30
MOST_TIMES_DIRECT = 3.0


def _watched(job: Job, *arguments: str) -> tuple[float, int]:
    """Run a job; return its seconds and the most memory its processes took together."""
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(1.0):
            peak = max(peak, job.memory())

    watcher = threading.Thread(target=watch, daemon=True)
    began = time.monotonic()
    job.start(*arguments)
    watcher.start()
    status = job.finish()
    seconds = time.monotonic() - began
    over.set()
    watcher.join()
    if status:
        raise RuntimeError(job.text)
    return seconds, peak


def run() -> Iterator[Result]:
    """Yield the whole job, its steps against the direct ones, and the session after."""
    with job_of_its_own("full") as direct, job_of_its_own("full") as scheduled:
        _watched(direct, "--direct")
        in_process = direct.timings()["steps"]
        seconds, peak = _watched(scheduled, "--once")
        steps = scheduled.timings()["steps"]
        yield Result(
            "the whole job, first session, from nothing",
            seconds * 1e3,
            parity=f"{peak / 2**30:.1f} GB at most for all processes together",
            gate=f"at most {MOST_SECONDS:.0f} s and {MOST_BYTES / 2**30:.0f} GB",
            passed=seconds <= MOST_SECONDS and peak <= MOST_BYTES,
        )
        ours = sum(value for name, value in steps.items() if name in in_process and name != "start")
        theirs = sum(value for name, value in in_process.items() if name != "start")
        yield Result(
            "its steps under Airflow",
            ours * 1e3,
            "directly, in one process",
            theirs * 1e3,
            parity=", ".join(f"{name} {steps[name]:.1f} s ({value:.1f})" for name, value in in_process.items()),
            gate=f"at most {MOST_TIMES_DIRECT:.0f} times as long",
            passed=ours <= MOST_TIMES_DIRECT * theirs,
        )
        seconds, _ = _watched(scheduled, "--once")
        yield Result("the next session, incrementally", seconds * 1e3)
