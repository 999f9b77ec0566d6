"""All datasets of one session collected from the sandbox, called directly: the first load, and the session after it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from pas_lib.clock import FixedClock, clock_for
from pas_lib.datasets import leaders
from pas_lib.ingest import ingest
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result

LIMIT = 60.0
#: Runnable processes per processor from which on others are in the way.
TAKEN = 1.5
SESSIONS = ((date(2026, 1, 30), None), (date(2026, 2, 2), "2026-02-02T20:00"))


@contextmanager
def full_world(home: Path) -> Iterator[tuple[str, int]]:
    """Serve the world that `make run` has, as it does: from a process of its own. Yields its address and number."""
    command = [sys.executable, "-m", "pas_lib.sandbox", "--port", "0", "--home", str(home), "--size", "full"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sites:
        try:
            told = sites.stdout.readline() if sites.stdout is not None else ""
            found = re.search(r"http://\S+", told)
            if found is None:
                raise RuntimeError(f"the sandbox did not start: {told!r}")
            yield found[0], sites.pid
        finally:
            sites.terminate()


def processor_seconds(*pids: int) -> float:
    """Return the processor time of processes and of those they have waited for; NaN where nobody tells."""
    spent = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return float("nan")
        spent += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return spent


def advance(url: str, to: str) -> None:
    """Set the sandbox's clock."""
    asked = urllib.request.Request(
        f"{url}/sandbox/advance", json.dumps({"to": to}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        answer.read()


def run() -> Iterator[Result]:
    """Yield a row per session, of the world that `make run` has."""
    names = ["universe", *(entry.name for entry in leaders() if entry.name != "universe")]
    with (
        tempfile.TemporaryDirectory(prefix="pas-pg-") as folder,
        tempfile.TemporaryDirectory() as home,
        full_world(Path(home) / "sandbox") as (url, sites),
    ):
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        try:
            create_database(Warehouse(server.url()), "collect")
            warehouse = Warehouse(server.url("collect"))
            migrate(warehouse, "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)))
            settings = load_settings(
                {"PAS_HOME": home, "PAS_SANDBOX_URL": url, "PAS_DATABASE_URL": warehouse.url}, root=Path(home)
            )
            clock = clock_for(settings)
            for session, moment in SESSIONS:
                if moment is not None:
                    advance(url, moment)
                took: dict[str, float] = {}
                postmaster = int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])
                everyone = (os.getpid(), sites, postmaster)
                rows, spent = 0, processor_seconds(*everyone)
                for name in names:
                    began = time.perf_counter()
                    found = ingest(name, session, settings=settings, clock=clock, warehouse=warehouse)
                    took[name] = time.perf_counter() - began
                    rows += found.new + sum(one.new for one in found.followers.values())
                spent = processor_seconds(*everyone) - spent
                slowest = sorted(took, key=lambda name: -took[name])[:3]
                # On a machine that others take the clock says little: then what all of it takes of processors counts.
                busy = os.getloadavg()[0] / (os.cpu_count() or 1)
                seconds = min(sum(took.values()), spent) if busy > TAKEN else sum(took.values())
                yield Result(
                    f"{len(names)} datasets of {session}: {rows:,} new rows",
                    1000 * sum(took.values()),
                    parity="slowest: "
                    + ", ".join(f"{name} {took[name]:.1f} s" for name in slowest)
                    + f"; {spent:.1f} s of processor with sites and PostgreSQL, machine {busy:.1f} times taken",
                    gate=f"at most {LIMIT:.0f} s" + (" of processor: the machine is taken" if busy > TAKEN else ""),
                    passed=seconds <= LIMIT,
                )
        finally:
            server.stop()
