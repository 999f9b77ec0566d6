"""What the marts say about a history whose answers are known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pas_lib.analytics import performance_summary, rolling_table
from pas_lib.dbt import Dbt, DbtError
from tests.support.marts import END, KEYS, Built
from tests.support.performance_world import EDGES, PORTFOLIOS, POSTED


def test_everything_is_built_and_every_test_passes(built: Built) -> None:
    assert set(built.result.statuses.values()) == {"success", "pass"}
    marts = built.warehouse.rows("select table_name from information_schema.tables where table_schema = 'marts'")
    assert {row["table_name"] for row in marts} == set(KEYS)
    assert sum("unit_test." in node for node in built.result.statuses) >= 5


def _returns(built: Built, security_id: str) -> pd.DataFrame:
    frame = built.warehouse.frame(
        f"select * from marts.daily_returns where security_id = '{security_id}' order by session"
    )
    return frame.set_index(frame["session"].dt.date)


def test_split_and_dividends_do_not_move_the_total_return(built: Built) -> None:
    world = built.world
    rows = _returns(built, "cik0000000001")
    split = world.sessions[len(world.sessions) // 2]
    before = rows.index[rows.index.get_loc(split) - 1]
    assert rows.loc[split, "ret"] == pytest.approx(
        rows.loc[split, "close"] * 2 / rows.loc[before, "close"] - 1, rel=1e-12
    )
    level = rows["adj_close"] / rows["adj_close"].shift()
    assert np.allclose(level.iloc[1:], 1 + rows["ret"].iloc[1:], rtol=1e-12)
    assert rows["adj_close"].iloc[0] == rows["close"].iloc[0]
    assert np.allclose(rows["adj_open"] / rows["adj_close"], rows["open"] / rows["close"], rtol=1e-12)


def test_dividend_in_a_halt_counts_at_the_next_bar(built: Built) -> None:
    world = built.world
    rows = _returns(built, "cik0000000004")
    n = len(world.sessions)
    missing = set(world.sessions[n // 2 : n // 2 + 3])
    assert not missing & set(rows.index)
    back, before = world.sessions[n // 2 + 3], world.sessions[n // 2 - 1]
    expected = (rows.loc[back, "close"] + 1.0) / rows.loc[before, "close"] - 1
    assert rows.loc[back, "ret"] == pytest.approx(expected, rel=1e-12)


def test_a_rename_is_one_history_and_a_reused_symbol_two(built: Built) -> None:
    renamed = _returns(built, "cik0000000002")
    assert len(renamed) == len(built.world.sessions)
    assert list(renamed["symbol"].unique()) == list(built.world.renamed)
    assert renamed["symbol"][built.world.rename_day] == built.world.renamed[1]
    first, second = _returns(built, "cik0000000003"), _returns(built, "cik0000009999")
    assert first.index.max() < built.world.delisted <= built.world.reuse_day == second.index.min()
    assert pd.isna(second["ret"].iloc[0])


def test_a_correction_changes_no_session_before_it_was_known(built: Built) -> None:
    world = built.world
    rows = _returns(built, "cik0000000005")
    n = len(world.sessions)
    wrong = world.sessions[n // 3]
    assert (
        rows.loc[wrong, "close"]
        == built.warehouse.rows(
            "select close from raw.prices where symbol = %s and event_date = %s order by known_at limit 1",
            (world.corrected, wrong),
        )[0]["close"]
    )
    # the withdrawn bar came back two sessions later: at its own decision time there was none
    assert world.sessions[n // 3 + 20] not in rows.index


def test_scores_rank_within_the_universe_of_the_date(built: Built) -> None:
    scores = built.warehouse.frame("select * from marts.ticker_scores")
    assert set(scores.loc[~scores["is_frozen"], "score_date"]) <= {pd.Timestamp(END)}
    month = scores[scores["score_date"] == pd.Timestamp(END)]
    assert month["momentum"].min() == 0.0
    assert month["momentum"].max() == 100.0
    ranked = month.dropna(subset=["momentum", "fundamentals"])
    assert month.loc[month["symbol"] == built.world.silent, ["fundamentals", "overall", "value"]].isna().all(axis=None)
    assert month.loc[month["symbol"] == built.world.young, "overall"].isna().all()
    assert not set(month["symbol"]) & {"SPY", "XLK", "UPRO"}
    expected = (
        0.376 * ranked["fundamentals"]
        + 0.235 * ranked["momentum"]
        + 0.070 * ranked["liquidity_sentiment"]
        + 0.319 * ranked["risk_adjusted"]
    )
    assert np.allclose(ranked["overall"], expected, rtol=1e-9)
    top = built.warehouse.frame(f"select * from marts.top_scores where score_date = '{END}' order by rank")
    best = ranked.sort_values(["overall", "symbol"], ascending=[False, True]).head(20)
    assert top["symbol"].tolist() == best["symbol"].tolist()
    assert top["rank"].tolist() == list(range(1, len(best) + 1))
    assert len(best) >= 18


def test_momentum_is_the_mean_return_over_three_windows(built: Built) -> None:
    rows = built.warehouse.frame(
        "select * from intermediate.int_security_features where session = '2025-12-31'"
    ).set_index("symbol")
    prices = built.warehouse.frame(
        "select * from marts.daily_returns where symbol = 'S010' order by session"
    ).set_index("session")
    levels, daily = prices["adj_close"], prices["ret"]
    market = built.warehouse.frame("select * from marts.daily_returns where symbol = 'SPY' order by session").set_index(
        "session"
    )["ret"]
    row = rows.loc["S010"]
    for window in (63, 126, 252):
        assert row[f"return_{window}"] == pytest.approx(levels.iloc[-1] / levels.iloc[-1 - window] - 1, rel=1e-9)
    assert row["volatility_60"] == pytest.approx(daily.iloc[-60:].std(), rel=1e-9)
    assert row["volatility_21"] == pytest.approx(daily.iloc[-21:].std(), rel=1e-9)
    year = daily.iloc[-252:]
    assert row["sharpe_252"] == pytest.approx(year.mean() / year.std() * np.sqrt(252), rel=1e-9)
    paired = market.reindex(year.index)
    assert row["beta_252"] == pytest.approx(np.cov(year, paired)[0, 1] / paired.var(), rel=1e-9)
    assert pd.isna(rows.loc[built.world.constant, "volatility_60"])


def test_congress_counts_what_was_disclosed_in_the_month_before(built: Built) -> None:
    """One session is worked out by hand from the raw rows."""
    session = pd.Timestamp("2025-10-31")
    at = pd.Timestamp(session.date()).tz_localize("America/New_York") + timedelta(hours=22, minutes=30)
    start = at.tz_localize(None) - pd.DateOffset(months=1)
    start = start.tz_localize("America/New_York")
    raw = built.warehouse.frame("select * from raw.politician_trades order by known_at, row_id")
    key = ["politician", "symbol", "transaction_date", "report_date", "transaction", "amount_range", "owner", "ordinal"]
    first = raw.groupby(key)["known_at"].transform("min")
    known = raw[(raw["known_at"] <= at)].groupby(key).tail(1)
    known = known[
        ~known["is_deleted"]
        & (known["asset_type"] == "ST")
        & known["transaction"].isin(["purchase", "sale", "sale_partial"])
    ]
    known = known[(first[known.index] > start) & (first[known.index] <= at)]
    middle = (known["amount_low"] + known["amount_high"].fillna(known["amount_low"])) / 2
    sign = np.where(known["transaction"] == "purchase", 1.0, -1.0)
    net = (middle * sign).groupby(known["symbol"].replace(dict([built.world.renamed]))).sum()
    signal = built.warehouse.frame(
        "select * from marts.signals where strategy = 'congress_aggregate' and session = '2025-10-31' order by rank"
    )
    got = signal.set_index("symbol")["score"]
    assert dict(got) == pytest.approx(dict(net.reindex(got.index)), rel=1e-9)
    # nobody is missing but the delisted company
    assert set(net.index) - set(got.index) <= {built.world.reused}
    assert got.is_monotonic_decreasing
    ties = signal.groupby("score")["symbol"].apply(list)
    assert all(names == sorted(names) for names in ties)


def test_page_views_are_measured_in_their_own_deviations(built: Built) -> None:
    signal = built.warehouse.frame(
        "select * from marts.signals where strategy = 'wiki_attention' and session = '2025-11-28' order by rank"
    )
    best = signal.iloc[0]
    views = (
        built.warehouse.frame(
            "select v.* from raw.wiki_views v join raw.securities s on s.wiki_title = v.article"
            f" where s.security_id = '{best['security_id']}' and s.symbol = '{best['symbol']}'"
            " and v.known_at <= timestamptz '2025-11-28 22:30 America/New_York' order by v.known_at, v.row_id"
        )
        .groupby("event_date")["views"]
        .last()
    )
    last = pd.Timestamp("2025-11-27")
    recent = views[(views.index > last - pd.Timedelta(days=7)) & (views.index <= last)]
    base = views[(views.index > last - pd.Timedelta(days=97)) & (views.index <= last - pd.Timedelta(days=7))]
    expected = np.log((recent.mean() + 1) / (base.mean() + 1)) / np.log(base + 1).std()
    assert best["score"] == pytest.approx(expected, rel=1e-9)
    # two classes share an article: one of them counts
    assert len(set(built.world.classes) & set(signal["symbol"])) == 1


def test_sector_returns_reach_back_26_weeks(built: Built) -> None:
    signal = built.warehouse.frame(
        "select * from marts.signals where strategy = 'sector_risk_parity' and session = '2025-11-28' order by rank"
    )
    assert len(signal) == 11
    level = built.warehouse.frame(
        "select session, adj_close from marts.daily_returns where symbol = 'XLK'"
        " and session in ('2025-05-30', '2025-11-28') order by session"
    )["adj_close"]
    got = signal.set_index("symbol").loc["XLK", "score"]
    assert got == pytest.approx(level.iloc[1] / level.iloc[0] - 1, rel=1e-9)


def test_membership_is_that_of_the_session(built: Built) -> None:
    world = built.world
    weeks = built.warehouse.frame("select session, symbol from marts.signals where strategy = 'volatility_momentum'")
    back = world.sessions[len(world.sessions) * 3 // 4]
    sessions = set(weeks.loc[weeks["symbol"] == "S009", "session"].dt.date)
    assert sessions
    assert min(sessions) >= back
    assert "SPY" not in set(weeks["symbol"])


def test_regime_inputs_are_as_known_then(built: Built) -> None:
    raw = built.warehouse.frame("select * from raw.macro_series")
    for series, session in (("CPIAUCSL", "2025-03-19"), ("GDPC1", "2025-06-20"), ("VIXCLS", "2025-09-02")):
        at = (pd.Timestamp(session) + timedelta(hours=22, minutes=30)).tz_localize("America/New_York")
        known = raw[(raw["series_id"] == series) & (raw["known_at"] <= at)].sort_values(
            ["event_date", "known_at", "row_id"]
        )
        row = built.warehouse.rows(
            "select value, value_known_at from marts.regime_inputs where series_id = %s and session = %s",
            (series, session),
        )[0]
        assert row["value"] == known.iloc[-1]["value"]
        assert pd.Timestamp(row["value_known_at"]) == known.iloc[-1]["known_at"]


def test_metrics_agree_with_the_python_figures(built: Built) -> None:
    returns = built.warehouse.frame("select * from marts.model_returns")
    benchmark = built.warehouse.frame("select session, ret from marts.daily_returns where symbol = 'SPY'").set_index(
        "session"
    )["ret"]
    metrics = built.warehouse.frame("select * from marts.metrics where basis = 'model'").set_index("portfolio_id")
    assert len(metrics) == len(PORTFOLIOS) + len(EDGES) == 16
    for portfolio, rows in returns.groupby("portfolio_id"):
        series = rows.set_index("session")["model_return"].sort_index()
        expected = performance_summary(series, benchmark.reindex(series.index))
        assert metrics.loc[portfolio, "n_obs"] == len(series)
        for key, value in expected.items():
            assert metrics.loc[portfolio, key] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), (
                portfolio,
                key,
            )


def test_returns_posted_for_a_manual_portfolio_are_a_basis_of_their_own(built: Built) -> None:
    (row,) = built.warehouse.frame("select * from marts.metrics where basis = 'posted'").to_dict("records")
    assert (row["portfolio_id"], row["n_obs"]) == ("mine", len(POSTED))
    benchmark = built.warehouse.frame("select session, ret from marts.daily_returns where symbol = 'SPY'")
    newest = benchmark.set_index("session")["ret"].sort_index()[-len(POSTED) :]
    for key, value in performance_summary(pd.Series(POSTED, index=newest.index), newest).items():
        assert row[key] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), key


def test_windows_agree_with_the_python_figures(built: Built) -> None:
    returns = built.warehouse.frame("select * from marts.model_returns")
    benchmark = built.warehouse.frame("select session, ret from marts.daily_returns where symbol = 'SPY'").set_index(
        "session"
    )["ret"]
    rows = built.warehouse.frame("select * from marts.rolling_metrics where basis = 'model' and days = 63")
    found = {name: part.set_index("session").sort_index() for name, part in rows.groupby("portfolio_id")}
    long_enough = {name for name, part in returns.groupby("portfolio_id") if len(part) >= 63}
    assert set(found) == long_enough
    for name in sorted(long_enough):
        series = returns[returns["portfolio_id"] == name].set_index("session")["model_return"].sort_index()
        expected = rolling_table(series, 63, benchmark.reindex(series.index))
        assert list(found[name].index) == list(expected.index)
        for key in ("total_return", "annual_volatility", "sharpe", "beta"):
            got, want = found[name][key].to_numpy(dtype=float), expected[key].to_numpy()
            assert np.allclose(got, want, rtol=1e-9, atol=1e-13, equal_nan=True), (name, key)


def test_realised_returns_are_adjusted_for_flows(built: Built) -> None:
    days = list(built.world.sessions)[-6:]
    rows = built.warehouse.frame(
        "select * from marts.portfolio_returns where portfolio_id = 'volatility_momentum' order by session"
    )
    rows = rows.set_index(rows["session"].dt.date)
    closes = built.warehouse.frame(
        "select session, symbol, close from marts.daily_returns where symbol in ('S001', 'SPY')"
    )
    close = closes.pivot(index="session", columns="symbol", values="close")
    close.index = close.index.date
    worth = 10 * close["S001"] + close["SPY"]
    assert rows.index.min() == days[1]
    assert rows.loc[days[1], "equity"] == pytest.approx(150 + worth[days[1]])
    assert rows.loc[days[1], "ret"] == pytest.approx((150 + worth[days[1]]) / 500 - 1)
    assert rows.loc[days[3], "cash_flow"] == 100
    assert rows.loc[days[3], "ret"] == pytest.approx((250 + worth[days[3]]) / (150 + worth[days[2]] + 100) - 1)
    total = built.warehouse.frame("select * from marts.portfolio_returns where portfolio_id = 'ALL' order by session")
    assert total["equity"].iloc[0] == 1000
    assert total["cash_flow"].sum() == 1000


def test_implementation_shortfall_from_decision_close_to_fill(built: Built) -> None:
    done = list(built.world.sessions)[-1]
    bars = built.warehouse.frame(
        "select symbol, open, close from marts.daily_returns where session = %s and symbol in ('S001', 'SPY')", (done,)
    ).set_index("symbol")
    rows = built.warehouse.frame("select * from marts.implementation_shortfall").set_index("intent_id")
    assert sorted(rows.index) == ["i1", "i2", "i3", "i4", "i5", "x1"]
    one, two, three = rows.loc["i1"], rows.loc["i2"], rows.loc["i3"]
    # A buy: 10 shares decided at 29.50, filled at 30.60; the official open counts, not the one noted at sending.
    assert one["open_price"] == bars.loc["S001", "open"]
    assert one["delay_cost"] == pytest.approx(10 * (bars.loc["S001", "open"] - 29.5))
    assert one["trading_cost"] == pytest.approx(10 * (30.6 - bars.loc["S001", "open"]))
    assert one["missed_cost"] == 0
    traded = 10 * 30.6 + 1 * 49.5 + 1 * 49.0 + 2 * 11.0 + 1 * 11.0
    assert one["fees"] == pytest.approx(1.5 * 306 / traded)
    assert one["shortfall"] == pytest.approx(11.0 + 1.5 * 306 / traded)
    assert one["shortfall_bp"] == pytest.approx(1e4 * one["shortfall"] / 295)
    # A sell in two attempts: 2 of 4 shares sold at 49.25 on average, the other two are worth what the close says.
    assert (two["qty"], two["filled_qty"], two["fill_price"], two["state"]) == (4, 2, 49.25, "expired")
    assert two["delay_cost"] + two["trading_cost"] == pytest.approx(-2 * (49.25 - 50.0))
    assert two["missed_cost"] == pytest.approx(-2 * (bars.loc["SPY", "close"] - 50.0))
    # Denied: nothing but what was missed.
    assert (three["delay_cost"], three["trading_cost"], three["fees"]) == (0, 0, 0)
    assert three["shortfall"] == pytest.approx(5 * (bars.loc["S001", "close"] - 29.5))
    # Without a bar the open of sending stands in; what was not filled cannot be valued, and is not zero.
    assert (rows.loc["i4", "delay_cost"], rows.loc["i4", "trading_cost"]) == (1.0, 1.0)
    assert pd.isna(rows.loc["i5", "missed_cost"])
    assert pd.isna(rows.loc["i5", "shortfall"])
    # A crossing pays no fee and fills at the price it was crossed at.
    assert (rows.loc["x1", "kind"], rows.loc["x1", "fees"]) == ("cross", 0)
    assert rows.loc["x1", "delay_cost"] + rows.loc["x1", "trading_cost"] == pytest.approx(-3 * (30 - 29.5))


def test_shortfall_adds_up_by_portfolio_and_session(built: Built) -> None:
    rows = built.warehouse.frame("select * from marts.shortfall_by_session").set_index("portfolio_id")
    wishes = built.warehouse.frame("select * from marts.implementation_shortfall")
    own = wishes[wishes["portfolio_id"] == "volatility_momentum"]
    one = rows.loc["volatility_momentum"]
    assert (one["wishes"], one["filled"]) == (2, 1)
    assert one["shortfall"] == pytest.approx(own["shortfall"].sum())
    assert one["shortfall_bp"] == pytest.approx(1e4 * own["shortfall"].sum() / (295 + 200))
    assert rows.loc["ALL", "fees"] == pytest.approx(1.5)
    assert pd.isna(rows.loc["ALL", "shortfall"])  # one of its wishes cannot be valued yet
    assert rows.loc["ALL", "wishes"] == 6


def test_correlations_and_exposures(built: Built) -> None:
    wide = built.warehouse.frame("select * from marts.model_returns").pivot(
        index="session", columns="portfolio_id", values="model_return"
    )
    rows = built.warehouse.frame("select * from marts.correlations").set_index(["portfolio_a", "portfolio_b"])
    pair = wide[["congress_aggregate", "wiki_attention"]].dropna()
    assert rows.loc[("congress_aggregate", "wiki_attention"), "correlation"] == pytest.approx(
        pair.corr().iloc[0, 1], rel=1e-9
    )
    assert rows.loc[("congress_aggregate", "wiki_attention"), "n_obs"] == len(pair)
    assert pd.isna(rows.loc[("flat", "wiki_attention"), "correlation"])
    exposure = built.warehouse.frame("select * from marts.exposures").set_index("symbol")
    assert exposure.loc["S001", "weight"] == pytest.approx(0.4)
    assert exposure.loc["S001", "sector"] == "Financials"
    assert exposure.loc["SPY", "sector"] == "Unclassified"


def test_the_documentation_is_one_page(built: Built, tmp_path: Path) -> None:
    page = built.dbt.docs(END, tmp_path / "docs" / "index.html")
    text = page.read_text(encoding="utf-8")
    assert "Grain: one row per strategy, rebalance session and security" in text
    assert "INLINE DATA" not in text  # the places where dbt puts manifest and catalogue


def test_a_failed_build_names_the_node(built: Built, tmp_path: Path) -> None:
    broken = Dbt(built.dbt.url.replace("dbt_built", "no_such_database"), tmp_path)
    with pytest.raises(DbtError, match="no_such_database"):
        broken.build(END)
