"""Manual portfolios through real decisions and the real ledger: created, funded, swept, closed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import psycopg
import pytest

from pas_lib import clock as calendar
from pas_lib.analytics import performance_summary
from pas_lib.clock import FixedClock
from pas_lib.errors import PasError, UnknownName
from pas_lib.pipeline import decide, portfolios
from pas_lib.pipeline.portfolios import NotManual
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner, buy_everything

MONDAY = date(2026, 2, 2)
NOON = EVENING.at - timedelta(hours=8)
MINE = {"S01": 0.6, "XLK": 0.3}


def world(warehouse: Warehouse, end: date = DECISION) -> None:
    MartsWorld(end=end).write(warehouse)
    world_prices(warehouse, end)


def create(warehouse: Warehouse, settings: Settings, share: float | None = 0.2, at: datetime = NOON) -> None:
    portfolios.create(
        warehouse, "mine", name="My ideas", who="ann", now=at, weights=MINE, share=share, settings=settings
    )


def evening(day: date) -> FixedClock:
    return FixedClock(calendar.decision_time(day))


def test_a_manual_portfolio_trades_like_the_others(warehouse: Warehouse, settings: Settings) -> None:
    world(warehouse)
    loose = settings.model_copy(update={"max_name_weight": 1.0, "max_var_99": 1.0})
    alone = decide(DECISION, loose, EVENING, warehouse, dry_run=True, planner=Planner())
    create(warehouse, loose)
    planner = Planner()
    got = decide(DECISION, loose, EVENING, warehouse, planner=planner)
    mine = got.portfolio("mine")
    assert (mine.share, mine.trades, mine.why) == (0.2, True, "a person asked: funded, weights")
    assert dict(mine.weights) == pytest.approx({"S01": 0.12, "XLK": 0.06})
    # The strategies leave room, and the whole stays within the gross cap.
    others = sum(one.share for one in got.portfolios if one.portfolio_id != "mine")
    assert others <= 0.8 + 1e-9
    assert got.gross <= 1.0 + 1e-9
    assert sum(one.share for one in alone.portfolios) >= others - 1e-9
    assert got.inputs_hash != alone.inputs_hash
    (sent,) = planner.calls
    assert {t.symbol: t.weight_of_equity for t in sent.targets if t.portfolio_id == "mine"} == dict(mine.weights)
    assert sent.shares["mine"] == 0.2
    stored = warehouse.rows("select symbol, share from ops.weight_history where portfolio_id = 'mine'")
    assert {row["symbol"]: row["share"] for row in stored} == dict(mine.weights)


def test_limits_and_the_crisis_hold_for_it_too(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld(vix_shock=60.0).write(warehouse)
    world_prices(warehouse)
    create(warehouse, settings, share=0.3)
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert got.scale < 1.0
    mine = got.portfolio("mine")
    assert mine.weights["XLK"] == pytest.approx(0.3 * 0.3 * got.scale)
    together = sum(one.weights.get("S01", 0.0) for one in got.portfolios)
    assert together <= settings.max_name_weight + 1e-9


def world_prices(warehouse: Warehouse, day: date = DECISION) -> None:
    with warehouse.connect() as conn:
        conn.execute(
            "insert into raw.prices (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,"
            " is_deleted, symbol, open, high, low, close, volume) select 'test', session, session, session,"
            " 'https://data.example.org/x', 'r2', md5(symbol), false, symbol, 1, 1, 1, 1, 1"
            " from marts.daily_returns where session = %s",
            (day,),
        )


def test_it_drifts_until_a_person_asks_and_is_sold_when_closed(warehouse: Warehouse, settings: Settings) -> None:
    loose = settings.model_copy(update={"max_name_weight": 1.0, "max_var_99": 1.0})
    world(warehouse)
    create(warehouse, loose)
    first = decide(DECISION, loose, EVENING, warehouse, planner=Planner())
    buy_everything(warehouse, first)
    days = [MONDAY, date(2026, 2, 3), date(2026, 2, 4), date(2026, 2, 5)]

    world(warehouse, days[0])
    drifting = decide(days[0], loose, evening(days[0]), warehouse, planner=Planner()).portfolio("mine")
    assert (drifting.trades, drifting.why) == (False, "drifts")
    assert drifting.share == pytest.approx(drifting.current)
    assert drifting.share != 0.2

    traded(warehouse, days[0])
    at = evening(days[0]).at + timedelta(hours=12)
    portfolios.ask_to_rebalance(warehouse, "mine", who="ann", now=at)
    portfolios.ask_to_rebalance(warehouse, "wiki_attention", who="ann", now=at)
    world(warehouse, days[1])
    got = decide(days[1], loose, evening(days[1]), warehouse, planner=Planner())
    mine = got.portfolio("mine")
    assert (mine.trades, mine.why) == (True, "a person asked: rebalance")
    assert dict(mine.weights) == pytest.approx({s: mine.current * w * got.scale for s, w in MINE.items()})
    wiki = got.portfolio("wiki_attention")
    assert wiki.trades == (wiki.share > 0.0)
    assert not got.portfolio("congress_aggregate").trades

    traded(warehouse, days[1])
    portfolios.set_weights(warehouse, "mine", {}, who="ann", now=evening(days[1]).at + timedelta(hours=12))
    world(warehouse, days[2])
    to_cash = decide(days[2], loose, evening(days[2]), warehouse, planner=Planner()).portfolio("mine")
    assert (to_cash.trades, dict(to_cash.weights)) == (True, {})
    assert to_cash.share == pytest.approx(to_cash.current)

    traded(warehouse, days[2])
    portfolios.close(
        warehouse, "mine", who="ann", now=evening(days[2]).at + timedelta(hours=12), reason="a lesson learned"
    )
    world(warehouse, days[3])
    closed = decide(days[3], loose, evening(days[3]), warehouse, planner=Planner()).portfolio("mine")
    assert (closed.trades, closed.share, dict(closed.weights)) == (True, 0.0, {})
    with pytest.raises(PasError, match="is closed"):
        portfolios.set_weights(warehouse, "mine", MINE, who="ann", now=NOON)
    portfolios.reopen(warehouse, "mine", who="ann", now=NOON)
    told = [row["event"] for row in warehouse.rows("select event from ops.portfolio_events order by event_id")]
    assert told == ["created", "weights", "funded", "rebalance", "rebalance", "weights", "closed", "reopened"]


def traded(warehouse: Warehouse, session: date) -> None:
    """Say that the session's plan was carried out."""
    with warehouse.connect() as conn:
        conn.execute(
            "insert into ops.order_plans (broker, account_number, session, execution_session, plan_hash, inputs_hash,"
            " managed_equity, sizing_equity, refusals, created_at, finished_at)"
            " values ('sandbox', 'A1', %s, %s, 'h', 'h', 0, 0, '[]', now(), now()) on conflict do nothing",
            (session, calendar.next_session(session)),
        )


