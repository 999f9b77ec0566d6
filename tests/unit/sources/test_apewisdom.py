"""ApeWisdom: pages, counts in several spellings, and what is no ranking."""

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
from pas_lib.sources import Ask, Payload, Request, source
from pas_lib.sources.apewisdom import whole
from tests.support.paths import WIRE, needs

EVENING = datetime(2026, 1, 30, 20, 0, tzinfo=NY).astimezone(UTC)
SITE = source("apewisdom")


def row(rank: int, ticker: str, mentions: Any = 5, before: Any = 0, **more: Any) -> dict[str, Any]:
    usual = {"name": "A &amp; B", "upvotes": -2, "mentions_24h_ago": None}
    return {"rank": rank, "ticker": ticker, "mentions": mentions, "rank_24h_ago": before, **usual, **more}


def page(
    rows: list[dict[str, Any]], number: int = 1, of: int = 1, asked: Request | None = None, at: datetime = EVENING
) -> Payload:
    body = json.dumps({"count": len(rows), "pages": of, "current_page": number, "results": rows}).encode()
    context = asked.context if asked else {}
    return Payload("apewisdom", "reddit_mentions", "x", "http://site/x", 200, "", at, context, body)


def records(payload: Payload) -> list[dict[str, Any]]:
    return SITE.parse(payload)[0].records


@pytest.mark.needs_material
def test_the_recorded_page():
    found = parse_file("reddit_mentions", needs(WIRE / "apewisdom/filter_all-stocks_page1_2026-09-24.json"))
    assert len(found) == 100
    assert [record["rank"] for record in found] == list(range(1, 101))
    assert found[0] == {
        "event_date": date(2026, 9, 24),
        "forum": "all-stocks",
        "symbol": "SPY",
        "capture_date": date(2026, 9, 24),
        "name": "SPDR S&P 500 ETF Trust",
        "rank": 1,
        "mentions": 232,
        "upvotes": 655,
        "rank_24h_ago": 1,
        "mentions_24h_ago": 265,
    }
    by_symbol = {record["symbol"]: record for record in found}
    assert (by_symbol["APP"]["upvotes"], by_symbol["APP"]["rank_24h_ago"]) == (-2, 102)
    assert (by_symbol["WHLR"]["rank_24h_ago"], by_symbol["WHLR"]["mentions_24h_ago"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7), ("1147", 1147), ("1,200", 1200), ("7.0", 7), ("", None), (None, None), ("-2", -2)]
)
def test_counts_come_in_several_spellings(value, expected):
    assert whole(value) == expected


@pytest.mark.parametrize("value", ["many", "7.5", True, [1]])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(ValueError, match="is not a count"):
        whole(value)


def test_not_ranked_a_day_ago_is_null_and_names_are_unescaped():
    (record,) = records(page([row(1, "brk-b", "1,200", 0, mentions_24h_ago=0)]))
    assert (record["symbol"], record["name"], record["mentions"]) == ("BRK.B", "A & B", 1200)
    assert (record["rank_24h_ago"], record["mentions_24h_ago"]) == (None, None)


@pytest.mark.parametrize(
    ("at", "session"),
    [
        (datetime(2026, 1, 30, 20, 0, tzinfo=NY), date(2026, 1, 30)),
        (datetime(2026, 1, 31, 12, 0, tzinfo=NY), date(2026, 1, 30)),
        (datetime(2026, 2, 2, 9, 29, tzinfo=NY), date(2026, 1, 30)),
        (datetime(2026, 2, 2, 9, 30, tzinfo=NY), date(2026, 2, 2)),
    ],
)
def test_a_capture_belongs_to_the_last_session_that_had_opened(at, session):
    (record,) = records(page([row(1, "AAA")], at=at.astimezone(UTC)))
    assert (record["event_date"], record["capture_date"]) == (session, session)


def test_known_when_fetched():
    data = dataset("reddit_mentions")
    table = data.records_table(records(page([row(1, "AAA")])))
    assert data.known_at(table, EVENING)[0].as_py() == EVENING
    assert data.history == "none"


def test_the_following_pages_know_what_was_ranked_before(tmp_path):
    settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": "public"}, root=tmp_path)
    (first,) = SITE.requests(Ask("reddit_mentions", settings, EVENING, date(2026, 1, 1)))
    assert first.url == "https://apewisdom.io/api/v1.0/filter/all-stocks/page/1"
    second = SITE.follow(first, page([row(1, "AAA"), row(2, "BBB")], 1, 3, first))
    assert second is not None
    assert second.url.endswith("/filter/all-stocks/page/2")
    # BBB fell over the edge of the page between the two answers: its better rank counts.
    answer = page([row(3, "BBB"), row(4, "CCC")], 2, 3, second)
    assert [record["symbol"] for record in records(answer)] == ["CCC"]
    third = SITE.follow(second, answer)
    assert third is not None
    assert third.context["seen"].split() == ["AAA", "BBB", "BBB", "CCC"]
    # The ranking became shorter: an empty last page is no failure, an empty one before it is.
    assert records(page([], 3, 3, third)) == []
    assert SITE.follow(third, page([], 3, 3, third)) is None
    with pytest.raises(PayloadError, match="page 2 is empty"):
        SITE.check(page([], 2, 3, second))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (b"<!DOCTYPE html><title>Just a moment...</title>", "an HTML page came instead of JSON"),
        (b'{"count":9,"pages":1,"curr', "not JSON or cut off"),
        (b"[]", "field 'results': no ranking"),
        (b'{"results":[{"rank":1}],"current_page":1}', "field 'pages': missing"),
        (b'{"results":[],"current_page":1,"pages":0}', "page 1 is empty"),
        (b'{"results":[{"rank":1,"symbol":"A"}],"current_page":1,"pages":1}', "field 'results.ticker': missing"),
        (b'{"results":[],"current_page":2,"pages":3}', "page 2 came instead of 1"),
    ],
)
def test_what_is_no_ranking_is_refused_in_one_line(body, said):
    payload = Payload("apewisdom", "reddit_mentions", "x", "http://site/x", 200, "", EVENING, {"page": "1"}, body)
    with pytest.raises(PayloadError) as caught:
        SITE.check(payload)
    message = str(caught.value)
    assert said in message
    assert message.startswith("apewisdom: ")
    assert message.endswith(" in http://site/x")
    assert "\n" not in message


def test_a_row_that_cannot_be_read_is_set_aside():
    batch = SITE.parse(page([row(1, "AAA"), row(2, "see note"), row(3, "CCC", "many")]))[0]
    assert [record["symbol"] for record in batch.records] == ["AAA"]
    assert [reject.reason for reject in batch.rejects] == ["'see note' is not a symbol", "'many' is not a count"]
