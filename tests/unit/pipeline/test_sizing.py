"""Which portfolios trade and what they hold: every case of the rule, with numbers worked out by hand."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from pas_lib.pipeline.sizing import Caps, SecurityInfo, Sleeve, Wish, cap_wishes, wish


def sleeve(
    *, due: bool = False, target: float = 0.3, current: float = 0.3, held: dict[str, float] | None = None
) -> Sleeve:
    model = pd.Series({"AAA": 0.6, "BBB": 0.4})
    return Sleeve("one", date(2026, 1, 30) if due else None, target, current, model, pd.Series(held or {}, dtype=float))


def test_a_due_strategy_trades_to_its_new_weights() -> None:
    got = wish(sleeve(due=True, held={"CCC": 0.3}))
    assert (got.trades, got.why) == (True, "strategy due at 2026-01-30")
    assert got.holdings.to_dict() == pytest.approx({"AAA": 0.18, "BBB": 0.12})


def test_nothing_due_and_share_kept_drifts() -> None:
    got = wish(sleeve(held={"CCC": 0.2}))
    assert (got.trades, got.share) == (False, 0.3)
    assert got.holdings.to_dict() == {"CCC": 0.2}


def test_a_share_that_moves_scales_the_holdings_in_proportion() -> None:
    got = wish(sleeve(target=0.15, held={"CCC": 0.2, "DDD": 0.05}))
    assert got.trades
    assert got.holdings.to_dict() == pytest.approx({"CCC": 0.1, "DDD": 0.025})  # the cash part of 0.05 halves too
    assert got.why == "share leaves the band: 30.00% to 15.00%"


def test_the_first_purchase_buys_the_drifted_model() -> None:
    got = wish(sleeve(current=0.0))
    assert got.holdings.to_dict() == pytest.approx({"AAA": 0.18, "BBB": 0.12})
    assert got.why == "first purchase, 30.00%"


def test_an_exit_sells_all_and_an_empty_portfolio_stays_out() -> None:
    got = wish(sleeve(target=0.0, held={"CCC": 0.2}))
    assert (got.trades, got.holdings.empty, got.share) == (True, True, 0.0)
    assert not wish(sleeve(target=0.0, current=0.0)).trades


def wishes() -> list[Wish]:
    return [
        Wish("one", True, "strategy due", 0.4, pd.Series({"AAA": 0.08, "XLB": 0.30})),
        Wish("two", False, "drifts", 0.4, pd.Series({"AAA": 0.12, "BBB": 0.02})),
    ]


def test_a_name_over_two_portfolios_is_cut_to_its_cap_in_proportion_and_makes_the_drifting_one_trade() -> None:
    got, breaches = cap_wishes(wishes(), Caps(name=0.10, etf=0.5), SecurityInfo({}, frozenset({"XLB"})))
    assert got[0].holdings.to_dict() == pytest.approx({"AAA": 0.04, "XLB": 0.30})
    assert got[1].holdings.to_dict() == pytest.approx({"AAA": 0.06, "BBB": 0.02})
    assert [(one.code, one.name) for one in breaches] == [("NAME_CAP", "AAA")]
    assert breaches[0].before == pytest.approx(0.20)
    assert (got[1].trades, got[1].why) == (True, "cap breached: AAA")
    assert got[0].why == "strategy due"


def test_etfs_have_a_cap_of_their_own_and_sectors_count_both() -> None:
    info = SecurityInfo({"AAA": "Materials", "XLB": "Materials", "BBB": "Energy"}, frozenset({"XLB"}))
    got, breaches = cap_wishes(wishes(), Caps(name=1.0, etf=0.25, sector=0.36), info)
    assert [one.code for one in breaches] == ["NAME_CAP", "SECTOR_CAP"]
    # XLB 0.25 + AAA 0.20 = 0.45, cut to 0.36: both by 0.8.
    assert got[0].holdings.to_dict() == pytest.approx({"AAA": 0.064, "XLB": 0.20})
    assert got[1].holdings.to_dict() == pytest.approx({"AAA": 0.096, "BBB": 0.02})


def test_what_drifts_may_exceed_the_gross_a_little_but_what_is_bought_may_not() -> None:
    drifting = Wish("one", False, "drifts", 0.6, pd.Series({"AAA": 0.602}))
    bought = Wish("two", True, "strategy due", 0.4, pd.Series({"BBB": 0.4}))
    got, breaches = cap_wishes([drifting, bought], Caps(sector=2.0, slack=0.005), SecurityInfo())
    assert (breaches, got) == ((), [drifting, bought])
    got, breaches = cap_wishes([drifting, bought], Caps(sector=2.0), SecurityInfo())
    assert [one.code for one in breaches] == ["GROSS_CAP"]
    assert sum(one.holdings.sum() for one in got) == pytest.approx(1.0)
    both = [Wish("one", True, "", 0.6, pd.Series({"AAA": 0.602})), bought]
    got, breaches = cap_wishes(both, Caps(sector=2.0, slack=0.005), SecurityInfo())
    assert sum(one.holdings.sum() for one in got) == pytest.approx(1.0)


def test_within_the_caps_nothing_changes() -> None:
    before = wishes()
    got, breaches = cap_wishes(before, Caps(name=0.5, etf=0.5), SecurityInfo())
    assert breaches == ()
    assert got is before
