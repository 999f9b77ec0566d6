"""A holding whose new name no price list knows yet: it stays where it is, and everything else goes on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.pipeline import decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner, buy_everything

FRIDAY = date(2026, 2, 6)


def rename_at_the_broker(warehouse: Warehouse, book: str, old: str, new: str) -> None:
    """Move a holding as the broker's name change does; no dataset has heard of it."""
    with warehouse.connect() as conn:
        row = conn.execute(
            "select sum(amount) from ops.ledger_entries where book = %s and asset = %s", (book, old)
        ).fetchone()
        assert row is not None
        lines = [(book, old, -row[0]), ("OUTSIDE", old, row[0]), (book, new, row[0]), ("OUTSIDE", new, -row[0])]
        for number, (name, asset, amount) in enumerate(lines):
            conn.execute(
                "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount, cost,"
                " session, occurred_at, recorded_at) values ('sandbox', 'A1', 'nc', %s, 'split', %s, %s, %s, %s, %s,"
                " now(), now())",
                (number, name, asset, amount, 1_500 if asset == new and name == book else 0, date(2026, 2, 3)),
            )


def test_a_portfolio_that_only_changes_its_share_keeps_it(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    buy_everything(warehouse, first)
    held = sorted(first.portfolio("wiki_attention").weights)
    rename_at_the_broker(warehouse, "wiki_attention", held[0], "NEWX")
    MartsWorld(end=FRIDAY).write(warehouse)
    planner = Planner()
    other = settings.model_copy(update={"allocation_method": "equal", "target_vol": 0.10})
    got = decide(FRIDAY, other, FixedClock(calendar.decision_time(FRIDAY)), warehouse, planner=planner)
    part = got.portfolio("wiki_attention")
    assert part.trades
    assert part.why.startswith("share leaves the band")
    assert "NEWX" in part.weights
    (made,) = planner.plans
    assert [(r.portfolio_id, r.symbol, r.code) for r in made.refusals if r.symbol == "NEWX"] == [
        ("wiki_attention", "NEWX", "NO_PRICE")
    ]
    traded = {o.symbol for o in made.orders if o.portfolio_id == "wiki_attention"} | {c.symbol for c in made.crosses}
    assert traded >= set(held[1:])
    assert "NEWX" not in traded
    assert Decimal(0) < sum(o.notional for o in made.orders)
