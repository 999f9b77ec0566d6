"""The road from sites to raw: versions, tombstones, quarantine, failures, outages."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import psycopg
import pytest

from pas_lib.clock import NY
from pas_lib.errors import PayloadError, QuarantineError, SourceError, WarehouseError, WarehouseUnavailable
from pas_lib.ingest import ingest
from pas_lib.landing import Landing
from pas_lib.sources.fred import Fred
from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer, serve
from tests.support.road import ETFS, EVENING, FRIDAY, Road

THURSDAY = date(2026, 1, 29)
SYMBOLS = ETFS + 4


def test_a_first_collection_loads_everything_and_a_second_nothing(road: Road):
    universe = road.collect("universe")
    assert (universe.status, universe.payloads, universe.new) == ("loaded", 4, ETFS + 4)
    assert universe.followers["securities"].new == ETFS + 4
    prices = road.collect("prices")
    assert (prices.parsed, prices.new, prices.changed, prices.deleted) == (3 * SYMBOLS, 3 * SYMBOLS, 0, 0)
    again = road.collect("prices")
    assert (again.status, again.new, again.changed, again.deleted) == ("unchanged", 0, 0, 0)
    assert road.collect("universe").status == "unchanged"
    row = road.rows(f"select * from raw.prices where symbol = 'BB.A' and event_date = '{FRIDAY}'")
    assert len(row) == 1
    assert (row[0]["close"], row[0]["source"], row[0]["is_deleted"]) == (52.0, "yahoo_chart", False)
    assert row[0]["known_at"] == datetime(2026, 1, 30, 16, tzinfo=NY)
    assert row[0]["ingested_at"] == EVENING
    assert row[0]["run_id"] == prices.run_id
    assert "/yahoo/v8/finance/chart/BB-A?" in row[0]["source_url"]


def test_the_second_request_begins_shortly_before_what_is_loaded(stocked: Road):
    stocked.site.seen.clear()
    stocked.collect("prices")
    asked = {request.path.rpartition("/")[2]: request.query for request in stocked.site.seen}
    assert asked["AAA"]["period1"] == str(int(datetime(2026, 1, 23, tzinfo=UTC).timestamp()))
    assert asked["AAA"]["period2"] == str(int(EVENING.timestamp()))
    stocked.site.seen.clear()
    stocked.collect("prices", start=date(2024, 1, 1), items=["AAA"])
    assert [request.query["period1"] for request in stocked.site.seen] == [
        str(int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()))
    ]


def test_a_value_that_changes_and_changes_back_keeps_three_versions(stocked: Road):
    first = stocked.world.usual
    stocked.at(2026, 2, 1, 12)
    stocked.world.bars["AAA"] = [(date(2026, 1, 28), 50.0), (THURSDAY, 99.0), (FRIDAY, 52.0)]
    assert stocked.collect("prices").changed == 1
    stocked.at(2026, 2, 2, 12)
    stocked.world.bars["AAA"] = first
    assert stocked.collect("prices").changed == 1
    assert stocked.collect("prices").status == "unchanged"
    assert stocked.versions("AAA", THURSDAY) == [
        (51.0, False, datetime(2026, 1, 29, 16, tzinfo=NY)),
        (99.0, False, datetime(2026, 2, 1, 12, tzinfo=UTC)),
        (51.0, False, datetime(2026, 2, 2, 12, tzinfo=UTC)),
    ]


def test_a_vanished_row_becomes_a_tombstone_and_may_return(stocked: Road):
    full = stocked.world.usual
    stocked.at(2026, 2, 1, 12)
    stocked.world.bars["AAA"] = [full[0], full[2]]
    assert stocked.collect("prices").deleted == 1
    assert stocked.collect("prices").status == "unchanged"
    stocked.at(2026, 2, 2, 12)
    stocked.world.bars["AAA"] = full
    result = stocked.collect("prices")
    assert (result.new, result.changed, result.deleted) == (0, 1, 0)
    assert [deleted for _, deleted, _ in stocked.versions("AAA", THURSDAY)] == [False, True, False]


def test_a_null_bar_says_nothing_about_the_known_one(stocked: Road):
    full = stocked.world.usual
    stocked.world.bars["AAA"] = [full[0], (THURSDAY, None), full[2]]
    assert stocked.collect("prices").status == "unchanged"


def test_a_reused_symbol_leaves_the_former_owners_rows_alone(stocked: Road):
    stocked.at(2026, 2, 3, 1)
    stocked.world.bars["AAA"] = [(date(2026, 2, 2), 7.0)]
    result = stocked.collect("prices", start=date(2023, 1, 1), items=["AAA"])
    assert (result.new, result.deleted) == (1, 0)


def test_a_later_split_does_not_rewrite_history(stocked: Road):
    stocked.at(2026, 2, 3, 1)
    monday = date(2026, 2, 2)
    halved = [(day, close / 2) for day, close in stocked.world.usual if close]
    stocked.world.bars["AAA"] = [*halved, (monday, 26.5)]
    stocked.world.events["AAA"] = {"splits": {monday: (2, 1)}, "volume": 2000.0, "dividends": {THURSDAY: 0.25}}
    result = stocked.collect("prices", items=["AAA"])
    assert (result.new, result.changed, result.deleted) == (1, 0, 0)
    actions = stocked.rows("select action, ratio, amount, event_date from raw.corporate_actions order by action")
    assert [(row["action"], row["ratio"], row["amount"], row["event_date"]) for row in actions] == [
        ("dividend", None, 0.5, THURSDAY),
        ("split", 2.0, None, monday),
    ]


def test_a_broken_payload_loads_nothing_and_leaves_the_old_rows(stocked: Road):
    before = stocked.rows("select count(*) as n from raw.prices")
    stocked.world.usual = [*stocked.world.usual, (date(2026, 2, 2), 60.0)]
    stocked.at(2026, 2, 3, 1)
    stocked.world.instead = lambda request: (
        Answer("<!DOCTYPE html><html>Are you human?</html>", content_type="text/html")
        if request.path.endswith("/MID")
        else None
    )
    with pytest.raises(PayloadError, match=r"yahoo_chart: an HTML page came instead of JSON in http://.*/chart/MID\?"):
        stocked.collect("prices")
    assert stocked.rows("select count(*) as n from raw.prices") == before
    failed = stocked.rows("select dataset, note from ops.ingest_runs where status = 'failed'")
    assert [row["dataset"] for row in failed] == ["prices"]
    assert "chart/MID" in failed[0]["note"]
    stocked.world.instead = lambda request: None
    assert stocked.collect("prices").new == SYMBOLS


def test_invalid_rows_go_to_quarantine_and_too_many_stop_the_load(stocked: Road):
    stocked.at(2026, 2, 3, 1)
    monday = date(2026, 2, 2)
    stocked.world.usual = [*stocked.world.usual, (monday, 60.0)]
    stocked.world.bars["AAA"] = [*stocked.world.usual[:2], (FRIDAY, -1.0), (monday, 60.0)]
    result = stocked.collect("prices")
    assert (result.new, result.quarantined, result.deleted) == (SYMBOLS, 1, 0)
    kept = stocked.rows("select reason, record ->> 'symbol' as symbol, payload_path from ops.quarantine")
    assert [(row["reason"], row["symbol"]) for row in kept] == [("a price is not positive", "AAA")]
    assert Landing(stocked.settings.landing_url).read(kept[0]["payload_path"]).label == "AAA"
    # What was known under the key of a refused row stays as it is.
    assert [close for close, _, _ in stocked.versions("AAA", FRIDAY)] == [52.0]
    stocked.world.usual = [(day, -1.0) for day, _ in stocked.world.usual]
    with pytest.raises(QuarantineError, match=r"prices: \d+ of 88 rows are invalid, nothing was loaded"):
        stocked.collect("prices")
    assert len(stocked.rows("select * from ops.quarantine")) == 1


def test_an_unknown_symbol_is_a_note_and_many_are_a_failure(road: Road):
    road.collect("universe")
    road.world.bars["AAA"] = []
    result = road.collect("prices")
    assert result.new == 3 * (SYMBOLS - 1)
    assert result.notes == (f"1 of {SYMBOLS} items not known to the site: AAA is unknown or delisted",)
    road.world.usual = []
    with pytest.raises(PayloadError, match="items are not known to the site"):
        road.collect("prices")


def test_a_few_items_without_an_answer_are_left_for_next_time(road: Road):
    road.world.companies = [(f"Q{i:03d}", f"Quartz {i}", "2020-01-02", f"{i + 1:010d}") for i in range(100)]
    road.collect("universe")
    broken = {"Q007"}

    def site(request):
        return Answer("down", 503, "text/plain") if request.path.rpartition("/")[2] in broken else None

    road.world.instead = site
    result = road.collect("prices")
    assert result.new == 3 * (100 + ETFS + 2 - 1)
    assert len(result.notes) == 1
    assert result.notes[0].startswith("1 of 120 items got no answer, left for next time: yahoo_chart: HTTP 503 from")
    broken.add("Q008")
    with pytest.raises(SourceError, match="HTTP 503"):
        road.collect("prices")
    broken.clear()
    assert road.collect("prices").new == 3


def test_prices_need_a_universe(road: Road):
    # The benchmark alone is asked for: nothing else is known yet.
    assert road.collect("prices").parsed == 3
    with pytest.raises(SourceError, match="collect the dataset universe first"):
        road.collect("wiki_views")


def test_membership_over_time(stocked: Road):
    stocked.at(2026, 2, 7, 1)
    stocked.world.companies = [("CCC", "Gamma Tools", "2026-02-05", "0000000003"), stocked.world.companies[1]]
    stocked.world.changes = [("February 5, 2026", "CCC", "Gamma Tools", "AAA", "Alpha Works")]
    stocked.world.midcaps = [*stocked.world.midcaps, ("NEW", "New Nails", "", "")]
    result = stocked.collect("universe", date(2026, 2, 6))
    # New: CCC listed, CCC added, AAA removed, NEW listed; gone: AAA listed.
    assert (result.new, result.changed, result.deleted) == (4, 0, 1)
    gone = stocked.rows("select symbol, event, known_at from raw.universe where is_deleted")
    assert [(row["symbol"], row["event"], row["known_at"]) for row in gone] == [
        ("AAA", "listed", datetime(2026, 2, 7, 1, tzinfo=UTC))
    ]
    dates = stocked.rows("select symbol, effective_date, known_at from raw.universe where is_assumed order by symbol")
    assert [(row["symbol"], row["effective_date"]) for row in dates] == [
        ("MID", FRIDAY),
        ("NEW", date(2026, 2, 6)),
        ("SML", FRIDAY),
    ]
    ids = {row["symbol"]: row["security_id"] for row in stocked.rows("select symbol, security_id from raw.securities")}
    # The table of changes knows no CIK, the list does: one identity.
    assert ids["AAA"] == "cik0000000001"
    assert ids["CCC"] == "cik0000000003"
    assert ids["MID"] == "sym:MID:mid-mining"
    assert len(stocked.rows("select 1 from raw.securities where symbol = 'AAA'")) == 1
    # A company that left is followed for a while.
    stocked.site.seen.clear()
    stocked.collect("prices")
    assert any(path.endswith("/AAA") for path in stocked.site.paths())


def test_a_renamed_company_keeps_its_identity_and_its_new_symbol_is_not_backdated(stocked: Road):
    stocked.at(2026, 2, 7, 1)
    stocked.world.companies[0] = ("AAX", "Alpha Works", "2020-01-02", "0000000001")
    first = stocked.collect("universe", date(2026, 2, 6))
    assert first.followers["securities"].new == 1
    rows = stocked.rows(
        "select symbol, first_listed, known_at from raw.securities where security_id = 'cik0000000001' order by row_id"
    )
    assert [(row["symbol"], row["first_listed"], row["known_at"]) for row in rows] == [
        ("AAA", date(2020, 1, 2), datetime(2020, 1, 2, tzinfo=NY)),
        ("AAX", None, datetime(2026, 2, 7, 1, tzinfo=UTC)),
    ]
    stocked.at(2026, 2, 14, 1)
    assert stocked.collect("universe", date(2026, 2, 13)).status == "unchanged"
    # The history comes under the new symbol; the bars of the old one stay.
    assert stocked.collect("prices").new == 3
    assert len(stocked.versions("AAA", FRIDAY)) == 1


def test_a_list_that_lost_most_of_its_rows_is_refused(road: Road):
    road.world.companies = [(f"Q{i:03d}", f"Quartz {i}", "2020-01-02", f"{i + 1:010d}") for i in range(200)]
    road.collect("universe")
    road.world.companies = road.world.companies[:20]
    with pytest.raises(PayloadError, match="180 of 220 known rows would vanish; nothing was loaded"):
        road.collect("universe")
    assert road.rows("select count(*) as n from raw.universe where is_deleted") == [{"n": 0}]


def trade(**changes: str) -> dict[str, str]:
    row = {
        "Representative": " Jane Doe",
        "BioGuideID": "D000001",
        "ReportDate": "2026-01-20",
        "TransactionDate": "2026-01-05",
        "Ticker": "AAA",
        "Transaction": "Purchase",
        "Range": "$1,001 - $15,000",
        "House": "Representatives",
        "Amount": "1001.0",
        "Party": "D",
        "TickerType": "ST",
    }
    return {**row, **changes}


def test_equal_trades_are_told_apart_whatever_their_order(road: Road):
    road.world.trades = [trade(), trade(Ticker="BBB"), trade()]
    first = road.collect("politician_trades")
    assert (first.new, first.payloads) == (6, 4)
    rows = road.rows(
        "select politician, symbol, ordinal, known_at from raw.politician_trades where source = 'quiver_api'"
        " order by symbol, ordinal"
    )
    assert [(row["symbol"], row["ordinal"]) for row in rows] == [("AAA", 0), ("AAA", 1), ("BBB", 0)]
    assert rows[0]["politician"] == "Jane Doe"
    assert rows[0]["known_at"] == datetime(2026, 1, 21, tzinfo=NY)
    road.world.trades = [trade(Ticker="BBB"), trade(), trade()]
    assert road.collect("politician_trades").status == "unchanged"
    road.at(2026, 2, 3, 1)
    road.world.trades = [trade(Ticker="BBB", Party="R"), trade()]
    changed = road.collect("politician_trades", date(2026, 2, 2))
    assert (changed.changed, changed.deleted) == (1, 0)
    assert road.site.seen[-4].path.endswith("/live/congresstrading")


def test_an_amended_trade_replaces_the_one_it_amends(road: Road):
    road.world.trades = [trade(), trade(Ticker="BBB")]
    road.collect("politician_trades")
    road.at(2026, 2, 7, 1)
    road.world.trades = [trade(), trade(Ticker="BBB", Range="$15,001 - $50,000")]
    result = road.collect("politician_trades", date(2026, 2, 6))
    assert (result.new, result.changed, result.deleted) == (1, 0, 1)
    gone = road.rows("select symbol, amount_range, known_at from raw.politician_trades where is_deleted")
    assert [(row["symbol"], row["amount_range"], row["known_at"]) for row in gone] == [
        ("BBB", "$1,001 - $15,000", datetime(2026, 2, 7, 1, tzinfo=UTC))
    ]


def away(road: Road) -> Road:
    """The same road while PostgreSQL cannot be reached."""
    nowhere = Warehouse("postgresql://nobody@127.0.0.1:9/none")
    return replace(road, warehouse=nowhere)


def test_a_record_that_postgresql_cannot_hold_is_quarantined(road: Road):
    road.world.trades = [*(trade(Ticker=f"T{i}") for i in range(40)), trade(Ticker="BBB", Description="a\x00b")]
    result = road.collect("politician_trades")
    assert (result.new, result.quarantined) == (43, 1)
    kept = road.rows("select reason, record ->> 'symbol' as symbol from ops.quarantine")
    assert kept == [{"reason": "description holds a NUL character", "symbol": "BBB"}]


def test_a_database_that_is_no_warehouse_is_named(road: Road, empty_database):
    with pytest.raises(WarehouseError, match="is not a warehouse yet"):
        replace(road, warehouse=empty_database).collect("prices")


def test_with_postgresql_away_collection_lands_and_is_loaded_exactly_once(stocked: Road):
    stocked.collect("prices")
    stocked.world.usual = [*stocked.world.usual, (date(2026, 2, 2), 60.0)]
    stocked.at(2026, 2, 3, 1)
    result = away(stocked).collect("prices", date(2026, 2, 2))
    assert (result.status, result.queued, result.payloads, result.new) == ("landed", True, SYMBOLS, 0)
    with pytest.raises(WarehouseUnavailable):
        away(stocked).load()
    loaded = stocked.load()
    assert [(entry.run_id, entry.new) for entry in loaded] == [(result.run_id, SYMBOLS)]
    assert stocked.load() == []
    known = stocked.rows("select distinct known_at from raw.prices where event_date = '2026-02-02'")
    assert known == [{"known_at": datetime(2026, 2, 2, 16, tzinfo=NY)}]


def test_nothing_can_be_asked_without_a_warehouse_that_was_never_there(road: Road):
    with pytest.raises(WarehouseUnavailable):
        away(road).collect("prices")
    assert away(road).collect("universe").queued
    assert road.load("universe")[0].new == ETFS + 4


def test_a_run_that_is_queued_again_is_not_loaded_again(stocked: Road):
    landing = Landing(stocked.settings.landing_url)
    stocked.world.usual = [*stocked.world.usual, (date(2026, 2, 2), 60.0)]
    stocked.at(2026, 2, 3, 1)
    away(stocked).collect("prices")
    manifest = next(landing.queued())
    stocked.load()
    # As if the process had been killed after its commit and before it took the run off the queue.
    landing.enqueue(manifest)
    assert stocked.load() == []
    assert list(landing.queued()) == []


KILLED = """
import os, sys
from datetime import date
from pas_lib.clock import FixedClock
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse
from pas_lib.ingest import ingest, road
from pas_lib.warehouse.bitemporal import VersionedLoad
from tests.support.road import EVENING
from pathlib import Path
home, url, database, step = sys.argv[1:]
settings = load_settings({"PAS_HOME": home, "PAS_SANDBOX_URL": url, "PAS_DATABASE_URL": database}, root=Path(home))
if step == "landed":
    road._load_queue = lambda *a: os._exit(9)
