"""Alpaca's bars and corporate actions: recorded payloads, paging, coverage, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError, SettingsError
from pas_lib.ingest import parse_file
from pas_lib.ingest.validate import conform, find_invalid
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source, usable_sources
from tests.support.paths import WIRE, needs

FETCHED = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
DATA = WIRE / "alpaca" / "payloads" / "market_data"


def payload(body: Any, status: int = 200, **context: str) -> Payload:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload("alpaca_bars", "prices", "x", "http://site/x", status, "", FETCHED, context, raw)


def bar(day: str, close: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"t": f"{day}T05:00:00Z", "o": close, "h": close, "l": close, "c": close, "v": 100, "n": 1, "vw": 1, **more}


def bars(token: str | None = None, **found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bars": found, "next_page_token": token}


def rows_of(name: str, *pages: Payload) -> list[dict[str, Any]]:
    found = [batch for page in pages for batch in source("alpaca_bars").parse(page) if batch.dataset == name]
    return [row for batch in found for row in conform(dataset(name), batch).to_pylist()]


@pytest.mark.needs_material
def test_the_recorded_bars_are_as_traded():
    rows = parse_file("prices", needs(DATA / "stocks_bars_1Day_raw_AAPL_KO_2020-08-25_2020-09-04.json"))
    assert [sum(row["symbol"] == symbol for row in rows) for symbol in ("AAPL", "KO")] == [9, 9]
    apple = {row["event_date"]: row for row in rows if row["symbol"] == "AAPL"}
    assert (apple[date(2020, 8, 28)]["close"], apple[date(2020, 8, 31)]["close"]) == (499.23, 129.04)
    assert apple[date(2020, 8, 31)]["volume"] == 243737082.0
    assert {(row["currency"], row["split_factor"]) for row in rows} == {("USD", 1.0)}
    assert find_invalid(dataset("prices"), dataset("prices").records_table(rows))[1] == {}


@pytest.mark.needs_material
def test_the_recorded_corporate_actions():
    rows = parse_file("corporate_actions", needs(DATA / "corporate_actions_2020-08_2020-09.json"))
    told = {(row["symbol"], row["action"], row["event_date"], row["amount"], row["ratio"]) for row in rows}
    assert told == {
        ("AAPL", "dividend", date(2020, 8, 7), 0.82, None),
        ("MSFT", "dividend", date(2020, 8, 19), 0.51, None),
        ("MTUM", "dividend", date(2020, 9, 23), 0.239494, None),
        ("AAPL", "split", date(2020, 8, 31), None, 4.0),
    }
    assert len(rows) == 4


@pytest.mark.needs_material
@pytest.mark.parametrize("name", ["prices", "corporate_actions"])
def test_error_bodies_are_refused_in_one_line(name):
    with pytest.raises(PayloadError) as caught:
        parse_file(name, needs(WIRE / "alpaca" / "payloads" / "errors.json"))
    assert "\n" not in str(caught.value)


def test_what_is_asked(tmp_path):
    keys = {"ALPACA_API_KEY": "akey", "ALPACA_API_SECRET": "asecret", "PAS_ALPACA_FEED": "iex"}
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", **keys}, root=tmp_path)
    items = ("AAA", *(f"S{i:03}" for i in range(120)))
    ask = Ask("prices", here, FETCHED, date(2023, 1, 1), items, {"AAA": date(2026, 1, 20)})
    asked = list(source("alpaca_bars").requests(ask))
    assert [request.context["kind"] for request in asked] == ["bars", "actions"] * 3
    assert [len(request.context["symbols"].split(",")) for request in asked[::2]] == [100, 20, 1]
    first = asked[0]
    assert first.url == "https://data.alpaca.markets/v2/stocks/bars"
    assert {name: first.params[name] for name in ("timeframe", "start", "end", "adjustment", "feed", "limit")} == {
        "timeframe": "1Day",
        "start": "2023-01-01",
        # The last quarter of an hour is for those who pay.
        "end": "2026-01-31T00:44:00Z",
        "adjustment": "raw",
        "feed": "iex",
        "limit": "10000",
    }
    assert first.headers == {"APCA-API-KEY-ID": "akey", "APCA-API-SECRET-KEY": "asecret"}
    assert first.context["feed"] == "iex"
    assert "akey" not in str(first.context) + str(first.params) + first.url
    assert (asked[5].params["start"], asked[5].params["end"]) == ("2026-01-20", "2026-01-30")
    without = here.model_copy(update={"alpaca_api_secret": None})
    with pytest.raises(SettingsError, match="ALPACA_API_SECRET is not set"):
        list(source("alpaca_bars").requests(Ask("prices", without, FETCHED, date(2023, 1, 1), ("AAA",))))


def test_it_is_an_alternative_chosen_by_configuration(tmp_path):
    def names(dataset_name: str, **more: str) -> list[str]:
        here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", **more}, root=tmp_path)
        return [entry.name for entry in usable_sources(dataset(dataset_name), here)]

    assert names("prices", ALPACA_API_KEY="a") == ["yahoo_chart"]
    chosen = {"PAS_DATASET_SOURCES": "prices=alpaca_bars", "ALPACA_API_KEY": "a"}
    assert names("prices", **chosen) == names("corporate_actions", **chosen) == ["alpaca_bars"]
    with pytest.raises(SettingsError, match="ALPACA_API_KEY is not set"):
        names("prices", PAS_DATASET_SOURCES="prices=alpaca_bars")


def test_a_symbol_may_go_on_on_the_next_page(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    site = source("alpaca_bars")
    request = next(iter(site.requests(Ask("prices", here, FETCHED, date(2026, 1, 1), ("AAA", "BBB", "CCC")))))
    one = payload(bars("next", AAA=[bar("2026-01-27")], BBB=[bar("2026-01-26"), bar("2026-01-27")]), **request.context)
    following = site.follow(request, one)
    assert (following.params["page_token"], following.context["after"]) == ("next", "BBB")
    two = payload(bars(None, BBB=[bar("2026-01-28")], CCC=[bar("2026-01-28")]), **following.context)
    assert site.follow(following, two) is None
    rows = rows_of("prices", one, two)
    assert [(row["symbol"], row["event_date"].day) for row in rows] == [
        ("AAA", 27),
        ("BBB", 26),
        ("BBB", 27),
        ("BBB", 28),
        ("CCC", 28),
    ]
    (batch,) = site.parse(one)
    assert batch.scopes[1] == {"symbol": "BBB", "scope_start": date(2026, 1, 26), "scope_end": date(2026, 1, 27)}


def test_the_running_day_is_dropped_and_summer_has_another_midnight():
    found = bars(AAA=[{**bar("2025-07-28"), "t": "2025-07-28T04:00:00Z"}, bar("2026-01-30"), bar("2026-02-02")])
    assert [row["event_date"] for row in rows_of("prices", payload(found))] == [date(2025, 7, 28), date(2026, 1, 30)]


def test_absent_symbols_are_told_and_too_many_are_an_error():
    asked = [f"S{i}" for i in range(10, 22)]
    context = {"kind": "bars", "symbols": ",".join(asked)}
    site = source("alpaca_bars")

    def page(*there: str, token: str | None = None, **more: str) -> Payload:
        return payload(bars(token, **{s: [bar("2026-01-28")] for s in there}), **context, **more)

    (batch,) = site.parse(page(*asked[2:]))
    assert batch.note == "no bars of S10, S11"
    with pytest.raises(PayloadError, match=r"no bars of 4 of 12 symbols \(S18, ...\)"):
        site.check(page(*asked[:8]))
    # What comes after the last symbol of a page may be on the next, what comes before on the one before.
    site.check(page(*asked[:8], token="t"))
    site.check(page(*asked[8:], after="S17"))
    (batch,) = site.parse(payload(bars(), kind="bars", symbols="AAA,BBB"))
    assert (batch.missing, batch.note) == (True, "no bars of AAA, BBB")


def test_actions_under_a_former_symbol_are_asked_for_and_belong_to_the_present_one(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    site = source("alpaca_bars")
    request = list(site.requests(Ask("prices", here, FETCHED, date(2022, 1, 1), ("META",))))[1]
    change = {"old_symbol": "FB", "new_symbol": "META", "process_date": "2022-06-09"}
    found = {"corporate_actions": {"name_changes": [change], "cash_mergers": [{"x": 1}]}, "next_page_token": None}
    first = payload(found, **request.context)
    (former,) = site.expand(request, first)
    assert (former.params["symbols"], former.params["end"]) == ("FB", "2022-06-09")
    split = {"symbol": "FB", "ex_date": "2022-03-01", "new_rate": 3, "old_rate": 2}
    page = payload({"corporate_actions": {"forward_splits": [split]}, "next_page_token": None}, **former.context)
    (row,) = rows_of("corporate_actions", page)
    assert (row["symbol"], row["ratio"]) == ("META", 1.5)
    assert list(site.expand(former, page)) == []
    # What lies under the former symbol is not in this answer: nothing has vanished.
    assert site.parse(first)[0].scopes == []


def test_actions_are_in_shares_of_their_day_and_equal_ones_are_told_apart():
    cash = {"symbol": "AAA", "ex_date": "2026-01-05", "rate": 0.5, "special": False, "foreign": False}
    found = {
        "cash_dividends": [cash, {**cash, "special": True}, {**cash, "rate": "much"}],
        "reverse_splits": [{"symbol": "AAA", "ex_date": "2026-01-06", "new_rate": 1, "old_rate": 10}],
        "stock_dividends": [{"symbol": "AAA", "ex_date": "2026-01-07", "rate": 0.05}],
    }
    context = {"kind": "actions", "symbols": "AAA,BBB", "start": "2026-01-01", "end": "2026-01-30"}
    (batch,) = source("alpaca_bars").parse(payload({"corporate_actions": found, "next_page_token": None}, **context))
    told = [(row["action"], row["ordinal"], row.get("amount") or row.get("ratio")) for row in batch.records]
    assert told == [("dividend", 0, 0.5), ("dividend", 1, 0.5), ("split", 0, 0.1), ("split", 0, 1.05)]
    assert [reject.reason.partition(":")[0] for reject in batch.rejects] == ["cash_dividends"]
    assert [scope["symbol"] for scope in batch.scopes] == ["AAA", "BBB"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (b'{"bars":{"AAA":[', "not JSON or cut off"),
        (b"<html>x</html>", "an HTML page came"),
        ({"message": "forbidden."}, "forbidden."),
        ({"message": "subscription does not permit querying recent SIP data"}, "recent SIP data"),
        ({"candles": {}}, "found candles"),
        ({"corporate_actions": {}}, "found corporate_actions"),
        ([], "not an object but list"),
        ({"bars": {"AAA": [{"t": "2026-01-28T05:00:00Z"}]}}, "a bar of AAA lacks 'o'"),
        ({"bars": {"AAA": [bar("2026-01-28", o="much")]}}, "no number or no time"),
        ({"bars": {"AAA": [{**bar("2026-01-28"), "t": "soon"}]}}, "no number or no time"),
        ({"bars": {"AAA": None}}, "not lists by symbol"),
    ],
)
def test_an_answer_that_is_none_fails(body, said):
    with pytest.raises(PayloadError) as caught:
        source("alpaca_bars").check(payload(body, kind="bars"))
    assert said in str(caught.value)


def test_a_bar_is_whole_when_all_of_it_could_be_asked_for():
    def days(fetched: datetime) -> list[date]:
        body = orjson.dumps({"bars": {"AAA": [bar("2026-01-29"), bar("2026-01-30")]}, "next_page_token": None})
        about = {"kind": "bars", "symbols": "AAA", "start": "2026-01-29"}
        payload = Payload("alpaca_bars", "prices", "x", "https://site/x", 200, "", fetched, about, body)
        return [row["event_date"] for row in rows_of("prices", payload)]

    thursday, friday = date(2026, 1, 29), date(2026, 1, 30)
    # Five minutes after the close the question ends before it: the auction is missing in the day's bar.
    assert days(datetime(2026, 1, 30, 21, 5, tzinfo=UTC)) == [thursday]
    assert days(datetime(2026, 1, 30, 21, 16, tzinfo=UTC)) == [thursday, friday]
