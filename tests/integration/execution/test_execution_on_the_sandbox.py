"""Decisions over the sandbox's own world and server: fractional baskets, and all the awkward cases on the way."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from pas_lib import clock as calendar
from pas_lib.clock import SandboxClock
from pas_lib.errors import PasError
from pas_lib.execution import (
    AlpacaGateway,
    Decision,
    Target,
    create_plan,
    current_state,
    execute,
    set_state,
    snapshot_account,
)
from pas_lib.execution.broker import GatewayOptions
from pas_lib.sandbox.faults import Fault
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


@pytest.mark.parametrize("site", ["alpaca", "alpaca-data"])
@pytest.mark.parametrize(
    "kind",
    [
        "columns",
        "empty",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("500", "truncated", "disconnect", "challenge", "blank")),
    ],
)
def test_a_site_that_speaks_nonsense_is_an_error_or_a_refusal_and_never_a_wrong_order(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, site: str, kind: str
) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        used = settings.model_copy(update={"sandbox_url": sandbox.url})
        clock = SandboxClock(sandbox.url)
        day = sandbox.clock.session()
        bar = sandbox.world.bar("SPY", day)
        assert bar is not None
        gateway = AlpacaGateway.from_settings(
            used, options=GatewayOptions(timeout=5, pause=0, poll_pause=0, polls=2, lookups=2, reads=2)
        )
        decision = Decision(day, (Target("alpha", "SPY", 0.2, bar.close),), frozenset({"alpha"}))
        create_plan(decision, used, clock, warehouse, gateway=gateway)
        sandbox.clock.advance("open")
        sandbox.faults.put(Fault(site, kind))
        try:
            report = execute(day, used, clock, warehouse, gateway=gateway)
            problem = " ".join(r.code for r in report.refusals)
        except PasError as error:
            problem = str(error)
        assert problem
        assert "\n" not in problem
        sandbox.faults.clear()
        if current_state(warehouse)[0] != "ACTIVE":
            set_state(warehouse, clock, "ACTIVE", who="ann", reason="the site speaks sense again")
        report = execute(day, used, clock, warehouse, gateway=gateway, retry=True)
        assert [(o.symbol, o.side) for o in report.orders if o.state == "filled"] == [("SPY", "buy")]
        assert report.reconciliation is not None
        assert report.reconciliation.is_clean


@pytest.mark.slow
def test_forty_sessions_through_every_awkward_case(tmp_path: Path, settings: Settings, warehouse: Warehouse) -> None:
    """Splits, renames, delistings, halts, dividends: books and broker agree each evening, and trading stays active."""
    chance = random.Random(20260130)
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        world = sandbox.world
        used = settings.model_copy(update={"sandbox_url": sandbox.url})
        clock = SandboxClock(sandbox.url)
        day = sandbox.clock.session()
        last = calendar.sessions(day, day.replace(year=day.year + 1))[40]
        awkward = {
            row
            for item in world.roster.listings
            for row in [item.row]
            if any(day < a.ex_date <= last and a.kind != "dividend" for a in world.actions_of(row))
        }
        awkward |= {x.row for slot, first, _ in world.roster.halts for x in world.roster.by_slot(slot) if first > day}
        awkward |= {a.row for a in world.assets(day) if a.symbol in ("SPY", "XLE", "TQQQ")}
        while day < last:
            lines = [a for a in world.assets(day) if a.row in awkward and a.tradable]
            targets = []
            for book in ("alpha", "beta", "gamma"):
                chosen = chance.sample(lines, k=min(len(lines), 6))
                for line in chosen:
                    bar = world.bar(line.symbol, day)
                    if bar is not None:
                        targets.append(Target(book, line.symbol, chance.uniform(0.0, 0.05), bar.close))
            held = {r["symbol"] for r in warehouse.rows("select distinct symbol from ops.positions")}
            prices = {s: bar.close for s in held if (bar := world.bar(s, day) or world.previous_bar(s, day))}
            prices |= {t.symbol: t.decision_close for t in targets}
            trading = frozenset(chance.sample(["alpha", "beta", "gamma"], k=2))
            create_plan(
                Decision(day, tuple(t for t in targets if t.portfolio_id in trading), trading, closes=prices),
                used, clock, warehouse,
            )  # fmt: skip
            sandbox.clock.advance("open")
            report = execute(day, used, clock, warehouse)
            assert report.state == "ACTIVE", report.problems
            assert report.reconciliation is not None
            assert report.reconciliation.is_clean
            day = report.execution_session
            sandbox.clock.advance("evening")
            snapshot_account(day, used, clock, warehouse)
        kinds = {r["kind"] for r in warehouse.rows("select distinct kind from ops.ledger_entries")}
        assert {"opening", "fill", "cross", "funding", "split"} <= kinds
        types = {r["activity_type"] for r in warehouse.rows("select distinct activity_type from ops.broker_activities")}
        assert {"FILL", "SPLIT", "NC", "MA"} <= types
        codes = {r["code"] for r in warehouse.rows(
            "select distinct split_part(reason, ':', 1) as code from ops.orders where state = 'denied'"
        )}  # fmt: skip
        assert "NO_PRICE_TODAY" in codes
        figures = warehouse.rows("select session, equity from ops.account_metrics order by session")
        assert len(figures) == 40
        assert all(60_000 < r["equity"] < 160_000 for r in figures)
