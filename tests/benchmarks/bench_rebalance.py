"""A rebalance of 20 portfolios x 30 names against the paper broker over HTTP: time to plan, calls to the broker."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pas_lib.clock import FixedClock, next_session
from pas_lib.execution import Decision, Target, create_plan, execute
from pas_lib.execution.intents import constraints_of
from pas_lib.execution.plan import plan
from pas_lib.execution.rate import BURST
from pas_lib.execution.steps import Steps
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result, best_ms
from tests.integration.execution.conftest import D, E, Stage

PORTFOLIOS, NAMES = 20, 30
LIMIT = 200
MOST_PLANNING_MS = 1_000.0
MOST_CALLS = 700


def _decision(session: Any, turn: int, stage: Stage) -> Decision:
    """Every portfolio holds 30 of 40 names; each session three of them are others, and all weights change."""
    closes = {s: Decimal(str(p)) for s, p in stage.world.prices.items()}
    targets = []
    for p in range(PORTFOLIOS):
        for k in range(NAMES):
            symbol = f"N{(p + k + 3 * turn) % 40:02d}"
            weight = 0.045 / NAMES * (1.0 + 0.1 * ((k + turn) % 3 - 1))
            targets.append(Target(f"portfolio_{p:02d}", symbol, weight, closes[symbol]))
    return Decision(session, tuple(targets), frozenset(f"portfolio_{p:02d}" for p in range(PORTFOLIOS)), closes=closes)


def run() -> Iterator[Result]:
    """Yield planning alone, planning with its stores, and the calls of the execution."""
    with tempfile.TemporaryDirectory(prefix="pas-pg-") as folder, tempfile.TemporaryDirectory() as home:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        try:
            with Warehouse(server.url()).connect(autocommit=True) as conn:
                conn.execute("create database rebalance")
            warehouse = Warehouse(server.url("rebalance"))
            migrate(warehouse, "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)), warehouse_id="bench")
            env = {"PAS_HOME": home, "PAS_DATABASE_URL": warehouse.url}
            stage = Stage(Path(home), load_settings(env, root=Path(home)), warehouse)
            try:
                yield from _rebalance(stage)
            finally:
                stage.close()
        finally:
            server.stop()


def _rebalance(stage: Stage) -> Iterator[Result]:
    stage.world.prices = {f"N{n:02d}": 20.0 + n for n in range(40)}
    stage.broker.book._set_meta("cash", "1000000")
    stage.at_evening(D)
    create_plan(_decision(D, 0, stage), stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    stage.at_open(E)
    yield _carried_out(stage, D, "the first basket")
    stage.at_evening(E)
    decision = _decision(E, 1, stage)
    holdings, cash = stage.holdings(), stage.cash()
    limits = constraints_of(stage.settings)
    pure = best_ms(lambda: plan(decision, holdings, Decimal(1_000_000), cash=cash, constraints=limits))
    planning = busy = float("inf")
    for _ in range(3):
        stage.warehouse.execute("delete from ops.intents where session = %s", (E,))
        stage.warehouse.execute("delete from ops.order_plans where session = %s", (E,))
        gateway = stage.gateway()
        began, used = time.perf_counter(), time.process_time()
        stored = create_plan(decision, stage.settings, stage.clock, stage.warehouse, gateway=gateway)
        planning = min(planning, (time.perf_counter() - began) * 1e3)
        busy = min(busy, (time.process_time() - used) * 1e3)
    orders = sum(1 for i in stored.intents if i.kind == "order")
    crosses = sum(1 for i in stored.intents if i.kind == "cross")
    what = f"{PORTFOLIOS} portfolios x {NAMES} names"
    gate = f"at most {MOST_PLANNING_MS / 1e3:.0f} s"
    yield Result(f"plan {what}, alone", pure, gate=gate, passed=pure <= MOST_PLANNING_MS)
    yield Result(
        f"plan {what}, with the broker's account, the books and the stored intents",
        planning,
        parity=f"{orders} orders, {crosses} crossing legs, {gateway.budget.taken + gateway.data_budget.taken} calls;"
        f" {busy:.0f} ms of processor time in this process, the paper broker's included",
        gate=gate,
        passed=planning <= MOST_PLANNING_MS and orders > 300,
    )
    stage.at_open(next_session(E))
    yield _carried_out(stage, E, f"{what}, the next session")
    again, gateway = _execute(stage, E)
    yield Result(
        "the same once more",
        0.0,
        parity=f"{again.sent} sent, {gateway.budget.taken} calls",
        gate="nothing is sent",
        passed=again.sent == 0,
    )


def _carried_out(stage: Stage, session: Any, what: str) -> Result:
    began = time.perf_counter()
    report, gateway = _execute(stage, session)
    took = (time.perf_counter() - began) * 1e3
    calls = gateway.budget.taken + gateway.data_budget.taken
    paced = max(0.0, (gateway.budget.taken - LIMIT * BURST) / (LIMIT * (1 - BURST)) * 60)
    is_clean = report.is_complete and report.reconciliation is not None and report.reconciliation.is_clean
    return Result(
        f"carry out {what}",
        took,
        parity=f"{len(report.orders)} orders, {report.fills} fills, {report.crosses} crossings; {gateway.budget.taken}"
        f" calls to the trading host, {gateway.data_budget.taken} to the data host: {paced:.0f} s at {LIMIT} a minute",
        gate=f"at most {MOST_CALLS} calls",
        passed=is_clean and calls <= MOST_CALLS,
    )


def _execute(stage: Stage, session: Any) -> tuple[Any, Any]:
    gateway = stage.gateway()
    return execute(session, stage.settings, stage.clock, stage.warehouse, gateway=gateway, steps=Steps({})), gateway
