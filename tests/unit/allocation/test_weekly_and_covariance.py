"""Weekly compounding, outliers, Ledoit-Wolf."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pas_lib.allocation import AllocationError, estimate, ledoit_wolf, weekly_returns, winsorise
from pas_lib.allocation.weekly import checked_returns, clip_outliers


def daily(values: object, start: str = "2025-01-06", columns: str = "a") -> pd.DataFrame:
    array = np.atleast_2d(np.asarray(values, dtype=float))
    array = array.T if array.shape[0] == 1 else array
    return pd.DataFrame(array, index=pd.bdate_range(start, periods=len(array)), columns=list(columns))


def test_week_compounds() -> None:
    frame = daily([0.01, -0.02, 0.03, 0.0, 0.005, 0.1, 0.1, 0.1, 0.1, -0.1])
    weekly = weekly_returns(frame)
    assert list(weekly.index) == [pd.Timestamp("2025-01-10"), pd.Timestamp("2025-01-17")]
    assert weekly["a"].iloc[0] == pytest.approx(1.01 * 0.98 * 1.03 * 1.005 - 1, abs=1e-15)
    assert weekly["a"].iloc[1] == pytest.approx(1.1**4 * 0.9 - 1, abs=1e-15)


def test_incomplete_last_week_is_dropped() -> None:
    frame = daily(np.full(13, 0.01))  # two weeks and three days
    assert len(weekly_returns(frame)) == 2
    ends = pd.to_datetime(["2025-01-10", "2025-01-17", "2025-01-24"])
    assert len(weekly_returns(frame, ends)) == 2


def test_week_that_ends_on_thursday_needs_the_calendar() -> None:
    """Good Friday 2025: the week of 14 April ends on the 17th."""
    sessions = pd.bdate_range("2025-04-07", "2025-04-17")
    frame = pd.DataFrame({"a": 0.01}, index=sessions)
    assert len(weekly_returns(frame)) == 1
    weekly = weekly_returns(frame, ["2025-04-11", "2025-04-17"])
    assert_allclose(weekly["a"], [1.01**5 - 1, 1.01**4 - 1], rtol=1e-14)
    assert weekly.index[-1] == pd.Timestamp("2025-04-17")


def test_first_week_seen_in_part_is_dropped() -> None:
    assert len(weekly_returns(daily(np.full(8, 0.01), start="2025-01-08"))) == 1
    # A Monday holiday is no missing session.
    assert len(weekly_returns(daily(np.full(9, 0.01), start="2025-01-07"))) == 2


def test_week_ends_may_begin_late() -> None:
    """Rows long before the first week end asked for do not melt into it."""
    frame = daily(np.full(20, 0.01))
    weekly = weekly_returns(frame, ["2025-01-24", "2025-01-31"])
    assert_allclose(weekly["a"], [1.01**5 - 1] * 2, rtol=1e-14)


def test_missing_day_is_a_missing_week_for_that_portfolio_only() -> None:
    """Defects 9 and 10: the portfolio stays, nothing is filled, the others keep their week."""
    frame = daily(np.full((15, 2), 0.01), columns="ab")
    frame.iloc[7, 0] = np.nan
    weekly = weekly_returns(frame)
    assert weekly["a"].isna().tolist() == [False, True, False]
    assert weekly["b"].notna().all()


def test_refusals_name_portfolio_and_session() -> None:
    frame = daily([0.01, np.inf, 0.0])
    with pytest.raises(AllocationError, match="a on 2025-01-07 is infinite"):
        checked_returns(frame)
    with pytest.raises(AllocationError, match=r"a on 2025-01-08 is below -1 .*fractions"):
        checked_returns(daily([0.5, 1.2, -2.4]))
    with pytest.raises(AllocationError, match="occurs twice"):
        checked_returns(pd.concat([frame, frame]))
    with pytest.raises(AllocationError, match="not a number"):
        checked_returns(pd.DataFrame({"a": ["x"]}, index=pd.bdate_range("2025-01-06", periods=1)))
    with pytest.raises(AllocationError, match="no date"):
        checked_returns(pd.DataFrame({"a": [0.1]}, index=pd.DatetimeIndex([None])))


def test_unsorted_and_zoned_index_are_brought_in_order() -> None:
    frame = daily(np.arange(5) / 100)
    shuffled = frame.iloc[::-1]
    pd.testing.assert_frame_equal(checked_returns(shuffled), frame, check_freq=False)
    zoned = frame.tz_localize("America/New_York")
    pd.testing.assert_frame_equal(checked_returns(zoned), frame, check_freq=False)


def weeks(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"a": values}, index=pd.date_range("2024-01-05", periods=len(values), freq="W-FRI"))


@pytest.mark.parametrize("n", [8, 13, 26, 36])
def test_outlier_is_found_at_every_window(n: int) -> None:
    """Defect 3: with the tested week inside, |z| cannot exceed sqrt(n - 1) and short windows clean nothing."""
    rng = np.random.default_rng(n)
    series = rng.normal(0.002, 0.01, n)
    series[3] = 10.0
    cleaned, cells = winsorise(weeks(series))
    others = np.delete(series, 3)
    limit = others.mean() + 5 * others.std(ddof=1)
    assert cleaned["a"].iloc[3] == pytest.approx(limit, rel=1e-12)
    assert limit < 0.12
    assert [(c.portfolio, c.week_end, c.before) for c in cells] == [("a", "2024-01-26", 10.0)]
    assert_allclose(np.delete(cleaned["a"].to_numpy(), 3), others)


def test_winsorising_waits_for_eight_weeks_and_needs_a_scale() -> None:
    series = np.r_[np.full(3, 0.01), 0.02, 0.0, 0.01, 5.0]
    assert winsorise(weeks(series))[1] == ()
    # Cash for a long time, then a first real week: nothing to judge by, so it stays.
    assert winsorise(weeks(np.r_[np.zeros(20), 0.03]))[1] == ()


def test_winsorising_leaves_ordinary_weeks_alone() -> None:
    rng = np.random.default_rng(5)
    frame = weeks(rng.normal(0, 0.02, 36))
    cleaned, cells = winsorise(frame)
    assert cells == ()
    pd.testing.assert_frame_equal(cleaned, frame)


def clipped_cell_by_cell(values: np.ndarray, limit: float) -> np.ndarray:
    """The definition, one cell after another."""
    result = values.copy()
    for i, j in np.ndindex(values.shape):
        others = np.delete(values[:, j], i)
        others = others[~np.isnan(others)]
        if np.isnan(values[i, j]) or len(others) < 7 or others.std(ddof=1) <= 1e-12 * np.abs(others).max():
            continue
        gap, most = values[i, j] - others.mean(), limit * others.std(ddof=1)
        result[i, j] = others.mean() + np.sign(gap) * most if abs(gap) > most else values[i, j]
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
    st.floats(1.5, 6.0),
    st.sampled_from([0.0, 1e-9, 1.0, 1e4]),
    st.floats(0.0, 0.4),
)
def test_no_outlier_is_missed(n: int, seed: int, limit: float, level: float, holes: float) -> None:
    """Near the limit, beside holes, in columns that hardly vary or lie far from zero: as judged one by one."""
    rng = np.random.default_rng(seed)
    values = level + rng.standard_t(2, (n, 6)) * 10.0 ** rng.uniform(-6, 1, 6)
    values[:, 0] = level + 1e-3 * (np.arange(n) == n // 2)
    values[rng.random(values.shape) < holes] = np.nan
    cleaned, cells = clip_outliers(values, limit=limit)
    assert_allclose(cleaned, clipped_cell_by_cell(values, limit), rtol=1e-12, atol=0)
    changed = np.argwhere((cleaned != values) & ~np.isnan(values))
    assert sorted((row, column) for row, column, _, _ in cells) == sorted(map(tuple, changed.tolist()))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_ledoit_wolf_equals_scikit_learn(t: int, n: int, seed: int) -> None:
    from sklearn.covariance import LedoitWolf

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(t, n)) @ rng.normal(size=(n, n)) * 0.02
    theirs = LedoitWolf().fit(x)
    ours = ledoit_wolf(x)
    assert_allclose(ours.matrix, theirs.covariance_, rtol=1e-9, atol=1e-15)
    assert ours.shrinkage == pytest.approx(theirs.shrinkage_, abs=1e-10)


def test_ledoit_wolf_documented_example() -> None:
    """scikit-learn's docstring: delta = 0.23.., [[.44, .16], [.16, .80]]."""
    x = np.random.RandomState(0).multivariate_normal([0, 0], [[0.4, 0.2], [0.2, 0.8]], size=50)
    result = ledoit_wolf(x)
    assert_allclose(result.matrix, [[0.4406, 0.1616], [0.1616, 0.8022]], atol=1e-4)
    assert 0.23 <= result.shrinkage < 0.24


def test_correlation_shrinkage_keeps_a_calm_portfolio_calm() -> None:
    rng = np.random.default_rng(0)
    x = np.c_[rng.normal(0, 0.003, (36, 5)), rng.normal(0, 0.06, (36, 5))]
    plain = np.sqrt(np.diag(estimate(x).matrix) * 52)
    better = np.sqrt(np.diag(estimate(x, "correlation").matrix) * 52)
    sample = x.std(axis=0) * np.sqrt(52)
    assert plain[0] > 3 * sample[0]
    assert_allclose(better, sample, rtol=1e-12)
    assert_allclose(estimate(x, "none").matrix, np.cov(x.T, ddof=0), rtol=1e-10)
    assert_allclose(estimate(x, ddof=1).matrix, estimate(x).matrix * 36 / 35, rtol=1e-12)
