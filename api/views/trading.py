"""The page of the orders: trading state, plan and approval, orders and fills as they happen, reconciliation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from api import models, plans, queries
from api.listing import Window
from api.store import Reader
from api.views.frame import Frame, State, frame, states

FILLS = 50
#: Rows of the tables; the API has all of them.
MOST = 400


@dataclass(frozen=True)
class Reconciled:
    """The latest comparison of the books with the broker."""

    at: datetime
    is_clean: bool
    cash_ledger: float
    cash_broker: float
    differences: int


@dataclass(frozen=True)
class Trading:
    """Everything on the page."""

    frame: Frame
    states: list[State]
    plan: plans.Plan | None
    orders: list[models.Order]
    order_states: dict[str, int]
    trades: list[models.Trade]
    reconciled: Reconciled | None


def build(reader: Reader, *, needs_approval: bool) -> Trading:
    """Return the page's content.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    orders, counted = _latest_orders(reader)
    return Trading(
        frame=frame(reader),
        states=states(reader, 6),
        plan=plans.plan(reader, needs_approval=needs_approval).plan,
        orders=orders,
        order_states=counted,
        trades=queries.trades(reader, queries.ALL, window=Window(limit=FILLS)).records,
        reconciled=_reconciled(reader),
    )


def _latest_orders(reader: Reader) -> tuple[list[models.Order], dict[str, int]]:
    latest = reader.scalar("select max(session) from ops.orders")
    if latest is None:
        return [], {}
    counted = reader.records(
        "select state, count(*) as n from ops.orders where session = %(s)s group by state order by state", {"s": latest}
    )
    found = queries.orders(reader, session=latest, window=Window(limit=MOST)).records
    return found, dict(Counter({row["state"]: int(row["n"]) for row in counted}))


def _reconciled(reader: Reader) -> Reconciled | None:
    row = reader.first(
        'select "at", is_clean, cash_ledger, cash_broker, differences from ops.reconciliations'
        " order by reconciliation_id desc limit 1"
    )
    if row is None:
        return None
    return Reconciled(**{**row, "differences": len(queries.as_json(row["differences"]))})
