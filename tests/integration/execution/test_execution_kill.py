"""A process killed at any named step and started again ends with the same orders."""

from __future__ import annotations

import multiprocessing
import signal
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pas_lib.clock import next_session
from pas_lib.execution.steps import STEPS

D = date(2026, 1, 30)
E = next_session(D)
F = next_session(E)

SCRIPT = """
import os
from datetime import date
from pathlib import Path
os.environ.update(env)
from pas_lib.clock import clock_for
from pas_lib.execution import execute
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse

settings = load_settings(root=Path(env["PAS_HOME"]))
execute(date.fromisoformat(session), settings, clock_for(settings), Warehouse.from_settings(settings))
"""

#: Processes are forked from a clean one that has imported everything already; killing them is real all the same.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["pas_lib.execution", "alpaca.trading.client", "alpaca.data.historical.stock", "psycopg"]
)

#: What the second session must have sent, however often it was killed.
EXPECTED = [
    ("AAA", "sell", "98", "filled"), ("BBB", "sell", "196", "filled"), ("BRK.B", "buy", "20.416666666", "filled"),
    ("WHL", "buy", "980", "filled"),
]  # fmt: skip

FAST = {"crossed", "sells_stored", "sell_posted", "buy_posted:2", "fills_applied"}
POINTS = [*STEPS, "sell_posted:2", "buy_posted:2", "buy_submitting:2"]


def run_process(stage: Any, session: date, kill_at: str, **more: str) -> int:
    env = {
        "PAS_HOME": str(stage.settings.home), "PAS_DATABASE_URL": stage.warehouse.url, "PAS_SANDBOX_URL": stage.url,
        "PAS_KILL_AT": kill_at, **more,
    }  # fmt: skip
    process = PROCESSES.Process(target=exec, args=(SCRIPT, {"env": env, "session": session.isoformat()}))
    process.start()
    process.join(timeout=60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("point", [pytest.param(p, marks=() if p in FAST else pytest.mark.slow) for p in POINTS])
def test_killed_and_run_again_ends_with_the_same_orders(stage: Any, point: str) -> None:
    stage.run({"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.1}})
    stage.at_evening(E)
    stage.decide({"alpha": {"WHL": 0.1, "CCC": 0.05}, "beta": {"AAA": 0.1, "BRK.B": 0.1, "CCC": 0.05}}, E)
    stage.at_open(F)
    assert run_process(stage, E, point) == -signal.SIGKILL
    report = stage.execute(E)
    assert report.is_complete
    assert report.problems == ()
    assert [(s, d, q, st) for _, s, d, q, st in stage.broker_orders()[3:]] == EXPECTED
    assert stage.holdings() == {
        ("alpha", "CCC"): Decimal(245), ("alpha", "WHL"): Decimal(980), ("beta", "AAA"): Decimal(98),
        ("beta", "BRK.B"): Decimal("20.416666666"), ("beta", "CCC"): Decimal(245),
    }  # fmt: skip
    # Every order was posted exactly once, every activity booked exactly once, every crossing settled exactly once.
    assert len(stage.rows("select * from ops.orders where session = %s", (E,))) == 4
    assert len(stage.rows("select * from ops.trades where kind = 'fill'")) == 7
    assert len(stage.rows("select * from ops.trades where kind = 'cross'")) == 4
    stage.assert_books_are_the_brokers()
    assert stage.execute(E).sent == 0
