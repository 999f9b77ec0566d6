"""Two decisions over the sandbox's own world and server, with a split, a halt and a fractional basket on the way."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pas_lib import clock as calendar
from pas_lib.clock import SandboxClock
from pas_lib.execution import Decision, Target, create_plan, execute
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse


def test_a_basket_of_the_sandbox_world_fills_at_its_opens(
    tmp_path: Path, settings: Settings, warehouse: Warehouse
) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        used = settings.model_copy(update={"sandbox_url": sandbox.url})
        clock = SandboxClock(sandbox.url)
        day = sandbox.clock.session()
        symbols = [s for s in ("SPY", "XLK", "XLE", "TQQQ")] + [
            a.symbol for a in sandbox.world.assets(day) if "." in a.symbol and a.fractionable
        ][:2]
        for n in range(3):
            execution_day = calendar.next_session(day)
            weights = {s: 0.9 / len(symbols) * (1 if (i + n) % 3 else 0.5) for i, s in enumerate(symbols)}
            bars = {s: sandbox.world.bar(s, day) for s in symbols}
            decision = Decision(
                session=day,
                targets=tuple(Target("alpha", s, w, bars[s].close) for s, w in weights.items() if bars[s] is not None),
                trading=frozenset({"alpha"}),
            )
            plan = create_plan(decision, used, clock, warehouse)
            assert plan.is_new
            sandbox.clock.advance("open")
            report = execute(day, used, clock, warehouse)
            assert report.is_complete, report.problems
            assert report.problems == ()
            for order in report.orders:
                bar = sandbox.world.bar(order.symbol, execution_day)
                assert bar is not None
                assert order.filled_avg_price == Decimal(str(bar.open))
                assert order.filled_qty == order.qty
            assert report.reconciliation is not None
            assert report.reconciliation.is_clean
            sandbox.clock.advance("evening")
            day = execution_day
        held = warehouse.rows("select sum(qty * 0 + 1) as n from ops.positions where book = 'alpha'")
        assert held[0]["n"] == len(symbols)