def test_idle_cash_moves_through_the_ledger(warehouse: Warehouse, settings: Settings) -> None:
    loose = settings.model_copy(update={"max_name_weight": 1.0, "max_var_99": 1.0})
    world(warehouse)
    create(warehouse, loose)
    portfolios.create(warehouse, "other", name="Other", who="ann", now=NOON, settings=loose)
    buy_everything(warehouse, decide(DECISION, loose, EVENING, warehouse, planner=Planner()))
    warehouse.execute("update ops.order_plans set finished_at = now()")
    clock = FixedClock(EVENING.at + timedelta(hours=1))
    before = cash(warehouse)
    idle = before["mine"]
    assert idle == pytest.approx(Decimal("0.02") * 98_000, abs=Decimal("0.01"))  # the tenth that is not invested
    portfolios.transfer(warehouse, clock, "mine", "other", Decimal("500.25"), who="ann")
    clock = FixedClock(clock.at + timedelta(minutes=1))
    swept = portfolios.sweep(warehouse, clock, "mine", who="ann")
    after = cash(warehouse)
    assert after["other"] == Decimal("500.25")
    assert after["mine"] < Decimal("0.01")
    assert after["CASH"] - before["CASH"] == swept
    assert sum(after.values()) == sum(before.values())
    kinds = warehouse.rows("select kind, memo from ops.ledger_entries where kind = 'funding' and book = 'mine'")
    assert [row["memo"] for row in kinds] == ["transferred by ann", "swept by ann"]
    with pytest.raises(PasError, match="USD of cash, not"):
        portfolios.transfer(warehouse, clock, "other", "mine", Decimal(501), who="ann")
    with pytest.raises(PasError, match="at least 0.01"):
        portfolios.transfer(warehouse, clock, "other", "mine", Decimal("-5"), who="ann")
    for act in (
        lambda: portfolios.transfer(warehouse, clock, "congress_aggregate", "mine", Decimal(1), who="ann"),
        lambda: portfolios.sweep(warehouse, clock, "congress_aggregate", who="ann"),
    ):
        with pytest.raises(NotManual):
            act()
    warehouse.execute("update ops.order_plans set finished_at = null, execution_session = '2026-02-02'")
    with pytest.raises(PasError, match="a plan is under way"):
        portfolios.sweep(warehouse, clock, "other", who="ann")
    assert cash(warehouse) == after


def cash(warehouse: Warehouse) -> dict[str, Decimal]:
    return {row["book"]: row["cash"] for row in warehouse.rows("select book, cash from ops.book_cash")}


