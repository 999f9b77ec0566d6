"""The allocation as a whole: order of steps, fallbacks, bounds, band, properties."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pas_lib.allocation import METHODS, Allocation, AllocationError, allocate, apply_band, solvers, weekly_returns
from pas_lib.errors import SettingsError, UnknownName


def returns(
    n: int = 5, weeks: int = 40, seed: int = 0, drift: float = 0.0008, vol: float = 0.012, common: float = 0.5
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    market = rng.normal(0, vol, (weeks * 5, 1))
    own = rng.normal(0, vol, (weeks * 5, n))
    values = drift + common * market + np.sqrt(1 - common**2) * own * np.linspace(0.6, 1.6, n)
    return pd.DataFrame(
        values, index=pd.bdate_range("2025-01-06", periods=weeks * 5), columns=[f"p{i}" for i in range(n)]
    )


def ex_ante(frame: pd.DataFrame, weights: pd.Series, weeks: int = 36) -> float:
    """Annual volatility by scikit-learn's Ledoit-Wolf, independently of the engine."""
    from sklearn.covariance import LedoitWolf

    cov = LedoitWolf().fit(weekly_returns(frame).iloc[-weeks:].to_numpy()).covariance_
    return float(np.sqrt(weights @ cov @ weights * 52))


def test_two_portfolios_by_hand() -> None:
    """Sigma^-1 mu, volatility and gross written out with scikit-learn's covariance."""
    from sklearn.covariance import LedoitWolf

    frame = returns(2, seed=4)
    weekly = weekly_returns(frame).iloc[-36:].to_numpy()
    cov, mean = LedoitWolf().fit(weekly).covariance_, weekly.mean(axis=0)
    raw = np.maximum(np.linalg.solve(cov, mean), 0)
    mix = raw / raw.sum()
    gross = min(1.0, 0.11 / np.sqrt(mix @ cov @ mix * 52))
    result = allocate(frame)
    assert_allclose(result.weights, gross * mix, rtol=1e-9)
    d = result.diagnostics
    assert d["method_used"] == "max_sharpe"
    assert d["n_weeks"] == 36
    assert d["gross"] == pytest.approx(gross)
    assert d["cash"] == pytest.approx(1 - gross)


def test_tangency_subtracts_an_annual_rate_once_per_week() -> None:
    from sklearn.covariance import LedoitWolf

    frame = returns(3, seed=9)
    weekly = weekly_returns(frame).iloc[-36:].to_numpy()
    cov = LedoitWolf().fit(weekly).covariance_
    raw = np.maximum(np.linalg.solve(cov, weekly.mean(axis=0) - (1.05 ** (1 / 52) - 1)), 0)
    got = allocate(frame, method="tangency", risk_free=0.05)
    assert_allclose(got.weights / got.weights.sum(), raw / raw.sum(), rtol=1e-9)
    assert not np.allclose(got.weights, allocate(frame).weights, rtol=1e-3)


@pytest.mark.parametrize("target", [0.10, 0.11, 0.12])
@pytest.mark.parametrize("method", ["max_sharpe", "equal", "risk_parity", "max_sharpe_exact"])
def test_volatility_target_has_effect(target: float, method: str) -> None:
    """Defect 1: the predecessor had 19.8 % for every target."""
    frame = returns(5, seed=2, vol=0.03, drift=0.002)
    result = allocate(frame, method=method, target_vol=target)
    assert ex_ante(frame, result.weights) == pytest.approx(target, rel=1e-9)
    assert result.diagnostics["expected_vol"] == pytest.approx(target, rel=1e-9)


def test_target_is_clamped_and_calm_books_stay_unlevered() -> None:
    frame = returns(5, seed=2, vol=0.03, drift=0.002)
    assert allocate(frame, target_vol=0.30).diagnostics["expected_vol"] == pytest.approx(0.12)
    assert allocate(frame, target_vol=0.01).diagnostics["expected_vol"] == pytest.approx(0.10)
    calm = allocate(returns(5, vol=0.002), method="equal")
    assert calm.weights.sum() == pytest.approx(1.0)
    assert calm.diagnostics["expected_vol"] < 0.05


