"""A decision whose orders never went out: the next evening catches up on it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.execution import Decision as ExecutionDecision
from pas_lib.execution import plan
from pas_lib.execution.intents import intents_of
from pas_lib.execution.store import insert_order, insert_plan, set_order_state
from pas_lib.execution.types import AccountKey, OrderPlan, StoredOrder
from pas_lib.pipeline import Decision, decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import MartsWorld
from tests.integration.pipeline.test_decide import EQUITY, buy_everything

FIRST = date(2026, 1, 30)
FRIDAY = date(2026, 2, 6)
MONDAY = date(2026, 2, 9)
KEY = AccountKey("sandbox", "A1")


class Planner:
    """The real order plan, stored with its intents; there is no broker."""

    def __init__(self) -> None:
        self.plans: list[OrderPlan] = []

    def __call__(self, decision: ExecutionDecision, settings, clock, warehouse, *, dry_run=False):  # type: ignore[no-untyped-def]
        made = plan(decision, {}, EQUITY)
        self.plans.append(made)
        with warehouse.connect() as conn:
            insert_plan(conn, KEY, made, intents_of(made, KEY), clock.now())


def evening(session: date, settings: Settings, warehouse: Warehouse) -> Decision:
    MartsWorld(end=session).write(warehouse)
    return decide(session, settings, FixedClock(calendar.decision_time(session)), warehouse, planner=Planner())


def send(warehouse: Warehouse, session: date, *, without: str = "", sent: bool = True) -> None:
    """Store an order for each intent of a session, as an execution does; or as one that died before it sent any."""
    rows = warehouse.rows("select * from ops.intents where session = %s and kind = 'order'", (session,))
    with warehouse.connect() as conn:
        for row in rows:
            if row["portfolio_id"] == without:
                continue
            opened = calendar.session_open(row["execution_session"])
            order = StoredOrder(
                client_order_id=f"c-{row['intent_id']}", intent_id=row["intent_id"], portfolio_id=row["portfolio_id"],
                session=session, execution_session=row["execution_session"], symbol=row["symbol"], side=row["side"],
                attempt=1, qty=row["qty"], state="planned", reason="", broker_order_id=None, filled_qty=Decimal(0),
                filled_avg_price=None, decision_close=row["decision_close"], open_price=None,
                expires_at=calendar.session_close(row["execution_session"]),
            )  # fmt: skip
            insert_order(conn, KEY, order, opened)
            if sent:
                set_order_state(conn, order.client_order_id, "filled", opened, broker_order_id=f"b-{row['intent_id']}")
            else:
                set_order_state(
                    conn, order.client_order_id, "expired", opened, reason="NEVER_SENT: its session is over"
                )


@pytest.fixture
def equal(settings: Settings) -> Settings:
    return settings.model_copy(update={"allocation_method": "equal"})


@pytest.mark.parametrize("stored", [False, True])
def test_names_that_were_decided_but_not_traded_are_traded_the_next_day(
    warehouse: Warehouse, equal: Settings, stored: bool
) -> None:
    first = evening(FIRST, equal, warehouse)
    send(warehouse, FIRST)
    buy_everything(warehouse, first)
    friday = evening(FRIDAY, equal, warehouse)
    assert friday.portfolio("congress_aggregate").is_due
    # Nothing of Friday's plan went out on Monday: nobody executed it, or what was stored was never sent.
    if stored:
        send(warehouse, FRIDAY, sent=False)
    monday = evening(MONDAY, equal, warehouse)
    part = monday.portfolio("congress_aggregate")
    assert (part.trades, part.is_due, part.why) == (True, True, "strategy due at 2026-02-06")
    assert sorted(part.weights) == sorted(friday.portfolio("congress_aggregate").weights)
    # The monthly one was traded in January.
    assert not monday.portfolio("wiki_attention").is_due


def test_what_was_traded_is_not_traded_again(warehouse: Warehouse, equal: Settings) -> None:
    first = evening(FIRST, equal, warehouse)
    send(warehouse, FIRST)
    buy_everything(warehouse, first)
    evening(FRIDAY, equal, warehouse)
    send(warehouse, FRIDAY)
    monday = evening(MONDAY, equal, warehouse)
    assert not any(part.is_due for part in monday.portfolios)


def test_one_portfolio_whose_buys_were_held_back_is_caught_up_alone(warehouse: Warehouse, equal: Settings) -> None:
    first = evening(FIRST, equal, warehouse)
    send(warehouse, FIRST, without="wiki_attention")
    buy_everything(warehouse, first)
    monday = evening(date(2026, 2, 2), equal, warehouse)
    assert [part.portfolio_id for part in monday.portfolios if part.is_due] == ["wiki_attention"]
    assert monday.portfolio("wiki_attention").why == "strategy due at 2026-01-30"
