"""The seeded world: the same every time, plausible, with its awkward cases in place."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pas_lib.regime.indicator import regime_history, stress_frame
from pas_lib.sandbox.macro import FOREVER
from pas_lib.sandbox.roster import CHANGES, ETFS, FIRST_DECISION
from pas_lib.sandbox.testing import world_for_tests
from pas_lib.sandbox.world import World, generate, load_world


@pytest.fixture(scope="module")
def full() -> World:
    return world_for_tests(small=False)


@pytest.fixture(scope="module")
def small() -> World:
    return world_for_tests()


def _row(world: World, symbol: str, day: date = FIRST_DECISION) -> int:
    listing = world.listing(symbol, day)
    assert listing is not None
    return listing.row


def test_same_seed_same_world_other_seed_other_world(small: World) -> None:
    again, other = generate(7, "small"), generate(8, "small")
    assert again.roster == small.roster
    assert again.trades == small.trades
    np.testing.assert_array_equal(again.market.close, small.market.close)
    np.testing.assert_array_equal(again.views.views, small.views.views)
    assert {n: s.values.tolist() for n, s in again.series.items()} == {
        n: s.values.tolist() for n, s in small.series.items()
    }
    assert not np.array_equal(other.market.close, small.market.close, equal_nan=True)


def test_a_kept_world_equals_the_generated_one_and_damage_is_repaired(small: World, tmp_path: Path) -> None:
    load_world(tmp_path, 7, "small")
    (kept,) = (tmp_path / "world").glob("*.npz")
    stored = load_world(tmp_path, 7, "small")
    assert stored.roster == small.roster
    assert stored.trades == small.trades
    np.testing.assert_array_equal(stored.market.volume, small.market.volume)
    assert stored.bar("SPY", FIRST_DECISION) == small.bar("SPY", FIRST_DECISION)
    assert stored.views.rows == small.views.rows
    kept.write_bytes(kept.read_bytes()[:5000])
    assert load_world(tmp_path, 7, "small").trades == small.trades
    assert kept.stat().st_size > 5000


def test_size_of_the_full_world(full: World) -> None:
    companies = {
        index: {x.cik for x in full.roster.members(index, FIRST_DECISION)}
        for index in ("sp500", "sp400", "russell2000")
    }
    assert {k: len(v) for k, v in companies.items()} == {"sp500": 300, "sp400": 100, "russell2000": 100}
    assert len(set.union(*companies.values())) == 500
    assert full.grid.day(0) == date(2023, 1, 3)
    assert full.grid.day(len(full.grid) - 1) == date(2027, 12, 31)
    assert {e[0] for e in ETFS} <= set(full.symbols_on(FIRST_DECISION))
    assert len({x.sector for x in full.roster.members("sp500", FIRST_DECISION)}) == 11


def test_index_lists_keep_their_size_through_every_change(full: World) -> None:
    sizes = {"sp500": set(), "sp400": set(), "russell2000": set()}
    for index, day, *_ in CHANGES:
        sizes[index].add(len({x.cik for x in full.roster.members(index, day)}))
    assert sizes["sp400"] == {100}
    assert sizes["sp500"] <= {300, 301}  # an addition is followed by its removal a day later
    assert sizes["russell2000"] <= {99, 100}  # a bankruptcy leaves a gap until the reconstitution


def test_bars_are_consistent(full: World) -> None:
    m = full.market
    seen = ~np.isnan(m.close)
    for value in (m.open, m.close):
        assert (value[seen] <= m.high[seen]).all()
        assert (value[seen] >= m.low[seen]).all()
    assert (m.low[seen] > 0).all()
    assert (m.volume[seen] >= 100).all()
    cents = m.close[seen & (m.close >= 1)]
    np.testing.assert_allclose(cents * 100, np.round(cents * 100), atol=1e-6)


def test_market_and_funds_behave_like_markets(full: World) -> None:
    m = full.market
    adjusted = m.close * m.factors
    spy, upro = _row(full, "SPY"), _row(full, "UPRO")
    ret = adjusted[:, 1:] / adjusted[:, :-1] - 1
    assert 0.12 < ret[spy].std() * 252**0.5 < 0.18
    # three times the day's return, up to dividends and fees
    quiet = (m.dividends[spy, 1:] == 0) & (m.dividends[upro, 1:] == 0)
    slope = np.polyfit(ret[spy, quiet], ret[upro, quiet], 1)[0]
    assert slope == pytest.approx(3.0, abs=0.02)
    stocks = [x.row for x in full.roster.listings if x.tier in "LMS"]
    assert 0.2 < np.nanmedian(np.nanstd(ret[stocks], axis=1)) * 252**0.5 < 0.45
    assert np.corrcoef(ret[_row(full, "XLK")], ret[spy])[0, 1] > 0.7


def test_splits_change_the_price_not_the_value(full: World) -> None:
    splits = [a for x in full.roster.listings for a in full.actions_of(x.row) if a.kind == "split"]
    assert {a.ratio > 1 for a in splits} == {True, False}
    for action in splits:
        row, at = _row(full, action.symbol, action.ex_date), full.grid.index_of(action.ex_date)
        assert at is not None
        before, after = full.market.close[row, at - 1], full.market.close[row, at]
        assert after * action.ratio / before == pytest.approx(1.0, abs=0.25)
        assert full.market.factors[row, at] / full.market.factors[row, at - 1] == pytest.approx(action.ratio)


def test_renames_reuse_delistings_and_halts(full: World) -> None:
    awkward = full.summary()["awkward"]
    old, new, when = awkward["renames"][0]
    day = date.fromisoformat(when)
    assert _row(full, old, day - timedelta(days=1)) == _row(full, new, day)
    assert full.listing(old, day) is None
    assert full.listing(new, day - timedelta(days=1)) is None
    assert full.bar(new, day) is not None

    (reused,) = awkward["reused"]
    first, second = full.listing(reused, date(2024, 8, 1)), full.listing(reused, date(2025, 4, 1))
    assert first is not None
    assert second is not None
    assert first.cik != second.cik
    assert full.listing(reused, date(2024, 12, 2)) is None

    for symbol, text in awkward["delistings"]:
        day = date.fromisoformat(text)
        assert full.bar(symbol, day) is None
        assert not full.tradable(symbol, day)
        if text != "2023-06-20":
            assert full.previous_bar(symbol, day - timedelta(days=1)) is not None
    for symbol, begin, _ in awkward["halts"]:
        day = date.fromisoformat(begin)
        assert full.is_halted(symbol, day)
        assert full.bar(symbol, day) is None
    assert not full.is_halted("SPY", FIRST_DECISION)


def test_a_bankruptcy_pays_nothing_and_a_takeover_the_last_close(full: World) -> None:
    paid = {a.symbol: a.amount for x in full.roster.listings for a in full.actions_of(x.row) if a.kind == "delisting"}
    assert Counter(v == 0 for v in paid.values()) == Counter({False: 5, True: 1})
    (failed,) = [s for s, v in paid.items() if v == 0]
    last, earlier = full.previous_bar(failed, date(2026, 2, 12)), full.bar(failed, date(2026, 1, 2))
    assert last is not None
    assert earlier is not None
    assert last.close < 0.35 * earlier.close


def test_share_classes_share_a_cik_and_nearly_a_price_path(full: World) -> None:
    a, b = full.roster.by_slot("L7")
    assert a.cik == b.cik
    assert {x.symbol_on(FIRST_DECISION)[-2:] for x in (a, b)} == {".A", ".B"}
    ret = np.diff(np.log(full.market.close[[a.row, b.row]] * full.market.factors[[a.row, b.row]]))
    assert np.corrcoef(ret[:, ~np.isnan(ret).any(axis=0)])[0, 1] > 0.95


def test_every_symbol_has_one_owner_a_day(full: World) -> None:
    for day in (date(2023, 1, 3), date(2024, 7, 1), FIRST_DECISION, date(2026, 12, 31)):
        owners = Counter(
            x.symbol_on(day)
            for x in full.roster.listings
            if (x.listed is None or x.listed <= day) and (x.delisted is None or day < x.delisted)
        )
        assert owners.most_common(1)[0][1] == 1
        assert set(owners) == set(full.symbols_on(day))


def test_titles_are_awkward_enough(full: World) -> None:
    members = [x for i in ("sp500", "sp400") for x in full.roster.members(i, FIRST_DECISION)]
    titles = {x.wiki_title for x in members}
    assert len({x.slot for x in members}) == 400
    for mark in "éÑø&/(?',":
        assert any(mark in t for t in titles), mark
    assert any(not t.replace(" ", "").isascii() for t in titles)
    assert set(full.views.dead) & {t.replace(" ", "_") for t in titles}
    assert (full.views.views == 0).sum() > 500  # days that nobody came


def test_trades_look_like_disclosures(full: World) -> None:
    trades = full.trades
    assert 3500 < sum(t.traded < date(2027, 1, 1) for t in trades) < 4800
    assert len({t.bioguide_id for t in trades}) >= 55
    for member in ("P000197", "M001204", "C001047"):
        assert sum(t.bioguide_id == member for t in trades) > 40
    lags = np.array([(t.filed - t.traded).days for t in trades])
    assert lags.min() >= 5
    assert 0.02 < (lags > 47).mean() < 0.2
    assert {t.transaction for t in trades} == {"Purchase", "Sale", "Sale (Partial)", "Sale (Full)", "Exchange"}
    assert any(t.symbol == "--" for t in trades)
    assert any(t.hidden and any(o.id == t.id and o.visible == t.hidden for o in trades) for t in trades)  # amended
    equal = Counter(
        (t.politician, t.symbol, t.traded, t.transaction, t.amount_range, t.filed) for t in trades if not t.hidden
    )
    assert max(equal.values()) >= 2
    assert all(t.filed.weekday() < 5 for t in trades)
    recent = {
        t.symbol
        for t in trades
        if FIRST_DECISION - timedelta(days=31) < t.filed <= FIRST_DECISION and t.transaction == "Purchase"
    }
    assert len(recent) >= 25  # enough for twenty names


def test_macro_vintages_follow_each_other_without_gap_or_overlap(full: World) -> None:
    for name, series in full.series.items():
        same = series.dates[1:] == series.dates[:-1]
        assert (series.starts <= series.ends).all(), name
        assert (series.starts[1:][same] == series.ends[:-1][same] + 1).all(), name
        assert (series.ends[:-1][~same] == FOREVER).all(), name
        assert (series.starts > series.dates).all(), name  # nothing is known before its day is over
    revised = {n for n, s in full.series.items() if len(np.unique(s.dates)) < len(s.dates)}
    assert revised == {"GDPC1", "INDPRO", "CPIAUCSL", "UNRATE"}
    assert (full.series["DGS10"].values == ".").sum() > 60
    first = full.series["GDPC1"]
    lag = first.starts[0] - date(2018, 4, 1).toordinal()
    assert 25 <= lag <= 35  # the advance estimate comes about four weeks after the quarter


def test_assets_of_a_day(full: World) -> None:
    assets = {a.symbol: a for a in full.assets(date(2026, 3, 2))}
    gone = full.roster.by_slot("L20")[0].symbol_on(FIRST_DECISION)
    assert assets["SPY"].exchange == "ARCA"
    assert (assets[gone].status, assets[gone].tradable) == ("inactive", False)
    assert any(not a.fractionable for a in assets.values())
    late = full.roster.by_slot("E10")[0]
    assert late.symbol_on(date(2026, 3, 16)) not in assets


def test_small_world_reaches_over_the_first_decision(small: World) -> None:
    at = small.grid.index_of(FIRST_DECISION)
    assert at is not None
    assert at >= 252
    assert len({x.cik for x in small.roster.listings if x.tier in "LMS"}) == 40


def test_the_regime_is_calm_and_no_series_is_ever_overdue(full: World) -> None:
    days = pd.bdate_range("2019-01-01", "2027-12-31")
    known, known_at = {}, {}
    for name, series in full.series.items():
        rows = pd.DataFrame({"day": series.dates, "start": series.starts, "value": series.values})
        rows = rows[rows["value"] != "."].sort_values(["start", "day"])
        rows = rows[rows["day"] >= rows["day"].cummax()]  # the newest observation, by its latest vintage
        rows = rows.drop_duplicates("start", keep="last")
        start = pd.DatetimeIndex([pd.Timestamp(date.fromordinal(d)) for d in rows["start"]])
        known[name] = pd.Series(rows["value"].astype(float).to_numpy(), start).reindex(days, method="ffill")
        known_at[name] = pd.Series(start, start).reindex(days, method="ffill")
    stress = stress_frame(pd.DataFrame(known, days), pd.DataFrame(known_at, days))
    history = regime_history(stress).loc["2021":]
    assert history["complete"].all()
    assert (history["scale"] == 1.0).mean() >= 0.95
    assert history["scale"].min() > 0.6
