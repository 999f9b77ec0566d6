"""Datasets without history, over HTTP against the small sandbox: one capture a session, and its versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from pas_lib.clock import clock_for, ny_midnight
from pas_lib.errors import PayloadError, SourceError
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.warehouse import Warehouse
from tests.support.captures import FRIDAY, MONDAY, Collector
from tests.support.road import settings_at


@pytest.fixture
def here(warehouse: Warehouse, tmp_path: Path) -> Iterator[Collector]:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        yield Collector(sandbox, settings, warehouse, clock_for(settings))


def test_mentions_are_captured_once_a_session(here: Collector):
    first = here.collect("reddit_mentions")
    assert (first.status, first.payloads, first.new) == ("loaded", 2, first.parsed)
    assert first.parsed > 100
    stored = here.rows("select * from raw.reddit_mentions order by rank")
    assert len(stored) == first.parsed
    assert [row["rank"] for row in stored] == list(range(1, first.parsed + 1))
    assert {row["known_at"] for row in stored} == {here.now}
    assert {row["capture_date"] for row in stored} == {row["event_date"] for row in stored} == {FRIDAY}
    assert any(row["rank_24h_ago"] is None and row["mentions_24h_ago"] is None for row in stored)
    assert (here.collect("reddit_mentions").status, len(here.rows("select 1 from raw.reddit_mentions"))) == (
        "unchanged",
        first.parsed,
    )

    # Saturday noon is still a capture of Friday's session: what differs is a version, nothing vanishes.
    here.sandbox.clock.advance("2026-01-31T12:00")
    second = here.collect("reddit_mentions")
    assert second.changed > 0
    assert second.deleted == 0
    versions = here.rows(
        "select known_at, mentions from raw.reddit_mentions where symbol = 'SPY' order by known_at, row_id"
    )
    assert [row["known_at"] for row in versions] == [stored[0]["known_at"], here.now]
    assert versions[0]["mentions"] == stored[0]["mentions"]

    # The next session is a capture of its own.
    here.sandbox.clock.advance("2026-02-02T20:00")
    third = here.collect("reddit_mentions", MONDAY)
    assert (third.new, third.changed, third.deleted) == (third.parsed, 0, 0)
    found = here.rows("select capture_date, count(distinct symbol) as n from raw.reddit_mentions group by 1 order by 1")
    assert [row["capture_date"] for row in found] == [FRIDAY, MONDAY]
    assert found[1]["n"] == third.parsed


def test_a_headline_counts_once_however_often_it_is_seen(here: Collector):
    first = here.collect("news_headlines")
    assert (first.status, first.payloads, first.new, first.quarantined) == ("loaded", 1, first.parsed, 0)
    assert here.collect("news_headlines").status == "unchanged"
    seen = here.now
    here.sandbox.clock.advance("2026-01-31T20:00")
    second = here.collect("news_headlines")
    assert 0 < second.new < second.parsed
    assert (second.changed, second.deleted) == (0, 0)
    stored = here.rows("select * from raw.news_headlines")
    assert len(stored) == len({(row["url"], row["symbol"]) for row in stored}) == first.new + second.new
    assert {row["known_at"] for row in stored} == {seen, here.now}
    for row in stored:
        assert row["published_at"] <= row["known_at"]
        assert row["known_at"] - row["published_at"] <= timedelta(days=3)
        assert row["capture_date"] == FRIDAY
        assert (row["sentiment_library"], row["sentiment_version"]) == ("vaderSentiment", version("vaderSentiment"))
        assert -1 <= row["sentiment"] <= 1
    assert {row["published_precision"] for row in stored} == {"hour", "day"}
    assert min(row["sentiment"] for row in stored) < -0.5 < 0.5 < max(row["sentiment"] for row in stored)
    known = set(here.sandbox.world.symbols_on(FRIDAY))
    assert {row["symbol"] for row in stored if row["symbol"]} <= known
    assert any(row["symbol"] == "" for row in stored)


@pytest.mark.parametrize(("name", "day"), [("google_trends", None), ("dc_insider_scores", FRIDAY)])
def test_scores_are_captured_once_a_session(name: str, day: date | None, here: Collector):
    first = here.collect(name)
    assert (first.status, first.payloads, first.new, first.quarantined) == ("loaded", 1, first.parsed, 0)
    assert first.parsed > 20
    assert here.collect(name).status == "unchanged"
    stored = here.rows(f"select * from raw.{name}")
    assert {row["known_at"] for row in stored} == {here.now}
    assert {(row["capture_date"], row["event_date"]) for row in stored} == {(FRIDAY, day or FRIDAY)}
    assert all(0 <= row["score"] <= 100 for row in stored)
    assert len({row["score"] for row in stored}) > 10
    assert {row["symbol"] for row in stored} <= set(here.sandbox.world.symbols_on(FRIDAY))
    # What the page shows beside the score was computed afterwards.
    assert not {"return", "excess_return", "price"} & set(stored[0])
    here.sandbox.clock.advance("2026-02-06T20:00")
    second = here.collect(name, date(2026, 2, 6))
    assert (second.new, second.changed, second.deleted) == (second.parsed, 0, 0)
    assert len(here.rows(f"select distinct capture_date from raw.{name}")) == 2


def test_ratings_of_apps_are_dated_by_the_site(here: Collector):
    first = here.collect("app_reviews")
    stored = here.rows("select * from raw.app_reviews order by event_date, symbol, app")
    assert {row["source"] for row in stored} == {"quiver_appratings"}
    days = sorted({row["event_date"] for row in stored})
    assert days == [date(2026, 1, 24 + back) for back in range(7)]
    assert all(row["rated_on"] == row["event_date"] for row in stored)
    # A day is public from the next session on, and the newest one when it was seen.
    known = {row["event_date"]: row["known_at"] for row in stored}
    assert known[date(2026, 1, 24)] == ny_midnight(date(2026, 1, 26))
    assert known[date(2026, 1, 29)] == ny_midnight(FRIDAY)
    assert known[FRIDAY] == here.now
    assert all(1 <= row["rating"] <= 5 and row["ratings"] > 0 and row["hype"] is None for row in stored)
    assert all(row["publisher"].endswith(" & Co.") for row in stored)
    # A week later, the days since are new; those that overlap are the same.
    here.sandbox.clock.advance("2026-02-04T20:00")
    second = here.collect("app_reviews", date(2026, 2, 4))
    assert 0 < second.new < second.parsed
    assert (second.changed, second.deleted) == (0, 0)
    assert len(here.rows("select 1 from raw.app_reviews")) == first.new + second.new


CAPTURED = ["reddit_mentions", "news_headlines", "google_trends", "dc_insider_scores", "app_reviews"]


@pytest.mark.parametrize("name", CAPTURED)
def test_a_past_that_the_site_does_not_give_is_skipped(name: str, here: Collector):
    result = here.collect(name, start=date(2025, 1, 1), end=date(2025, 6, 30))
    assert (result.status, result.payloads, result.parsed) == ("skipped", 0, 0)
    assert "no past" in result.notes[0]
    assert here.rows(f"select 1 from raw.{name}") == []
    assert not here.sandbox.faults.requests


@pytest.mark.parametrize("name", CAPTURED)
@pytest.mark.parametrize("kind", ["challenge", "columns"])
def test_a_page_that_is_none_leaves_raw_as_it_was(name: str, kind: str, here: Collector):
    before = here.collect(name).parsed
    here.sandbox.faults.put(Fault("*", kind))
    here.sandbox.clock.advance("2026-02-02T20:00")
    with pytest.raises((PayloadError, SourceError)) as caught:
        here.collect(name, MONDAY)
    assert here.sandbox.url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(here.rows(f"select 1 from raw.{name}")) == before
    (run,) = here.rows("select note from ops.ingest_runs where status = 'failed'")
    assert here.sandbox.url in run["note"]
    here.sandbox.faults.clear()
    assert here.collect(name, MONDAY).parsed > 0


def test_an_empty_page_in_the_middle_is_no_end(here: Collector):
    here.sandbox.faults.put(Fault("apewisdom", "empty", path="/page/2"))
    with pytest.raises(PayloadError, match=r"page 1 came instead of 2"):
        here.collect("reddit_mentions")
    assert here.rows("select 1 from raw.reddit_mentions") == []
