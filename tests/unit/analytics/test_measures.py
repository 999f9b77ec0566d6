"""Golden values, independent definitions, conventions, degenerate input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import linregress, norm

from pas_lib.analytics import (
    KEYS,
    ROLLING,
    alpha,
    annual_volatility,
    beta,
    cagr,
    calmar,
    downside_deviation,
    information_ratio,
    max_drawdown,
    performance_summary,
    performance_table,
    probabilistic_sharpe,
    rolling_table,
    sharpe,
    sharpe_standard_error,
    sortino,
    tracking_error,
    win_rate,
)

#: Fixtures of empyrical-reloaded (Apache-2), tests/test_stats.py.
MIXED = pd.Series([np.nan, 1, 10, -4, 2, 3, 2, 1, -10], index=pd.bdate_range("2000-01-03", periods=9)) / 100
NEGATIVE = pd.Series([0, -6, -7, -1, -9, -2, -6, -8, -5], index=MIXED.index) / 100
ALL_NEGATIVE = pd.Series([-2, -6, -7, -1, -9, -2, -6, -8, -5], index=MIXED.index) / 100


def test_golden_values_of_empyrical() -> None:
    assert sharpe(MIXED) == pytest.approx(1.7238613961706866, rel=1e-13)
    assert sortino(MIXED) == pytest.approx(2.605531251673693, rel=1e-13)
    assert downside_deviation(MIXED) == pytest.approx(0.60448325038829653, rel=1e-13)
    assert annual_volatility(MIXED) == pytest.approx(0.9136465399704637, rel=1e-13)
    assert max_drawdown(MIXED) == pytest.approx(-0.10, rel=1e-13)
    assert sharpe(NEGATIVE) == pytest.approx(-24.406808633910085, rel=1e-12)
    assert sortino(NEGATIVE) == pytest.approx(-13.532743075043401, rel=1e-12)
    assert max_drawdown(NEGATIVE) == pytest.approx(-0.36590730349873601, rel=1e-12)
    assert win_rate(MIXED) == 0.75


def test_information_ratio_is_annualised() -> None:
    """Defect 13. empyrical's excess_sharpe against 0 is 0.10859 per period; ours is that times sqrt(252)."""
    zero = pd.Series(0.0, index=MIXED.index)
    assert information_ratio(MIXED, zero) == pytest.approx(0.10859306069076737 * math.sqrt(252), rel=1e-12)


def test_cagr_counts_valid_observations_only() -> None:
    """empyrical counts the NaN row: 9 periods give 1.9135925373194231."""
    growth = float((1 + MIXED.dropna()).prod())
    assert cagr(MIXED) == pytest.approx(growth ** (252 / 8) - 1, rel=1e-12)
    assert growth ** (252 / 9) - 1 == pytest.approx(1.9135925373194231, rel=1e-12)
    assert calmar(MIXED) == pytest.approx(cagr(MIXED) / 0.10, rel=1e-12)


def test_drawdown_counts_the_starting_capital() -> None:
    """Defect 14: forgetting it gives -0.3659 here."""
    assert max_drawdown(ALL_NEGATIVE) == pytest.approx(-0.378589157, abs=1e-9)
    assert max_drawdown([-0.5, 0.5]) == -0.5
    assert max_drawdown([0.1, 0.1]) == 0.0


def test_alpha_and_beta_of_the_negative_benchmark() -> None:
    """empyrical: beta -0.71296..., alpha compounded -0.9997853834885004; ours is arithmetic by default."""
    returns, benchmark = MIXED.iloc[1:], NEGATIVE.iloc[1:]
    assert beta(returns, benchmark) == pytest.approx(-0.71296296296296313, rel=1e-12)
    assert alpha(returns, benchmark, compounding=True) == pytest.approx(-0.9997853834885004, rel=1e-12)
    line = linregress(benchmark, returns)
    assert beta(returns, benchmark) == pytest.approx(line.slope, rel=1e-12)
    assert alpha(returns, benchmark) == pytest.approx(line.intercept * 252, rel=1e-12)


def test_annual_rate_is_not_subtracted_daily() -> None:
    """Defect 11: 5 % a day would make this Sharpe about -79."""
    rng = np.random.default_rng(0)
    returns = rng.normal(0.0006, 0.01, 1000)
    rate = 1.05 ** (1 / 252) - 1
    want = (returns.mean() - rate) / returns.std(ddof=1) * math.sqrt(252)
    assert sharpe(returns, 0.05) == pytest.approx(want, rel=1e-12)
    assert sharpe(returns) - sharpe(returns, 0.05) == pytest.approx((rate * 252) / annual_volatility(returns), rel=1e-9)


