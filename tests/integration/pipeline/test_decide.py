"""A decision end to end on known marts: values, what is stored, and that it is stored once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.errors import OrderError, WarehouseError, WarehouseUnavailable
from pas_lib.execution import Decision as ExecutionDecision
from pas_lib.execution import OrderPlan, plan
from pas_lib.pipeline import decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld

EVENING = FixedClock(datetime(2026, 1, 31, 1, tzinfo=UTC))
EQUITY = Decimal(100_000)


@dataclass
class Planner:
    """The real order plan over an empty or given book, without a broker."""

    calls: list[ExecutionDecision] = field(default_factory=list)
    plans: list[OrderPlan] = field(default_factory=list)

    def __call__(self, decision, settings, clock, warehouse, *, dry_run=False):  # type: ignore[no-untyped-def]
        self.calls.append(decision)
        made = plan(decision, {}, EQUITY)
        if not dry_run:
            self.plans.append(made)
        return made


def test_a_first_decision_by_hand(warehouse: Warehouse, settings: Settings) -> None:
    world = MartsWorld().write(warehouse)
    planner = Planner()
    got = decide(DECISION, settings, EVENING, warehouse, planner=planner)

    assert (got.origin, got.is_new, got.session) == ("live", True, DECISION)
    assert got.cci == pytest.approx(0.0, abs=0.5)
    assert got.scale == 1.0
    assert [one.portfolio_id for one in got.portfolios] == [
        "congress_aggregate",
        "sector_risk_parity",
        "volatility_momentum",
        "wiki_attention",
    ]
    assert got.gross == pytest.approx(sum(one.share for one in got.portfolios))
    assert 0.0 < got.gross <= 1.0
    assert got.expected_vol is not None
    assert got.expected_vol <= 0.12 + 1e-9
    for one in got.portfolios:
        assert one.share == pytest.approx(one.allocation)  # S = 1, no caps, no band at the first decision
        assert one.trades == (one.share > 0.0)
        if one.trades and one.portfolio_id != "sector_risk_parity":
            take = {"congress_aggregate": 20, "volatility_momentum": 20, "wiki_attention": 10}[one.portfolio_id]
            assert sorted(one.weights) == world.expected_names(one.portfolio_id, DECISION, take)
            assert list(one.weights.values()) == pytest.approx([one.share / take] * take)
    # What goes to the order plan is what was decided, in shares of equity.
    (sent,) = planner.calls
    assert sum(target.weight_of_equity for target in sent.targets) <= 1.0 + 1e-9
    assert {t.portfolio_id for t in sent.targets} == {one.portfolio_id for one in got.portfolios if one.trades}
    assert sent.inputs_hash == got.inputs_hash


def test_deciding_twice_returns_what_was_stored(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    counts = table_counts(warehouse)
    with warehouse.connect() as conn:
        conn.execute("update marts.signals set rank = 31 - rank")  # late rows must not matter
    later = FixedClock(EVENING.at + timedelta(hours=3))
    second = decide(DECISION, settings, later, warehouse, planner=Planner())
    assert not second.is_new
    assert second.decided_at == first.decided_at
    assert second.portfolios == first.portfolios
    assert (second.decision_id, second.inputs_hash, second.gross) == (first.decision_id, first.inputs_hash, first.gross)
    assert table_counts(warehouse) == counts


def table_counts(warehouse: Warehouse) -> dict[str, int]:
    tables = (
        "decisions",
        "weight_history",
        "alloc_log",
        "model_weights",
        "simulated_returns",
        "regime_history",
        "portfolios",
    )
    return {name: warehouse.rows(f"select count(*) as n from ops.{name}")[0]["n"] for name in tables}


def test_what_is_stored_agrees_with_what_is_returned(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner(), run_id="r7")
    row = warehouse.rows("select * from ops.decisions")[0]
    assert (row["decision_id"], row["origin"], row["run_id"]) == (got.decision_id, "live", "r7")
    assert row["gross"] == got.gross
    stored = warehouse.rows("select portfolio_id, symbol, security_id, weight, share from ops.weight_history")
    shares = {(r["portfolio_id"], r["symbol"]): r["share"] for r in stored}
    assert shares == {
        (one.portfolio_id, symbol): share for one in got.portfolios for symbol, share in one.weights.items()
    }
    assert all(r["security_id"] for r in stored)
    for one in got.portfolios:
        if one.trades and one.portfolio_id != "wiki_attention":
            total = sum(r["weight"] for r in stored if r["portfolio_id"] == one.portfolio_id)
            assert total == pytest.approx(1.0)
    events = warehouse.rows("select event, count(*) as n from ops.alloc_log group by event order by event")
    assert events == [
        {"event": "allocation", "n": 4},
        {"event": "allocation_run", "n": 1},
        {"event": "inputs", "n": 1},
    ]
    assert warehouse.rows("select count(*) as n from ops.regime_history")[0]["n"] == len(MartsWorld().sessions)


def test_a_dry_run_writes_nothing_and_shows_the_same(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    before = table_counts(warehouse)
    planner = Planner()
    dry = decide(DECISION, settings, EVENING, warehouse, dry_run=True, planner=planner)
    assert dry.is_dry_run
    assert dry.plan is not None
    assert planner.plans == []
    assert table_counts(warehouse) == before
    real = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert real.inputs_hash == dry.inputs_hash
    assert real.portfolios == dry.portfolios


def test_history_is_what_was_wanted_then_not_today(warehouse: Warehouse, settings: Settings) -> None:
    settings = settings.model_copy(update={"allocation_method": "equal"})
    world = MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert [one.allocation for one in first.portfolios] == pytest.approx([first.gross / 4] * 4)
    second = date(2026, 2, 6)
    later = MartsWorld(end=second).write(warehouse)
    decide(second, settings, FixedClock(calendar.decision_time(second)), warehouse, planner=Planner())
    for session, expected in ((DECISION, world), (second, later)):
        rows = warehouse.rows(
            "select symbol, share from ops.weight_history where session = %s and portfolio_id = 'congress_aggregate'",
            (session,),
        )
        assert sorted(row["symbol"] for row in rows) == expected.expected_names("congress_aggregate", session, 20)
        if session == DECISION:
            assert {row["symbol"]: row["share"] for row in rows} == dict(first.portfolio("congress_aggregate").weights)


def test_a_crisis_scales_every_share(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    calm = decide(DECISION, settings, EVENING, warehouse, dry_run=True, planner=Planner())
    MartsWorld(vix_shock=60.0).write(warehouse)
    crisis = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert crisis.cci > 1.0
    assert 0.3 <= crisis.scale < 1.0
    assert crisis.scale == pytest.approx(max(0.3, min(1.3 - 0.3 * crisis.cci, 1.5 - 0.4 * crisis.cci)))
    for one, before in zip(crisis.portfolios, calm.portfolios, strict=True):
        assert one.allocation == pytest.approx(before.allocation)
        assert one.share == pytest.approx(before.share * crisis.scale)


def test_allocations_do_not_compound_week_after_week(warehouse: Warehouse, settings: Settings) -> None:
    """Stored shares never flow back into model weights: with the same returns the same shares come out."""
    MartsWorld().write(warehouse)
    decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    second = date(2026, 2, 6)
    MartsWorld(end=second).write(warehouse)
    clock = FixedClock(calendar.decision_time(second))
    got = decide(second, settings, clock, warehouse, planner=Planner())
    rows = warehouse.rows(
        "select session, portfolio_id, sum(weight) as total from ops.model_weights group by 1, 2 order by 1 desc"
    )
    assert {row["session"] for row in rows} >= {DECISION, second}
    for row in rows:
        assert row["total"] == pytest.approx(1.0), row
    assert got.allocated_at == second
    assert (
        got.gross > 0.5 * warehouse.rows("select gross from ops.decisions where session = %s", (DECISION,))[0]["gross"]
    )


def test_all_portfolios_together_are_sized_on_the_account_once(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    planner = Planner()
    decide(DECISION, settings, EVENING, warehouse, planner=planner)
    (made,) = planner.plans
    bought = sum(order.notional for order in made.orders)
    assert Decimal(0) < bought <= made.sizing_equity + Decimal("0.01")
    assert made.sizing_equity == Decimal("98000")


def test_between_week_ends_the_allocation_stays_and_nobody_trades(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    buy_everything(warehouse, first)
    monday = date(2026, 2, 2)
    MartsWorld(end=monday).write(warehouse)
    planner = Planner()
    got = decide(monday, settings, FixedClock(calendar.decision_time(monday)), warehouse, planner=planner)
    assert got.allocated_at == DECISION
    assert [one.allocation for one in got.portfolios] == [one.allocation for one in first.portfolios]
    assert [one.trades for one in got.portfolios] == [False] * 4
    assert {one.why for one in got.portfolios} <= {"drifts", "no share"}
    assert planner.calls[0].trading == frozenset()
    assert warehouse.rows("select count(*) as n from ops.weight_history where session = %s", (monday,))[0]["n"] == 0


def buy_everything(warehouse: Warehouse, decision) -> None:  # type: ignore[no-untyped-def]
    """Write books that hold exactly what was decided, at the decision closes, and that its plan was carried out."""
    closes = {
        row["symbol"]: Decimal(str(row["close"]))
        for row in warehouse.rows(
            "select symbol, close from marts.daily_returns where session = %s", (decision.session,)
        )
    }
    sizing = EQUITY * Decimal("0.98")
    entries: list[tuple[str, str, Decimal]] = []
    cash = EQUITY
    for one in decision.portfolios:
        for symbol, share in one.weights.items():
            entries.append(
                (one.portfolio_id, symbol, (Decimal(share) * sizing / closes[symbol]).quantize(Decimal("1e-9")))
            )
        spent = Decimal(sum(one.weights.values())) * sizing
        left = Decimal(one.share) * sizing - spent
        entries.append((one.portfolio_id, "USD", left.quantize(Decimal("1e-9"))))
        cash -= Decimal(one.share) * sizing
    entries.append(("CASH", "USD", cash.quantize(Decimal("1e-9"))))
    with warehouse.connect() as conn:
        conn.execute(
            "insert into ops.ledger_bindings (broker, account_number, warehouse_id, bound_at, bound_by, reason,"
            " is_active) values ('sandbox', 'A1', 'w', now(), 't', 't', true)"
        )
        conn.execute(
            "insert into ops.order_plans (broker, account_number, session, execution_session, plan_hash, inputs_hash,"
            " managed_equity, sizing_equity, refusals, created_at)"
            " values ('sandbox', 'A1', %s, %s, 'h', 'h', 0, 0, '[]', now()) on conflict do nothing",
            (decision.session, calendar.next_session(decision.session)),
        )
        for number, (book, asset, amount) in enumerate(entries):
            for line, (name, value) in enumerate(((book, amount), ("OUTSIDE", -amount))):
                conn.execute(
                    "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount,"
                    " session, occurred_at, recorded_at)"
                    " values ('sandbox', 'A1', %s, %s, 'opening', %s, %s, %s, %s, now(), now())",
                    (f"t{number}", line, name, asset, value, decision.session),
                )


def test_a_missed_week_end_is_caught_up(warehouse: Warehouse, settings: Settings) -> None:
    settings = settings.model_copy(update={"allocation_method": "equal"})
    MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    buy_everything(warehouse, first)
    monday = date(2026, 2, 9)  # nobody decided in the week before
    world = MartsWorld(end=monday).write(warehouse)
    got = decide(monday, settings, FixedClock(calendar.decision_time(monday)), warehouse, planner=Planner())
    assert got.allocated_at == monday
    part = got.portfolio("congress_aggregate")
    assert (part.trades, part.is_due, part.why) == (True, True, "strategy due at 2026-02-06")
    # Friday's names, at the weights to which the model has drifted since Monday's open.
    assert sorted(part.weights) == world.expected_names("congress_aggregate", date(2026, 2, 6), 20)
    assert len(set(part.weights.values())) == 20
    assert not got.portfolio("wiki_attention").is_due


def test_two_deciders_at_once_make_one_decision(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(decide, DECISION, settings, EVENING, warehouse, planner=Planner()) for _ in range(2)]
        one, two = (call.result() for call in calls)
    assert sorted([one.is_new, two.is_new]) == [False, True]
    assert one.portfolios == two.portfolios
    assert table_counts(warehouse)["decisions"] == 1


def test_a_past_session_is_only_replayed(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    before = table_counts(warehouse)
    past = date(2026, 1, 23)
    planner = Planner()
    got = decide(past, settings, EVENING, warehouse, planner=planner)
    assert got.origin == "replay"
    assert got.plan is None
    assert planner.calls == []
    after = table_counts(warehouse)
    assert after["weight_history"] == before["weight_history"]
    assert after["model_weights"] == before["model_weights"]
    assert after["decisions"] == before["decisions"] + 1
    again = decide(past, settings, EVENING, warehouse, planner=planner)
    assert not again.is_new
    assert again.portfolios == got.portfolios


def test_a_session_that_nobody_decided_in_time_is_a_replay(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    late = FixedClock(calendar.session_close(calendar.next_session(DECISION)))
    assert decide(DECISION, settings, late, warehouse, planner=Planner()).origin == "replay"


def test_a_decision_without_its_plan_is_completed_by_the_next_call(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)

    class Killed(Exception):
        pass

    def broken(*args, **kwargs):  # type: ignore[no-untyped-def]
        raise Killed

    with pytest.raises(Killed):
        decide(DECISION, settings, EVENING, warehouse, planner=broken)
    planner = Planner()
    got = decide(DECISION, settings, EVENING, warehouse, planner=planner)
    assert not got.is_new
    assert len(planner.plans) == 1
    assert {(t.portfolio_id, t.symbol, t.weight_of_equity) for t in planner.calls[0].targets} == {
        (one.portfolio_id, symbol, share) for one in got.portfolios for symbol, share in one.weights.items()
    }


def test_a_failure_half_way_leaves_nothing_behind(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("alter table ops.weight_history add constraint no_share check (share < 0)")
    before = table_counts(warehouse)
    with pytest.raises(Exception, match="no_share"):
        decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert table_counts(warehouse) == before


def test_refusals(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(OrderError, match="has not closed yet"):
        decide(date(2026, 2, 2), settings, EVENING, warehouse)
    with pytest.raises(WarehouseError, match="regime_inputs does not exist"):
        decide(DECISION, settings, EVENING, warehouse)
    MartsWorld(end=date(2026, 1, 29)).write(warehouse)
    with pytest.raises(WarehouseError, match="the marts go up to 2026-01-29, not to 2026-01-30"):
        decide(DECISION, settings, EVENING, warehouse)
    away = Warehouse("postgresql://postgres@127.0.0.1:1/nothing")
    with pytest.raises(WarehouseUnavailable):
        decide(DECISION, settings, EVENING, away)
