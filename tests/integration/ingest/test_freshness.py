"""Ages, and gates on the number of rows."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from pas_lib.cli.app import app
from pas_lib.clock import ny_midnight
from pas_lib.datasets import catalogue
from pas_lib.errors import PayloadError
from pas_lib.ingest import replay
from pas_lib.ingest.freshness import check
from pas_lib.landing import Accepted
from tests.support.loopback import Answer
from tests.support.road import EVENING, FRIDAY, Road


def test_what_is_older_than_tolerated_is_named_with_its_age(road: Road) -> None:
    never = {one.dataset: one for one in check(road.warehouse, EVENING)}
    assert set(never) == set(catalogue())
    assert all(one.is_stale for one in never.values())
    assert str(never["prices"]) == "prices: never collected, tolerance 4 days"
    road.collect("universe")
    road.collect("prices")

    def stale_after(days: float) -> set[str]:
        found = check(road.warehouse, EVENING + timedelta(days=days))
        return {one.dataset for one in found if one.is_stale and one.collected_at is not None}

    assert stale_after(0) == stale_after(4) == set()
    assert stale_after(4.01) == {"prices", "corporate_actions"}
    assert stale_after(15.01) == {"prices", "corporate_actions", "universe", "securities"}
    old = {one.dataset: one for one in check(road.warehouse, EVENING + timedelta(days=5.25))}
    assert str(old["prices"]) == "prices: 5.25 days old, tolerance 4 days"
    assert old["prices"].is_critical


def test_a_failed_collection_makes_nothing_younger(road: Road) -> None:
    road.collect("universe")
    road.clock.at = EVENING + timedelta(days=20)
    road.world.companies = []
    with pytest.raises(PayloadError):
        road.collect("universe")
    assert next(one for one in check(road.warehouse, road.clock.at) if one.dataset == "universe").is_stale


def stale(road: Road, days: float) -> dict[str, str]:
    found = check(road.warehouse, EVENING + timedelta(days=days))
    return {one.dataset: one.why for one in found if one.is_stale and one.collected_at is not None}


def test_a_site_that_repeats_old_bars_is_stale_though_it_was_collected(road: Road) -> None:
    road.collect("universe")
    for days in (0, 3, 7):
        road.clock.at = EVENING + timedelta(days=days)
        road.collect("prices")
    assert stale(road, 4.1) == {}
    assert stale(road, 7) == {"prices": "its site says nothing new since 2026-01-30, 7.83 days, at most 6 days"}
    one = next(one for one in check(road.warehouse, EVENING + timedelta(days=7)) if one.dataset == "prices")
    assert (one.is_late, one.is_still) == (False, True)
    assert str(one) == "prices: its site says nothing new since 2026-01-30, 7.83 days, at most 6 days"
    # One new bar, and it is fresh again.
    road.world.usual = [*road.world.usual, (date(2026, 2, 6), 53.0)]
    road.collect("prices")
    assert stale(road, 7) == {}


def test_bars_beyond_the_day_of_the_collection_are_no_news(road: Road) -> None:
    """What carries a date of the future does not make a repeating site fresh."""
    road.collect("universe")
    road.collect("prices")
    newest = road.rows("select newest_at from ops.ingest_runs where dataset = 'prices'")[0]["newest_at"]
    assert newest == ny_midnight(FRIDAY)


def mentions(counts: dict[str, int]) -> Answer:
    rows = [
        {"rank": i + 1, "ticker": t, "name": t, "mentions": n, "upvotes": 1, "rank_24h_ago": 1, "mentions_24h_ago": n}
        for i, (t, n) in enumerate(counts.items())
    ]
    return Answer(json.dumps({"count": len(rows), "pages": 1, "current_page": 1, "results": rows}))


def test_a_capture_that_says_the_same_again_and_again_is_stale(road: Road) -> None:
    said = {"AAA": 50, "MID": 20}
    road.world.instead = lambda seen: mentions(said) if "apewisdom" in seen.path else None
    for day in (0, 3, 5):
        road.clock.at = EVENING + timedelta(days=day)
        road.collect("reddit_mentions", FRIDAY + timedelta(days=day))
    assert stale(road, 5) == {}
    road.clock.at = EVENING + timedelta(days=7)
    road.collect("reddit_mentions", FRIDAY + timedelta(days=7))
    assert stale(road, 7) == {"reddit_mentions": "its site says nothing new since 2026-01-30, 7 days, at most 6 days"}
    # Each capture bears its own day, and is loaded.
    assert road.rows("select count(distinct capture_date) as n from raw.reddit_mentions") == [{"n": 4}]
    said["AAA"] = 51
    road.clock.at = EVENING + timedelta(days=10)
    road.collect("reddit_mentions", FRIDAY + timedelta(days=10))
    assert stale(road, 10) == {}
    said["AAA"] = 50
    road.clock.at = EVENING + timedelta(days=11)
    road.collect("reddit_mentions", FRIDAY + timedelta(days=11))
    assert stale(road, 15) == {}


def shrunk(road: Road) -> None:
    road.world.small = [(f"SM{chr(65 + n // 26)}{chr(65 + n % 26)}", f"SMALL {n} INC") for n in range(160)]
    road.collect("universe")
    road.clock.at = EVENING + timedelta(days=7)
    road.world.small = road.world.small[:15]


def test_a_true_drop_is_loaded_on_a_persons_word_and_the_word_is_kept(road: Road) -> None:
    shrunk(road)
    with pytest.raises(PayloadError, match=r"would vanish; nothing was loaded .*--accept-rows"):
        road.collect("universe")
    assert road.rows("select * from ops.gate_overrides") == []
    result = road.collect("universe", accepted=Accepted("the index was closed", "ann"))
    assert result.deleted >= 145
    told = [note for note in result.notes if note.startswith("universe: ")]
    assert told == [
        "universe: 145 known rows gone, of 181, accepted by ann: the index was closed",
        "universe: 36 rows, where the collection before had 181, accepted by ann: the index was closed",
    ]
    kept = road.rows(
        "select run_id, dataset, gate, rows_found, rows_before, reason, who, accepted_at from ops.gate_overrides"
        " where dataset = 'universe' order by gate"
    )
    assert [(row["gate"], row["rows_found"] < row["rows_before"]) for row in kept] == [
        ("count", True), ("vanished", True)
    ]  # fmt: skip
    assert {(row["run_id"], row["reason"], row["who"], row["accepted_at"]) for row in kept} == {
        (result.run_id, "the index was closed", "ann", road.clock.at)
    }
    # The next collection stands beside the new number, and nobody's word is needed.
    road.clock.at = EVENING + timedelta(days=14)
    assert road.collect("universe").deleted == 0
    # What is built again from the landing needs no new word.
    found = replay("universe", settings=road.settings, warehouse=road.warehouse)
    assert {table.outcome for table in found.tables.values()} == {"identical"}


def test_a_word_that_nothing_needed_is_told_and_not_kept(road: Road) -> None:
    result = road.collect("universe", accepted=Accepted("to be safe", "ann"))
    assert "no gate was in the way: nothing had to be accepted" in result.notes
    assert road.rows("select * from ops.gate_overrides") == []


def test_the_word_is_given_on_the_command_line_with_a_reason(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk(road)
    said: list[Any] = []

    def collected(name: str, session: date, **given: Any) -> Any:
        said.append(given["accepted"])
        return road.collect(name, session, accepted=given["accepted"])

    monkeypatch.setattr("pas_lib.ingest.ingest", collected)
    for name, value in (("PAS_HOME", road.settings.home), ("PAS_SANDBOX_URL", road.site.url)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PAS_DATABASE_URL", road.warehouse.url)
    ask = ["ingest", "universe", "--as-of", "2026-01-30", "--accept-rows"]
    empty = CliRunner().invoke(app, [*ask, " ", "--by", "ann"])
    assert empty.exit_code == 1
    assert said == []
    told = CliRunner().invoke(app, [*ask, "the index was closed", "--by", "ann"])
    assert told.exit_code == 0, told.output
    assert said == [Accepted("the index was closed", "ann")]
    assert road.rows("select distinct who from ops.gate_overrides") == [{"who": "ann"}]


def test_a_list_that_shrinks_to_less_than_its_share_is_refused(road: Road) -> None:
    road.world.small = [(f"SM{chr(65 + n // 26)}{chr(65 + n % 26)}", f"SMALL {n} INC") for n in range(60)]
    road.collect("universe")
    before = road.rows("select * from raw.universe order by row_id")
    road.clock.at = EVENING + timedelta(days=7)
    road.world.small = road.world.small[:15]
    with pytest.raises(PayloadError, match=r"where the collection before had \d+ \(less than 50%\)"):
        road.collect("universe")
    assert road.rows("select * from raw.universe order by row_id") == before


def test_gates_are_set_where_a_site_states_everything_each_time() -> None:
    gated = {name for name, data in catalogue().items() if data.min_count_share is not None}
    assert gated == {"universe", "securities", "reddit_mentions", "dc_insider_scores", "google_trends"}