def test_bounds_survive_to_the_end() -> None:
    """Defect 2: the last division pushed 27-50 % of results outside the bounds."""
    for seed in range(30):
        frame = returns(8, seed=seed, drift=0.0005)
        weights = allocate(frame, min_weight=0.02, max_weight=0.4).weights
        assert weights.max() <= 0.4 + 1e-12
        assert ((weights == 0) | (weights >= 0.02 - 1e-12)).all()
        assert weights.sum() <= 1 + 1e-12
        assert ex_ante(frame, weights) <= 0.12 + 1e-9


def test_excess_over_the_upper_bound_is_cash() -> None:
    frame = returns(3, seed=1, vol=0.004, drift=0.001)
    free, bound = allocate(frame), allocate(frame, max_weight=0.4)
    assert free.weights.max() > 0.4
    assert_allclose(bound.weights, free.weights.clip(upper=0.4), atol=1e-12)


def test_small_share_is_raised_only_where_there_is_room() -> None:
    frame = returns(4, seed=4, vol=0.004, drift=0.001)
    plain = allocate(frame, method="risk_parity").weights
    assert plain.sum() == pytest.approx(1.0)
    floor = float(plain.min()) * 1.05
    full = allocate(frame, method="risk_parity", min_weight=floor)
    assert full.weights[plain.idxmin()] == 0.0  # no room: gross is at its cap
    wild = returns(4, seed=3, vol=0.02, drift=0.001)
    before = allocate(wild, method="risk_parity", target_vol=0.10)
    floor = float(before.weights.min()) * 1.1
    after = allocate(wild, method="risk_parity", target_vol=0.10, min_weight=floor)
    assert after.weights[before.weights.idxmin()] == pytest.approx(floor)
    assert 0.10 < ex_ante(wild, after.weights) <= 0.12


def test_minimum_that_cannot_fit_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match=r"5 portfolios x MIN_ALLOCATION 0.25 = 1.25 is above the gross cap 1"):
        allocate(returns(5), min_weight=0.25)
    with pytest.raises(SettingsError, match="MIN <= MAX"):
        allocate(returns(5), min_weight=0.2, max_weight=0.1)
    for wrong in ({"scale": 1.5}, {"target_vol": float("nan")}, {"gross_cap": 0.0}, {"band": -1.0}, {"max_weeks": 2}):
        with pytest.raises(SettingsError):
            allocate(returns(5), **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="did you mean max_sharpe"):
        allocate(returns(5), method="max_sharp")


def test_outlier_week_does_not_decide() -> None:
    """Defect 3 end to end: a 1,000 % week is pulled back and logged."""
    frame = returns(4, seed=6)
    spoiled = frame.copy()
    spoiled.iloc[-33, 0] = 10.0
    result = allocate(spoiled)
    cells = result.diagnostics["winsorised"]
    assert [c["portfolio"] for c in cells] == ["p0"]
    assert cells[0]["before"] > 9
    assert cells[0]["after"] < 0.3
    assert result.weights["p0"] < 1.0
    assert np.isfinite(result.weights).all()


def test_young_portfolio_gets_its_share_and_the_others_their_window() -> None:
    frame = returns(5, seed=8)
    young = frame.copy()
    young.iloc[:-15, 2] = np.nan  # three weeks
    result = allocate(young)
    d = result.diagnostics
    assert d["young"] == ["p2"]
    assert d["mix"]["p2"] == pytest.approx(0.2)
    assert d["n_weeks"] == 36
    others = allocate(frame.drop(columns="p2"))
    rest = [c for c in frame if c != "p2"]
    assert_allclose([d["mix"][c] for c in rest], [0.8 * others.diagnostics["mix"][c] for c in rest], rtol=1e-12)
    assert d["expected_vol"] <= 0.12
    # With a fourth week it is optimised like the others, over the weeks all of them have.
    old = frame.copy()
    old.iloc[:-20, 2] = np.nan
    assert allocate(old).diagnostics["young"] == []
    assert allocate(old).diagnostics["n_weeks"] == 4


