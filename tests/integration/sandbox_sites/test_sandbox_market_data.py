"""Alpaca market data, asked by the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alpaca.data.enums import Adjustment
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame

from pas_lib.clock import NY
from pas_lib.sandbox.roster import FIRST_DECISION
from tests.support.paths import WIRE, needs

KEYS = {"APCA-API-KEY-ID": "SANDBOX", "APCA-API-SECRET-KEY": "sandbox-secret"}
START = datetime(2025, 11, 1, tzinfo=UTC)


@pytest.fixture
def client(site: Any) -> Iterator[StockHistoricalDataClient]:
    client = StockHistoricalDataClient(
        "SANDBOX", "sandbox-secret", raw_data=True, url_override=f"{site.sandbox.url}/alpaca-data"
    )
    client._session.trust_env = False
    yield client
    client._session.close()


def bars(
    client: StockHistoricalDataClient, *symbols: str, adjustment: Adjustment = Adjustment.RAW, limit: int | None = None
) -> Any:
    return client.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=list(symbols), timeframe=TimeFrame.Day, start=START, adjustment=adjustment, limit=limit
        )
    )


def test_raw_bars_are_the_worlds(site: Any, client: StockHistoricalDataClient) -> None:
    world = site.sandbox.world
    for symbol, rows in bars(
        client, "XLE", "SPY", "KLBR.A" if world.listing("KLBR.A", FIRST_DECISION) else "XLK"
    ).items():
        for row in rows:
            at = datetime.fromisoformat(row["t"]).astimezone(NY)
            bar = world.bar(symbol, at.date())
            assert at.hour == 0
            assert (row["o"], row["h"], row["l"], row["c"], row["v"]) == (
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
            )
        assert datetime.fromisoformat(rows[-1]["t"]).astimezone(NY).date() == FIRST_DECISION


def test_adjustments(client: StockHistoricalDataClient) -> None:
    raw, split, whole = (
        bars(client, "XLE", adjustment=a)["XLE"] for a in (Adjustment.RAW, Adjustment.SPLIT, Adjustment.ALL)
    )
    assert split[0]["c"] == pytest.approx(raw[0]["c"] / 2, rel=1e-4)
    assert split[0]["v"] == pytest.approx(raw[0]["v"] * 2, rel=1e-6)
    assert whole[0]["c"] < split[0]["c"]
    assert raw[-1]["c"] == split[-1]["c"] == whole[-1]["c"]


def test_pages_add_up(site: Any) -> None:
    query = {"symbols": "XLE,SPY,NOSUCH", "timeframe": "1Day", "start": "2025-11-01"}
    whole = site.get("/alpaca-data/v2/stocks/bars", params=query, headers=KEYS).json()
    assert whole["next_page_token"] is None
    assert list(whole["bars"]) == ["SPY", "XLE"]
    for sort in ("asc", "desc"):
        merged: dict[str, list[Any]] = {}
        params = {**query, "limit": "7", "sort": sort}
        while True:
            page = site.get("/alpaca-data/v2/stocks/bars", params=params, headers=KEYS).json()
            assert sum(map(len, page["bars"].values())) <= 7
            for symbol, rows in page["bars"].items():
                merged.setdefault(symbol, []).extend(rows)
            if page["next_page_token"] is None:
                break
            params["page_token"] = page["next_page_token"]
        ordered = {s: r if sort == "asc" else r[::-1] for s, r in merged.items()}
        assert ordered == whole["bars"]


def test_shape_and_refusals(site: Any) -> None:
    path = WIRE / "alpaca/payloads/market_data/stocks_bars_1Day_raw_AAPL_KO_2020-08-25_2020-09-04.json"
    recorded = json.loads(needs(path).read_text())
    url = "/alpaca-data/v2/stocks/bars"
    ours = site.get(url, params={"symbols": "SPY", "start": "2026-01-05"}, headers=KEYS).json()
    assert set(ours) == set(recorded)
    assert set(ours["bars"]["SPY"][0]) == set(recorded["bars"]["KO"][0])
    assert site.get(url, params={"symbols": "NOSUCH"}, headers=KEYS).json() == {"bars": {}, "next_page_token": None}
    refused = site.get(url, params={"symbols": "SPY"}, headers={**KEYS, "APCA-API-SECRET-KEY": "x"})
    assert (refused.status_code, refused.json()) == (403, {"message": "forbidden."})
    for wrong in (
        {"adjustment": "none"},
        {"feed": "x"},
        {"limit": "0"},
        {"start": "soon"},
        {"timeframe": "1Min"},
        {"symbols": ""},
    ):
        answer = site.get(url, params={"symbols": "SPY", **wrong}, headers=KEYS)
        assert answer.status_code == 400, wrong
        assert list(answer.json()) == ["message"]


def test_corporate_actions(site: Any) -> None:
    recorded = json.loads(
        needs(WIRE / "alpaca/payloads/market_data/corporate_actions_2020-08_2020-09.json").read_text()
    )
    url = "/alpaca-data/v1/corporate-actions"
    found = site.get(url, params={"start": "2025-01-01", "end": "2027-12-31", "limit": "1000"}, headers=KEYS).json()
    ours, theirs = found["corporate_actions"], recorded["corporate_actions"]
    assert set(ours["cash_dividends"][0]) == set(theirs["cash_dividends"][0])
    assert set(ours["forward_splits"][0]) == set(theirs["forward_splits"][0])
    assert {"reverse_splits", "name_changes", "cash_mergers"} <= set(ours)
    latest = max(date.fromisoformat(r["ex_date"]) for r in ours["cash_dividends"])
    assert (latest - FIRST_DECISION).days <= 7  # announced a week ahead, no further
    only = site.get(
        url, params={"symbols": "XLE", "types": "forward_split", "start": "2025-01-01"}, headers=KEYS
    ).json()
    (split,) = only["corporate_actions"]["forward_splits"]
    assert (split["symbol"], split["new_rate"], split["old_rate"], split["ex_date"]) == ("XLE", 2, 1, "2025-12-05")
    first = site.get(url, params={"start": "2025-01-01", "limit": "3"}, headers=KEYS).json()
    assert sum(map(len, first["corporate_actions"].values())) == 3
    assert first["next_page_token"]


def test_renamed_symbols_carry_their_history(site: Any) -> None:
    item = site.sandbox.world.roster.by_slot("L11")[0]
    old, new = (s.symbol for s in item.spells)

    def count(**params: str) -> dict[str, int]:
        query = {"symbols": f"{old},{new}", "start": "2025-09-02", "end": "2025-09-12", **params}
        answer = site.get("/alpaca-data/v2/stocks/bars", params=query, headers=KEYS)
        return {s: len(r) for s, r in answer.json()["bars"].items()}

    assert count() == {new: 9}
    assert count(asof="2025-09-05") == {old: 9}
    assert count(asof="-") == {new: 5}