def test_sortino_uses_all_observations() -> None:
    """Defect 12: the deviation of the losing subset gives 3.307 here, and 0 with a single loss."""
    assert sortino([0.01, 0.02, -0.01, 0.03]) == pytest.approx(0.0125 * 252 / (0.005 * math.sqrt(252)), rel=1e-12)
    assert math.isnan(sortino([0.01, 0.02, 0.03]))


def test_benchmark_is_matched_by_label_and_never_filled() -> None:
    """Defect 15: a missing benchmark day is no return of 0."""
    rng = np.random.default_rng(1)
    index = pd.bdate_range("2024-01-01", periods=300)
    benchmark = pd.Series(rng.normal(0, 0.01, 300), index=index)
    returns = 1.3 * benchmark + 0.0002
    holed = benchmark.drop(index[[5, 77, 200]]).sample(frac=1, random_state=1)
    assert beta(returns, holed) == pytest.approx(1.3, rel=1e-12)
    assert alpha(returns, holed) == pytest.approx(0.0002 * 252, rel=1e-10)
    kept = returns.drop(index[[5, 77, 200]]) - benchmark.drop(index[[5, 77, 200]])
    assert tracking_error(returns, holed) == pytest.approx(kept.std() * math.sqrt(252), rel=1e-12)


@pytest.mark.parametrize("returns", [[], [0.01], [np.nan, 0.01, np.nan]])
def test_fewer_than_two_observations_are_nan(returns: list[float]) -> None:
    series = pd.Series(returns, dtype=float)
    assert all(math.isnan(v) for v in performance_summary(series, series).values())


def test_zero_variance_is_nan_not_zero_and_not_infinite() -> None:
    constant = pd.Series(np.full(100, 0.001))
    moving = pd.Series(np.random.default_rng(0).normal(0, 0.01, 100))
    got = performance_summary(constant, constant)
    assert got["annual_volatility"] == 0.0
    assert got["tracking_error"] == 0.0
    for key in ("sharpe", "sortino", "information_ratio", "beta", "alpha", "calmar"):
        assert math.isnan(got[key]), key
    assert math.isnan(performance_summary(moving, constant)["beta"])
    assert math.isnan(sharpe(np.full(50, 0.1 + 0.2)))


def test_total_loss() -> None:
    got = performance_summary(pd.Series([0.1, -1.0, 0.2]))
    assert got["cagr"] == -1.0
    assert got["max_drawdown"] == -1.0


def test_summary_has_exactly_the_agreed_keys() -> None:
    got = performance_summary(MIXED)
    assert tuple(got) == KEYS
    assert set(KEYS) == {
        *("sharpe", "sortino", "alpha", "beta", "tracking_error", "information_ratio", "max_drawdown"),
        *("cagr", "annual_volatility", "calmar", "win_rate", "var_95", "cvar_95"),
        *("sharpe_se", "probabilistic_sharpe"),
    }
    assert [k for k, v in got.items() if math.isnan(v)] == ["alpha", "beta", "tracking_error", "information_ratio"]


def test_sharpe_uncertainty() -> None:
    rng = np.random.default_rng(2)
    weeks = rng.normal(0, 0.01, 36)
    assert sharpe_standard_error(weeks, periods=52) == pytest.approx(1.2, abs=0.05)
    sample = rng.normal(0.0005, 0.01, 2000)
    each = sharpe(sample) / math.sqrt(252)
    # Close to normal returns: the plain normal approximation.
    assert probabilistic_sharpe(sample) == pytest.approx(
        norm.cdf(each * math.sqrt(1999) / math.sqrt(1 + each**2 / 2)), abs=2e-3
    )
    assert probabilistic_sharpe(sample, threshold=sharpe(sample)) == pytest.approx(0.5)
    assert math.isnan(probabilistic_sharpe([0.01, 0.01]))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans(), st.floats(0, 0.1))
