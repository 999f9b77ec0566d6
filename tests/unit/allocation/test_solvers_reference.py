"""Published optima and independent solvers against which the exact solvers are held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from pas_lib.allocation import METHODS, Moments, NoSolution
from pas_lib.allocation.solvers import (
    factor,
    kkt_violation,
    max_sharpe_long_only,
    min_variance,
    positive_part,
    risk_parity,
)

DATA = Path(__file__).parent / "data"


def moments_of(name: str) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    table = pd.read_csv(DATA / name, index_col=0)
    return table.index, table["mean"].to_numpy(), table.drop(columns="mean").to_numpy()


def sharpe(w: np.ndarray, mean: np.ndarray, cov: np.ndarray, rf: float = 0.0) -> float:
    return float((w @ mean - rf) / np.sqrt(w @ cov @ w))


def test_pypfopt_twenty_stocks() -> None:
    """PyPortfolioOpt (MIT) test_max_sharpe_long_only; annual moments of its tests/resources/stock_prices.csv."""
    _, mean, cov = moments_of("twenty_stocks_annual.csv")
    w = max_sharpe_long_only(mean - 0.02, cov)
    assert w.sum() == pytest.approx(1.0, abs=1e-14)
    assert w @ mean == pytest.approx(0.3047768672819914, abs=1e-12)
    assert np.sqrt(w @ cov @ w) == pytest.approx(0.22165566922402932, abs=1e-12)
    assert sharpe(w, mean, cov, 0.02) == pytest.approx(1.2847714127003216, abs=1e-12)
    assert kkt_violation(w, mean - 0.02, cov) < 1e-10


def test_positive_part_is_not_the_optimum() -> None:
    """Defect 5: clipping loses Sharpe; it is kept as a method of its own, not sold as the optimum."""
    _, mean, cov = moments_of("twenty_stocks_annual.csv")
    w = positive_part(mean - 0.02, cov)
    assert sharpe(w, mean, cov, 0.02) == pytest.approx(1.25938, abs=1e-5)


def test_riskfolio_ten_stocks() -> None:
    """Riskfolio-Lib (BSD-3) tests/Classic_Sharpe.csv, Classic_MinRisk.csv and Classic_RP.csv, column MV."""
    names, mean, cov = moments_of("ten_stocks_daily.csv")
    w = pd.Series(max_sharpe_long_only(mean, cov), index=names)
    want = {"CPB": 0.38571183, "JPM": 0.33215875, "TGT": 0.20904658, "MMC": 0.07308277}
    assert_allclose(w[list(want)], list(want.values()), atol=1e-7)
    assert (w.drop(list(want)) == 0.0).all()
    low = pd.Series(min_variance(cov), index=names)
    assert_allclose(
        low[["AMZN", "CMCSA", "CPB", "JCI", "JPM", "MMC", "MO", "TGT"]],
        [0.0891767, 0.1850801, 0.179736, 0.1826527, 0.0286155, 0.1891777, 0.1153479, 0.0302132],
        atol=1e-6,
    )
    parity = pd.Series(risk_parity(cov), index=names)
    assert_allclose(
        parity[["AMZN", "APA", "CMCSA", "CPB", "ZION"]],
        [0.1044615, 0.0449590, 0.1187822, 0.1412914, 0.0760426],
        atol=5e-6,
    )


_, CLA_MEAN, CLA_COV = moments_of("cla_ten_assets.csv")
CLA_WEIGHTS = np.array(
    [
        *(0.08397318948217423, 0.04890598613711377, 0.0, 0.21830925954049477, 0.0016773041709357821),
        *(0.18120064671441183, 0.0, 0.031183038765169507, 0.007859012532850177, 0.42689156265685),
    ]
)


def test_bailey_lopez_de_prado() -> None:
    """Bailey & Lopez de Prado (2013), An Open-Source Implementation of the Critical-Line Algorithm."""
    w = max_sharpe_long_only(CLA_MEAN, CLA_COV)
    assert_allclose(w, CLA_WEIGHTS, atol=1e-12)
    assert sharpe(w, CLA_MEAN, CLA_COV) == pytest.approx(4.45353347664641, abs=1e-12)


def test_kopman_liu() -> None:
    """Kopman & Liu (2009), Maximizing the Sharpe Ratio and Information Ratio in the Barra Optimizer."""
    cov, mean = np.array([[0.05, 0.02], [0.02, 0.07]]), np.array([0.05, 0.10])
    assert_allclose(max_sharpe_long_only(mean, cov), [0.2727, 0.7273], atol=5e-5)
    with pytest.raises(NoSolution, match="no positive expected return"):
        max_sharpe_long_only(mean - 0.11, cov)


def test_chen_tsai_lin() -> None:
    """Chen, Tsai & Lin (2011), Optimal mean-variance portfolio selection using Cauchy-Schwarz maximization; rf 5 %."""
    deviation = np.array([0.2929, 0.3252, 0.3278, 0.2555, 0.3943, 0.5698])
    correlation = np.array(
        [
            [1.0000, 0.1484, 0.3076, 0.3685, 0.4482, 0.3802],
            [0.1484, 1.0000, 0.0382, -0.1451, 0.2714, 0.1025],
            [0.3076, 0.0382, 1.0000, 0.2990, 0.3634, 0.4388],
            [0.3685, -0.1451, 0.2990, 1.0000, 0.2756, 0.2796],
            [0.4482, 0.2714, 0.3634, 0.2756, 1.0000, 0.7542],
            [0.3802, 0.1025, 0.4388, 0.2796, 0.7542, 1.0000],
        ]
    )
    cov = correlation * np.outer(deviation, deviation)
    mean = np.array([0.0912, 0.1087, 0.1283, 0.1882, 0.2896, 0.3739])
    w = max_sharpe_long_only(mean - 0.05, cov)
    assert_allclose(w, [0, 0.1355, 0, 0.5153, 0.2290, 0.1202], atol=6e-5)
    assert sharpe(w, mean, cov, 0.05) == pytest.approx(0.7433915, abs=1e-6)


def test_kwan_yuan_indefinite_matrix_is_refused() -> None:
    """The matrix printed by Kwan & Yuan has a negative eigenvalue: there is no answer to give."""
    cov = np.array(
        [
            [0.010, 0.010, -0.0018, 0.0024, 0.0016, 0.0048],
            [0.010, 0.0625, 0.0135, 0.009, 0.002, 0.008],
            [-0.0018, 0.0135, 0.0324, 0.00432, -0.00288, 0.00864],
            [0.0024, 0.009, 0.00432, 0.0144, 0.0096, 0.00192],
            [0.0016, 0.002, -0.00288, 0.0096, 0.0064, 0.00256],
            [0.0048, 0.008, 0.00864, 0.00192, 0.00256, 0.0256],
        ]
    )
    with pytest.raises(NoSolution, match="not positive definite"):
        max_sharpe_long_only(np.array([0.15, 0.18, 0.20, 0.11, 0.13, 0.12]) - 0.08, cov)
    with pytest.raises(NoSolution):
        factor(cov)


def test_markowitz_nine_securities() -> None:
    """Markowitz (1959), Portfolio Selection, chapter II; the optimum as validated by portfolio_allocation_js (MIT)."""
    _, mean, cov = moments_of("markowitz_nine_securities.csv")
    w = max_sharpe_long_only(mean, cov)
    assert sharpe(w, mean, cov) == pytest.approx(0.8520782020723374, abs=1e-12)
    assert kkt_violation(w, mean, cov) < 1e-10
    # With a tenth security that is cash (no variance, no return) any part of it gives the same ratio: a matrix
    # without an inverse is refused. The allocation leaves such a portfolio out before it comes to this.
    with_cash = np.pad(cov, (0, 1))
    with pytest.raises(NoSolution, match="not positive definite"):
        max_sharpe_long_only(np.append(mean, 0.0), with_cash)


def test_bounds_with_a_single_feasible_point() -> None:
    w = max_sharpe_long_only(np.array([0.1, 0.2]), np.eye(2), lower=np.array([0.4, 0.6]))
    assert_allclose(w, [0.4, 0.6], atol=1e-12)


def test_lean_history_with_lower_bound_and_rate() -> None:
    """QuantConnect/Lean (Apache-2), MaximumSharpeRatioPortfolioOptimizerTests: lower 0, rate 4 % gives (0, 0, 1)."""
    history = np.array([[0.02, -0.02, 0.28], [-0.50, -0.29, -0.13], [0.81, 0.29, 0.31], [-0.03, -0.00, 0.01]])
    w = max_sharpe_long_only(history.mean(axis=0) - 0.04, np.cov(history.T))
    assert_allclose(w, [0, 0, 1], atol=5e-7)


def test_sector_rows_are_respected() -> None:
    rows = np.zeros((1, 10))
    rows[0, [0, 1, 3, 9]] = 1.0
    w = max_sharpe_long_only(CLA_MEAN, CLA_COV, upper=0.3, caps=rows, cap_limits=np.array([0.5]))
    assert rows[0] @ w <= 0.5 + 1e-9
    assert w.max() <= 0.3 + 1e-12
    assert sharpe(w, CLA_MEAN, CLA_COV) < 4.4535


def test_infeasible_bounds_are_named() -> None:
    with pytest.raises(NoSolution, match="upper sum 0.9"):
        max_sharpe_long_only(np.ones(3), np.eye(3), upper=0.3)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n, max(1, n // 3)))
    cov = loadings @ loadings.T * 1e-4 + np.diag(rng.uniform(1e-5, 4e-4, n))
    return rng.normal(0.001, 0.004, n), cov


@settings(max_examples=60, deadline=None)
@given(problems())
def test_long_only_optimum_satisfies_kkt(problem: tuple[np.ndarray, np.ndarray]) -> None:
    mean, cov = problem
    if mean.max() <= 0:
        with pytest.raises(NoSolution):
            max_sharpe_long_only(mean, cov)
        return
    w = max_sharpe_long_only(mean, cov)
    assert (w >= 0).all()
    assert w.sum() == pytest.approx(1.0, abs=1e-12)
    assert kkt_violation(w, mean, cov) < 1e-7
    try:
        clipped = positive_part(mean, cov)
    except NoSolution:
        return
    assert sharpe(w, mean, cov) >= sharpe(clipped, mean, cov) - 1e-10


@settings(max_examples=15, deadline=None)
@given(problems(), st.floats(0.25, 0.9), st.floats(0.0, 0.9))
def test_bounded_optimum_agrees_with_a_general_solver(
    problem: tuple[np.ndarray, np.ndarray], high: float, low_share: float
) -> None:
    mean, cov = problem
    n = len(mean)
    high, low = max(high, 1.05 / n), low_share / n
    assume(np.sort(mean)[::-1][0] > 2e-4)
    try:
        w = max_sharpe_long_only(mean, cov, lower=low, upper=high)
    except NoSolution:
        # Then even the best corner within bounds must have no positive mean.
        order = np.argsort(-mean)
        best, left = np.full(n, low), 1.0 - n * low
        for i in order:
            step = min(left, high - low)
            best[i] += step
            left -= step
        assert best @ mean <= 1e-7
        return
    assert w.min() >= low - 1e-12
    assert w.max() <= high + 1e-12
    assert w.sum() == pytest.approx(1.0, abs=1e-8)
    found = minimize(
        lambda x: -(x @ mean) / np.sqrt(x @ cov @ x),
        np.full(n, 1.0 / n),
        bounds=[(low, high)] * n,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1.0},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    if found.success:
        assert sharpe(w, mean, cov) >= -found.fun - 1e-6


@settings(max_examples=25, deadline=None)
@given(problems())
def test_min_variance_and_risk_parity(problem: tuple[np.ndarray, np.ndarray]) -> None:
    """Defect 6: minimum variance is long-only."""
    _, cov = problem
    low = min_variance(cov)
    assert (low >= 0).all()
    assert low.sum() == pytest.approx(1.0, abs=1e-12)
    marginal = cov @ low
    variance = low @ marginal
    assert (marginal >= variance * (1 - 1e-7)).all()
    parity = risk_parity(cov)
    contribution = parity * (cov @ parity)
    assert_allclose(contribution, contribution.mean(), rtol=1e-6)


def test_min_variance_of_the_known_negative_case() -> None:
    """The unconstrained answer here is (1.33, -0.33)."""
    cov = np.array([[0.01, 0.02], [0.02, 0.05]])
    assert_allclose(min_variance(cov), [1.0, 0.0], atol=1e-12)


def test_hrp_by_hand() -> None:
    """Two independent assets: inverse variance; one more far away keeps the pair together."""
    hrp = METHODS["hrp"]
    two = hrp(Moments(np.empty((0, 2)), np.zeros(2), np.diag([0.01, 0.04])))
    assert_allclose(two, [0.8, 0.2], atol=1e-12)
    one = hrp(Moments(np.empty((0, 1)), np.zeros(1), np.array([[0.01]])))
    assert_allclose(one, [1.0])


def test_hrp_equals_pypfopt() -> None:
    """PyPortfolioOpt 1.6 HRPOpt(cov_matrix=...).optimize("single") on the same covariance."""
    names, mean, cov = moments_of("ten_stocks_daily.csv")
    w = pd.Series(METHODS["hrp"](Moments(np.empty((0, 10)), mean, cov)), index=names)
    want = {"AMZN": 0.0952357229, "APA": 0.0241677489, "CMCSA": 0.1299966688, "CPB": 0.1008217781, "JCI": 0.158797326}
    assert_allclose(w[list(want)], list(want.values()), atol=1e-10)
    assert w.sum() == pytest.approx(1.0, abs=1e-14)


def test_metric_tilt_ranks() -> None:
    """The portfolio that is best on each figure gets n / sum of ranks."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (36, 1)) @ np.ones((1, 3))
    x = noise + np.array([0.004, 0.001, -0.003]) + rng.normal(0, 1e-4, (36, 3))
    w = METHODS["metric_tilt"](Moments(x, x.mean(axis=0), np.cov(x.T)))
    assert_allclose(w, np.array([3, 2, 1]) / 6, atol=1e-12)
