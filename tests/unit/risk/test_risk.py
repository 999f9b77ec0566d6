"""Value at risk, exposures, caps, rules, breaker."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pas_lib.errors import SettingsError, UnknownName
from pas_lib.risk import (
    Reason,
    RiskInputError,
    RiskLimits,
    Rule,
    TradingState,
    apply_caps,
    book_figures,
    circuit_breaker,
    cvar,
    evaluate_rules,
    exposures,
    historical_var,
    holdings_returns,
    holdings_var,
    look_through,
    losses,
    parse_rules,
)


def test_var_is_an_order_statistic() -> None:
    """Percent fixture of empyrical: (1, 10, -4, 2, 3, 2, 1, -10); k = ceil(0.05 x 8) = 1."""
    returns = pd.Series([np.nan, 1, 10, -4, 2, 3, 2, 1, -10]) / 100
    assert historical_var(returns) == pytest.approx(0.10)
    assert cvar(returns) == pytest.approx(0.10)
    assert historical_var(returns, 0.80) == pytest.approx(0.04)  # k = ceil(1.6) = 2
    assert cvar(returns, 0.80) == pytest.approx((0.10 + 0.6 * 0.04) / 1.6)


def test_var_rank_is_not_spoiled_by_floating_point() -> None:
    """(1 - 0.95) x 100 is 5.000000000000004: the fifth worst is meant, not the sixth."""
    returns = np.arange(1, 101) / 1000.0
    assert historical_var(-returns, 0.95) == pytest.approx(0.096)
    assert cvar(-returns, 0.95) == pytest.approx(0.098)
    assert historical_var(-returns, 0.99) == pytest.approx(0.100)


def test_var_of_gains_is_negative_and_of_nothing_nan() -> None:
    assert historical_var([0.01, 0.02]) == pytest.approx(-0.01)
    assert np.isnan(historical_var([0.01]))
    assert np.isnan(cvar([np.nan, 0.01]))
    with pytest.raises(SettingsError, match="95"):
        historical_var([0.1, 0.2], 95)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=80), st.floats(0.5, 0.995))
def test_cvar_is_at_least_var_and_minimises_rockafellar_uryasev(values: list[float], level: float) -> None:
    losses = -np.array(values)
    shortfall = cvar(values, level)
    assert shortfall >= historical_var(values, level) - 1e-12
    objective = [v + np.maximum(losses - v, 0).mean() / (1 - level) for v in losses]
    assert shortfall == pytest.approx(min(objective), abs=1e-7)


SECTORS = {"AAA": "Tech", "BBB": "Tech", "CCC": "Energy"}


def book() -> pd.DataFrame:
    return look_through(
        pd.Series({"p": 0.5, "q": 0.4, "empty": 0.1}),
        {"p": pd.Series({"AAA": 0.6, "BBB": 0.4}), "q": pd.Series({"AAA": 0.5, "CCC": 0.25, "UPRO": 0.25})},
    )


def test_exposures_look_through_all_portfolios() -> None:
    e = exposures(book(), sectors=SECTORS, leverage={"UPRO": 3.0})
    assert e.by_name.to_dict() == pytest.approx({"AAA": 0.5, "BBB": 0.2, "CCC": 0.1, "UPRO": 0.1})
    assert e.by_sector.to_dict() == pytest.approx({"Tech": 0.7, "Energy": 0.1, "Unknown": 0.1})
    assert (e.gross, e.net, e.leveraged) == pytest.approx((0.9, 0.9, 1.1))
    assert e.by_portfolio.to_dict() == pytest.approx({"p": 0.5, "q": 0.4, "empty": 0.0})


def test_opposite_holdings_net_before_gross() -> None:
    frame = pd.DataFrame({"AAA": [0.3, -0.2], "BBB": [0.0, -0.1]}, index=["p", "q"])
    e = exposures(frame, leverage={"BBB": -2.0})
    assert (e.gross, e.net, e.leveraged) == pytest.approx((0.2, 0.0, 0.3))


def test_holdings_returns_refuse_unknown_names() -> None:
    history = pd.DataFrame({"AAA": [0.1, -0.1], "BBB": [0.0, 0.2], "CCC": [0.0, np.nan]})
    with pytest.raises(RiskInputError, match="no return history for UPRO"):
        holdings_returns(book(), history)
    past = holdings_returns(book(), history.assign(UPRO=0.3))
    assert past.iloc[0] == pytest.approx(0.5 * 0.1 + 0.1 * 0.3)
    assert np.isnan(past.iloc[1])


def test_name_cap_is_shared_in_proportion_and_goes_to_cash() -> None:
    result = apply_caps(book(), RiskLimits(name=0.25))
    assert result.book["AAA"].to_dict() == pytest.approx({"p": 0.15, "q": 0.10, "empty": 0.0})
    assert result.book["BBB"].sum() == pytest.approx(0.2)
    assert result.to_cash == pytest.approx(0.25)
    (refusal,) = result.refusals
    assert (refusal.reason, refusal.subject) == (Reason.NAME_CAP, "AAA")
    assert (refusal.wanted, refusal.allowed) == pytest.approx((0.5, 0.25))
    assert str(refusal) == "NAME_CAP AAA: wanted 0.5000, allowed 0.2500"


def test_sector_gross_and_leverage_caps() -> None:
    result = apply_caps(book(), RiskLimits(sector=0.35), sectors=SECTORS)
    assert result.book[["AAA", "BBB"]].to_numpy().sum() == pytest.approx(0.35)
    assert [r.reason for r in result.refusals] == [Reason.SECTOR_CAP]
    gross = apply_caps(book(), RiskLimits(gross=0.45))
    assert gross.book.to_numpy().sum() == pytest.approx(0.45)
    assert gross.book.loc["q", "CCC"] == pytest.approx(0.05)
    # Leveraged funds give way before plain names.
    lever = apply_caps(book(), RiskLimits(leveraged=1.0), leverage={"UPRO": 3.0})
    assert lever.book["UPRO"].sum() == pytest.approx(0.2 / 3)
    assert lever.book["AAA"].sum() == pytest.approx(0.5)
    tight = apply_caps(book(), RiskLimits(leveraged=0.4), leverage={"UPRO": 3.0})
    assert tight.book["UPRO"].sum() == 0.0
    assert tight.book.to_numpy().sum() == pytest.approx(0.4)
    assert [r.subject for r in tight.refusals] == ["leveraged funds", "book"]


def test_liquidity_cap_and_unknown_volume() -> None:
    adv = {"AAA": 1e6, "BBB": 1e9, "CCC": 1e9, "UPRO": float("nan")}
    result = apply_caps(book(), RiskLimits(adv_share=0.05), adv=adv, equity=1e6)
    assert result.book["AAA"].sum() == pytest.approx(0.05)
    assert result.book["UPRO"].sum() == 0.0
    assert {(r.reason, r.subject) for r in result.refusals} == {
        (Reason.ADV_CAP, "AAA"),
        (Reason.ADV_UNKNOWN, "UPRO"),
    }
    with pytest.raises(SettingsError, match="volumes"):
        apply_caps(book(), RiskLimits(adv_share=0.05))


def test_var_cap_scales_the_book() -> None:
    rng = np.random.default_rng(0)
    history = pd.DataFrame(rng.normal(0, 0.02, (500, 4)), columns=["AAA", "BBB", "CCC", "UPRO"])
    limit = holdings_var(book(), history, 0.99) / 2
    result = apply_caps(book(), RiskLimits(var=limit), symbol_returns=history)
    assert holdings_var(result.book, history, 0.99) == pytest.approx(limit)
    assert result.refusals[0].reason is Reason.VAR_CAP
    with pytest.raises(SettingsError, match="return history"):
        apply_caps(book(), RiskLimits(var=limit))


def test_without_limits_nothing_changes() -> None:
    result = apply_caps(book(), RiskLimits())
    pd.testing.assert_frame_equal(result.book, book())
    assert result.refusals == ()
    assert result.to_cash == 0.0
    with pytest.raises(SettingsError, match="name"):
        RiskLimits(name=-0.1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.5), st.floats(0.1, 0.8), st.floats(0.1, 1.0), st.floats(0.1, 1.5))
def test_caps_hold_together_and_only_lower(seed: int, name: float, sector: float, gross: float, lever: float) -> None:
    rng = np.random.default_rng(seed)
    symbols = [f"S{i}" for i in range(8)]
    wild = pd.DataFrame(rng.dirichlet(np.ones(24)).reshape(3, 8), index=list("pqr"), columns=symbols)
    sectors = {s: f"sector {i % 3}" for i, s in enumerate(symbols)}
    leverage = {"S0": 3.0, "S5": -2.0}
    limits = RiskLimits(name=name, sector=sector, gross=gross, leveraged=lever)
    result = apply_caps(wild, limits, sectors=sectors, leverage=leverage)
    e = exposures(result.book, sectors=sectors, leverage=leverage)
    assert e.by_name.max() <= name + 1e-9
    assert e.by_sector.max() <= sector + 1e-9
    assert e.gross <= gross + 1e-9
    assert e.leveraged <= lever + 1e-9
    assert (result.book <= wild + 1e-15).all().all()
    assert result.to_cash == pytest.approx(1.0 - e.gross)
    again = apply_caps(result.book, limits, sectors=sectors, leverage=leverage)
    assert again.refusals == ()


def test_rules_fire_and_unknown_figures_do_not_pass_for_fine() -> None:
    rules = [Rule("var_95", ">", 0.02), Rule("sharpe", "<", 0.0), Rule("beta", ">=", 1.0)]
    alerts = evaluate_rules({"var_95": 0.03, "sharpe": 0.5}, rules)
    assert [a.rule.metric for a in alerts] == ["var_95", "beta"]
    assert "unknown" in alerts[1].message
    with pytest.raises(UnknownName, match="operator"):
        Rule("x", "=>", 1.0)


def test_circuit_breaker_ignores_flows() -> None:
    calm = circuit_breaker([100, 200, 201], [0, 100, 0], max_daily_loss=0.03, max_drawdown=0.1)
    assert calm.state is TradingState.ACTIVE
    withdrawal = circuit_breaker([100, 50], [0, -50], max_daily_loss=0.03, max_drawdown=0.1)
    assert withdrawal.state is TradingState.ACTIVE
    loss = circuit_breaker([100, 196], [0, 100], max_daily_loss=0.03, max_drawdown=0.1)
    assert (loss.state, loss.reason) == (TradingState.REDUCING, "daily loss 4.00% has reached 3.00%")
    slow = circuit_breaker([100, 98, 96, 94, 92, 90], max_daily_loss=0.03, max_drawdown=0.1)
    assert slow.state is TradingState.HALTED
    assert circuit_breaker([100, 0], max_daily_loss=0.03, max_drawdown=0.1).state is TradingState.REDUCING


def test_a_missing_return_moves_like_the_rest_and_is_never_zero() -> None:
    book = pd.DataFrame({"A": [0.3], "B": [0.1]}, index=["p"])
    past = pd.DataFrame({"A": [-0.02, -0.02, np.nan, np.nan], "B": [0.01, np.nan, 0.05, np.nan]})
    strict = holdings_returns(book, past)
    assert strict.iloc[0] == pytest.approx(-0.005)
    assert strict.iloc[1:].isna().all()
    half = holdings_returns(book, past, min_coverage=0.5)
    assert half.iloc[1] == pytest.approx(-0.02 * 0.4)  # the whole book fell by 2 %
    assert half.iloc[2:].isna().all()  # a quarter of the book, or nothing, says nothing
    assert np.isnan(holdings_var(book, past.iloc[2:], min_coverage=0.5))
    assert holdings_var(book * 0.0, past) == 0.0


def test_figures_of_a_book_by_hand() -> None:
    book = pd.DataFrame({"A": [0.3, 0.0], "B": [0.0, -0.1], "L": [0.1, 0.1]}, index=["p", "q"])
    rng = np.random.default_rng(3)
    past = pd.DataFrame(rng.normal(0, 0.01, (100, 3)), columns=["A", "B", "L"])
    got = book_figures(
        book, past, sectors={"A": "X", "B": "X", "L": "Y"}, leverage={"L": 3.0}, betas={"A": 0.5, "B": np.nan}
    )
    assert (got["gross"], got["net"]) == pytest.approx((0.6, 0.4))
    assert got["leveraged"] == pytest.approx(0.3 + 0.1 + 3 * 0.2)
    assert got["beta"] == pytest.approx(0.3 * 0.5 - 0.1 + 0.2)  # an unknown beta is 1
    assert (got["largest_name"], got["largest_sector"]) == pytest.approx((0.3, 0.4))
    moved = past.to_numpy() @ np.array([0.3, -0.1, 0.2])
    assert got["var_95"] == pytest.approx(historical_var(moved, 0.95))
    assert got["cvar_99"] == pytest.approx(cvar(moved, 0.99))
    assert got["volatility"] == pytest.approx(moved.std(ddof=1) * np.sqrt(252))
    assert np.isnan(book_figures(book, past.head(59))["var_95"])
    assert set(book_figures(book * 0.0, past).values()) == {0.0}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 0.05))
def test_the_limit_on_losses_holds_and_only_lowers(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    past = pd.DataFrame(rng.standard_t(3, (120, 4)) * 0.02, columns=list("ABCD"))
    past = past.mask(rng.random(past.shape) < 0.1)
    book = pd.DataFrame(rng.random((2, 4)) * 0.2, index=["p", "q"], columns=list("ABCD"))
    limits = RiskLimits(var=limit, var_coverage=0.5, var_sessions=60)
    got = apply_caps(book, limits, symbol_returns=past)
    assert (got.book <= book + 1e-15).all().all()
    assert holdings_var(got.book, past, 0.99, min_coverage=0.5) <= limit + 1e-9
    assert got.to_cash == pytest.approx(float((book - got.book).to_numpy().sum()))
    blind = apply_caps(book, RiskLimits(var=limit, var_sessions=200), symbol_returns=past)
    assert [one.reason for one in blind.refusals] == [Reason.VAR_UNKNOWN]
    assert blind.book.equals(book)


def test_rules_are_written_as_metric_operator_number() -> None:
    assert parse_rules("var_99 > 0.04; drawdown>=1e-1 ;") == (Rule("var_99", ">", 0.04), Rule("drawdown", ">=", 0.1))
    assert parse_rules(" ") == ()
    for wrong in ("var_99", "var_99 = 1", "var_99 > x", "VAR > 1", "a > 1 > 2", "a > ."):
        with pytest.raises(SettingsError, match="risk rule"):
            parse_rules(wrong)


def test_losses_leave_deposits_and_withdrawals_out() -> None:
    assert losses([]) == losses([100.0]) == (0.0, 0.0)
    daily, drawdown = losses([100.0, 90.0, 145.0], [0.0, 0.0, 50.0])
    assert daily == pytest.approx(-(145.0 - 50.0) / 90.0 + 1.0)
    assert drawdown == pytest.approx(1.0 - 0.9 * 95.0 / 90.0)
    assert all(np.isnan(losses([100.0, 0.0])))
