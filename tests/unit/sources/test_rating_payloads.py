"""Analyst ratings: recorded payloads, words, questions, and answers that are none."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.ingest.validate import find_invalid
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, source, usable_sources
from pas_lib.sources.http import strip_credentials
from tests.support.paths import WIRE, needs

FETCHED = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
BENZINGA = WIRE / "benzinga" / "api_v2.1_calendar_ratings_AAPL_2024-01-12_first60.json"
YAHOO = WIRE / "yahoo" / "quoteSummary_upgradeDowngradeHistory_AAPL_first40.json"
ROW = {
    "id": "659e84b3b02d4100013258aa",
    "date": "2024-01-10",
    "time": "06:51:15",
    "ticker": "BRK-B",
    "analyst": "Some Broker",
    "analyst_name": "",
    "action_company": "Upgrades",
    "action_pt": "",
    "rating_current": "Buy",
    "rating_prior": "",
    "pt_current": "",
    "pt_prior": "",
    "adjusted_pt_current": "1.00",
    "currency": "USD",
    "importance": 0,
    "updated": 1704887528,
}
GRADE = {"epochGradeDate": 1738352759, "firm": "Some Broker", "toGrade": "Buy", "fromGrade": "", "action": "up"}


def payload(name: str, body: Any, status: int = 200, url: str = "http://site/x", **context: str) -> Payload:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Payload(name, "analyst_ratings", "x", url, status, "", FETCHED, context, data)


def summary(*history: dict[str, Any]) -> dict[str, Any]:
    return {"quoteSummary": {"result": [{"upgradeDowngradeHistory": {"history": list(history)}}], "error": None}}


# -- recorded payloads


@pytest.mark.needs_material
def test_the_recorded_ratings_of_benzinga():
    rows = parse_file("analyst_ratings", needs(BENZINGA))
    assert len(rows) == 60
    assert Counter(row["action"] for row in rows) == {"reiterate": 30, "maintain": 24, "downgrade": 5, "initiate": 1}
    assert [sum(row[name] is None for row in rows) for name in ("target_current", "target_prior")] == [3, 20]
    first = rows[0]
    assert (first["symbol"], first["firm"], first["analyst"]) == ("AAPL", "Redburn Atlantic", "James Cordwell")
    assert (first["target_current"], first["target_action"]) == (200.0, "announce")
    assert first["rated_at"] == datetime(2024, 1, 10, 6, 51, 15, tzinfo=NY)
    assert first["updated_at"] == datetime(2024, 1, 10, 11, 52, 8, tzinfo=UTC)
    # The number of a rating begins with the second it was made in: the stated time is New York's.
    assert all(int(row["rating_id"][:8], 16) == int(row["rated_at"].timestamp()) for row in rows)
    assert find_invalid(dataset("analyst_ratings"), dataset("analyst_ratings").records_table(rows))[1] == {}
    assert not any(name.startswith("adjusted") for name in first)


@pytest.mark.needs_material
def test_the_recorded_ratings_of_yahoo():
    rows = parse_file("analyst_ratings", needs(YAHOO))
    assert len(rows) == len({row["rating_id"] for row in rows}) == 40
    assert Counter(row["action"] for row in rows) == {"maintain": 21, "reiterate": 14, "downgrade": 5}
    assert (rows[0]["symbol"], rows[0]["firm"], rows[0]["rating_id"]) == ("AAPL", "Citigroup", "1738352759-citigroup")
    assert rows[0]["rated_at"] == datetime(2025, 1, 31, 19, 45, 59, tzinfo=UTC)
    assert {row["target_current"] for row in rows} == {None}


@pytest.mark.needs_material
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("yahoo/error_401_invalid_crumb.json", "Invalid Crumb"),
        ("yahoo/error_quoteSummary_404_no_fundamentals.json", "No fundamentals data"),
        ("yahoo/error_429_body.txt", "Too Many Requests"),
        ("yahoo/quoteSummary_price_AAPL.json", "came with price instead"),
        ("yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json", "in no format"),
    ],
)
def test_what_is_no_rating_is_refused_in_one_line(path, said):
    with pytest.raises(PayloadError) as caught:
        parse_file("analyst_ratings", needs(WIRE / path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# -- when a rating was known


def test_a_rating_is_known_when_it_was_last_changed():
    (batch,) = source("benzinga").parse(payload("benzinga", {"ratings": [ROW, {**ROW, "updated": 1704880000}]}))
    entry = dataset("analyst_ratings")
    table = entry.records_table(batch.records)
    published = datetime(2024, 1, 10, 6, 51, 15, tzinfo=NY)
    # A change before the publication cannot be: then the publication counts.
    assert entry.known_at(table, FETCHED).to_pylist() == [datetime(2024, 1, 10, 11, 52, 8, tzinfo=UTC), published]
    assert batch.records[0]["symbol"] == "BRK.B"
    assert [batch.records[0][n] for n in ("analyst", "rating_prior", "target_current", "target_action")] == [None] * 4
    (batch,) = source("yahoo_summary").parse(payload("yahoo_summary", summary(GRADE), symbol="AAA"))
    table = entry.records_table(batch.records)
    assert entry.known_at(table, FETCHED)[0].as_py() == datetime(2025, 1, 31, 19, 45, 59, tzinfo=UTC)


def test_invalid_ratings_have_a_reason():
    entry = dataset("analyst_ratings")
    (batch,) = source("benzinga").parse(payload("benzinga", {"ratings": [{**ROW, "pt_current": "-3"}]}))
    assert find_invalid(entry, entry.records_table(batch.records))[1] == {0: "a price target is not positive"}
    bad = [{**ROW, "time": "soon"}, {**ROW, "ticker": ""}, {**ROW, "action_company": ""}, {**ROW, "pt_prior": "x"}, ROW]
    (batch,) = source("benzinga").parse(payload("benzinga", {"ratings": bad}))
    assert (len(batch.records), len(batch.rejects)) == (1, 4)
    (batch,) = source("benzinga").parse(payload("benzinga", [{**ROW, "action_company": "Muses About"}]))
    assert batch.records[0]["action"] == "other"


# -- questions


def questions(name: str, settings, **more) -> list[str]:
    ask = Ask("analyst_ratings", settings, FETCHED, more.pop("start", date(2023, 1, 1)), **more)
    return [f"{r.url}?{urlencode(dict(r.params), safe='[]')}" for r in source(name).requests(ask)]


def test_what_the_sites_are_asked(tmp_path):
    here = load_settings(
        {"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", "BENZINGA_API_KEY": "bkey"}, root=tmp_path
    )
    root = "https://api.benzinga.com/api/v2.1/calendar/ratings?token=bkey&page=0&pagesize=1000"
    assert questions("benzinga", here) == [f"{root}&parameters[date_from]=2023-01-01&parameters[date_to]=2026-01-30"]
    known = {"": date(2026, 1, 28)}
    assert questions("benzinga", here, starts=known, full=False) == [f"{root}&parameters[updated]=1769576400"]
    # At the end of a week the last quarter is compared as a whole.
    assert questions("benzinga", here, starts=known)[0].endswith("date_from]=2025-11-01&parameters[date_to]=2026-01-30")
    # After a pause longer than that the window begins where the last one ended.
    paused = questions("benzinga", here, starts={"": date(2025, 6, 2)})[0]
    assert "date_from]=2025-06-02&" in paused
    assert questions("benzinga", here, start=date(2024, 1, 1), end=date(2024, 1, 31))[0].endswith("date_to]=2024-01-31")
    assert "bkey" not in strip_credentials(questions("benzinga", here)[0])
    assert questions("yahoo_summary", here, items=("BRK.B",)) == [
        "https://query1.finance.yahoo.com/v10/finance/quoteSummary/BRK-B?modules=upgradeDowngradeHistory&formatted=false"
    ]


@pytest.mark.parametrize(
    ("sources", "keys", "expected"),
    [
        ("sandbox", {}, ["benzinga"]),
        ("public", {"BENZINGA_API_KEY": "b"}, ["yahoo_summary"]),
        ("subscribed", {}, ["benzinga_page"]),
        ("subscribed", {"BENZINGA_API_KEY": "b"}, ["benzinga"]),
    ],
)
def test_which_source_is_used(sources, keys, expected, tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": sources, **keys}, root=tmp_path)
    assert [entry.name for entry in usable_sources(dataset("analyst_ratings"), here)] == expected


# -- answers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>Just a moment...</html>", "an HTML page came"),
        (b'<?xml version="1.0"?><result></result>', "XML came"),
        (b"", "the answer is empty"),
        (b'{"ratings":[{"id":', "not JSON or cut off"),
        ({"ok": False, "errors": "Invalid token"}, "Invalid token"),
        ({"ratings": ["x"]}, "not a list of objects"),
        ([], "no ratings at all"),
        ({"ratings": []}, "no ratings at all"),
        ({}, "no ratings at all"),
        ({"ratings": [{k: v for k, v in ROW.items() if k != "action_company"}]}, "'action_company' not found"),
    ],
)
def test_an_answer_without_ratings_fails(body, said):
    first = payload("benzinga", body, url="http://site/x?page=0&pagesize=1000", kind="window")
    with pytest.raises(PayloadError) as caught:
        source("benzinga").check(first)
    assert said in str(caught.value)


def test_paging_ends_with_a_page_that_is_not_full(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    site = source("benzinga")
    (request,) = site.requests(Ask("analyst_ratings", here, FETCHED, date(2026, 1, 1)))
    following = site.follow(request, payload("benzinga", {"ratings": [ROW] * 1000}))
    assert following is not None
    assert following.params["page"] == "1"
    empty = payload("benzinga", [], url="http://site/x?page=1", **following.context)
    assert site.follow(following, empty) is None
    site.check(empty)
    assert site.parse(empty)[0].scopes == [{"scope_start": date(2026, 1, 1), "scope_end": date(2026, 1, 30)}]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>Will be right back</html>", 200, "an HTML page came"),
        (b"", 200, "the answer is empty"),
        ({"quoteSummary": {"result": [], "error": None}}, 200, "no result"),
        ({"chart": {"result": [], "error": None}}, 200, "not a quoteSummary but 'chart'"),
        ({"quoteSummary": {"result": None, "error": {"code": "Bad", "description": "why"}}}, 200, "Bad: why"),
        (summary({"gradeTime": 1, "firm": "x", "toGrade": "y", "action": "up"}), 200, "'epochGradeDate' not found"),
        ({"quoteSummary": {"result": [{"upgradeDowngradeHistory": {}}]}}, 200, "missing"),
        ({"quoteSummary": {"result": [{"price": {}}]}}, 200, "came with price instead"),
    ],
)
def test_a_summary_that_is_none_fails(body, status, said):
    with pytest.raises(PayloadError) as caught:
        source("yahoo_summary").check(payload("yahoo_summary", body, status, symbol="AAA"))
    assert said in str(caught.value)


def test_unknown_symbols_and_modules_without_data_are_no_errors():
    site = source("yahoo_summary")
    error = {"quoteSummary": {"result": None, "error": {"code": "Not Found", "description": "Quote not found"}}}
    (batch,) = site.parse(payload("yahoo_summary", error, 404, symbol="AAA"))
    assert (batch.missing, batch.note) == (True, "AAA is unknown or delisted")
    (batch,) = site.parse(payload("yahoo_summary", {"quoteSummary": {"result": [{}]}}, symbol="AAA"))
    assert (batch.missing, batch.num_rows) == (False, 0)
    with pytest.raises(PayloadError, match="does not say whose it is"):
        site.parse(payload("yahoo_summary", summary(GRADE)))


def test_equal_grades_of_one_second_are_told_apart_and_bad_ones_rejected():
    bad = {**GRADE, "epochGradeDate": None}
    (batch,) = source("yahoo_summary").parse(payload("yahoo_summary", summary(GRADE, GRADE, bad), symbol="AAA"))
    assert [row["rating_id"] for row in batch.records] == ["1738352759-some-broker", "1738352759-some-broker-2"]
    assert [reject.reason for reject in batch.rejects] == ["None is not a time"]
    assert batch.scopes == [{"symbol": "AAA", "scope_start": date(2025, 2, 1)}]


# -- Benzinga's page

LATEST = {**{k: v for k, v in ROW.items() if k not in ("updated", "adjusted_pt_current")}, "pt_pct_change": "1.5"}


def page(rows: Any, title: str = "Ratings", end: str = "</html>") -> bytes:
    data = json.dumps({"props": {"pageProps": {"nodes": [[], [1], [{"a": 1}]], "x": {"ratings": rows}}}})
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title><script>var a = 1;</script>"
        "<script type='application/ld+json'>{not json}</script></head><body>"
        f"<script id='__NEXT_DATA__' type='application/json'>{data}</script></body>{end}"
    ).encode()


def test_ratings_are_found_wherever_the_page_keeps_them(tmp_path):
    (batch,) = source("benzinga_page").parse(payload("benzinga_page", page([LATEST, ROW])))
    (expected,) = source("benzinga").parse(payload("benzinga", {"ratings": [ROW]}))
    first, second = batch.records
    assert second == expected.records[0]
    assert {**first, "updated_at": second["updated_at"]} == second
    assert (first["updated_at"], batch.scopes) == (None, [])
    # The same columns by another layout: the whole script is the list.
    other = b"<html><body><script>" + json.dumps([LATEST]).encode() + b"</script></body></html>"
    file = tmp_path / "upgrades.html"
    file.write_bytes(other)
    (row,) = parse_file("analyst_ratings", file)
    assert (row["symbol"], row["action"], row["rating_id"]) == ("BRK.B", "upgrade", "659e84b3b02d4100013258aa")


def test_a_rating_without_hour_or_number_is_known_the_next_session():
    bare = {k: v for k, v in LATEST.items() if k not in ("time", "id")}
    (batch,) = source("benzinga_page").parse(payload("benzinga_page", page([bare])))
    (row,) = batch.records
    assert row["rated_at"] == datetime(2024, 1, 11, tzinfo=NY)
    assert row["rating_id"] == "2024-01-10--some-broker"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is empty"),
        (page([LATEST], end=""), "cut off"),
        (page([], title="Just a moment..."), "blocked or changed, no ratings in the page 'Just a moment...'"),
        (page([{"rating": "Buy"}]), "blocked or changed"),
        (page([{k: v for k, v in LATEST.items() if k != "ticker"}]), "'ticker' not found"),
        (b'{"ratings": []}', "cut off, or none"),
    ],
)
def test_a_page_without_ratings_fails(body, said):
    with pytest.raises(PayloadError) as caught:
        source("benzinga_page").check(payload("benzinga_page", body))
    assert said in str(caught.value)


def test_rows_of_the_page_that_cannot_be_read_are_rejected_one_by_one():
    bad = [{**LATEST, "date": "soon"}, {**LATEST, "ticker": None}, {**LATEST, "pt_current": "much"}]
    (batch,) = source("benzinga_page").parse(payload("benzinga_page", page([LATEST, *bad])))
    assert (len(batch.records), len(batch.rejects)) == (1, 3)
