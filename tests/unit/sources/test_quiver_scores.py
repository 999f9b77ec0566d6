"""QuiverQuant's tables of scores and its ratings of apps: read by headings, loud when these change."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Batch, Payload, source, usable_sources
from pas_lib.sources.quiver_scores import read_number
from tests.support.paths import WIRE, needs

EVENING = datetime(2026, 1, 30, 20, 0, tzinfo=NY).astimezone(UTC)
FRIDAY = date(2026, 1, 30)
PAGES, API = source("quiver_scores"), source("quiver_appratings")


def payload(name: str, body: str, source_name: str = "quiver_scores", at: datetime = EVENING) -> Payload:
    return Payload(source_name, name, "x", "http://site/x", 200, "", at, {}, body.encode())


def table(headings: list[str], rows: list[list[str]], attributes: str = 'id="myTable"') -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table {attributes}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def page(*tables: str) -> str:
    return f"<!DOCTYPE html><html><body>{''.join(tables)}</body></html>"


def parse(name: str, *tables: str) -> Batch:
    return PAGES.parse(payload(name, page(*tables)))[0]


SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]


def test_trends_have_no_date_and_get_the_day_they_are_seen():
    found = parse("google_trends", table(["Ticker", "Trend Score"], [[s, "1,087.5"] for s in SYMBOLS])).records
    assert found[0] == {"event_date": FRIDAY, "symbol": "AAA", "capture_date": FRIDAY, "score": 1087.5}
    assert [record["symbol"] for record in found] == SYMBOLS


def test_columns_are_found_by_their_headings_in_any_order():
    rows = [["3.1%", f"<a>{s}</a><br>Some Company", "Jan. 23, 2026", "71.5", "1"] for s in SYMBOLS]
    headings = ["Return Since", "Stock", "Last Updated", "DC Insider Score", "Score Change (1W)"]
    found = parse("dc_insider_scores", table(headings, rows)).records
    assert found[0] == {"event_date": date(2026, 1, 23), "symbol": "AAA", "capture_date": FRIDAY, "score": 71.5}
    # The same with a table of something else before it.
    other = table(["Politician", "Trades"], [["Jane Doe", "3"]], "")
    assert parse("dc_insider_scores", other, table(headings, rows, "")).records == found


def test_ratings_of_apps_with_and_without_a_date():
    headings = ["Ticker", "App", "Publisher", "Avg Rating", "Count"]
    found = parse("app_reviews", table(headings, [[s, "Go", "P", "4.5 / 5", "1,200"] for s in SYMBOLS])).records
    assert found[0] == {
        "event_date": FRIDAY,
        "symbol": "AAA",
        "app": "Go",
        "publisher": "P",
        "ordinal": 0,
        "rating": 4.5,
        "ratings": 1200,
        "hype": None,
        "rated_on": None,
        "capture_date": FRIDAY,
    }
    hype = parse("app_reviews", table(["Ticker", "Hype", "Date"], [[s, "8.1", "2026-01-28"] for s in SYMBOLS])).records
    assert (hype[0]["hype"], hype[0]["rating"], hype[0]["app"]) == (8.1, None, "")
    assert (hype[0]["event_date"], hype[0]["rated_on"]) == (date(2026, 1, 28), date(2026, 1, 28))


def test_rows_without_a_symbol_are_passed_over_and_unreadable_ones_set_aside():
    rows = [[s, "1"] for s in SYMBOLS] + [["-", "5"], ["see note", "5"], ["FFF", "high"], ["GGG", "-"]]
    batch = parse("google_trends", table(["Symbol", "Score"], rows))
    assert [record["symbol"] for record in batch.records] == [*SYMBOLS, "GGG"]
    assert batch.records[-1]["score"] is None
    assert [reject.reason for reject in batch.rejects] == ["'SEE NOTE' is not a symbol", "'high' is not a number"]


FIVE = [[s, "1"] for s in SYMBOLS]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("google_trends", "", "the answer is empty"),
        ("google_trends", "<html><title>Just a moment...</title></html>", "blocked or changed: 'Just a moment...'"),
        ("google_trends", "error code: 1010", "blocked or changed: 'error code: 1010'"),
        ("google_trends", page(table(["Code", "Score"], FIVE)), "column 'symbol' not found among code, score"),
        ("google_trends", page(table(["Ticker", "Mentions"], FIVE)), "column 'score' not found among ticker, mentions"),
        ("google_trends", page(table([], FIVE)), "column 'symbol' not found among no headings"),
        ("dc_insider_scores", page(table(["Ticker", "Score A", "Score B"], [])), "column 'score' is ambiguous among"),
        ("dc_insider_scores", page(table(["Ticker", "Score Change"], [])), "column 'score' not found"),
        ("app_reviews", page(table(["Ticker", "App"], [])), "column 'rating' or 'hype' not found among ticker, app"),
        ("google_trends", page(table(["Ticker", "Score", "x"], FIVE)), "2 cells under 3 headings"),
        ("google_trends", page(table(["Ticker", "Score"], FIVE[:3])), "3 rows with a symbol, at least 5 expected"),
        ("google_trends", page(table(["Ticker", "Score"], FIVE))[:-20], "the page is cut off"),
        ("google_trends", page(table(["Ticker", "Score"], [[s, "high"] for s in SYMBOLS])), "no row can be read"),
    ],
)
def test_another_page_is_refused_in_one_line(name, text, said):
    with pytest.raises(PayloadError) as caught:
        PAGES.check(payload(name, text))
    message = str(caught.value)
    assert said in message
    assert message.startswith("quiver_scores: ")
    assert message.endswith(" in http://site/x")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "expected"), [("1,234.5", 1234.5), ("87%", 87.0), ("4.5 / 5", 4.5), ("-", None), ("", None), ("-2", -2.0)]
)
def test_numbers(text, expected):
    assert read_number(text) == expected


# -- the API of app ratings


def rating(**changes: Any) -> dict[str, Any]:
    usual = {"Ticker": "AAA", "App": "Go", "Created": "2020-01-01", "Publisher": "P", "Rating": 4.5, "Count": 1200}
    return {**usual, "Time": "2026-01-28T06:00:00", **changes}


def rated(*rows: dict[str, Any]) -> Batch:
    return API.parse(payload("app_reviews", json.dumps(rows), "quiver_appratings"))[0]


def test_ratings_come_with_their_day():
    (record,) = rated(rating()).records
    assert record == {
        "event_date": date(2026, 1, 28),
        "symbol": "AAA",
        "app": "Go",
        "publisher": "P",
        "ordinal": 0,
        "rating": 4.5,
        "ratings": 1200,
        "rated_on": date(2026, 1, 28),
        "capture_date": FRIDAY,
    }
    texts = rated(rating(Rating="4.5", Count="1200.0", Publisher=None), rating(Time=1_769_580_000_000)).records
    assert [(row["rating"], row["ratings"], row["publisher"], row["event_date"]) for row in texts] == [
        (4.5, 1200, "", date(2026, 1, 28)),
        (4.5, 1200, "P", date(2026, 1, 28)),
    ]
    assert rated(rating(), rating(Ticker="-")).num_rows == 1
    assert [reject.reason for reject in rated(rating(), rating(Time="soon")).rejects] == ["'soon' is not a date"]


def test_a_rating_is_known_from_the_next_session_on_but_not_after_it_was_seen():
    data = dataset("app_reviews")
    days = [date(2026, 1, 24), date(2026, 1, 28), FRIDAY, None]
    known = data.known_at(data.records_table([{"rated_on": day} for day in days]), EVENING).to_pylist()
    assert known == [
        datetime(2026, 1, 26, tzinfo=NY),
        datetime(2026, 1, 29, tzinfo=NY),
        EVENING,
        EVENING,
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "the answer is empty"),
        ("[]", "no ratings at all"),
        ('{"detail":"Invalid token."}', "Invalid token."),
        ('"Upgrade your subscription plan to access this dataset."', "Upgrade your subscription plan"),
        ('[{"Ticker": "A"', "not JSON or cut off"),
        ("<!DOCTYPE html><html></html>", "an HTML page came instead of JSON"),
        (json.dumps([{"Stock": "AAA"}]), "column 'Ticker' not found among Stock"),
        (json.dumps([{**rating(), "Rating": 1} | {"Time": 1}]).replace("Rating", "Stars"), "column 'Rating' not found"),
    ],
)
def test_what_is_no_list_of_ratings_is_refused_in_one_line(body, said):
    with pytest.raises(PayloadError) as caught:
        API.check(payload("app_reviews", body, "quiver_appratings"))
    assert said in str(caught.value)
    assert str(caught.value).startswith("quiver_appratings: ")
    assert "\n" not in str(caught.value)


@pytest.mark.needs_material
def test_the_recorded_refusals():
    with pytest.raises(PayloadError, match="credentials were not provided"):
        parse_file("app_reviews", needs(WIRE / "quiverquant/api_error_bodies.json"))


# -- which source, and where it is asked


@pytest.mark.parametrize(
    ("name", "sources", "keys", "expected"),
    [
        ("reddit_mentions", "public", {}, ["apewisdom"]),
        ("news_headlines", "public", {}, ["finviz"]),
        ("google_trends", "public", {}, []),
        ("google_trends", "subscribed", {}, ["quiver_scores"]),
        ("dc_insider_scores", "subscribed", {}, ["quiver_scores"]),
        ("app_reviews", "sandbox", {}, ["quiver_appratings"]),
        ("app_reviews", "subscribed", {}, ["quiver_scores"]),
        ("app_reviews", "subscribed", {"QUIVER_API_KEY": "q"}, ["quiver_appratings"]),
    ],
)
def test_which_source_is_used(name, sources, keys, expected, tmp_path):
    settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": sources, **keys}, root=tmp_path)
    assert [entry.name for entry in usable_sources(dataset(name), settings)] == expected


@pytest.mark.parametrize(
    ("name", "of", "url"),
    [
        ("apewisdom", "reddit_mentions", "https://apewisdom.io/api/v1.0/filter/all-stocks/page/1"),
        ("finviz", "news_headlines", "https://finviz.com/news.ashx"),
        ("quiver_scores", "google_trends", "https://www.quiverquant.com/googletrends/"),
        ("quiver_scores", "dc_insider_scores", "https://www.quiverquant.com/scores/dcinsider"),
        ("quiver_scores", "app_reviews", "https://www.quiverquant.com/sources/appratings"),
        ("quiver_appratings", "app_reviews", "https://api.quiverquant.com/beta/live/appratings"),
    ],
)
def test_addresses_of_the_real_sites(name, of, url, tmp_path):
    keys = {"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", "QUIVER_API_KEY": "q"}
    ask = Ask(of, load_settings(keys, root=tmp_path), EVENING, FRIDAY)
    (request,) = source(name).requests(ask)
    assert request.url == url
    assert "q" not in request.params.values()
