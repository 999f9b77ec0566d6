"""Raw tables built again from the landing, row for row; refused records read again after a parser was mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pas_lib.clock import clock_for
from pas_lib.datasets import catalogue, leaders
from pas_lib.errors import PasError, PayloadError
from pas_lib.ingest import load_refused, replay, replay_quarantined
from pas_lib.ingest.replay import table_digest
from pas_lib.ingest.road import collecting
from pas_lib.ingest.validate import Intake
from pas_lib.landing import Landing
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.sources import Batch, Payload, Reject, source
from pas_lib.warehouse import Warehouse
from tests.support.captures import FRIDAY, MONDAY, Collector
from tests.support.loopback import Answer, Seen
from tests.support.road import ETFS, EVENING, Road, settings_at

SYMBOLS = ETFS + 4
ORDER = ["universe", *(entry.name for entry in leaders() if entry.name != "universe")]


def digests(warehouse: Warehouse) -> dict[str, tuple[int, str]]:
    with warehouse.connect() as conn:
        return {name: table_digest(conn, data, data.table) for name, data in catalogue().items()}


@pytest.fixture
def here(warehouse: Warehouse, tmp_path: Path) -> Iterator[Collector]:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        yield Collector(sandbox, settings, warehouse, clock_for(settings))


def test_every_table_is_rebuilt_row_for_row(here: Collector) -> None:
    for session in (FRIDAY, MONDAY):
        for name in ORDER:
            here.collect(name, session)
        here.sandbox.clock.advance("2026-02-02T20:00")
    before = digests(here.warehouse)
    assert all(count > 0 for count, _ in before.values()), before
    for name in ORDER:
        result = replay(name, settings=here.settings, warehouse=here.warehouse)
        assert {table.outcome for table in result.tables.values()} == {"identical"}, result
        assert result.runs == 2
    assert digests(here.warehouse) == before

    # The warehouse is lost; the landing is all there is.
    ops = here.rows("select * from ops.ingest_runs where status <> 'failed' order by load_number, dataset")
    files = here.rows("select * from ops.landing_files order by path, dataset")
    tables = ", ".join(f"raw.{name}" for name in catalogue())
    here.warehouse.execute(
        f"truncate {tables}, ops.ingest_runs, ops.landing_files, ops.cache, ops.quarantine_states, ops.quarantine"
    )
    for name in ORDER:
        result = replay(name, settings=here.settings, warehouse=here.warehouse)
        outcomes = {one: table.outcome for one, table in result.tables.items()}
        assert set(outcomes.values()) == {"filled"}, outcomes
    assert digests(here.warehouse) == before
    assert here.rows("select * from ops.ingest_runs order by load_number, dataset") == ops
    assert here.rows("select * from ops.landing_files order by path, dataset") == files
    # The next load does not take a number again.
    here.sandbox.clock.advance("2026-02-03T20:00")
    here.collect("prices", date(2026, 2, 3))
    numbers = [row["n"] for row in here.rows("select distinct load_number as n from ops.ingest_runs order by 1")]
    assert numbers[-1] > max(row["load_number"] for row in ops)


def versions(road: Road) -> None:
    """Three versions of a close, a vanished bar, and a run in which nothing changed."""
    road.collect("universe")
    road.collect("prices")
    first = road.world.usual
    for day, bars in (
        (1, [(first[0][0], 50.0), (first[1][0], 99.0), first[2]]),
        (2, first),
        (3, first),
        (4, [first[0], first[2]]),
    ):
        road.at(2026, 2, day, 12)
        road.world.bars["AAA"] = bars
        road.collect("prices", start=date(2026, 1, 20))


def test_versions_and_vanished_rows_are_rebuilt(road: Road) -> None:
    versions(road)
    rows = road.rows("select * from raw.prices order by row_id")
    assert [row["is_deleted"] for row in rows if row["symbol"] == "AAA"].count(True) == 1
    with road.warehouse.connect() as conn:
        before = table_digest(conn, catalogue()["prices"], "raw.prices")
    result = replay("prices", settings=road.settings, warehouse=road.warehouse)
    assert (result.tables["prices"].outcome, result.tables["prices"].rows) == ("identical", len(rows))
    assert road.rows("select * from raw.prices order by row_id") == rows
    since = replay("prices", settings=road.settings, warehouse=road.warehouse, since=date(2026, 2, 2))
    assert (since.runs, since.tables["prices"].outcome) == (3, "identical")
    road.warehouse.execute("truncate raw.prices")
    assert (
        replay("corporate_actions", settings=road.settings, warehouse=road.warehouse).tables["prices"].digest
        == before[1]
    )
    kept = [{k: v for k, v in row.items() if k != "row_id"} for row in rows]
    again = road.rows("select * from raw.prices order by row_id")
    assert [{k: v for k, v in row.items() if k != "row_id"} for row in again] == kept


def test_what_differs_is_told_and_only_replaced_when_asked_for(road: Road) -> None:
    versions(road)
    good = road.rows("select * from raw.prices order by row_id")
    road.warehouse.execute("update raw.prices set close = close + 1 where symbol = 'MID'")
    road.warehouse.execute("delete from raw.prices where symbol = 'SML'")
    bad = road.rows("select * from raw.prices order by row_id")
    result = replay("prices", settings=road.settings, warehouse=road.warehouse)
    table = result.tables["prices"]
    assert (result.differs, table.outcome, table.only_before, table.only_built) == (True, "differs", 3, 6)
    assert road.rows("select * from raw.prices order by row_id") == bad
    replaced = replay("prices", settings=road.settings, warehouse=road.warehouse, replace=True)
    assert replaced.tables["prices"].outcome == "replaced"
    now = road.rows("select * from raw.prices order by row_id")
    assert [{**row, "row_id": 0} for row in now] == [{**row, "row_id": 0} for row in good]
    # The mirror sees other rows by their numbers.
    assert now[0]["row_id"] > max(row["row_id"] for row in good)


def test_a_collection_that_has_ended_keeps_nobody_away(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while its connection is being closed, which the server may take its time for."""
    close, held = psycopg.Connection.close, []
    query = (
        "select count(*) as n from pg_locks where locktype = 'advisory'"
        " and database = (select oid from pg_database where datname = current_database())"
    )

    def closing(conn: psycopg.Connection[Any]) -> None:
        if not conn.closed and conn.info.parameter_status("application_name") == "pas collection":
            held.append(warehouse.rows(query)[0]["n"])
        close(conn)

    monkeypatch.setattr(psycopg.Connection, "close", closing)
    with collecting(warehouse, "prices"):
        assert warehouse.rows(query) == [{"n": 1}]
    assert held == [0]