def test_all_young_is_one_over_n_without_volatility_scaling() -> None:
    result = allocate(returns(4, weeks=3, vol=0.05))
    assert_allclose(result.weights, 0.25)
    assert result.diagnostics["reason"] == "no portfolio has enough weeks"
    assert result.diagnostics["expected_vol"] is None
    assert_allclose(allocate(returns(4, weeks=3), scale=0.5).weights, 0.125)
    assert_allclose(allocate(returns(4, weeks=3), gross_cap=0.8).weights, 0.2)


def test_one_missing_day_does_not_remove_a_portfolio() -> None:
    """Defect 9."""
    frame = returns(3, seed=5)
    holed = frame.copy()
    holed.iloc[100, 1] = np.nan
    result = allocate(holed)
    assert result.diagnostics["n_weeks"] == 35
    assert result.diagnostics["weeks_by_portfolio"] == {"p0": 36, "p1": 35, "p2": 36}
    assert result.diagnostics["young"] == []


def test_missing_weeks_are_not_filled() -> None:
    """Defect 10: filling weeks with 0 or the cross-sectional mean lowers the volatility."""
    frame = returns(2, seed=5, vol=0.03, drift=0.003)
    holed = frame.copy()
    holed.iloc[40:120, 1] = np.nan
    got = allocate(holed, method="equal")
    rows = weekly_returns(holed).iloc[-36:].dropna()
    assert got.diagnostics["n_weeks"] == len(rows)
    assert ex_ante(rows_as_daily(rows), got.weights, weeks=99) == pytest.approx(0.11, rel=1e-9)


def rows_as_daily(weekly: pd.DataFrame) -> pd.DataFrame:
    """Weekly returns as daily ones of five sessions with the move on the Friday."""
    index = pd.bdate_range("2020-01-06", periods=5 * len(weekly))
    values = np.zeros((len(index), weekly.shape[1]))
    values[4::5] = weekly.to_numpy()
    return pd.DataFrame(values, index=index, columns=weekly.columns)


def test_staggered_gaps_fall_back_to_young_instead_of_a_window_of_nothing() -> None:
    frame = returns(2, seed=5)
    frame.iloc[:100, 0] = np.nan
    frame.iloc[100:, 1] = np.nan
    result = allocate(frame)
    assert result.diagnostics["young"] == ["p1"] or result.diagnostics["young"] == ["p0"]
    assert result.weights.sum() > 0


def test_constant_portfolio_is_left_out_and_comes_back() -> None:
    frame = returns(3, seed=7)
    flat = frame.copy()
    flat["p1"] = 0.0
    result = allocate(flat)
    assert result.weights["p1"] == 0.0
    assert result.diagnostics["constant"] == ["p1"]
    again = frame.copy()
    again.iloc[:-30, 1] = 0.0
    again["p1"] += np.where(np.arange(len(again)) >= len(again) - 30, 0.004, 0.0)
    assert allocate(again).weights["p1"] > 0


def test_a_portfolio_at_zero_is_not_locked_there() -> None:
    """Model returns go on without an allocation: current share 0 is no obstacle."""
    frame = returns(3, seed=7)
    current = pd.Series({"p0": 0.6, "p1": 0.0, "p2": 0.4})
    frame["p1"] += 0.005
    result = allocate(frame, current=current, previous=current)
    assert result.weights["p1"] > 0.1


def negative(n: int = 3) -> pd.DataFrame:
    frame = returns(n, seed=11)
    return frame - frame.mean() - 0.001


def test_no_positive_expected_return_gives_minimum_variance() -> None:
    result = allocate(negative())
    d = result.diagnostics
    assert d["method_used"] == "min_variance"
    assert d["reason"] == "max_sharpe: no positive expected return"
    assert (result.weights >= 0).all()
    assert_allclose(result.weights, allocate(negative(), method="min_variance").weights)
    # Positive, but not above the risk-free rate.
    frame = returns(3, seed=2, drift=0.0002) + 0.0002
    assert allocate(frame, method="tangency", risk_free=0.9).diagnostics["method_used"] == "min_variance"


