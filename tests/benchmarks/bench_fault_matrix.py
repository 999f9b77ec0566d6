"""The fault matrix as a table of outcomes: each fault on a warehouse and a broker of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pas_lib.clock import FixedClock
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result
from tests.integration.execution.conftest import Stage
from tests.integration.execution.fault_cases import CASES, Case, judge


def run() -> Iterator[Result]:
    """Yield a row per fault: what the broker has, whether the books say the same, state, reason and the next run."""
    with tempfile.TemporaryDirectory(prefix="pas-pg-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        try:
            template = Warehouse(server.url("pas_matrix"))
            with Warehouse(server.url()).connect(autocommit=True) as conn:
                conn.execute("create database pas_matrix")
            migrate(template, "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)), warehouse_id="matrix")
            for number, case in enumerate(CASES):
                yield _row(server, case, f"case_{number}")
        finally:
            server.stop()


def _row(server: EmbeddedPostgres, case: Case, name: str) -> Result:
    with Warehouse(server.url()).connect(autocommit=True) as conn:
        conn.execute(f"create database {name} template pas_matrix")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = load_settings({"PAS_HOME": str(home / "home"), "PAS_DATABASE_URL": server.url(name)}, root=home)
        stage = Stage(home, settings, Warehouse(server.url(name)))
        began = time.perf_counter()
        try:
            verdict = judge(stage, case)
        finally:
            stage.close()
    took = (time.perf_counter() - began) * 1e3
    with Warehouse(server.url()).connect(autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")
    is_expected = (
        verdict.orders == case.orders
        and verdict.state == case.state
        and case.reason in verdict.reason
        and verdict.next_run.startswith(case.next_run)
        and verdict.held == {key: Decimal(qty) for key, qty in case.held.items()}
    )
    orders = ", ".join(f"{side} {qty} {symbol} {status}" for symbol, side, qty, status in verdict.orders) or "none"
    return Result(
        case.name,
        took,
        parity=f"orders: {orders} ({verdict.twice} twice); fills booked once {verdict.fills_booked_once} of"
        f" {verdict.fills_at_broker}; books {'=' if verdict.is_equal else 'DIFFER FROM'} broker; {verdict.state}"
        f"{f' ({verdict.reason[:90]})' if verdict.reason else ''}; next run {verdict.next_run[:150]}",
        gate="nothing twice, nothing lost, books equal, state and reason stored",
        passed=verdict.is_safe and is_expected,
    )
