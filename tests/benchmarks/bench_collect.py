"""All datasets of one session collected from the sandbox, called directly: the first load, and the session after it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from pas_lib.clock import FixedClock, clock_for
from pas_lib.datasets import leaders
from pas_lib.ingest import ingest
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result

LIMIT = 60.0
SESSIONS = ((date(2026, 1, 30), None), (date(2026, 2, 2), "2026-02-02T20:00"))


def run() -> Iterator[Result]:
    """Yield a row per session, of the world that `make run` has."""
    names = ["universe", *(entry.name for entry in leaders() if entry.name != "universe")]
    with (
        tempfile.TemporaryDirectory(prefix="pas-pg-") as folder,
        tempfile.TemporaryDirectory() as home,
        running_sandbox(Path(home) / "sandbox", small=False) as sandbox,
    ):
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        try:
            create_database(Warehouse(server.url()), "collect")
            warehouse = Warehouse(server.url("collect"))
            migrate(warehouse, "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)))
            settings = load_settings(
                {"PAS_HOME": home, "PAS_SANDBOX_URL": sandbox.url, "PAS_DATABASE_URL": warehouse.url}, root=Path(home)
            )
            clock = clock_for(settings)
            for session, moment in SESSIONS:
                if moment is not None:
                    sandbox.clock.advance(moment)
                took: dict[str, float] = {}
                rows = 0
                for name in names:
                    began = time.perf_counter()
                    found = ingest(name, session, settings=settings, clock=clock, warehouse=warehouse)
                    took[name] = time.perf_counter() - began
                    rows += found.new + sum(one.new for one in found.followers.values())
                slowest = sorted(took, key=lambda name: -took[name])[:3]
                yield Result(
                    f"{len(names)} datasets of {session}: {rows:,} new rows",
                    1000 * sum(took.values()),
                    parity="slowest: " + ", ".join(f"{name} {took[name]:.1f} s" for name in slowest),
                    gate=f"at most {LIMIT:.0f} s",
                    passed=sum(took.values()) <= LIMIT,
                )
        finally:
            server.stop()