def test_incredible_volatility_reuses_the_previous_target() -> None:
    frame = returns(3, seed=1, vol=0.08, drift=0.01)
    previous = pd.Series({"p2": 0.3, "p0": 0.25, "gone": 0.4})
    result = allocate(frame, previous=previous)
    assert result.weights.to_dict() == {"p0": 0.25, "p1": 0.0, "p2": 0.3}
    assert result.diagnostics["method_used"] == "previous"
    assert "not credible" in result.diagnostics["reason"]
    halved = allocate(frame, previous=previous, scale=0.5)
    assert halved.weights.to_dict() == {"p0": 0.125, "p1": 0.0, "p2": 0.15}
    assert halved.diagnostics["target"] == {"p0": 0.25, "p1": 0.0, "p2": 0.3}
    cash = allocate(frame)
    assert (cash.weights == 0).all()
    assert cash.diagnostics["method_used"] == "cash"
    assert cash.diagnostics["reason"].endswith("no previous target")


def test_nothing_varies_is_cash_or_previous() -> None:
    frame = returns(3) * 0.0
    assert (allocate(frame).weights == 0).all()
    assert allocate(frame, previous=pd.Series({"p0": 0.5})).weights["p0"] == 0.5


def test_a_method_that_fails_falls_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(moments: Any) -> np.ndarray:
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setitem(METHODS, "equal", broken)
    result = allocate(returns(3), method="equal")
    assert result.diagnostics["method_used"] == "min_variance"
    assert result.diagnostics["reason"] == "equal: singular"
    monkeypatch.setitem(METHODS, "equal", lambda moments: np.full(3, np.nan))
    assert allocate(returns(3), method="equal").diagnostics["reason"] == "equal: weights are not finite"


@pytest.mark.parametrize("high", [1.0, 0.4])
def test_an_optimum_that_is_none_is_not_used(monkeypatch: pytest.MonkeyPatch, high: float) -> None:
    """The conditions of the optimum are checked on every result: a solver that stops early is a reason, not a share."""
    exact = solvers.nnls

    def early(matrix: np.ndarray, target: np.ndarray, **options: Any) -> tuple[np.ndarray, float]:
        found, rest = exact(matrix, target, **options)
        return found * np.linspace(0.98, 1.02, len(found)), rest

    frame = returns(6, drift=0.001)
    assert allocate(frame, method="max_sharpe_exact", max_weight=high).diagnostics["method_used"] == "max_sharpe_exact"
    monkeypatch.setattr(solvers, "nnls", early)
    result = allocate(frame, method="max_sharpe_exact", max_weight=high)
    assert result.diagnostics["method_used"] == "min_variance"
    assert "away from the optimum" in result.diagnostics["reason"]


def test_exact_honours_bounds_inside_the_optimisation() -> None:
    frame = returns(6, seed=21, vol=0.004, drift=0.0015)
    free = allocate(frame, method="max_sharpe_exact")
    assert free.weights.max() > 0.3
    bound = allocate(frame, method="max_sharpe_exact", max_weight=0.3)
    assert bound.weights.max() <= 0.3 + 1e-12
    assert bound.weights.sum() == pytest.approx(1.0)  # the excess is reinvested by the optimiser, not left in cash
    # Bounds that no full mix can meet leave cash.
    tight = allocate(frame, method="max_sharpe_exact", max_weight=0.1)
    assert_allclose(tight.weights, 0.1)


def test_scale_and_caps_go_to_cash_after_bounds() -> None:
    frame = returns(4, seed=3, vol=0.004, drift=0.001)
    base = allocate(frame, method="equal")
    scaled = allocate(frame, method="equal", scale=0.6, caps={"p1": 0.05})
    assert_allclose(scaled.weights, [0.15, 0.05, 0.15, 0.15])
    assert scaled.diagnostics["target"] == pytest.approx(base.diagnostics["target"])
    assert scaled.diagnostics["cash"] == pytest.approx(0.5)


