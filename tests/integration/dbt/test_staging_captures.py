"""Staging of the datasets that are captured: versions, and what is derived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.support.marts import Built

#: A day after everything the built world knows.
DAY = date(2026, 1, 15)
EVENING, LATER = datetime(2026, 1, 16, 1, tzinfo=UTC), datetime(2026, 1, 16, 17, tzinfo=UTC)
OF_THE_DAY = f"where event_date = '{DAY}'"
Put = Callable[..., None]


@pytest.fixture
def put(built: Built) -> Iterator[Put]:
    """Add rows to the built warehouse, whose staging models are views; taken away at the end."""
    used = set()

    def add(dataset: str, known_at: datetime, **values: Any) -> None:
        used.add(dataset)
        built.world.append(built.warehouse, dataset, DAY, known_at, capture_date=DAY, **values)

    yield add
    for dataset in used:
        built.warehouse.execute(f"delete from raw.{dataset} {OF_THE_DAY}")


def test_mentions(built: Built, put: Put):
    row = {"forum": "all-stocks", "symbol": "IT", "rank": 1}
    put("reddit_mentions", EVENING, mentions=90, **row)
    put("reddit_mentions", LATER, mentions=95, **row)
    put("reddit_mentions", EVENING, **{**row, "symbol": "S001", "rank": 2}, mentions=40)
    found = built.warehouse.rows(
        "select symbol, mentions, is_common_word, known_at, superseded_at, first_known_at"
        f" from staging.stg_raw__reddit_mentions {OF_THE_DAY} order by symbol, known_at"
    )
    assert [tuple(row.values()) for row in found] == [
        ("IT", 90, True, EVENING, LATER, EVENING),
        ("IT", 95, True, LATER, None, EVENING),
        ("S001", 40, False, EVENING, None, EVENING),
    ]


def test_headlines(built: Built, put: Put):
    scored = {"sentiment_library": "vaderSentiment", "sentiment_version": "3.3.2"}
    row = {"url": "https://news.example/1", "symbol": "S001", "published_at": EVENING, **scored}
    put("news_headlines", EVENING, headline="S001 wins", sentiment=0.5, **row)
    put("news_headlines", LATER, headline="S001 wins again", sentiment=0.6, **row)
    found = built.warehouse.rows(
        "select headline, sentiment, published_at, known_at, superseded_at from staging.stg_raw__news_headlines"
        f" {OF_THE_DAY} order by known_at"
    )
    assert [tuple(row.values()) for row in found] == [
        ("S001 wins", 0.5, EVENING, EVENING, LATER),
        ("S001 wins again", 0.6, EVENING, LATER, None),
    ]


def test_scores_and_ratings(built: Built, put: Put):
    put("google_trends", EVENING, symbol="S001", score=80.0)
    put("google_trends", LATER, symbol="S001", score=81.0)
    put("dc_insider_scores", EVENING, symbol="S001", score=55.0)
    put("app_reviews", EVENING, symbol="S001", app="Go", publisher="", ordinal=0, rating=4.5, ratings=100)
    put("app_reviews", EVENING, symbol="S001", app="Go", publisher="", ordinal=1, rating=4.0, ratings=50)
    rows = built.warehouse.rows

    assert [
        tuple(row.values())
        for row in rows(
            "select symbol, score, known_at, superseded_at from staging.stg_raw__google_trends"
            f" {OF_THE_DAY} order by known_at"
        )
    ] == [("S001", 80.0, EVENING, LATER), ("S001", 81.0, LATER, None)]
    assert [
        tuple(row.values())
        for row in rows(f"select symbol, score from staging.stg_raw__dc_insider_scores {OF_THE_DAY}")
    ] == [("S001", 55.0)]
    found = rows(
        f"select app, rating, ratings, superseded_at from staging.stg_raw__app_reviews {OF_THE_DAY} order by ordinal"
    )
    assert [tuple(row.values()) for row in found] == [("Go", 4.5, 100, None), ("Go", 4.0, 50, None)]