else:
    merge = VersionedLoad.merge
    def then_die(self):
        merge(self)
        os._exit(9)
    VersionedLoad.merge = then_die
ingest("universe", date(2026, 1, 30), settings=settings, clock=FixedClock(EVENING), warehouse=Warehouse(database))
"""


@pytest.mark.parametrize("step", ["landed", "merged"])
def test_a_killed_collection_is_loaded_by_the_next(road: Road, step: str):
    argv = [str(road.settings.home), road.site.url, road.warehouse.url, step]
    done = subprocess.run([sys.executable, "-c", KILLED, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    assert road.rows("select count(*) as n from raw.universe") == [{"n": 0}]
    result = road.collect("universe")
    assert (result.status, result.new) == ("loaded", ETFS + 4)
    runs = road.rows("select status, rows_new from ops.ingest_runs where dataset = 'universe' order by run_id")
    assert [(row["status"], row["rows_new"]) for row in runs] == [("loaded", ETFS + 4)]
    assert len(road.rows("select 1 from raw.universe")) == ETFS + 4


def test_every_load_is_accounted_for(stocked: Road):
    runs = stocked.rows("select dataset, source, status, payloads, rows_new, session from ops.ingest_runs order by 1")
    assert [(row["dataset"], row["source"], row["rows_new"]) for row in runs] == [
        ("corporate_actions", "yahoo_chart", 0),
        ("prices", "yahoo_chart", 3 * SYMBOLS),
        ("securities", "wikipedia+ishares+package", SYMBOLS),
        ("universe", "wikipedia+ishares+package", SYMBOLS),
    ]
    files = stocked.rows("select * from ops.landing_files where dataset = 'prices'")
    assert len(files) == SYMBOLS
    landing = Landing(stocked.settings.landing_url)
    payload = landing.read(files[0]["path"])
    assert len(payload.body) == files[0]["bytes"]
    assert payload.url == files[0]["url"]
    assert payload.fetched_at == files[0]["fetched_at"] == EVENING


def test_a_key_is_found_nowhere(road: Road, monkeypatch: pytest.MonkeyPatch, tmp_path):
    canary = "canary0123456789canary0123456789"
    one = (
        '{"realtime_start":"2026-01-30","realtime_end":"2026-01-30","output_type":1,"count":1,"offset":0,"limit":9,'
        '"observations":[{"realtime_start":"2026-01-30","realtime_end":"2026-01-30","date":"2025-12-01","value":"4"}]}'
    )
    asked: list[str] = []

    def site(request):
        asked.append(request.query["api_key"])
        if len(asked) == 3:
            return Answer(f'{{"error_code":500,"error_message":"{request.query["api_key"]}"}}', 500)
        return Answer(one)

    with serve(site) as server:
        monkeypatch.setattr(Fred, "host", server.url)
        monkeypatch.setattr("pas_lib.sources.http._SITES", {})
        settings = road.settings.model_copy(update={"sources": "subscribed", "fred_api_key": canary_secret(canary)})
        monkeypatch.setattr("pas_lib.sources.http.politeness", lambda *a: _fast())
        ingest("macro_series", FRIDAY, settings=settings, clock=road.clock, warehouse=road.warehouse)
    assert set(asked) == {canary}
    assert road.rows("select count(*) as n from raw.macro_series")[0]["n"] > 0
    for path in road.landed():
        assert canary.encode() not in path.read_bytes()
    with psycopg.connect(road.warehouse.url) as conn:
        tables = conn.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('raw', 'ops')"
        ).fetchall()
        for schema, table in tables:
            hits = conn.execute(f"select count(*) from {schema}.{table} t where t::text like '%{canary}%'").fetchone()
            assert hits == (0,), table


def canary_secret(text: str):
    from pydantic import SecretStr

    return SecretStr(text)


def _fast():
    from pas_lib.sources.http import Politeness

    return Politeness(per_second=200.0, workers=1)
