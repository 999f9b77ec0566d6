"""The whole job under the real scheduler: two sessions, kills, interrupts, failures, and what is left afterwards."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.stack.state import STEPS
from tests.support.job import CANARIES, TOKENS, Job, job_of_its_own, wait_for

pytestmark = pytest.mark.airflow

FRIDAY, MONDAY = "2026-01-30", "2026-02-02"


@pytest.fixture
def job() -> Iterator[Job]:
    with job_of_its_own() as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(first_session: Path) -> list[tuple[Any, ...]]:
    """The orders of a session that ran in one process, without Airflow and without interruption."""
    with job_of_its_own() as job:
        job.take(first_session)
        return job.orders()


def test_two_sessions_one_after_the_other(job: Job, undisturbed: list[tuple[Any, ...]]) -> None:
    assert job.run("--once") == 0, job.text
    for number, step in enumerate(STEPS, start=1):
        assert f"[{number}/5] {step}: done in" in job.text
    assert f"SESSION {FRIDAY}" in job.text
    assert "could not be read" not in job.text
    assert job.left_behind() == []
    # Through the scheduler or in one process: the same orders.
    assert job.orders() == undisturbed
    assert undisturbed
    with job.database() as warehouse:
        loads = {row["dataset"]: row for row in warehouse.rows("select * from ops.ingest_runs")}
        equity = warehouse.rows("select session from ops.account_metrics order by session")
    assert {row["status"] for row in loads.values()} == {"loaded"}
    # The account at the close of the decision's session, and after the fills of the next one.
    assert [str(row["session"]) for row in equity] == [FRIDAY, MONDAY]

    assert job.run("--once") == 0, job.text
    assert f"SESSION {MONDAY}" in job.text
    assert job.left_behind() == []
    with job.database() as warehouse:
        second = {
            row["dataset"]: row for row in warehouse.rows("select * from ops.ingest_runs where session = %s", (MONDAY,))
        }
        decided = [str(row["session"]) for row in warehouse.rows("select session from ops.decisions order by session")]
    # Incremental: a day's rows, not the history again; the weekly universe is not due on a Monday.
    assert 0 < second["prices"]["rows_new"] < loads["prices"]["rows_new"] / 20
    assert "universe" not in second
    assert decided == [FRIDAY, MONDAY]
    with job.database("airflow") as metadata:
        runs = metadata.rows("select dag_id, partition_key, state from dag_run order by id")
    assert [(row["dag_id"], row["partition_key"], row["state"]) for row in runs] == [
        (step, session, "success") for session in (FRIDAY, MONDAY) for step in STEPS
    ]
    # One task parsed the dbt project; those of other builds and of the next night read what it had found.
    logs = [path.read_text(encoding="utf-8") for path in (job.home / "dbt").glob("pg-*/dbt.log")]
    assert len(logs) == 3
    assert sum(log.count("Running with dbt") for log in logs) == 5
    assert sum(log.count("Unable to do partial parsing") for log in logs) == 1
    for secret in (TOKENS | CANARIES).values():
        assert job.files_with(secret) == []
    assert job.files_with("volatility_momentum-20260130-")  # the search does see what the tables hold


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_started_again_it_ends_with_the_same_orders(
    job: Job, undisturbed: list[tuple[Any, ...]], step: str
) -> None:
    number = STEPS.index(step) + 1
    job.start("--once")
    job.until(f"[{number}/5] {step}: 0 of")
    job.signal(signal.SIGKILL)
    job.finish()
    assert job.run("--once") == 0, job.text
    assert "left over from a run that was killed" in job.text
    assert f"SESSION {FRIDAY}" in job.text
    assert job.left_behind() == []
    assert job.orders() == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting PostgreSQL", "[0/5] start", "[2/5] transform: 0 of"])
def test_interrupted_at_any_moment_nothing_is_left(job: Job, number: signal.Signals, moment: str) -> None:
    job.start("--once")
    job.until(moment)
    job.signal(number)
    assert job.finish() == 130, job.text
    assert job.left_behind() == []


@pytest.mark.slow
def test_a_failed_step_is_named_with_its_log(job: Job) -> None:
    job.start("--once")
    job.until("[0/5] start")
    wait_for(lambda: _puts_fault(job, {"site": "yahoo", "kind": "columns"}))
    assert job.finish() == 1, job.text
    (error,) = [line for line in job.output if line.startswith("error: ")]
    assert error.startswith("error: collect.prices failed: PayloadError: ")
    log = Path(error.partition("(log: ")[2].rstrip(")"))
    assert log.is_file()
    assert "task_id=prices" in str(log)
    assert job.left_behind() == []
    with job.database() as warehouse:
        failures = warehouse.rows("select session, details ->> 'task_id' as task from ops.alloc_log")
        prices = warehouse.rows("select count(*) as n from raw.prices")[0]["n"]
    assert (FRIDAY, "prices") in {(str(row["session"]), row["task"]) for row in failures}
    assert prices == 0


@pytest.mark.slow
def test_a_dataset_that_is_not_critical_may_fail(job: Job) -> None:
    job.start("--once")
    job.until("[0/5] start")
    wait_for(lambda: _puts_fault(job, {"site": "wikimedia", "kind": "columns"}))
    assert job.finish() == 0, job.text
    assert "wiki_views could not be collected and is stale" in job.text
    assert job.left_behind() == []


@pytest.mark.slow
def test_a_program_that_dies_is_named(job: Job) -> None:
    job.start("--once")
    job.until("[1/5] collect")
    os.kill(job.recorded()["api"], signal.SIGKILL)
    assert job.finish() == 1, job.text
    assert "error: api ended with status -9" in job.text
    assert job.left_behind() == []


def test_a_port_in_use_is_named_and_nothing_is_started(job: Job) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", job.ports[2]))
        taken.listen()
        assert job.run("--once") == 1
    assert f"port {job.ports[2]} for Airflow is in use" in job.text
    assert "PAS_AIRFLOW_PORT" in job.text
    assert not (job.home / "postgres").exists()


def _puts_fault(job: Job, fault: dict[str, str]) -> bool:
    try:
        return requests.put(f"{job.sandbox_url}/sandbox/faults", json=fault, timeout=10).status_code == 200
    except requests.RequestException:
        return False