def test_band_keeps_small_moves_and_nothing_is_renormalised() -> None:
    """Defect 4: the names the band had frozen moved again in the last division."""
    frame = returns(4, seed=3, vol=0.004, drift=0.001)
    current = pd.Series({"p0": 0.246, "p1": 0.254, "p2": 0.30, "p3": 0.10})
    result = allocate(frame, method="equal", current=current)
    # Sum would be 0.246 + 0.254 + 0.25 + 0.25 = 1.0: within gross.
    assert result.weights.to_dict() == pytest.approx({"p0": 0.246, "p1": 0.254, "p2": 0.25, "p3": 0.25}, abs=1e-15)
    assert result.diagnostics["kept_by_band"] == ["p0", "p1"]
    assert result.diagnostics["turnover"] == pytest.approx(0.05 + 0.15)


def test_band_gives_way_when_the_sum_exceeds_gross() -> None:
    frame = returns(4, seed=3, vol=0.004, drift=0.001)
    current = pd.Series({"p0": 0.254, "p1": 0.254, "p2": 0.247, "p3": 0.2})
    result = allocate(frame, method="equal", current=current)
    assert_allclose(result.weights, [0.25, 0.25, 0.247, 0.25], atol=1e-15)
    assert result.diagnostics["band_note"] == "gross"


def test_band_does_not_hold_an_exit_or_a_breach() -> None:
    target = pd.Series({"a": 0.0, "b": 0.100, "c": 0.2})
    current = pd.Series({"a": 0.003, "b": 0.104, "c": 0.203, "d": 0.002})
    kept = apply_band(target, current, caps=pd.Series({"b": 0.1}))
    assert kept.to_dict() == {"a": 0.0, "b": 0.1, "c": 0.203, "d": 0.0}


def test_band_never_lets_volatility_pass_the_limit() -> None:
    frame = returns(6, seed=2, vol=0.03, drift=0.002)
    target = allocate(frame, method="equal", target_vol=0.12).weights
    current = target + 0.004
    result = allocate(frame, method="equal", target_vol=0.12, current=current)
    assert ex_ante(frame, result.weights) <= 0.12 + 1e-9


def test_weekly_decision_does_not_compound_itself() -> None:
    """Defect 8: ten weeks on the same data change nothing, where the predecessor went 0.1, 0.01, 0.001."""
    frame = returns(4, seed=12)
    first = allocate(frame)
    current, previous = first.weights, pd.Series(first.diagnostics["target"])
    for _ in range(10):
        again = allocate(frame, current=current, previous=previous)
        pd.testing.assert_series_equal(again.weights, first.weights)
        current, previous = again.weights, pd.Series(again.diagnostics["target"])


def test_allocation_does_not_see_after_its_last_row() -> None:
    """Defect 7: what comes later does not change what was decided."""
    frame = returns(4, weeks=45, seed=13)
    cut = frame.iloc[:200]
    before = allocate(cut).weights
    garbage = frame.copy()
    garbage.iloc[200:] = 0.5
    pd.testing.assert_series_equal(allocate(garbage.iloc[:200]).weights, before)


def test_only_the_last_weeks_count() -> None:
    frame = returns(4, weeks=60, seed=14)
    pd.testing.assert_series_equal(allocate(frame).weights, allocate(frame.iloc[-180:]).weights)
    assert allocate(frame, max_weeks=13).diagnostics["n_weeks"] == 13


def test_bad_input_is_refused() -> None:
    frame = returns(3)
    frame.iloc[5, 1] = np.inf
    with pytest.raises(AllocationError, match="p1 on 2025-01-13 is infinite"):
        allocate(frame)
    with pytest.raises(AllocationError, match="current share of p0"):
        allocate(returns(3), current=pd.Series({"p0": -0.1}))


def test_result_is_frozen_and_storable() -> None:
    result = allocate(returns(3), current=pd.Series({"p0": 0.1}))
    assert isinstance(result, Allocation)
    with pytest.raises(AttributeError):
        result.weights = None  # type: ignore[misc]
    assert json.loads(json.dumps(result.diagnostics, allow_nan=False))["n_weeks"] == 36


def test_empty_book() -> None:
    assert allocate(pd.DataFrame(index=pd.bdate_range("2025-01-06", periods=5))).weights.empty


