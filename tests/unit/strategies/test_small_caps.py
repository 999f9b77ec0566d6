"""Small companies: who enters, who leaves when, and what is replayed from the stored weights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
import pytest

from pas_lib import clock
from pas_lib.strategies import FrameMarket, StrategyWeights, strategy
from pas_lib.strategies.base import labelled

ONE = strategy("small_cap_momentum")
JANUARY, FEBRUARY, MARCH = date(2026, 1, 30), date(2026, 2, 27), date(2026, 3, 31)
FRESH = {"filings": 1.0, "fundamentals": 1.0, "prices": 0.3}


def signals(until: Mapping[str, date]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "security_id": list(until),
            "symbol": [key.upper() for key in until],
            "score": [1.0 - 0.01 * i for i in range(len(until))],
            "rank": range(1, len(until) + 1),
            "until": list(until.values()),
        }
    )


def view(
    session: date,
    history: list[StrategyWeights],
    moves: Mapping[str, Mapping[date, float]] | None = None,
    ages: Mapping[str, float] = FRESH,
) -> FrameMarket:
    days = clock.sessions(date(2025, 12, 1), date(2026, 6, 30))
    frame = pd.DataFrame(0.0, index=pd.DatetimeIndex(list(days)), columns=[f"c{i}" for i in range(30)])
    for key, steps in (moves or {}).items():
        for day, value in steps.items():
            frame.loc[pd.Timestamp(day), key] = value
    return FrameMarket(session, frame, ages=ages, earlier_weights={ONE.id: history})


def decided(count: int = 3, until: date = date(2026, 4, 28)) -> StrategyWeights:
    return ONE.target_weights(signals({f"c{i}": until for i in range(count)}), view(JANUARY, []))


def test_twenty_places_of_a_twentieth_with_the_day_of_their_catalyst() -> None:
    got = decided(25)
    assert got.weights.to_list() == [0.05] * 20
    assert got.note == ""
    assert got.until["c0"] == date(2026, 4, 28)
    few = decided(3)
    assert few.weights.to_dict() == {"c0": 0.05, "c1": 0.05, "c2": 0.05}
    assert few.note == "3 of 20 names; 85.0% held in cash"


def test_nothing_changes_in_a_session_in_which_nobody_leaves() -> None:
    assert ONE.review(view(date(2026, 2, 3), [decided()])) is None
    assert ONE.review(view(date(2026, 2, 3), [])) is None


def test_a_gain_of_half_since_the_decision_is_taken() -> None:
    monday, tuesday = date(2026, 2, 2), date(2026, 2, 3)
    moves = {"c0": {JANUARY: 0.9, monday: 0.2, tuesday: 0.25}, "c1": {monday: 0.499}}
    history = [decided()]
    assert ONE.review(view(monday, history, moves)) is None
    got = ONE.review(view(tuesday, history, moves))
    assert got is not None
    # the others keep what their shares have become; the money of the sold one is cash
    total = 0.85 + 0.05 * (1.5 + 1.499 + 1.0)
    assert got.weights.to_dict() == pytest.approx({"c1": 0.05 * 1.499 / total, "c2": 0.05 / total})
    assert got.note == "out: C0"
    assert got.until == {"c1": date(2026, 4, 28), "c2": date(2026, 4, 28)}


def test_a_name_leaves_when_the_day_of_its_catalyst_is_over() -> None:
    day = date(2026, 2, 10)
    history = [decided(until=day)]
    assert ONE.review(view(day, history)) is None
    got = ONE.review(view(date(2026, 2, 11), history))
    assert got is not None
    assert got.weights.empty


def test_a_name_leaves_after_three_months_counted_from_when_it_entered() -> None:
    first = decided(until=date(2027, 1, 1))
    again = ONE.target_weights(signals({}), view(FEBRUARY, [first]))
    assert again.weights.to_dict() == {"c0": 0.05, "c1": 0.05, "c2": 0.05}
    history = [first, again]
    assert ONE.review(view(date(2026, 4, 29), history)) is None
    got = ONE.review(view(date(2026, 4, 30), history))
    assert got is not None
    assert got.weights.empty


def test_months_end_keeps_who_has_no_reason_to_leave_and_fills_the_free_places() -> None:
    first = ONE.target_weights(
        signals({"c0": date(2026, 2, 20)} | {f"c{i}": date(2026, 4, 28) for i in range(1, 20)}), view(JANUARY, [])
    )
    out = ONE.review(view(date(2026, 2, 23), [first]))
    assert out is not None
    best = signals({key: date(2026, 5, 20) for key in ("c25", "c1", "c0", "c26")})
    got = ONE.target_weights(best, view(FEBRUARY, [first, out], {"c2": {date(2026, 2, 24): 0.6}}))
    # c2 gained enough on the day before nothing was looked at: it goes, and its place and that of c0 are filled
    assert set(got.weights.index) == {"c1", *(f"c{i}" for i in range(3, 20)), "c25", "c0"}
    assert set(got.weights) == {0.05}
    assert got.until["c0"] == date(2026, 5, 20)
    assert got.until["c1"] == date(2026, 4, 28)
    # c0 came back: it is counted from February on
    assert ONE.review(view(date(2026, 4, 28), [first, out, got])) is None


def test_who_leaves_at_months_end_does_not_come_back_the_same_day() -> None:
    first = decided(until=date(2026, 2, 26))
    got = ONE.target_weights(signals({"c0": date(2026, 5, 1), "c9": date(2026, 5, 1)}), view(FEBRUARY, [first]))
    assert list(got.weights.index) == ["c9"]


def test_old_data_keeps_the_weights_and_their_days() -> None:
    first = decided()
    got = ONE.target_weights(signals({}), view(FEBRUARY, [first], ages={**FRESH, "filings": 20.0}))
    assert got.is_stale
    assert got.until == first.until
    later = ONE.review(view(date(2026, 4, 29), [first, got]))
    assert later is not None
    assert later.weights.empty


def test_a_name_without_a_bar_keeps_its_value() -> None:
    history = [StrategyWeights(ONE.id, JANUARY, labelled(["c0", "x"], [0.05, 0.05]), {"c0": "C0", "x": "X"})]
    got = ONE.review(view(date(2026, 2, 3), history, {"c0": {date(2026, 2, 2): 0.5}}))
    assert got is not None
    assert got.weights.to_dict() == pytest.approx({"x": 0.05 / (0.9 + 0.05 * 2.5)})