def test_what_is_refused(warehouse: Warehouse, settings: Settings) -> None:
    world(warehouse)
    decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    create(warehouse, settings, share=0.4)

    def put(weights: dict[str, float], name: str = "mine") -> None:
        portfolios.set_weights(warehouse, name, weights, who="ann", now=NOON)

    for weights, message in (
        ({"S01": 0.7, "S02": 0.4}, "add up to 1.1"),
        ({"S01": -0.1}, "between 0 and 1"),
        ({"S01": float("nan")}, "between 0 and 1"),
        ({"lower": 0.1}, "is no symbol"),
        ({"CASH": 0.1}, "is no symbol"),
        ({"S01": 0.1, "NOPE": 0.1}, "no prices are collected for NOPE"),
    ):
        with pytest.raises(PasError, match=message):
            put(weights)
    with pytest.raises(NotManual, match="run by its strategy"):
        put(MINE, "wiki_attention")
    with pytest.raises(UnknownName, match="mine"):
        put(MINE, "minee")
    with pytest.raises(NotManual):
        portfolios.fund(warehouse, "wiki_attention", 0.1, settings=settings, who="ann", now=NOON)
    tight = settings.model_copy(update={"min_allocation": 0.05})
    with pytest.raises(PasError, match="is free"):
        portfolios.fund(warehouse, "mine", 0.9, settings=tight, who="ann", now=NOON)
    for name in ("all", "CASH", "x", "has space"):
        with pytest.raises(PasError, match="is no id"):
            portfolios.create(warehouse, name, name="n", who="ann", now=NOON, settings=settings)
    with pytest.raises(PasError, match="already"):
        create(warehouse, settings)
    with pytest.raises(PasError, match="name is needed"):
        portfolios.ask_to_rebalance(warehouse, "mine", who=" ", now=NOON)
    assert len(warehouse.rows("select distinct event_id from ops.manual_weights")) == 1
    for table in ("manual_weights", "portfolio_events"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            warehouse.execute(f"delete from ops.{table}")


def test_posted_returns_are_appended_corrected_and_summed_up(warehouse: Warehouse, settings: Settings) -> None:
    world(warehouse)
    create(warehouse, settings)
    decide(DECISION, settings, EVENING, warehouse, dry_run=True, planner=Planner())
    with warehouse.connect() as conn:
        from pas_lib.pipeline.records import ensure_portfolios

        ensure_portfolios(conn, NOON)
    days = list(calendar.sessions(date(2025, 12, 1), date(2026, 1, 29)))
    rng = np.random.default_rng(1)
    series = {day: float(value) for day, value in zip(days, rng.normal(0.001, 0.01, len(days)), strict=True)}

    def post(name: str, returns: dict[date, float]) -> portfolios.PostedReturns:
        return portfolios.post_returns(
            warehouse, name, returns, who="ann", now=EVENING.at, source="a file", benchmark="XLK"
        )

    first = post("mine", series)
    assert (first.written, first.corrected, first.n_obs, first.as_of) == (len(days), 0, len(days), days[-1])
    _, close = MartsWorld().prices()
    base = close["XLK"].pct_change()
    base.index = base.index.date
    want = performance_summary(pd.Series(series), base.reindex(days))
    assert first.figures == pytest.approx(want, rel=1e-12)
    again = post("mine", {days[3]: series[days[3]], days[4]: -0.05})
    assert (again.written, again.corrected, again.n_obs) == (1, 1, len(days))
    want = performance_summary(pd.Series({**series, days[4]: -0.05}), base.reindex(days))
    assert again.figures == pytest.approx(want, rel=1e-12)
    rows = warehouse.rows("select ret from ops.posted_returns where session = %s order by row_id", (days[4],))
    assert [row["ret"] for row in rows] == [series[days[4]], -0.05]
    trailing = warehouse.rows("select n_obs, figures, computed_by from ops.posted_metrics order by metrics_id")
    assert len(trailing) == 2
    assert trailing[1]["figures"]["sharpe"] == again.figures["sharpe"]
    # A strategy's own statistics are what its model and its books say, whatever is posted.
    other = post("wiki_attention", {days[0]: 0.01, days[1]: 0.02})
    assert not other.is_trailing
    assert len(warehouse.rows("select * from ops.posted_metrics")) == 2
    for wrong, message in (
        ({date(2026, 1, 31): 0.0}, "is not a session"),
        ({date(2026, 2, 2): 0.0}, "has not closed"),
        ({days[0]: float("nan")}, "must be a fraction"),
        ({days[0]: -1.5}, "must be a fraction"),
        ({}, "no returns"),
    ):
        with pytest.raises(PasError, match=message):
            post("mine", wrong)
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        warehouse.execute("update ops.posted_returns set ret = 0")
