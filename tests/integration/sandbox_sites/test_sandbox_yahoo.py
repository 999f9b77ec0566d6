"""The chart endpoint against the world behind it and the recorded payloads."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from pas_lib.clock import NY
from pas_lib.sandbox.roster import FIRST_DECISION
from tests.support.paths import WIRE, needs

EVENTS = "interval=1d&events=div%2Csplits%2CcapitalGains"


def chart(site: Any, symbol: str, query: str = f"period1=0&period2=9999999999&{EVENTS}") -> dict[str, Any]:
    answer = site.get(f"/yahoo/v8/finance/chart/{symbol}?{query}")
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["chart"]["result"]
    return dict(result)


def days(result: dict[str, Any]) -> list[date]:
    return [datetime.fromtimestamp(t, UTC).astimezone(NY).date() for t in result["timestamp"]]


def unadjusted(result: dict[str, Any], name: str) -> list[float | None]:
    """Undo the splits of the payload, as a careful reader does."""
    splits = [
        (datetime.fromtimestamp(s["date"], UTC).astimezone(NY).date(), s["numerator"] / s["denominator"])
        for s in result.get("events", {}).get("splits", {}).values()
    ]
    found = []
    for day, value in zip(days(result), result["indicators"]["quote"][0][name], strict=True):
        factor = np.prod([ratio for at, ratio in splits if at > day])
        found.append(None if value is None else value / factor if name == "volume" else value * factor)
    return found


@pytest.mark.parametrize("slot", ["L0", "S1", "L13", "XLE", "L5"])
def test_prices_are_the_worlds_once_the_splits_are_undone(site: Any, slot: str) -> None:
    world = site.sandbox.world
    symbol = world.roster.by_slot(slot)[0].symbol_on(FIRST_DECISION)
    result = chart(site, symbol.replace(".", "-"))
    for name in ("open", "high", "low", "close", "volume"):
        for day, value in zip(days(result), unadjusted(result, name), strict=True):
            bar = world.bar(symbol, day)
            assert value == pytest.approx(getattr(bar, name), rel=2e-6, abs=12 if name == "volume" else 1e-9)
    assert days(result)[-1] == FIRST_DECISION


def test_shape_equals_the_recorded_one(site: Any) -> None:
    recorded = json.loads(needs(WIRE / "yahoo" / "chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json").read_text())
    theirs, ours = recorded["chart"]["result"][0], chart(site, "SPY", f"range=1y&{EVENTS}")
    assert list(ours) == list(theirs)
    assert list(ours["meta"]) == list(theirs["meta"])
    assert {k: type(v) for k, v in ours["meta"].items()} == {k: type(v) for k, v in theirs["meta"].items()} | {
        "range": str
    }
    assert set(ours["indicators"]["quote"][0]) == set(theirs["indicators"]["quote"][0])
    assert list(ours["indicators"]) == list(theirs["indicators"])
    one, other = (next(iter(x["events"]["dividends"].values())) for x in (ours, theirs))
    assert one.keys() == other.keys()
    split = json.loads(needs(WIRE / "yahoo" / "chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json").read_text())
    mine = chart(site, "XLE")["events"]["splits"]
    recorded_split = next(iter(split["chart"]["result"][0]["events"]["splits"].values()))
    assert next(iter(mine.values())).keys() == recorded_split.keys()


def test_unknown_symbols_and_dots_are_not_found(site: Any) -> None:
    for symbol in ("NOSUCH", site.sandbox.world.roster.by_slot("L5")[0].symbol_on(FIRST_DECISION)):
        answer = site.get(f"/yahoo/v8/finance/chart/{symbol}?range=5d")
        assert answer.status_code == 404
        assert len(answer.content) == 108
        error = answer.json()["chart"].pop("error")
        assert error == {"code": "Not Found", "description": "No data found, symbol may be delisted"}


def test_refusals(site: Any) -> None:
    assert site.get("/yahoo/v8/finance/chart/SPY?interval=7d").status_code == 422
    assert site.get("/yahoo/v8/finance/chart/SPY?range=3w").status_code == 400
    assert site.get("/yahoo/v8/finance/chart/SPY?period1=x").status_code == 400
    bare = site.get("/yahoo/v8/finance/chart/SPY", headers={"User-Agent": "python-requests/2.32"})
    assert (bare.status_code, bare.text) == (429, "Too Many Requests\r\n")


def test_no_bars_no_timestamp(site: Any) -> None:
    saturday, sunday = 1769850000, 1769930000
    result = chart(site, "SPY", f"interval=1d&period1={saturday}&period2={sunday}")
    assert "timestamp" not in result
    assert result["indicators"]["quote"] == [{}]
    assert "timestamp" not in chart(site, "SPY", "interval=1m&range=1d")


def test_the_end_of_a_period_is_included_and_the_previous_close_stated(site: Any) -> None:
    full = chart(site, "SPY")
    first, last = full["timestamp"][10], full["timestamp"][14]
    part = chart(site, "SPY", f"interval=1d&period1={first}&period2={last}")
    assert part["timestamp"] == full["timestamp"][10:15]
    assert part["meta"]["chartPreviousClose"] == pytest.approx(full["indicators"]["quote"][0]["close"][9], abs=1e-4)
    assert "events" not in part


def test_adjusted_close_gives_total_returns(site: Any) -> None:
    result = chart(site, "XLRE")
    close, adjusted = (
        np.array(x)
        for x in (result["indicators"]["quote"][0]["close"], result["indicators"]["adjclose"][0]["adjclose"])
    )
    paid = {d: 0.0 for d in result["timestamp"]}
    for kind in ("dividends", "capitalGains"):
        for event in result["events"][kind].values():
            paid[event["date"]] += event["amount"]
    cash = np.array([paid[t] for t in result["timestamp"]])
    assert (cash > 0).sum() == 5
    np.testing.assert_allclose(adjusted[1:] / adjusted[:-1], close[1:] / (close[:-1] - cash[1:]), rtol=1e-5)
    assert adjusted[-1] == pytest.approx(close[-1])


def test_halts_are_null_and_gaps_are_missing(site: Any) -> None:
    world = site.sandbox.world
    halted = world.roster.by_slot("L16")[0].symbol_on(FIRST_DECISION)
    result = chart(site, halted)
    nulls = [d for d, c in zip(days(result), result["indicators"]["quote"][0]["close"], strict=True) if c is None]
    assert nulls == [date(2025, 11, 17), date(2025, 11, 18), date(2025, 11, 19)]
    assert result["indicators"]["quote"][0]["volume"][days(result).index(nulls[0])] is None
    missing = world.roster.by_slot("L18")[0].symbol_on(FIRST_DECISION)
    assert date(2026, 1, 14) not in days(chart(site, missing))
    assert world.bar(missing, date(2026, 1, 14)) is not None


def test_one_chart_ends_with_a_second_row_of_the_last_day(site: Any) -> None:
    symbol = site.sandbox.world.roster.by_slot("L19")[0].symbol_on(FIRST_DECISION)
    result = chart(site, symbol)
    assert days(result)[-2:] == [FIRST_DECISION] * 2
    assert result["timestamp"][-1] == result["meta"]["regularMarketTime"]
    assert len(result["indicators"]["quote"][0]["close"]) == len(result["timestamp"])


def test_the_index_has_prices_and_no_events(site: Any) -> None:
    result = chart(site, "%5EGSPC")
    assert result["meta"]["instrumentType"] == "INDEX"
    assert "events" not in result
    assert len(result["timestamp"]) == site.sandbox.world.bars_at(site.sandbox.clock.now())


def test_a_bar_appears_with_its_close_and_a_split_with_its_day(moving: Any) -> None:
    world = moving.sandbox.world
    symbol = world.roster.by_slot("M5")[0].symbol_on(FIRST_DECISION)  # splits 2:1 on 17 February
    before = chart(moving, symbol)
    moving.advance("2026-02-16T20:00")
    assert "splits" not in chart(moving, symbol).get("events", {})
    moving.advance("2026-02-17T09:30")
    opened = chart(moving, symbol)
    assert days(opened)[-1] == date(2026, 2, 13)
    assert next(iter(opened["events"]["splits"].values()))["splitRatio"] == "2:1"
    assert opened["indicators"]["quote"][0]["close"][0] == pytest.approx(
        before["indicators"]["quote"][0]["close"][0] / 2, rel=1e-6
    )
    moving.advance("close")
    assert days(chart(moving, symbol))[-1] == date(2026, 2, 17)
    assert unadjusted(chart(moving, symbol), "close")[0] == pytest.approx(unadjusted(before, "close")[0], rel=1e-6)


def test_renames_and_delistings(moving: Any) -> None:
    world = moving.sandbox.world
    item = world.roster.by_slot("S5")[0]
    old, new = (s.symbol for s in item.spells)
    assert moving.get(f"/yahoo/v8/finance/chart/{new}").status_code == 404
    history = days(chart(moving, old))
    moving.advance("2026-02-10T20:00")
    assert moving.get(f"/yahoo/v8/finance/chart/{old}").status_code == 404
    assert days(chart(moving, new))[: len(history)] == history  # the history moves with the name
    gone = world.roster.by_slot("S7")[0].symbol_on(FIRST_DECISION)  # last traded before 13 February
    moving.advance("2026-02-13T20:00")
    assert max(days(chart(moving, gone))) == date(2026, 2, 12)
    moving.advance("2026-02-16T20:00")
    assert moving.get(f"/yahoo/v8/finance/chart/{gone}").status_code == 404
