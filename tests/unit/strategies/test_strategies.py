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
FRESH = dict.fromkeys((name for one in all_strategies() for name in one.datasets), 1.0)


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


def test_the_strategies_are_found_with_their_metadata() -> None:
    assert set(strategy_ids()) >= {
        "congress_aggregate",
        "sector_risk_parity",
        "volatility_momentum",
        "wiki_attention",
    }
    found = {one.id: (one.cadence, one.take) for one in all_strategies()}
    assert found["leveraged_sector"] == (Cadence.WEEKLY, 3)
    assert found["dc_insider_tilt"] == (Cadence.WEEKLY, 30)
    assert found["app_reviews_hype"] == (Cadence.WEEKLY, 20)
    assert found["wsb_buzz"] == (Cadence.WEEKLY, 15)
    assert found["trends_news_sentiment"] == (Cadence.MONTHLY, 30)
    assert found["lobbying_growth"] == found["composite_leaders"] == (Cadence.MONTHLY, 20)
    assert {found[name][0] for name in ("gov_contracts_momentum", "pelosi", "meuser", "capito")} == {Cadence.MONTHLY}
    assert found["upgrade_momentum"][0] is Cadence.WEEKLY
    assert found["insider_buying_pulse"] == (Cadence.WEEKLY, 25)
    assert found["small_cap_momentum"] == found["micro_small_leaders"] == (Cadence.MONTHLY, 20)
    assert found["sector_neutral"] == (Cadence.QUARTERLY, 33)
    assert len(found) == 20  # 18, of which the politicians are three
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


# ---------------------------------------------------------------------------- floors, proportions and memory


def test_only_contracts_of_fifty_million_count_and_few_firms_leave_cash() -> None:
    got = strategy("gov_contracts_momentum").target_weights(signals(3, [60e6, 50e6, 49_999_999.0]), market())
    assert got.weights.to_dict() == {"id00": 0.1, "id01": 0.1}
    assert got.note == "2 of 10 names; 80.0% held in cash"
    many = strategy("gov_contracts_momentum").target_weights(signals(25, [60e6] * 25), market())
    assert many.weights.to_list() == [0.04] * 25
    assert many.note == ""


def test_leveraged_funds_that_did_not_rise_are_left_out() -> None:
    got = strategy("leveraged_sector").target_weights(signals(6, [0.5, 0.1, 0.0, -0.1, -0.2, -0.3]), market())
    assert got.weights.to_dict() == pytest.approx({"id00": 1 / 3, "id01": 1 / 3})


@pytest.mark.parametrize("who", ["pelosi", "meuser", "capito"])
def test_a_politician_is_followed_in_proportion_up_to_a_fifth(who: str) -> None:
    got = strategy(who).target_weights(signals(7, [600.0, 150.0, 100.0, 75.0, 75.0, 0.0, -500.0]), market())
    assert got.weights.to_dict() == pytest.approx(
        {"id00": 0.2, "id01": 0.15, "id02": 0.1, "id03": 0.075, "id04": 0.075}
    )
    assert got.note == "5 names of at most 20%; 40.0% held in cash"
    nobody = strategy(who).target_weights(signals(1, [-5.0]), market())
    assert nobody.weights.empty


def test_scores_share_in_proportion_and_few_of_them_leave_cash() -> None:
    full = strategy("dc_insider_tilt").target_weights(signals(31, [2.0] * 15 + [1.0] * 16), market())
    assert full.weights.sum() == pytest.approx(1.0)
    assert full.weights["id00"] == pytest.approx(2 / 45)
    assert "id30" not in full.weights
    few = strategy("dc_insider_tilt").target_weights(signals(3, [60.0, 30.0, 0.0]), market())
    assert few.weights.to_dict() == pytest.approx({"id00": 2 / 30 * 2 / 3, "id01": 2 / 30 / 3})


def weekly(baskets: list[list[str]], stale: tuple[int, ...] = ()) -> list[StrategyWeights]:
    """Decide week after week; every week has 60 ranked names of which the basket's six are the best."""
    one, done = strategy("upgrade_momentum"), []
    for number, basket in enumerate(baskets):
        rows = signals(60, [1.0] * len(basket) + [-1.0] * (60 - len(basket)))
        rows["security_id"] = [*basket, *(f"no{i}" for i in range(60 - len(basket)))]
        rows["symbol"] = rows["security_id"].str.upper()
        ages = {"analyst_ratings": 9.0 if number in stale else 1.0}
        view = FrameMarket(date(2026, 1, 2 + number), pd.DataFrame(), ages=ages, earlier_weights={one.id: list(done)})
        done.append(one.target_weights(rows, view))
    return done


def test_upgrades_are_averaged_over_eight_weeks_of_baskets() -> None:
    rng = np.random.default_rng(5)
    names = [f"u{i:02d}" for i in range(14)]
    baskets = [sorted(rng.choice(names, size=int(rng.integers(0, 7)), replace=False).tolist()) for _ in range(25)]
    baskets[9] = []
    for number, item in enumerate(weekly(baskets)):
        window = baskets[max(0, number - 7) : number + 1]
        expected = {
            name: sum((name in basket) / max(len(basket), 5) for basket in window) / len(window) for name in names
        }
        assert item.weights.to_dict() == pytest.approx({k: v for k, v in expected.items() if v > 0}), number
        assert item.symbols == {name: name.upper() for name in item.weights.index}


def test_a_week_without_fresh_ratings_makes_no_basket() -> None:
    got = weekly([["a"] * 1, ["b"], ["c"], ["d"]], stale=(2,))
    assert got[2].is_stale
    assert got[2].weights.to_dict() == got[1].weights.to_dict() == pytest.approx({"a": 0.1, "b": 0.1})
    assert got[3].weights.to_dict() == pytest.approx({"a": 0.2 / 3, "b": 0.2 / 3, "d": 0.2 / 3})


def test_the_best_decile_is_rounded_up_and_needs_more_upgrades_than_downgrades() -> None:
    one = strategy("upgrade_momentum")
    assert one.select(signals(21))["security_id"].tolist() == ["id00", "id01", "id02"]
    assert one.select(signals(21, [1.0, 0.0] + [-1.0] * 19))["security_id"].tolist() == ["id00"]
    assert one.select(signals(0)).empty


def test_windows_of_the_rows_that_explain_a_weight() -> None:
    day = date(2026, 3, 31)
    (start, end), *more = strategy("gov_contracts_momentum").windows(day)
    assert (start.isoformat(), end.isoformat()) == ("2026-03-01T03:30:00+00:00", "2026-04-01T02:30:00+00:00")
    assert more == []
    before, now = strategy("lobbying_growth").windows(day)
    assert [when.date().isoformat() for when in (*before, *now)] == [
        "2025-01-01",
        "2025-04-01",
        "2026-01-01",
        "2026-04-01",
    ]
    assert strategy("pelosi").window_start(day).isoformat() == "2024-04-01T02:30:00+00:00"


def test_a_sector_that_lacks_names_leaves_its_share_in_cash() -> None:
    got = strategy("sector_neutral").target_weights(signals(30), market())
    assert got.weights.to_list() == pytest.approx([1 / 33] * 30)
    assert got.note == "30 of 33 names; 9.1% held in cash"
