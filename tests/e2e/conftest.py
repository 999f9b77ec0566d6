"""What more than one file of these tests starts from."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.support.job import job_of_its_own


@pytest.fixture(scope="session")
def first_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a job whose first session ran in one process, without Airflow and without interruption.

    An archive, made once for all workers.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    archive = folder / "first-session.tar"
    with (folder / "first-session.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            with job_of_its_own() as job:
                assert job.run("--direct") == 0, job.text
                job.save(archive)
    return archive
