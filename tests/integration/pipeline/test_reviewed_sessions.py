"""A strategy that is looked at every session: exits are stored once, and what was looked at is not looked at again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from pas_lib import clock as calendar
from pas_lib.pipeline.model import run_model, store_model, stored_weights
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, MartsWorld, security_id

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENTRY = date(2025, 12, 31)
CATALYST = date(2026, 1, 14)


class SmallCaps(MartsWorld):
    """Two names enter at the end of December: one until the 14th of January, one for longer."""

    def signals(self) -> pd.DataFrame:
        rows = super().signals().assign(until=None)
        names = [("S00", CATALYST), ("S01", date(2026, 3, 20))]
        more = pd.DataFrame(
            [
                ("small_cap_momentum", ENTRY, security_id(symbol), symbol, 1.0 - i, i + 1, until)
                for i, (symbol, until) in enumerate(names)
            ],
            columns=rows.columns,
        )
        more["score"] = [0.9, 0.8]
        return pd.concat([rows, more], ignore_index=True)


def fresh(warehouse: Warehouse) -> None:
    for dataset in ("filings", "fundamentals"):
        columns = {"filings": "entity, kind, accession", "fundamentals": "entity, concept, unit, frequency, accession"}
        values = {"filings": "'x', 'filing', '1'", "fundamentals": "'x', 'c', 'USD', 'instant', '1'"}
        extra = ", taxonomy, value, period_days" if dataset == "fundamentals" else ""
        more = ", 'us-gaap', 1, 0" if dataset == "fundamentals" else ""
        for day in (ENTRY, DECISION):
            warehouse.execute(
                f"insert into raw.{dataset} (source, event_date, known_at, ingested_at, source_url, run_id,"
                f" content_hash, is_deleted, {columns[dataset]}{extra})"
                f" values ('x', %(d)s, %(at)s, %(at)s, '', 'r', %(h)s, false, {values[dataset]}{more})",
                {"d": day, "at": calendar.session_open(day), "h": str(day)},
            )


def store(warehouse: Warehouse, session: date) -> list[tuple[date, str]]:
    made = run_model(warehouse, session, cost_bps=10.0)
    with warehouse.connect() as conn:
        store_model(conn, made, now=NOW, live=True)
    return [(item.session, item.note) for item in made.new_weights if item.strategy == "small_cap_momentum"]


def test_an_exit_between_two_rebalances_is_a_decision_of_its_own_session(warehouse: Warehouse) -> None:
    world = SmallCaps().write(warehouse)
    fresh(warehouse)
    made = store(warehouse, date(2026, 1, 14))
    assert [day for day, _ in made] == [ENTRY]
    assert store(warehouse, date(2026, 1, 15)) == [(date(2026, 1, 15), "out: S00")]
    assert store(warehouse, date(2026, 1, 16)) == []

    kept = stored_weights(warehouse, DECISION)["small_cap_momentum"]
    assert [item.session for item in kept] == [ENTRY, date(2026, 1, 15)]
    assert kept[0].until == {security_id("S00"): CATALYST, security_id("S01"): date(2026, 3, 20)}
    assert kept[1].until == {security_id("S01"): date(2026, 3, 20)}
    _, close = world.prices()
    growth = close.loc[pd.Timestamp("2026-01-15")] / close.loc[pd.Timestamp(ENTRY)]
    total = 0.9 + 0.05 * (growth["S00"] + growth["S01"])
    assert kept[1].weights.to_dict() == pytest.approx({security_id("S01"): 0.05 * growth["S01"] / total})

    # all at once says the same, and late rows change nothing that was looked at
    whole = run_model(warehouse, date(2026, 1, 16), cost_bps=10.0, recompute=True)
    assert [item.session for item in whole.weights["small_cap_momentum"]] == [ENTRY, date(2026, 1, 15)]
    with warehouse.connect() as conn:
        conn.execute("update marts.daily_returns set ret = 5 where symbol = 'S01' and session = '2026-01-08'")
    assert store(warehouse, date(2026, 1, 16)) == []
    assert [day for day, _ in store(warehouse, date(2026, 1, 20))] == [date(2026, 1, 20)]
