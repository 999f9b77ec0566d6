"""Caps, figures and alerts of a real decision on known marts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from pas_lib.clock import FixedClock
from pas_lib.errors import PasError
from pas_lib.pipeline import decide
from pas_lib.pipeline.risk import acknowledge, add_rule, end_rule
from pas_lib.risk import Rule
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EQUITY, EVENING, Planner, buy_everything


def figures(warehouse: Warehouse, session: date = DECISION) -> dict[str, float]:
    rows = warehouse.rows("select metric, value from ops.risk_figures where session = %s", (session,))
    return {row["metric"]: row["value"] for row in rows}


def weights(decision) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """The book looked through: symbol -> share of equity."""
    out: dict[str, float] = {}
    for part in decision.portfolios:
        for symbol, share in part.weights.items():
            out[symbol] = out.get(symbol, 0.0) + share
    return out


def cash_only(warehouse: Warehouse, equity: Decimal = EQUITY) -> None:
    """Open books that hold nothing but cash."""
    with warehouse.connect() as conn:
        conn.execute(
            "insert into ops.ledger_bindings (broker, account_number, warehouse_id, bound_at, bound_by, reason,"
            " is_active) values ('sandbox', 'A1', 'w', now(), 't', 't', true)"
        )
        for line, (book, amount) in enumerate((("CASH", equity), ("OUTSIDE", -equity))):
            conn.execute(
                "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount,"
                " session, occurred_at, recorded_at) values ('sandbox', 'A1', 't', %s, 'opening', %s, 'USD', %s,"
                " %s, now(), now())",
                (line, book, amount, DECISION),
            )


def test_figures_are_those_of_the_book_after_its_caps(warehouse: Warehouse, settings: Settings) -> None:
    world = MartsWorld().write(warehouse)
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    book = weights(got)
    seen = figures(warehouse)
    assert seen["gross"] == pytest.approx(sum(book.values()))
    assert seen["net"] == seen["leveraged"] == seen["gross"]
    assert seen["largest_name"] == pytest.approx(max(book.values()))
    _, close = world.prices()
    past = close.pct_change().iloc[1:][list(book)].to_numpy() @ np.array(list(book.values()))
    worst = np.sort(past)
    assert seen["var_95"] == pytest.approx(-worst[int(np.ceil(round(0.05 * len(past), 9))) - 1])
    assert seen["var_99"] == pytest.approx(-worst[int(np.ceil(round(0.01 * len(past), 9))) - 1])
    assert seen["cvar_95"] > seen["var_95"] > 0.0
    assert (seen["scale"], seen["daily_loss"], seen["drawdown"]) == (1.0, 0.0, 0.0)
    exposed = warehouse.rows("select kind, label, share from ops.risk_exposures where kind <> 'portfolio'")
    assert {row["label"]: row["share"] for row in exposed if row["kind"] == "name"} == pytest.approx(book)
    by_sector = {row["label"]: row["share"] for row in exposed if row["kind"] == "sector"}
    assert sum(by_sector.values()) == pytest.approx(seen["gross"])
    assert seen["largest_sector"] == pytest.approx(max(by_sector.values()))


def test_each_portfolio_has_figures_of_its_part(warehouse: Warehouse, settings: Settings) -> None:
    world = MartsWorld().write(warehouse)
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    _, close = world.prices()
    moves = close.pct_change().iloc[1:]
    rows = warehouse.rows("select portfolio_id, metric, value from ops.portfolio_risk_figures")
    for part in got.portfolios:
        own = {row["metric"]: row["value"] for row in rows if row["portfolio_id"] == part.portfolio_id}
        held = {symbol: share for symbol, share in part.weights.items() if share}
        assert own["gross"] == pytest.approx(sum(held.values()))
        past = np.sort(moves[list(held)].to_numpy() @ np.array(list(held.values()))) if held else np.zeros(1)
        assert own["var_95"] == pytest.approx(-past[int(np.ceil(round(0.05 * len(past), 9))) - 1], abs=1e-15)
        exposed = warehouse.rows(
            "select label, share from ops.portfolio_risk_exposures where kind = 'name' and portfolio_id = %s",
            (part.portfolio_id,),
        )
        assert {row["label"]: row["share"] for row in exposed} == pytest.approx(held)


@pytest.mark.parametrize(
    ("changes", "code", "figure", "limit"),
    [
        ({"max_name_weight": 0.01, "max_etf_weight": 0.01}, "NAME_CAP", "largest_name", 0.01),
        ({"max_sector_weight": 0.06}, "SECTOR_CAP", "largest_sector", 0.06),
        ({"max_var_99": 0.004}, "VAR_CAP", "var_99", 0.004),
        ({"max_leveraged_weight": 0.3}, "LEVERAGE_CAP", "leveraged", 0.3),
    ],
)
def test_each_cap_cuts_and_says_so(
    warehouse: Warehouse, settings: Settings, changes: dict[str, float], code: str, figure: str, limit: float
) -> None:
    MartsWorld().write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("update raw.securities set leverage = case when asset_class = 'etf' then 3 else 1 end")
    free = decide(DECISION, settings, EVENING, warehouse, dry_run=True, planner=Planner())
    got = decide(DECISION, settings.model_copy(update=changes), EVENING, warehouse, planner=Planner())
    assert got.inputs_hash != free.inputs_hash
    cuts = [one for one in got.caps if one.code == code]
    assert cuts
    assert all(one.before > one.after for one in cuts)
    assert figures(warehouse)[figure] == pytest.approx(limit)
    before, after = weights(free), weights(got)
    assert all(share <= before[symbol] + 1e-12 for symbol, share in after.items())
    assert sum(after.values()) < sum(before.values())
    stored = warehouse.rows("select reason from ops.alloc_log where event = 'cap' order by log_id")
    assert [row["reason"] for row in stored] == [f"{one.code} {one.name}" for one in got.caps]


def test_a_position_is_at_most_its_part_of_the_daily_volume(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    cash_only(warehouse)
    with warehouse.connect() as conn:
        conn.execute("update marts.daily_returns set dollar_volume = 2000 where symbol = 'S05'")
        conn.execute("update marts.daily_returns set dollar_volume = null where symbol = 'S06'")
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    book = weights(got)
    # 5 % of 2,000 USD a day of an account sized on 98,000 USD; where no volume is known nothing is held.
    assert book["S05"] == pytest.approx(0.05 * 2000 / 98_000)
    assert book.get("S06", 0.0) == 0.0
    assert {(one.code, one.name) for one in got.caps} == {("ADV_CAP", "S05"), ("ADV_UNKNOWN", "S06")}


def test_without_enough_history_the_limit_on_losses_says_that_it_is_blind(
    warehouse: Warehouse, settings: Settings
) -> None:
    MartsWorld().write(warehouse)
    with warehouse.connect() as conn:
        conn.execute("update marts.daily_returns set ret = null where session < '2025-12-01'")
    got = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    assert [one.code for one in got.caps] == ["VAR_UNKNOWN"]
    assert figures(warehouse)["var_99"] is None
    alerts = warehouse.rows("select metric, value, message from ops.risk_alerts")
    assert alerts == [
        {"metric": "var_99", "value": None, "message": "var_99 is unknown; rule > 0.04 not judged"},
    ]


def test_rules_raise_alerts_that_a_person_acknowledges(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    add_rule(warehouse, Rule("gross", ">", 0.1), who="ann", now=EVENING.at)
    ended = add_rule(warehouse, Rule("gross", ">", 0.2), who="ann", now=EVENING.at)
    end_rule(warehouse, ended, who="ann", now=EVENING.at)
    tight = settings.model_copy(update={"risk_rules": "beta >= 0.1; scale < 1; nonsense > 1"})
    decide(DECISION, tight, EVENING, warehouse, dry_run=True, planner=Planner())
    assert warehouse.rows("select * from ops.risk_alerts") == []
    decide(DECISION, tight, EVENING, warehouse, planner=Planner())
    rows = warehouse.rows("select alert_id, rule, metric, value, raised_at from ops.risk_alerts order by alert_id")
    assert [(row["rule"], row["metric"]) for row in rows] == [
        ("setting", "beta"),
        ("setting", "nonsense"),
        ("rule 1", "gross"),
    ]
    assert rows[1]["value"] is None
    assert rows[2]["value"] == figures(warehouse)["gross"]
    assert {row["raised_at"] for row in rows} == {EVENING.at}
    later = EVENING.at + timedelta(minutes=5)
    acknowledge(warehouse, rows[0]["alert_id"], who="ben", now=later, note="seen")
    done = warehouse.rows("select acknowledged_by, acknowledged_at, note from ops.risk_alerts order by alert_id")
    assert done[0] == {"acknowledged_by": "ben", "acknowledged_at": later, "note": "seen"}
    with pytest.raises(PasError, match="no open alert"):
        acknowledge(warehouse, rows[0]["alert_id"], who="ben", now=later)
    with pytest.raises(PasError, match="no risk rule"):
        end_rule(warehouse, ended, who="ben", now=later)


def test_a_replay_raises_no_alert(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    tight = settings.model_copy(update={"risk_rules": "gross > 0.01"})
    decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    got = decide(date(2026, 1, 23), tight, EVENING, warehouse, planner=Planner())
    assert got.origin == "replay"
    assert warehouse.rows("select * from ops.risk_alerts") == []
    assert figures(warehouse, got.session)["gross"] > 0.0


def test_money_that_came_in_is_no_gain_and_money_that_left_no_loss(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld().write(warehouse)
    first = decide(DECISION, settings, EVENING, warehouse, planner=Planner())
    buy_everything(warehouse, first)
    monday = date(2026, 2, 2)
    evening = FixedClock(EVENING.at + timedelta(days=3))
    MartsWorld(end=monday).write(warehouse)
    path = [(date(2026, 1, 29), 100_000, 29), (DECISION, 96_000, 30), (monday, 48_960, 33)]
    with warehouse.connect() as conn:
        for session, equity, day in path:
            conn.execute(
                "insert into ops.account_metrics (broker, account_number, session, taken_at, equity, cash,"
                " long_market_value, buying_power, managed_equity, external_value)"
                " values ('sandbox', 'A1', %s, timestamptz '2026-01-01 22:00Z' + %s * interval '1 day', %s, 0, 0, 0,"
                " %s, 0)",
                (session, day - 1, equity, equity),
            )
        # Half of the account is withdrawn on the second day; the whole gains 1 %.
        for line, (book, amount) in enumerate((("CASH", -48_000), ("OUTSIDE", 48_000))):
            conn.execute(
                "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount,"
                " session, occurred_at, recorded_at) values ('sandbox', 'A1', 'w', %s, 'transfer', %s, 'USD', %s,"
                " %s, '2026-02-02 15:00Z', '2026-02-02 15:00Z')",
                (line, book, amount, monday),
            )
    decide(monday, settings, evening, warehouse, planner=Planner())
    seen = figures(warehouse, monday)
    assert seen["daily_loss"] == pytest.approx(-0.01)
    assert seen["drawdown"] == pytest.approx(1.0 - 0.96 * 1.01)
