"""Every portfolio's answer to data that is missing, old or thin."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from pas_lib.strategies import FrameMarket, Strategy, StrategyWeights, all_strategies

D = date(2026, 1, 30)
EVERY = [pytest.param(one, id=one.id) for one in all_strategies()]


def signals(n: int) -> pd.DataFrame:
    """Names with scores that any rule takes: large, and falling by rank."""
    return pd.DataFrame(
        {
            "security_id": [f"id{i:02d}" for i in range(n)],
            "symbol": [f"S{i:02d}" for i in range(n)],
            "score": [9e7 - i for i in range(n)],
            "rank": range(1, n + 1),
            "until": [date(2026, 3, 1)] * n,
        }
    )


def market(one: Strategy, before: StrategyWeights | None = None, **ages: float | None) -> FrameMarket:
    days = pd.bdate_range(end=pd.Timestamp(D), periods=80)
    moves = np.random.default_rng(3).normal(0.0, 0.01, (80, 60))
    returns = pd.DataFrame(moves, index=days, columns=[*(f"id{i:02d}" for i in range(58)), "kept", "also"])
    fresh: dict[str, float | None] = dict.fromkeys(one.datasets, 0.5)
    return FrameMarket(D, returns, {**fresh, **ages}, {one.id: before} if before else {})


def held(one: Strategy) -> StrategyWeights:
    return StrategyWeights(
        one.id,
        date(2025, 12, 31),
        pd.Series({"kept": 0.6, "also": 0.3}),
        {"kept": "KEPT", "also": "ALSO"},
        until={"kept": date(2026, 2, 20), "also": None},
    )


def test_there_are_twenty() -> None:
    assert len(EVERY) == 20


@pytest.mark.parametrize("one", EVERY)
def test_old_data_keeps_the_previous_weights_flagged(one: Strategy) -> None:
    for dataset, days in one.tolerance.items():
        before = held(one)
        got = one.target_weights(signals(40), market(one, before, **{dataset: days + 0.1}))
        assert got.is_stale
        assert got.session == D
        assert got.weights.to_dict() == before.weights.to_dict()
        assert got.by_symbol().to_dict() == {"KEPT": 0.6, "ALSO": 0.3}
        assert got.until == before.until
        assert got.note == (
            f"stale: {dataset} is {days + 0.1:.1f} days old (tolerance {days:g}); previous weights stay"
        )
        assert not one.target_weights(signals(40), market(one, None, **{dataset: days})).is_stale


@pytest.mark.parametrize("one", EVERY)
def test_data_that_is_missing_is_told_apart_from_a_signal_without_names(one: Strategy) -> None:
    dataset = one.datasets[0]
    kept = one.target_weights(signals(0), market(one, held(one), **{dataset: None}))
    assert kept.is_stale
    assert kept.weights.to_dict() == {"kept": 0.6, "also": 0.3}
    first = one.target_weights(signals(0), market(one, None, **{dataset: None}))
    assert first.is_stale
    assert first.weights.empty
    assert first.note == f"stale: {dataset} has no rows; cash"
    # Fresh data of which no name qualifies: cash, and it says so; the old holdings are not kept for want of new ones.
    none = one.target_weights(signals(0), market(one))
    assert not none.is_stale
    assert none.weights.empty
    assert none.cash == 1.0
    assert none.note


@pytest.mark.parametrize("one", EVERY)
def test_a_thin_signal_leaves_cash_and_says_so(one: Strategy) -> None:
    got = one.target_weights(signals(1), market(one))
    assert not got.is_stale
    assert list(got.weights.index) == ["id00"]
    assert 0.0 < got.weights["id00"] < 1.0
    assert got.cash == pytest.approx(1.0 - got.weights["id00"])
    assert got.note
