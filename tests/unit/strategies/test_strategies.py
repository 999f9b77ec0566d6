"""Strategies: selection, weights computed by hand, too few names, old data, nothing from the future."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from pas_lib.errors import PayloadError, UnknownName
from pas_lib.strategies import (
    Cadence,
    FrameMarket,
    StrategyWeights,
    all_strategies,
    due_sessions,
    strategy,
    strategy_ids,
)

D = date(2026, 1, 30)
FRESH = {"politician_trades": 1.0, "wiki_views": 1.0, "prices": 0.3}


def signals(n: int, scores: list[float] | None = None) -> pd.DataFrame:
    values = scores if scores is not None else [float(n - i) for i in range(n)]
    return pd.DataFrame(
        {
            "security_id": [f"id{i:02d}" for i in range(n)],
            "symbol": [f"S{i:02d}" for i in range(n)],
            "score": values,
            "rank": range(1, n + 1),
        }
    )


def market(returns: pd.DataFrame | None = None, **kwargs: object) -> FrameMarket:
    frame = returns if returns is not None else pd.DataFrame(index=pd.DatetimeIndex([]))
    return FrameMarket(D, frame, **{"ages": FRESH, **kwargs})  # type: ignore[arg-type]


def test_the_four_strategies_are_found_with_their_metadata() -> None:
    assert set(strategy_ids()) >= {
        "congress_aggregate",
        "sector_risk_parity",
        "volatility_momentum",
        "wiki_attention",
    }
    found = {one.id: (one.cadence, one.take) for one in all_strategies()}
    assert found["congress_aggregate"] == (Cadence.WEEKLY, 20)
    assert found["wiki_attention"] == (Cadence.MONTHLY, 10)
    assert found["sector_risk_parity"] == (Cadence.WEEKLY, 3)
    assert found["volatility_momentum"] == (Cadence.WEEKLY, 20)
    for one in all_strategies():
        assert set(one.tolerance) == set(one.datasets), one.id


def test_unknown_strategy_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean wiki_attention"):
        strategy("wiki_atention")


def test_equal_weight_of_a_full_basket_is_one_over_take() -> None:
    got = strategy("congress_aggregate").target_weights(signals(30), market())
    assert list(got.weights.index) == [f"id{i:02d}" for i in range(20)]
    assert got.weights.to_list() == [0.05] * 20
    assert got.note == ""
    assert got.symbols["id03"] == "S03"
    assert abs(got.cash) < 1e-12


def test_too_few_names_keep_their_share_and_the_rest_is_cash_with_a_note() -> None:
    got = strategy("wiki_attention").target_weights(signals(4), market())
    assert got.weights.to_list() == [0.1] * 4
    assert got.cash == pytest.approx(0.6)
    assert got.note == "4 of 10 names; 60.0% held in cash"


def test_net_sales_are_never_bought() -> None:
    got = strategy("congress_aggregate").target_weights(signals(3, [5.0, 0.0, -2.0]), market())
    assert got.weights.to_dict() == {"id00": 0.05}


def test_momentum_holds_the_best_even_when_all_fell() -> None:
    got = strategy("volatility_momentum").target_weights(signals(2, [-0.1, -0.2]), market())
    assert got.weights.to_dict() == {"id00": 0.05, "id01": 0.05}


def test_ties_of_rank_go_by_symbol_whatever_the_row_order() -> None:
    rows = signals(12)
    rows["rank"] = 1
    one = strategy("wiki_attention").target_weights(rows, market())
    two = strategy("wiki_attention").target_weights(rows.iloc[::-1], market())
    assert list(one.weights.index) == list(two.weights.index) == [f"id{i:02d}" for i in range(10)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="rank"), "column 'rank' is missing"),
        (lambda f: pd.concat([f, f.head(1)]), "security 'id00' occurs twice"),
        (lambda f: f.assign(score=np.nan), "not a finite number"),
    ],
)
def test_a_broken_signal_is_refused(change: object, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        strategy("wiki_attention").target_weights(change(signals(3)), market())  # type: ignore[operator]


def test_old_data_leaves_the_previous_weights_flagged() -> None:
    before = StrategyWeights("wiki_attention", date(2025, 12, 31), pd.Series({"x": 0.7}), {"x": "XX"})
    got = strategy("wiki_attention").target_weights(
        signals(30), market(ages={"wiki_views": 5.1}, previous_weights={"wiki_attention": before})
    )
    assert got.is_stale
    assert got.weights.to_dict() == {"x": 0.7}
    assert got.by_symbol().to_dict() == {"XX": 0.7}
    assert got.note == "stale: wiki_views is 5.1 days old (tolerance 5); previous weights stay"


def test_old_data_without_previous_weights_is_cash_and_says_so() -> None:
    got = strategy("wiki_attention").target_weights(signals(30), market(ages={}))
    assert got.is_stale
    assert got.weights.empty
    assert got.note == "stale: wiki_views has no rows; cash"


# ------------------------------------------------------------------------------------------- risk parity


def sector_returns() -> pd.DataFrame:
    days = pd.bdate_range(end=pd.Timestamp(D), periods=80)
    rng = np.random.default_rng(7)
    base = rng.standard_normal((80, 3))
    return pd.DataFrame(base @ np.diag([0.01, 0.02, 0.04]), index=days, columns=["id00", "id01", "id02"])


def test_sectors_take_the_best_three_over_sixty_five_sessions() -> None:
    returns = sector_returns()
    got = strategy("sector_risk_parity").target_weights(signals(11), market(returns))
    cov = returns.iloc[-65:].cov().to_numpy()
    w = got.weights.to_numpy()
    np.testing.assert_allclose(w * (cov @ w) / (w @ cov @ w), np.full(3, 1 / 3), atol=1e-9)
    assert got.weights.sum() == pytest.approx(1.0)
    assert got.weights["id00"] > got.weights["id01"] > got.weights["id02"]


def test_two_sectors_weigh_by_inverse_volatility_whatever_their_correlation() -> None:
    returns = sector_returns()[["id00", "id01"]]
    returns["id01"] += 0.7 * returns["id00"]
    got = strategy("sector_risk_parity").target_weights(signals(2), market(returns))
    deviation = returns.iloc[-65:].std().to_numpy()
    want = (1 / deviation) / (1 / deviation).sum() * 2 / 3
    np.testing.assert_allclose(got.weights.to_numpy(), want, rtol=1e-9)


def test_a_sector_without_enough_returns_leaves_its_claim_in_cash() -> None:
    returns = sector_returns()
    returns.iloc[:70, 2] = np.nan
    got = strategy("sector_risk_parity").target_weights(signals(11), market(returns))
    assert list(got.weights.index) == ["id00", "id01"]
    assert got.weights.sum() == pytest.approx(2 / 3)
    assert got.note == "2 of 3 names; 33.3% held in cash"


def test_rows_after_the_session_are_never_seen() -> None:
    returns = sector_returns()
    later = pd.DataFrame(9.9, index=pd.bdate_range("2026-02-02", periods=5), columns=returns.columns)
    plain = strategy("sector_risk_parity").target_weights(signals(3), market(returns))
    poisoned = strategy("sector_risk_parity").target_weights(signals(3), market(pd.concat([returns, later])))
    pd.testing.assert_series_equal(plain.weights, poisoned.weights)


# ------------------------------------------------------------------------------------------------ cadence


def test_due_sessions_by_cadence() -> None:
    days = [date(2026, 1, 29), date(2026, 1, 30), date(2026, 2, 2), date(2026, 3, 31), date(2026, 4, 2)]
    assert due_sessions(Cadence.DAILY, days) == days
    # Good Friday 2026-04-03 is no session: Thursday ends that week.
    assert due_sessions(Cadence.WEEKLY, days) == [date(2026, 1, 30), date(2026, 4, 2)]
    assert due_sessions(Cadence.MONTHLY, days) == [date(2026, 1, 30), date(2026, 3, 31)]
    assert due_sessions(Cadence.QUARTERLY, days) == [date(2026, 3, 31)]