books = st.tuples(
    st.integers(2, 9), st.integers(3, 45), st.integers(0, 2**32 - 1), st.floats(-0.001, 0.002), st.floats(0.002, 0.035)
)


@settings(max_examples=35, deadline=None)
@given(
    books,
    st.sampled_from(sorted(METHODS)),
    st.floats(0.0, 0.1),
    st.floats(0.12, 1.0),
    st.floats(0.3, 1.0),
    st.floats(0.0, 0.03),
    st.integers(0, 2**32 - 1),
)
def test_properties(
    book: tuple[int, int, int, float, float],
    method: str,
    low: float,
    high: float,
    scale: float,
    band: float,
    seed: int,
) -> None:
    """Gross, bounds, volatility promise, band and idempotence on random books."""
    n, weeks, data_seed, drift, vol = book
    low = min(low, 1.0 / n)
    frame = returns(n, weeks=weeks, seed=data_seed, drift=drift, vol=vol)
    rng = np.random.default_rng(seed)
    drifted = pd.Series(rng.dirichlet(np.ones(n)) * rng.uniform(0, 1), index=frame.columns)
    options: dict[str, Any] = {"method": method, "min_weight": low, "max_weight": high, "scale": scale, "band": band}
    target = allocate(frame, **options)
    final = allocate(frame, current=drifted, **options)
    d = final.diagnostics
    shares = pd.Series(d["target"])
    assert (final.weights >= 0).all()
    assert final.weights.sum() <= 1 + 1e-9
    assert final.weights.sum() <= d["gross"] * scale + 1e-9 or final.weights.sum() <= target.weights.sum() + 1e-9
    assert shares.max() <= high + 1e-12
    assert ((shares == 0) | (shares >= low - 1e-12)).all()
    for result in (target, final):
        vol_now = result.diagnostics["expected_vol"]
        if vol_now is not None:
            assert vol_now <= 0.12 + 1e-9
    # Every share is the current one or the target: no more turnover than without a band.
    kept = np.isclose(final.weights, drifted, atol=1e-15)
    moved = np.isclose(final.weights, target.weights, atol=1e-15)
    assert (kept | moved).all()
    assert (final.weights - drifted).abs().sum() <= (target.weights - drifted).abs().sum() + 1e-12
    again = allocate(frame, current=final.weights, **options)
    pd.testing.assert_series_equal(again.weights, final.weights, rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(books, st.sampled_from(sorted(METHODS)))
def test_order_of_columns_does_not_matter(book: tuple[int, int, int, float, float], method: str) -> None:
    """Not even where shares are tied and only some fit (a minimum, a window too short), or a tree is built (hrp)."""
    n, weeks, seed, drift, vol = book
    frame = returns(n, weeks=weeks, seed=seed, drift=drift, vol=vol)
    options: dict[str, Any] = {"method": method, "min_weight": 0.9 / n}
    there = allocate(frame, **options)
    shuffled = np.random.default_rng(seed).permutation(frame.columns)
    back = allocate(frame[shuffled], **options)
    assert list(back.weights.index) == list(shuffled)
    assert back.diagnostics == there.diagnostics
    pd.testing.assert_series_equal(back.weights[frame.columns], there.weights, rtol=0, atol=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3.0), st.sampled_from(["max_sharpe", "min_variance", "risk_parity"]))
def test_mix_is_free_of_scale(seed: int, factor: float, method: str) -> None:
    """Twice the weekly moves: the same mix, half the gross."""
    weekly = weekly_returns(returns(4, weeks=40, seed=seed, vol=0.008)).iloc[-36:]
    one = allocate(rows_as_daily(weekly), method=method)
    other = allocate(rows_as_daily(weekly * factor), method=method)
    if one.diagnostics["mix"] and other.diagnostics["mix"]:
        assert_allclose(list(other.diagnostics["mix"].values()), list(one.diagnostics["mix"].values()), atol=1e-8)
        assert other.diagnostics["mix_vol"] == pytest.approx(one.diagnostics["mix_vol"] * factor)
