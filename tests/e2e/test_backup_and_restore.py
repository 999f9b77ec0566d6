"""A system that was destroyed goes on from its backup as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pas_lib.settings import PROJECT_ROOT
from tests.support.job import Job, job_of_its_own


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    with job_of_its_own() as one:
        yield one


@pytest.fixture(scope="module")
def saved(job: Job, first_session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup taken after the first session."""
    job.take(first_session)
    file = tmp_path_factory.mktemp("backup") / "pas.tar"
    done = pas(job, "backup", str(file), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["bytes"] == file.stat().st_size
    assert answer["backup"]["rows"]["raw.prices"] > 1000
    return file


def pas(job: Job, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pas_lib.cli", *arguments],
        cwd=PROJECT_ROOT,
        env=job.env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


BOOKS = (
    "select session, symbol, side, qty, filled_qty, filled_avg_price, client_order_id from ops.orders",
    "select session, decided_at, inputs_hash, cci, scale, gross, expected_vol, managed_equity from ops.decisions",
    "select session, portfolio_id, symbol, weight, share from ops.weight_history",
    "select session, equity, cash, managed_equity from ops.account_metrics",
    "select portfolio_id, session, model_return from marts.model_returns",
)


def books(job: Job) -> list[list[tuple[object, ...]]]:
    """What was decided, traded and measured so far, in a fixed order."""
    with job.database() as warehouse:
        return [sorted((tuple(row.values()) for row in warehouse.rows(query)), key=repr) for query in BOOKS]


def same(found: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    """Rows lie in another order on the disk after a restoration, and the last bit of a sum goes by the order."""
    return all(
        one == pytest.approx(other, rel=1e-13) if isinstance(one, float) else one == other
        for one, other in zip(found, wanted, strict=True)
    )


def test_after_destruction_it_goes_on_as_it_would_have(job: Job, saved: Path) -> None:
    first = books(job)
    assert all(first)
    assert job.run("--direct") == 0, job.text
    undisturbed = books(job)
    assert len(undisturbed[1]) == len(first[1]) + 1

    shutil.rmtree(job.home)
    job.home.mkdir()
    done = pas(job, "restore", str(saved))
    assert done.returncode == 0, done.stderr
    assert books(job) == first

    assert job.run("--direct") == 0, job.text
    for query, found, wanted in zip(BOOKS, books(job), undisturbed, strict=True):
        assert [pair for pair in zip(found, wanted, strict=True) if not same(*pair)] == [], query


def test_a_warehouse_is_replaced_only_when_told_to(job: Job, saved: Path) -> None:
    before = books(job)
    done = pas(job, "restore", str(saved))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--replace" in done.stderr
    assert books(job) == before


def test_a_damaged_file_changes_nothing(job: Job, saved: Path, tmp_path: Path) -> None:
    before = books(job)
    damaged = tmp_path / "damaged.tar"
    with tarfile.open(saved) as source, tarfile.open(damaged, "w") as target:
        for member in source.getmembers():
            stream = source.extractfile(member)
            if member.name == "warehouse.dump" and stream is not None:
                member.size //= 2
            target.addfile(member, stream)
    done = pas(job, "restore", str(damaged), "--replace")
    assert done.returncode == 1
    assert "pg_restore" in done.stderr
    assert books(job) == before


def test_a_file_of_something_else_is_refused(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    other.write_bytes(b"not an archive")
    done = pas(job, "restore", str(other))
    assert done.returncode == 1
    assert "is not a backup of this system" in done.stderr
    missing = pas(job, "restore", str(tmp_path / "nowhere.tar"))
    assert "does not exist" in missing.stderr


def test_it_holds_no_secrets_and_only_its_owner_reads_it(job: Job, saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    with tarfile.open(saved) as archive:
        names = archive.getnames()
    assert names[0] == "manifest.json"
    assert "warehouse.dump" in names
    assert any(name.startswith("landing/prices/") for name in names)
    assert any(name.startswith("home/sandbox/") for name in names)
    assert not [name for name in names if name.endswith((".env", "keys.json", "passwords.json", "run/lock"))]


def test_an_existing_file_is_not_overwritten(job: Job, saved: Path) -> None:
    size = saved.stat().st_size
    done = pas(job, "backup", str(saved))
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert saved.stat().st_size == size
