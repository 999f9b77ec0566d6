"""The crisis indicator on scripted series: signs, transforms, missing data, bounds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pas_lib.errors import SettingsError, UnknownName
from pas_lib.regime import (
    SERIES,
    WEIGHTS,
    crisis_indicator,
    exposure_scale,
    regime_at,
    regime_history,
    rolling_z,
    stress_frame,
)

#: Series that do harm by rising (or falling) and by how much a calm world drifts each weekday.
LEVELS = {
    "VIXCLS": 16.0,
    "DEXUSEU": 1.1,
    "DGS1MO": 2.0,
    "DGS5": 2.5,
    "DGS10": 3.0,
    "DGS30": 3.5,
    "FEDFUNDS": 2.0,
    "CPIAUCSL": 250.0,
    "UNRATE": 4.0,
    "GDPC1": 18000.0,
    "INDPRO": 100.0,
    "UMCSENT": 95.0,
}
GROWING = {"CPIAUCSL": 0.02, "GDPC1": 0.025, "INDPRO": 0.015}


def calm_world(days: int = 1600, seed: int = 0) -> pd.DataFrame:
    """Levels that hover, prices and output that rise steadily: nothing is wrong."""
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2015-01-01", periods=days)
    years = np.arange(days) / 261
    data = {}
    for name, level in LEVELS.items():
        trend = level * (1 + GROWING.get(name, 0.0)) ** years
        step = 0.004 if name in GROWING else 0.02
        hover = np.zeros(days)
        for i in range(1, days):
            hover[i] = 0.97 * hover[i - 1] + rng.normal(0, step * 0.2)
        data[name] = trend * (1 + hover)
    return pd.DataFrame(data, index=index)


@pytest.mark.parametrize(
    ("cci", "scale"),
    [(0, 1), (1, 1), (1.5, 0.85), (2, 0.7), (2.5, 0.5), (3, 0.3), (9, 0.3), (float("inf"), 0.3)],
)
def test_scale_at_its_corners(cci: float, scale: float) -> None:
    assert exposure_scale(cci) == pytest.approx(scale, abs=1e-15)


@given(st.floats(0, 10), st.floats(0, 2))
def test_scale_never_rises(cci: float, more: float) -> None:
    assert 0.3 <= exposure_scale(cci + more) <= exposure_scale(cci) <= 1.0


def test_unknown_is_not_calm() -> None:
    """Defect 18: too little history was "no crisis"."""
    assert exposure_scale(math.nan) == 0.7
    short = stress_frame(calm_world(200))
    assert crisis_indicator(short).isna().all()
    assert (regime_history(short)["scale"] == 0.7).all()


def test_weights_add_to_one_and_signs_are_set() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0, abs=1e-15)
    assert {s.series_id: s.sign for s in SERIES if s.sign > 0} == {"VIXCLS": 1, "CPIAUCSL": 1, "UNRATE": 1}
    assert WEIGHTS["VIXCLS"] == 0.20


def test_indicator_by_hand() -> None:
    """Two series, window 4, at least 2 rows; z of the last value over the window, ddof 1."""
    stress = pd.DataFrame(
        {"a": [0.0, 1, 2, 3, 10], "b": [5.0, 4, 3, 2, 1]}, index=pd.bdate_range("2025-01-06", periods=5)
    )
    cci = crisis_indicator(stress, {"a": 3, "b": 1}, window=4)
    window = np.array([1.0, 2, 3, 10])
    z = (10 - window.mean()) / window.std(ddof=1)
    assert cci.iloc[-1] == pytest.approx(0.75 * z)  # b falls: no stress
    assert math.isnan(cci.iloc[0])
    assert cci.iloc[1] == pytest.approx(0.75 * (0.5 / np.std([0, 1], ddof=1)))


def test_steady_growth_is_calm() -> None:
    """Defect 17: levels of CPI, GDP and production counted as stress; CCI averaged 1.7 on calm data."""
    history = regime_history(stress_frame(calm_world())).dropna()
    assert (history["scale"] == 1.0).mean() >= 0.95
    assert history["cci"].mean() < 0.6


def test_collapse_is_a_crisis() -> None:
    """Defect 17 the other way: output, sentiment and rates down 40 % gave 0.53 and full exposure."""
    world = calm_world()
    fall = np.r_[np.zeros(1500), np.linspace(0, 0.4, 60), np.full(40, 0.4)]
    for name in ("GDPC1", "INDPRO", "UMCSENT", "DGS1MO", "DGS5", "DGS10", "DGS30", "FEDFUNDS"):
        world[name] *= 1 - fall
    world["VIXCLS"] *= 1 + 4 * fall
    world["UNRATE"] *= 1 + 2 * fall
    history = regime_history(stress_frame(world))
    assert history["scale"].iloc[1450:1500].min() == 1.0
    assert history["scale"].iloc[1500:].min() == pytest.approx(0.3)


def test_transforms() -> None:
    index = pd.bdate_range("2020-01-01", "2023-12-29")
    n = np.arange(len(index), dtype=float)
    frame = pd.DataFrame({name: n for name in LEVELS} | {"CPIAUCSL": 100 * 1.05 ** (n / 261)}, index=index)
    stress = stress_frame(frame)
    last = stress.iloc[-1]
    assert last["VIXCLS"] == n[-1]
    assert last["UMCSENT"] == -n[-1]
    assert last["DGS10"] == -63
    # The value known a year before 2023-12-29 is that of 2022-12-29.
    year = n[-1] - n[index.get_loc(pd.Timestamp("2022-12-29"))]
    assert last["UNRATE"] == year
    assert last["CPIAUCSL"] == pytest.approx(1.05 ** (year / 261) - 1)
    assert last["INDPRO"] == pytest.approx(-(n[-1] / (n[-1] - year) - 1))
    assert stress["DGS10"].isna().sum() == 63
    assert list(stress.columns) == [s.series_id for s in SERIES]


def test_sessions_become_weekdays() -> None:
    """A market holiday shows what was known the session before; zoned stamps are understood."""
    world = calm_world(900)
    holiday = world.index[700]
    sessions = world.drop(holiday)
    stress = stress_frame(sessions.tz_localize("America/New_York"))
    assert holiday in stress.index
    assert stress.loc[holiday, "VIXCLS"] == world["VIXCLS"].iloc[699]


def test_constant_series_is_no_stress() -> None:
    stress = pd.DataFrame(
        {"a": np.full(600, 0.1 + 0.2), "b": np.arange(600.0)}, index=pd.bdate_range("2020-01-01", periods=600)
    )
    z = rolling_z(stress)
    assert (z["a"].dropna() == 0).all()
    assert z["a"].notna().sum() == 600 - 251
    assert_allclose(crisis_indicator(stress, {"a": 1.0}).dropna(), 0.0)


def crisis_world() -> pd.DataFrame:
    """Two series: one shouts from row 700 on, the other is quiet."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        rng.normal(0, 1, (900, 2)), columns=["loud", "quiet"], index=pd.bdate_range("2018-01-01", periods=900)
    )
    frame.iloc[700:, 0] += 8
    return frame