def test_table_equals_single_summaries(seed: int, t: int, holes: bool, rate: float) -> None:
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2024-01-01", periods=t)
    frame = pd.DataFrame(rng.normal(0.0005, 0.02, (t, 5)), index=index)
    frame[3] = 0.001
    frame[4] = np.abs(frame[4])
    benchmark = pd.Series(rng.normal(0, 0.01, t), index=index)
    if holes:
        frame = frame.mask(rng.random(frame.shape) < 0.2)
    for base in (None, benchmark, benchmark.iloc[: t // 2 + 1]):
        table = performance_table(frame, base, rate)
        assert tuple(table.columns) == KEYS
        for name in frame:
            want = performance_summary(frame[name], base, rate)
            assert_allclose(table.loc[name], list(want.values()), rtol=1e-9, atol=1e-12, err_msg=str(name))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_translation_and_noise(seed: int) -> None:
    """A constant leaves the deviation, a shift up the drawdown no deeper, a common shift the active return."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.001, 0.01, 200)
    assert annual_volatility(x + 0.01) == pytest.approx(annual_volatility(x), rel=1e-9)
    assert max_drawdown(x + 0.001) >= max_drawdown(x)
    assert -1.0 <= max_drawdown(x) <= 0.0
    b = rng.normal(0, 0.01, 200)
    assert information_ratio(x + 0.003, b + 0.003) == pytest.approx(information_ratio(x, b), rel=1e-9)


def test_a_window_is_a_short_series_and_a_missing_return_makes_it_shorter() -> None:
    rng = np.random.default_rng(4)
    index = pd.bdate_range("2025-01-01", periods=80)
    base = pd.Series(rng.normal(0, 0.01, 80), index=index)
    returns = 0.5 * base + rng.normal(0, 0.005, 80)
    returns.iloc[30] = np.nan
    rolled = rolling_table(returns, 21, base, 0.02)
    assert tuple(rolled.columns) == ROLLING
    assert list(rolled.index) == list(index[20:])
    for end in (20, 30, 50, 79):
        part = returns.iloc[end - 20 : end + 1]
        want = performance_summary(part, base, 0.02)
        row = rolled.loc[index[end]]
        assert row["n_obs"] == part.notna().sum()
        assert row["total_return"] == pytest.approx((1 + part.dropna()).prod() - 1, rel=1e-12)
        for key in ("annual_volatility", "sharpe", "beta"):
            assert row[key] == pytest.approx(want[key], rel=1e-12), (end, key)
    still = rolling_table(pd.Series(0.001, index=index), 21)
    assert still["sharpe"].isna().all()
    assert (still["annual_volatility"] == 0.0).all()
    assert still["beta"].isna().all()
    with pytest.raises(ValueError, match="two sessions"):
        rolling_table(returns, 1)


def two_series(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A benchmark and a portfolio that follows it, from sums of uniform numbers, whose stream does not change."""
    rng = np.random.default_rng(seed)
    market, own = (rng.random((12, 300)).sum(axis=0) - 6.0 for _ in range(2))
    base = 0.0004 + 0.01 * market
    return base, 0.6 * base + 0.0002 + 0.008 * own


def by_empyrical(base: np.ndarray, x: np.ndarray) -> dict[str, float]:
    """The other library's figures; its information ratio is per period."""
    empyrical = pytest.importorskip("empyrical")
    return {
        "sharpe": float(empyrical.sharpe_ratio(x)),
        "sortino": float(empyrical.sortino_ratio(x)),
        "annual_volatility": float(empyrical.annual_volatility(x)),
        "max_drawdown": float(empyrical.max_drawdown(x)),
        "cagr": float(empyrical.cagr(x)),
        "calmar": float(empyrical.calmar_ratio(x)),
        "beta": float(empyrical.beta(x, base)),
        "information_ratio": float(empyrical.excess_sharpe(x, base)) * math.sqrt(252),
        "alpha": float(empyrical.alpha(x, base)),
    }


def assert_agrees(base: np.ndarray, x: np.ndarray, theirs: dict[str, float]) -> None:
    got = performance_summary(pd.Series(x), pd.Series(base))
    for key, want in theirs.items():
        # Theirs compounds alpha.
        ours = (1 + got["alpha"] / 252) ** 252 - 1 if key == "alpha" else got[key]
        assert ours == pytest.approx(want, rel=1e-10 if key == "alpha" else 1e-12), key


def test_agrees_with_what_empyrical_said_where_the_definitions_coincide() -> None:
    """Recorded figures of empyrical-reloaded 0.7.1, so that the comparison never depends on its being installed."""
    record = json.loads((Path(__file__).parent / "data" / "empyrical_0_7_1.json").read_text())
    assert len(record) == 20
    for seed, theirs in enumerate(record):
        assert_agrees(*two_series(seed), theirs)


def test_agrees_with_empyrical_itself() -> None:
    for seed in range(20):
        assert_agrees(*two_series(seed), by_empyrical(*two_series(seed)))
