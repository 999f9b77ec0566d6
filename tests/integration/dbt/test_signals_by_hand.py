"""Every signal over rows whose answer was worked out on paper, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import log
from pathlib import Path

import pandas as pd
import pytest

from pas_lib.dbt import Dbt
from pas_lib.warehouse import Warehouse
from tests.support.hand_world import D, HandWorld
from tests.support.marts import duckdb_frame, mirrored

#: strategy -> symbols with their scores, best first
EXPECTED: dict[str, dict[str, float]] = {
    "leveraged_sector": {"SOXL": 0.5, "TQQQ": 0.2, "UPRO": 0.1, "SPXL": 0.05, "FAS": -0.1},
    "gov_contracts_momentum": {"A": 54e6, "H": 51e6, "G": 50e6, "B": 49e6},
    "lobbying_growth": {"B": 1.0, "A": 0.5, "F": 0.2, "I": 0.0, "G": -0.2},
    "pelosi": {"C": 5000.0, "A": 3500.0, "UPRO": 200.0, "B": -2000.0},
    "meuser": {"H": 2000.0},
    "capito": {"I": 2000.0},
    "insider_buying_pulse": {"H": 0.015, "K": 0.012, "A": 0.005, "B": 0.005},
    "small_cap_momentum": {"P": 0.5, "V": 0.4, "Q": 0.2},
    "dc_insider_tilt": {"A": 75.0, "C": 25.0, "D": 0.0},
    "app_reviews_hype": {"A": log(100) + 4.0, "C": -log(1000)},
    "wsb_buzz": {"C": log(11), "K": log(31 / 10), "E": log(21 / 41)},
    "upgrade_momentum": {"A": 1.0, "B": 0.25, "G": 0.0, "E": -2 / 3},
    "trends_news_sentiment": {"B": 6.0, "A": 3.0, "E": 1.0},
}
_ROWS = "select strategy, symbol, score, rank from intermediate.{model} where session = date '{day}' order by 1, rank"
_MODELS = {name: f"int_signal_{name}" for name in EXPECTED} | {
    name: "int_signal_politician_sleeves" for name in ("pelosi", "meuser", "capito")
}
Frame = Callable[[str], pd.DataFrame]


@pytest.fixture(scope="module")
def frames(
    dbt_world: Warehouse, dbt_work: Path, slot: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Frame]:
    """Return a query function for each engine."""
    HandWorld().load(dbt_world)
    mirrored(slot, dbt_world, datetime(2026, 1, 2, tzinfo=UTC))
    select = [f"+{model}" for model in sorted(set(_MODELS.values()))]
    Dbt(dbt_world.url, dbt_work, threads=2).build(D, select=select, data_tests=False)
    Dbt(str(slot), dbt_work, target="duckdb", threads=2).build(D, select=select, data_tests=False)
    kept = tmp_path_factory.mktemp("by_hand") / "by_hand.duckdb"
    kept.write_bytes(slot.read_bytes())
    return {"pg": dbt_world.frame, "duckdb": duckdb_frame(kept)}


@pytest.mark.parametrize("engine", ["pg", "duckdb"])
@pytest.mark.parametrize("strategy", sorted(EXPECTED))
def test_the_signal_is_what_the_rule_says(frames: dict[str, Frame], strategy: str, engine: str) -> None:
    rows = frames[engine](_ROWS.format(model=_MODELS[strategy], day=D))
    rows = rows[rows["strategy"] == strategy]
    assert dict(zip(rows["symbol"], rows["score"], strict=True)) == pytest.approx(EXPECTED[strategy], rel=1e-9)
    assert rows["symbol"].tolist() == list(EXPECTED[strategy])
    assert rows["rank"].tolist() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("engine", ["pg", "duckdb"])
def test_the_day_of_the_catalyst_is_handed_on(frames: dict[str, Frame], engine: str) -> None:
    rows = frames[engine]("select symbol, until from intermediate.int_signal_small_cap_momentum order by rank")
    days = [stamp.date().isoformat() for stamp in pd.to_datetime(rows["until"])]
    assert days == ["2025-11-15", "2026-01-31", "2025-12-10"]