HALVES = {"loud": 0.5, "quiet": 0.5}


def test_missing_series_keeps_its_last_score_then_may_only_lower() -> None:
    stress = crisis_world()
    stress.iloc[705:800, 0] = np.nan
    history = regime_history(stress, HALVES, max_age_days={"loud": 28})  # 20 weekdays
    z = rolling_z(stress)
    quiet = z["quiet"].clip(lower=0)
    for row in (705, 724):
        assert history["held"].iloc[row] == "loud"
        assert history["cci"].iloc[row] == pytest.approx(0.5 * z["loud"].iloc[704] + 0.5 * quiet.iloc[row])
    assert history["lost"].iloc[725] == "loud"
    assert not history["complete"].iloc[725]
    # Reweighted over what is left, the indicator would say "calm"; the scale stays down.
    assert history["cci"].iloc[725:800].min() < 1
    gone = history["scale"].iloc[724:800]
    assert (gone.diff().dropna() <= 0).all()
    assert gone.iloc[-1] < 1
    # It returns: the indicator speaks for itself again.
    back = history.iloc[800]
    assert back["complete"]
    assert back["scale"] == exposure_scale(back["cci"])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(520, 880), st.integers(1, 300), st.sampled_from(["loud", "quiet"]))
def test_a_series_that_stops_never_raises_exposure_by_it(seed: int, start: int, length: int, name: str) -> None:
    """From the day a series is lost until it returns the scale never rises."""
    rng = np.random.default_rng(seed)
    stress = pd.DataFrame(
        rng.normal(0, 1, (900, 2)).cumsum(axis=0),
        columns=["loud", "quiet"],
        index=pd.bdate_range("2018-01-01", periods=900),
    )
    stress.iloc[start : start + length, stress.columns.get_loc(name)] = np.nan
    history = regime_history(stress, HALVES)
    lost = (history["lost"] != "").to_numpy()
    scale = history["scale"].to_numpy()
    rises = np.flatnonzero(np.diff(scale) > 1e-15) + 1
    assert not lost[rises].any()


def test_overdue_values_are_missing() -> None:
    world = calm_world(900)
    known_at = pd.DataFrame({c: world.index for c in world.columns}, index=world.index)
    known_at.iloc[850:, known_at.columns.get_loc("VIXCLS")] = world.index[849]
    stress = stress_frame(world, known_at)
    first = stress["VIXCLS"].iloc[800:].isna().idxmax()
    row = stress.index.get_loc(first)
    assert (stress.index[row - 1] - world.index[849]).days <= 10 < (first - world.index[849]).days
    history = regime_history(stress)
    assert history["lost"].iloc[-1] == "VIXCLS"
    record = regime_at(history)
    assert record.lost == ("VIXCLS",)
    assert record.held == ()
    assert record.scale == history["scale"].iloc[-1]


def test_a_series_that_was_never_there_is_reweighted() -> None:
    world = calm_world(900).drop(columns="DEXUSEU")
    stress = stress_frame(world)
    assert stress["DEXUSEU"].isna().all()
    rest = {k: v for k, v in WEIGHTS.items() if k != "DEXUSEU"}
    assert_allclose(crisis_indicator(stress), crisis_indicator(stress, rest))


def test_tomorrow_does_not_reach_today() -> None:
    stress = stress_frame(calm_world(900))
    spoiled = stress.copy()
    spoiled.iloc[800:] = 1e6
    pd.testing.assert_series_equal(crisis_indicator(stress).iloc[:800], crisis_indicator(spoiled).iloc[:800])


def test_bad_weights_are_refused() -> None:
    stress = crisis_world()
    with pytest.raises(UnknownName, match="stress series 'nosuch'"):
        crisis_indicator(stress, {"nosuch": 1.0})
    with pytest.raises(SettingsError, match="not all 0"):
        crisis_indicator(stress, {"loud": -1.0, "quiet": 2.0})
    with pytest.raises(SettingsError):
        crisis_indicator(stress, {"loud": 0.0})
