"""What happened is told once, from what is stored; receivers that are down are tried again, and nothing ever fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import SecretStr

from pas_lib.clock import FixedClock
from pas_lib.execution import set_state
from pas_lib.notify import announce
from pas_lib.pipeline import decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner, buy_everything
from tests.support.receiver import hang, nobody, receive

LATER = FixedClock(EVENING.at + timedelta(minutes=10))


def with_urls(settings: Settings, *urls: str, seconds: float = 20.0) -> Settings:
    return settings.model_copy(update={"notify_urls": SecretStr(" ".join(urls)), "notify_timeout_sec": seconds})


@pytest.fixture
def eventful(warehouse: Warehouse, settings: Settings) -> Warehouse:
    """A warehouse in which one of each kind of news has happened."""
    MartsWorld().write(warehouse)
    tight = settings.model_copy(update={"risk_rules": "gross > 0.01"})
    buy_everything(warehouse, decide(DECISION, tight, EVENING, warehouse, planner=Planner()))
    with warehouse.connect() as conn:
        at = {"at": EVENING.at, "d": DECISION}
        conn.execute("update ops.order_plans set created_at = %(at)s, finished_at = %(at)s", at)
        conn.execute(
            "insert into ops.trades (trade_id, broker, account_number, kind, portfolio_id, symbol, side, qty, price,"
            " notional, executed_at, execution_session, session, recorded_at) values ('t1', 'sandbox', 'A1', 'fill',"
            " 'wiki_attention', 'S01', 'buy', 2, 50, 100, %(at)s, '2026-02-02', %(d)s, %(at)s)",
            at,
        )
        conn.execute(
            "insert into ops.reconciliations (broker, account_number, at, is_clean, cash_ledger, cash_broker,"
            " differences) select 'sandbox', 'A1', %(at)s, false, 10, 10,"
            """ '[{"asset": "S01", "ledger": "2", "broker": "3"}]' from generate_series(1, 2)""",
            at,
        )
        conn.execute(
            "insert into ops.alloc_log (logged_at, session, event, reason, details) values (%(at)s, %(d)s,"
            """ 'task_failed', 'BrokerError: away', '{"dag_id": "execute", "task_id": "execute"}')""",
            at,
        )
        conn.execute(
            "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at, finished_at, note)"
            " values ('r', 'wiki_views', 'wikimedia', %(d)s, 'failed', %(at)s, %(at)s, '503 from the site'),"
            " ('r', 'lobbying', 'a', %(d)s, 'failed', %(at)s, %(at)s, 'x'),"
            " ('r', 'lobbying', 'b', %(d)s, 'loaded', %(at)s, %(at)s, null)",
            at,
        )
    set_state(warehouse, EVENING, "REDUCING", who="ann", reason="a look")
    return warehouse


def test_each_fact_is_told_once(eventful: Warehouse, settings: Settings) -> None:
    with receive() as receiver:
        told = announce(with_urls(settings, receiver.url), LATER, eventful)
        assert all(not one.problem for one in told)
        by_title = {one["title"]: one["message"] for one in receiver.got}
        assert set(by_title) == {
            "execute.execute of session 2026-01-30 failed",
            "Plan of 2026-01-30",
            "1 risk alert at 2026-01-30",
            "Executed in 2026-02-02",
            "Books and broker differ",
            "Trading is REDUCING",
            "Stale data at 2026-01-30: wiki_views",
        }
        assert len(receiver.got) == 7  # two equal differences are one message
        assert "1 fills: bought 100.00 USD" in by_title["Executed in 2026-02-02"]
        assert "S01: books 2, broker 3" in by_title["Books and broker differ"]
        assert "503 from the site" in by_title["Stale data at 2026-01-30: wiki_views"]
        assert "Set by ann" in by_title["Trading is REDUCING"]
        assert announce(with_urls(settings, receiver.url), LATER, eventful) == ()
        assert len(receiver.got) == 7
    stored = eventful.rows("select event, attempts, sent_at, outcome, body from ops.notifications order by event")
    assert {row["event"] for row in stored} == {
        "alert",
        "fills",
        "plan",
        "reconciliation",
        "stale",
        "state",
        "task_failed",
    }
    assert {(row["attempts"], row["outcome"]) for row in stored} == {(1, "channel 1 (json): sent")}


def test_a_live_plan_says_that_it_waits(eventful: Warehouse, settings: Settings) -> None:
    with eventful.connect() as conn:
        conn.execute(
            "insert into ops.order_plans (broker, account_number, session, execution_session, plan_hash, inputs_hash,"
            " managed_equity, sizing_equity, refusals, created_at) values ('live', 'L1', %s, '2026-02-02', 'abc', 'h',"
            " 5, 5, '[]', %s)",
            (DECISION, EVENING.at),
        )
    with receive() as receiver:
        announce(with_urls(settings, receiver.url), LATER, eventful)
        assert "Plan of 2026-01-30 waits for an approval" in receiver.titles


def test_what_nobody_took_is_tried_again(eventful: Warehouse, settings: Settings) -> None:
    failed = announce(with_urls(settings, nobody()), LATER, eventful)
    assert failed
    assert all(one.problem for one in failed)
    assert eventful.rows("select count(*) as n from ops.notifications where sent_at is not null") == [{"n": 0}]
    with receive() as receiver:
        announce(with_urls(settings, receiver.url), LATER, eventful)
        assert len(receiver.got) == 7
    again = eventful.rows("select distinct attempts from ops.notifications")
    assert again == [{"attempts": 2}]


def test_a_receiver_that_hangs_holds_nobody_up(eventful: Warehouse, settings: Settings) -> None:
    with hang() as silent:
        told = announce(with_urls(settings, silent, seconds=0.3), LATER, eventful)
    # The time is for all messages together: what is left waits for the next call.
    assert len(told) < 7
    assert all(one.problem.startswith("no answer within") for one in told)


def test_old_news_is_none(eventful: Warehouse, settings: Settings) -> None:
    with receive() as receiver:
        late = FixedClock(EVENING.at + timedelta(days=4))
        assert announce(with_urls(settings, receiver.url), late, eventful) == ()


def test_two_at_once_say_it_once(eventful: Warehouse, settings: Settings) -> None:
    with receive() as receiver, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(announce, with_urls(settings, receiver.url), LATER, eventful) for _ in range(2)]
        assert sum(len(call.result()) for call in calls) == 7
        assert len(receiver.got) == 7


def test_without_a_warehouse_nothing_fails(settings: Settings) -> None:
    away = Warehouse("postgresql://postgres@127.0.0.1:1/nothing")
    with receive() as receiver:
        assert announce(with_urls(settings, receiver.url), LATER, away) == ()
        assert receiver.got == []