def test_a_replay_waits_for_nobody_and_refuses_what_it_cannot_build(road: Road) -> None:
    road.collect("universe")
    with pytest.raises(PasError, match="holds no loaded run"):
        replay("prices", settings=road.settings, warehouse=road.warehouse)
    road.collect("prices")
    with collecting(road.warehouse, "prices"), pytest.raises(PasError, match="prices is being collected"):
        replay("prices", settings=road.settings, warehouse=road.warehouse)
    road.warehouse.execute("update raw.prices set run_id = 'somewhere-else' where symbol = 'MID'")
    with pytest.raises(PasError, match=r"rows of 1 runs that the landing does not know \(somewhere-else\)"):
        replay("prices", settings=road.settings, warehouse=road.warehouse)


# ------------------------------------------------------------------------------------------------- quarantine


def trade(number: int, **more: Any) -> dict[str, Any]:
    return {
        "Representative": "Jane Doe", "BioGuideID": "D000001", "ReportDate": "2026-01-20",
        "TransactionDate": "2026-01-05", "Ticker": f"T{number}", "Transaction": "Purchase",
        "Range": "$1,001 - $15,000", "House": "Representatives", "Party": "D", "last_modified": "2026-01-21",
        "TickerType": "ST", "Description": None, "ExcessReturn": 0.0, "PriceChange": 0.0, "SPYChange": 0.0, **more,
    }  # fmt: skip


