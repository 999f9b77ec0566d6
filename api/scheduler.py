"""Airflow as the API sees it: jobs and their runs, asked for and followed through Airflow's own REST interface."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

import requests
from pydantic import Field

from api.errors import Conflict, NotFound, NotReady, Unprocessable
from api.models import Answer, Listed
from pas_lib.settings import Settings
from pas_lib.stack.airflow_env import ADMIN
from pas_lib.stack.airflow_rest import AirflowRest, Run
from pas_lib.stack.errors import StackError

T = TypeVar("T")


class JobTask(Answer):
    """A task of a run."""

    task_id: str
    state: str = Field(description="as Airflow names it; empty until it is scheduled")
    try_number: int


class JobRun(Answer):
    """A run of a job for one session."""

    run_id: str
    job_id: str
    session: date | None = Field(None, description="the session the run is for")
    state: str = Field(description="queued, running, success or failed")
    started_at: datetime | None = None
    ended_at: datetime | None = None


class JobRunDetail(JobRun):
    """A run with its tasks."""

    tasks: list[JobTask]


class Job(Answer):
    """A job: one DAG of Airflow."""

    job_id: str
    description: str
    is_paused: bool
    next_run_at: datetime | None = Field(None, description="null where it waits for another job, or is asked for")
    last_run: JobRun | None = None


class JobList(Listed):
    """All jobs."""

    records: list[Job]


class JobDetail(Job):
    """A job with its latest runs, the newest first."""

    runs: list[JobRun]


class Scheduler:
    """A client of Airflow that logs in when it has to.

    Parameters
    ----------
    settings : Settings
        Address and password.
    """

    def __init__(self, settings: Settings) -> None:
        password = settings.airflow_password
        self._rest = AirflowRest(settings.airflow_url, ADMIN, password.get_secret_value()) if password else None
        self._lock = threading.Lock()
        self._logged_in = False

    def _ask(self, question: Callable[[AirflowRest], T]) -> T:
        rest = self._rest
        if rest is None:
            raise NotReady("AIRFLOW_ADMIN_PASSWORD is not set: jobs can be neither read nor started here")
        with self._lock:
            for last in (False, True):
                try:
                    if not self._logged_in:
                        rest.log_in()
                        self._logged_in = True
                    return question(rest)
                except requests.RequestException as error:
                    raise NotReady(f"Airflow at {rest.address} does not answer: {type(error).__name__}") from None
                except StackError as error:
                    self._logged_in = False
                    # A token ends after a day: once more with a new one.
                    if last or "answered 401" not in str(error):
                        raise _translated(error) from None
        raise AssertionError

    def jobs(self) -> JobList:
        """Return every job with its latest run."""

        def question(rest: AirflowRest) -> JobList:
            return JobList(records=[_job(rest, entry) for entry in rest.dag_entries()])

        return self._ask(question)

    def job(self, job_id: str) -> JobDetail:
        """Return a job with its latest runs."""

        def question(rest: AirflowRest) -> JobDetail:
            entry = next((one for one in rest.dag_entries() if one["dag_id"] == job_id), None)
            if entry is None:
                raise NotFound(f"there is no job {job_id}", hint="/scheduler/jobs lists them")
            runs = [_run(one) for one in rest.run_entries(job_id, limit=25)]
            return JobDetail(**_fields(entry), last_run=runs[0] if runs else None, runs=runs)

        return self._ask(question)

    def run(self, job_id: str, run_id: str) -> JobRunDetail:
        """Return a run with its tasks."""

        def question(rest: AirflowRest) -> JobRunDetail:
            entry = rest.run_entry(job_id, run_id)
            tasks = rest.tasks(Run(job_id, run_id, str(entry["state"])))
            shown = [JobTask(task_id=t.task_id, state=t.state, try_number=t.try_number) for t in tasks]
            return JobRunDetail(**_run(entry).model_dump(), tasks=shown)

        return self._ask(question)

    def start(self, job_id: str, session: date, conf: dict[str, Any] | None = None) -> JobRun:
        """Ask for a run of a session.

        Raises
        ------
        Conflict
            If one of that session is going on, or the job is paused.
        """

        def question(rest: AirflowRest) -> JobRun:
            paused = rest.dags()
            if job_id not in paused:
                raise NotFound(f"there is no job {job_id}", hint="/scheduler/jobs lists them")
            if paused[job_id]:
                raise Conflict(f"{job_id} is paused", hint="unpause it in Airflow first")
            going = [run for run in rest.runs_of(job_id, session) if not run.is_finished]
            if going and conf is None:
                raise Conflict(f"{job_id} of {session} is {going[0].state} already: {going[0].run_id}")
            asked = rest.trigger(job_id, session, conf)
            return JobRun(run_id=asked.run_id, job_id=job_id, session=session, state=asked.state)

        return self._ask(question)


def _translated(error: StackError) -> Exception:
    text = str(error)
    if "answered 404" in text:
        return NotFound(text)
    if "answered 422" in text or "refused to run" in text:
        return Unprocessable(text)
    return NotReady(text)


def _fields(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_id": entry["dag_id"],
        "description": entry.get("description") or "",
        "is_paused": bool(entry["is_paused"]),
        "next_run_at": entry.get("next_dagrun_run_after"),
    }


def _job(rest: AirflowRest, entry: dict[str, Any]) -> Job:
    runs = rest.run_entries(str(entry["dag_id"]), limit=1)
    return Job(**_fields(entry), last_run=_run(runs[0]) if runs else None)


def _run(entry: dict[str, Any]) -> JobRun:
    key = entry.get("partition_key")
    try:
        session = date.fromisoformat(str(key))
    except ValueError:
        session = None
    return JobRun(
        run_id=entry["dag_run_id"],
        job_id=entry["dag_id"],
        session=session,
        state=entry["state"],
        started_at=entry.get("start_date"),
        ended_at=entry.get("end_date"),
    )
