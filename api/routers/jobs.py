"""Jobs: what Airflow runs, how it went, and asking for a run."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import require_read, require_trade
from api.dependencies import closed_session
from api.listing import Whole
from api.scheduler import JobDetail, JobList, JobRun, JobRunDetail, Scheduler

router = APIRouter(tags=["jobs"])


class RunRequest(BaseModel):
    """For which session a job is to run."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"session": "2026-01-30"}]})

    session: Annotated[date | None, Field(description="a session of the exchange; the last closed one by default")] = (
        None
    )


async def _scheduler(request: Request) -> Scheduler:
    found = request.app.state.scheduler
    assert isinstance(found, Scheduler)  # noqa: S101 - the factory sets it
    return found


Jobs = Annotated[Scheduler, Depends(_scheduler)]


@router.get("/scheduler/jobs", dependencies=[Depends(require_read)])
def list_jobs(jobs: Jobs, window: Whole) -> JobList:
    """List the jobs with their next time and their latest run."""
    return window.cut(jobs.jobs())


@router.get("/scheduler/jobs/{job_id}", dependencies=[Depends(require_read)])
def show_job(jobs: Jobs, job_id: str) -> JobDetail:
    """Return a job with its latest runs."""
    return jobs.job(job_id)


@router.get("/scheduler/jobs/{job_id}/runs/{run_id}", dependencies=[Depends(require_read)])
def show_run(jobs: Jobs, job_id: str, run_id: str) -> JobRunDetail:
    """Return a run with the state of its tasks."""
    return jobs.run(job_id, run_id)


@router.post("/scheduler/jobs/{job_id}/run", status_code=202, dependencies=[Depends(require_trade)])
def start_job(request: Request, jobs: Jobs, job_id: str, wanted: RunRequest | None = None) -> JobRun:
    """Ask for a run of a session; every step may be run again without harm."""
    return jobs.start(job_id, _session(request, wanted))


@router.post("/scrapers/{dataset}/run", status_code=202, dependencies=[Depends(require_trade)])
def collect_dataset(request: Request, jobs: Jobs, dataset: str, wanted: RunRequest | None = None) -> JobRun:
    """Collect one dataset now, due or not, through the job `collect_dataset`."""
    from pas_lib.datasets import dataset as entry

    found = entry(dataset)
    return jobs.start("collect_dataset", _session(request, wanted), {"dataset": found.leader or found.name})


def _session(request: Request, wanted: RunRequest | None) -> date:
    return closed_session(wanted.session if wanted else None, request.app.state.market_clock.now())