@pytest.fixture
def faulty(road: Road, monkeypatch: pytest.MonkeyPatch) -> Road:
    """A parser that cannot read the rows of T7."""
    site = source("quiver_api")
    parse = site.parse

    def refusing(payload: Payload) -> list[Batch]:
        batches = parse(payload)
        for batch in batches:
            batch.rejects += [Reject(row, "cannot be read") for row in batch.records if row["symbol"] == "T7"]
            batch.records = [row for row in batch.records if row["symbol"] != "T7"]
        return batches

    monkeypatch.setattr(site, "parse", refusing)
    road.world.trades = [trade(n) for n in range(100)]
    assert road.collect("politician_trades").quarantined == 1
    return road


def test_refused_records_read_again_do_not_bring_back_an_old_validator(
    faulty: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = faulty
    body = json.dumps([trade(n) for n in range(101)])

    def newer(request: Seen) -> Answer | None:
        if not request.path.endswith("/congresstrading"):
            return None
        if request.headers.get("if-none-match") == '"first"':
            return Answer(status=304)
        return Answer(body if request.query.get("page", "1") == "1" else "[]", headers={"ETag": '"second"'})

    road.warehouse.execute("delete from ops.cache")
    path = road.rows("select payload_path from ops.quarantine")[0]["payload_path"]
    file = Path(road.settings.landing_url, path)
    file.write_bytes(file.read_bytes().replace(b'"etag":""', b'"etag":"\\"first\\""', 1))
    road.world.instead = newer
    monkeypatch.undo()
    road.clock.at = EVENING + timedelta(days=3)
    road.collect("politician_trades", date(2026, 2, 2))
    before = road.rows("select etag, path from ops.cache order by cache_key")
    assert '"second"' in {row["etag"] for row in before}
    mended(road, monkeypatch)
    assert road.rows("select etag, path from ops.cache order by cache_key") == before


def open_records(road: Road) -> list[dict[str, Any]]:
    return road.rows(
        "select q.reason, q.record ->> 'symbol' as symbol, s.state from ops.quarantine q"
        " left join ops.quarantine_states s using (quarantine_id) order by q.quarantine_id"
    )


def mended(road: Road, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.undo()
    road.clock.at = EVENING + timedelta(days=10)
    return replay_quarantined("politician_trades", settings=road.settings, clock=road.clock, warehouse=road.warehouse)


def test_refused_records_enter_after_the_parser_was_mended(faulty: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road = faulty
    before = road.rows("select * from raw.politician_trades order by row_id")
    # With the fault still there nothing enters and nothing is resolved.
    same = replay_quarantined("politician_trades", settings=road.settings, clock=road.clock, warehouse=road.warehouse)
    assert (same.looked_at, same.refused, same.resolved, same.new) == (1, 1, 0, 0)
    assert open_records(road) == [{"reason": "cannot be read", "symbol": "T7", "state": None}]
    result = mended(road, monkeypatch)
    assert (result.looked_at, result.resolved, result.refused, result.new, result.changed) == (1, 1, 0, 1, 0)
    assert open_records(road) == [{"reason": "cannot be read", "symbol": "T7", "state": "resolved"}]
    after = road.rows("select * from raw.politician_trades order by row_id")
    assert after[: len(before)] == before
    (late,) = after[len(before) :]
    other = next(row for row in before if row["symbol"] == "T8")
    assert late["symbol"] == "T7"
    # It became known when the others did; that it came late shows in the time of its load.
    assert (late["known_at"], late["event_date"]) == (other["known_at"], other["event_date"])
    assert late["ingested_at"] == EVENING + timedelta(days=10)
    assert late["run_id"] == result.run_id
    again = mended(road, monkeypatch)
    assert (again.looked_at, again.new) == (0, 0)
    # The next collection finds everything as it should be.
    assert road.collect("politician_trades").new == 0


def test_a_newer_version_is_not_overtaken_by_an_old_payload(faulty: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road = faulty
    monkeypatch.undo()
    road.at(2026, 2, 3, 1)
    road.world.trades = [trade(n, Party="R") if n == 7 else trade(n) for n in range(100)]
    road.collect("politician_trades", MONDAY)
    before = road.rows("select * from raw.politician_trades order by row_id")
    assert [row["party"] for row in before if row["symbol"] == "T7"] == ["R"]
    result = mended(road, monkeypatch)
    assert (result.resolved, result.superseded, result.new, result.changed) == (0, 1, 0, 0)
    assert road.rows("select * from raw.politician_trades order by row_id") == before
    assert [row["state"] for row in open_records(road)] == ["superseded"]


def test_nothing_is_decided_when_the_landed_bytes_are_gone(faulty: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    path = faulty.rows("select payload_path from ops.quarantine")[0]["payload_path"]
    Path(faulty.settings.landing_url, path).unlink()
    with pytest.raises(PasError, match="is missing in the landing"):
        mended(faulty, monkeypatch)
    assert [row["state"] for row in open_records(faulty)] == [None]
    assert json.dumps(faulty.rows("select count(*) as n from ops.quarantine_states")) == '[{"n": 0}]'


def mentions(seen: Seen) -> Answer | None:
    if "apewisdom" not in seen.path:
        return None
    row = {"rank": 1, "ticker": "AAA", "name": "Alpha", "mentions": 9, "upvotes": 1}
    rows = [{**row, "rank_24h_ago": 1, "mentions_24h_ago": 9}]
    return Answer(json.dumps({"count": 1, "pages": 1, "current_page": 1, "results": rows}))


def test_a_capture_that_could_not_be_loaded_is_loaded_after_the_parser_was_mended(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> list[str]:
        found = load_refused("reddit_mentions", settings=road.settings, clock=road.clock, warehouse=road.warehouse)
        return [result.run_id for result in found]

    def broken(self: Intake, *, limited: bool = True) -> None:
        raise PayloadError("field 'mentions' is not a number")

    landing = Landing(road.settings.landing_url)
    road.world.instead = mentions
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "finish", broken)
        with pytest.raises(PayloadError, match="is not a number"):
            road.collect("reddit_mentions")
        (refused,) = landing.refused_runs("reddit_mentions")
        assert list(landing.queued()) == []
        with pytest.raises(PayloadError, match="is not a number"):
            load()
        assert landing.refused_runs("reddit_mentions") == (refused,)
    # A later capture has come in the meantime: it is another one.
    road.clock.at = EVENING + timedelta(days=3)
    road.collect("reddit_mentions", MONDAY)
    assert load() == [refused.run_id]
    assert load() == []
    rows = road.rows("select capture_date, mentions, run_id from raw.reddit_mentions order by capture_date")
    assert [(row["capture_date"], row["mentions"]) for row in rows] == [(FRIDAY, 9), (MONDAY, 9)]
    assert rows[0]["run_id"] == refused.run_id
    found = replay("reddit_mentions", settings=road.settings, warehouse=road.warehouse)
    assert (found.runs, found.tables["reddit_mentions"].outcome) == (2, "identical")


def test_an_old_answer_does_not_replace_what_came_after_it(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Intake, *, limited: bool = True) -> None:
        raise PayloadError("broken")

    road.collect("universe")
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "finish", broken)
        with pytest.raises(PayloadError):
            road.collect("prices")
    with pytest.raises(PasError, match="prices: 1 runs could not be loaded, and what came since is newer"):
        load_refused("prices", settings=road.settings, clock=road.clock, warehouse=road.warehouse)
    assert road.rows("select 1 from raw.prices") == []


def test_what_a_site_answered_instead_is_kept(road: Road) -> None:
    page = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
    road.world.instead = lambda seen: Answer(page, content_type="text/html") if "apewisdom" in seen.path else None
    with pytest.raises(PayloadError):
        road.collect("reddit_mentions")
    (kept,) = [path for path in road.landed() if "/refused/reddit_mentions/" in str(path)]
    assert kept.read_bytes().endswith(page.encode())
    assert road.rows("select 1 from ops.landing_files") == []
