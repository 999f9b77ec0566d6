"""PostgreSQL away: the mirror answers the same, and says so."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import store
from api.errors import NotFound, NotReady
from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse, mirror
from tests.integration.api import seed
from tests.integration.api.conftest import NOW

PATHS = (
    "/db/prices?sort_by=close&order=desc",
    "/db/regime_history?format=csv&fields=session,cci,scale",
    "/db/trades",
    "/db/quarantine",
    "/db/positions?sort_by=cost_basis&format=csv",
    "/db/book_cash?sort_by=cash&order=desc",
    "/db/regime_history?limit=3",
    "/db/order_plans",
    "/portfolios",
    "/portfolios/congress_aggregate",
    "/positions/all",
    "/positions/congress_aggregate",
    "/trades/all?limit=2&page=2",
    "/orders?state=filled",
    "/weight_history/congress_aggregate?start=2026-01-31",
    "/metrics/congress_aggregate",
    "/correlations",
    "/sector_exposure/all",
    "/sector_exposure/congress_aggregate",
    "/scores/top",
    "/regime",
    "/allocations",
    "/allocations?session=2026-01-30",
    "/strategies",
    "/risk/all",
)


@pytest.fixture
def dead_socket() -> Iterator[int]:
    """A port that is bound but on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def away(api_settings: Settings, dead_socket: int) -> Iterator[TestClient]:
    """A client of an API whose PostgreSQL cannot be reached."""
    settings = api_settings.model_copy(update={"database_url": f"postgresql://u:canarypw@127.0.0.1:{dead_socket}/pas"})
    headers = {"Authorization": seed.READ}
    with TestClient(create_app(settings, clock=FixedClock(NOW)), headers=headers) as one:
        yield one


def publish(warehouse: Warehouse, path: Path, age: timedelta) -> None:
    """Publish a mirror and set back its time."""
    mirror.publish(path, warehouse, NOW)
    at = (NOW - age).timestamp()
    os.utime(path, (at, at))


def test_the_mirror_answers_the_same(
    filled: Warehouse, api_settings: Settings, client: TestClient, away: TestClient
) -> None:
    publish(filled, api_settings.mirror_path, timedelta(minutes=90))
    for path in PATHS:
        here, there = client.get(path), away.get(path)
        assert here.status_code == there.status_code == 200, (path, there.text)
        assert there.text == here.text, path
        assert here.headers["X-PAS-Source"] == "postgres"
        assert "X-PAS-Mirror-Age" not in here.headers
        assert there.headers["X-PAS-Source"] == "mirror"
        assert there.headers["X-PAS-Mirror-Age"] == "5400"
        assert there.headers["X-PAS-Mirror-Published"] == "2026-02-03T02:30:00+00:00"
    refused = away.get("/portfolios/nobody")
    assert (refused.status_code, refused.headers["X-PAS-Source"]) == (404, "mirror")
    assert away.get("/db/prices?sort_by=pg_sleep(1)").status_code == 422
    for page in ("", "/portfolios", "/research", "/risk", "/trading", "/data", "/data/positions", "/data/top_scores"):
        shown = away.get(f"/dashboard{page}")
        assert (shown.status_code, "the mirror, which is 2 h old" in shown.text) == (200, True), page
    assert 'pas_up{source="mirror"} 1.0' in away.get("/metrics").text
    ready = away.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "canarypw" not in ready.text + refused.text


def test_refused_records_and_ages_come_from_the_mirror(
    filled: Warehouse, api_settings: Settings, client: TestClient, away: TestClient
) -> None:
    for number, reason in enumerate(("symbol is missing", "a date cannot be read", "a price is not positive")):
        filled.execute(
            "insert into ops.quarantine (dataset, source, run_id, source_url, payload_path, reason, record,"
            " quarantined_at) values (%s, 'yahoo_chart', 'r1', 'https://a.b/c', 'gone/file', %s, %s, %s)",
            ("prices" if number else "lobbying", reason, json.dumps({"symbol": f"S{number}", "n": number}), NOW),
        )
    filled.execute(
        "insert into ops.quarantine_states (quarantine_id, state, run_id, decided_at)"
        " select max(quarantine_id), 'resolved', 'later', %s from ops.quarantine",
        (NOW,),
    )
    filled.execute("update ops.ingest_runs set newest_at = '2026-01-16 05:00Z' where dataset = 'prices'")
    publish(filled, api_settings.mirror_path, timedelta(minutes=90))
    first = client.get("/quarantine?state=all").json()["records"][-1]["quarantine_id"]
    for path in (
        "/quarantine",
        "/quarantine?state=all",
        "/quarantine?state=resolved",
        "/quarantine?reason=MISSING&dataset=lobbying",
        "/quarantine?limit=1&page=2",
        f"/quarantine/{first}",
        "/freshness",
    ):
        here, there = client.get(path), away.get(path)
        assert (here.status_code, there.status_code) == (200, 200), there.text
        assert there.json() == here.json(), path
        assert (here.headers["X-PAS-Source"], there.headers["X-PAS-Source"]) == ("postgres", "mirror")
    found = away.get("/quarantine").json()["records"]
    assert [(row["reason"], row["record"], row["state"]) for row in found] == [
        ("a date cannot be read", {"symbol": "S1", "n": 1}, "open"),
        ("symbol is missing", {"symbol": "S0", "n": 0}, "open"),
    ]
    assert away.get(f"/quarantine/{first}").json()["record"] == {"symbol": "S0", "n": 0}
    assert away.get("/quarantine/999").status_code == 404
    ages = {row["dataset"]: row for row in away.get("/freshness").json()["records"]}
    assert (ages["prices"]["is_stale"], ages["prices"]["newest_at"]) == (True, "2026-01-16T05:00:00Z")
    assert ages["prices"]["why"].startswith("its site says nothing new since 2026-01-16, ")
    assert (ages["wiki_views"]["why"], ages["lobbying"]["why"]) == (
        "30.9 days old, tolerance 7 days",
        "never collected, tolerance 120 days",
    )


def test_a_new_mirror_is_seen(filled: Warehouse, api_settings: Settings, away: TestClient) -> None:
    publish(filled, api_settings.mirror_path, timedelta(hours=1))
    assert away.get("/db/trades").json()["total"] == 5
    filled.execute("update ops.portfolios set name = 'Renamed' where portfolio_id = 'wiki_attention'")
    publish(filled, api_settings.mirror_path, timedelta(0))
    answer = away.get("/portfolios")
    assert answer.json()["records"][3]["name"] == "Renamed"
    assert answer.headers["X-PAS-Mirror-Age"] == "0"


def test_neither_store(settings: Settings, away: TestClient) -> None:
    answer = away.get("/portfolios")
    assert answer.status_code == 503
    assert "PostgreSQL cannot be reached, and there is no mirror file" in answer.json()["detail"]
    assert "make run" in answer.json()["detail"]
    ready = away.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "postgres": "cannot be reached",
        "mirror": "there is no mirror file yet",
        "detail": "PostgreSQL cannot be reached, and there is no mirror file yet",
    }
    assert away.get("/health").status_code == 200
    assert 'pas_up{source="postgres"} 0.0' in away.get("/metrics").text


def test_a_broken_mirror_is_named(api_settings: Settings, away: TestClient) -> None:
    api_settings.mirror_path.parent.mkdir(parents=True)
    api_settings.mirror_path.write_bytes(b"not a database" * 1000)
    answer = away.get("/portfolios")
    assert answer.status_code == 503
    assert "cannot be opened" in answer.json()["detail"]


def test_the_mirror_cannot_read_files(filled: Warehouse, api_settings: Settings) -> None:
    publish(filled, api_settings.mirror_path, timedelta(0))
    with store.Mirror(api_settings.mirror_path).cursor() as (cursor, _), pytest.raises(Exception, match="disabled"):
        cursor.execute("select * from read_text('/etc/hostname')")


def test_falls_back_when_postgres_goes_away_and_returns(
    filled: Warehouse, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(filled, api_settings.mirror_path, timedelta(0))
    monkeypatch.setattr(store, "RETRY_AFTER", 0.0)
    address = [filled.url]
    pool = store.PostgresPool(lambda: address[0])
    both = store.Store(pool, store.Mirror(api_settings.mirror_path), FixedClock(NOW))
    seen: list[str] = []

    def count(reader: store.Reader) -> int:
        if reader.source == "postgres" and cut:
            # The server ends this very connection while the answer is computed.
            pid = reader.scalar("select pg_backend_pid()")
            filled.execute("select pg_terminate_backend(%s)", (pid,))
        return int(reader.scalar("select count(*) from ops.trades"))

    def note(provenance: store.Provenance) -> None:
        seen.append(provenance.source)

    cut = False
    assert both.read(count, note) == 5
    cut = True
    assert both.read(count, note) == 5
    assert seen == ["postgres", "postgres", "mirror"]
    cut = False
    assert both.read(count, note) == 5
    assert seen[-1] == "postgres"
    both.close()


def _replace(filled: Warehouse, table: str) -> None:
    """Put a new table of the same rows in a mart's place, as dbt does."""
    with filled.connect() as conn:
        conn.execute(f"create table marts.made_anew as table marts.{table}")  # type: ignore[arg-type]
        conn.execute(f"drop table marts.{table} cascade")  # type: ignore[arg-type]
        conn.execute(f"alter table marts.made_anew rename to {table}")  # type: ignore[arg-type]


def test_a_mart_that_is_replaced_meanwhile_is_not_empty(filled: Warehouse, api_settings: Settings) -> None:
    both = store.Store(store.PostgresPool(lambda: filled.url), store.Mirror(api_settings.mirror_path), FixedClock(NOW))
    rows = int(filled.rows("select count(*) as n from marts.top_scores")[0]["n"])
    assert rows > 0
    counted: list[int] = []
    replacing = 2

    def count(reader: store.Reader) -> int:
        reader.scalar("select count(*) from ops.trades")
        if len(counted) < replacing:
            _replace(filled, "top_scores")
        counted.append(int(reader.scalar("select count(*) from marts.top_scores")))
        if not counted[-1]:
            raise NotFound("no scores")
        return counted[-1]

    assert both.read(count, lambda _: None) == rows
    assert counted == [0, 0, rows]
    counted.clear()
    replacing = store.ATTEMPTS
    with pytest.raises(NotReady, match="replaces the tables"):
        both.read(count, lambda _: None)
    assert counted == [0] * store.ATTEMPTS
    both.close()


def test_point_reads_while_a_mart_is_replaced_again_and_again(
    filled: Warehouse, api_settings: Settings, client: TestClient
) -> None:
    expected = {path: client.get(path).json() for path in ("/scores/top", "/metrics/wiki_attention", "/positions/all")}
    over = threading.Event()

    def build() -> None:
        for _ in range(15):
            for table in ("top_scores", "metrics", "daily_returns"):
                _replace(filled, table)
        over.set()

    builder = threading.Thread(target=build)
    builder.start()
    asked = 0
    try:
        while not over.is_set():
            for path, wanted in expected.items():
                answer = client.get(path)
                assert (answer.status_code, answer.json()) == (200, wanted), path
                asked += 1
    finally:
        builder.join()
    assert asked >= len(expected)


def test_a_connection_that_died_while_it_rested_is_not_lent(filled: Warehouse) -> None:
    pool = store.PostgresPool(lambda: filled.url)
    with pool.connection(steady=False) as conn:
        first = conn.info.backend_pid
    with pool.connection(steady=False) as conn:
        assert conn.info.backend_pid == first
    filled.execute("select pg_terminate_backend(%s, 5000)", (first,))
    for steady in (False, True):
        with pool.connection(steady=steady) as conn:
            assert conn.info.backend_pid != first
            assert store.PostgresReader(conn).scalar("select count(*) from ops.trades") == 5
    pool.close()


def test_a_stream_of_a_mart_that_is_replaced_meanwhile_is_whole(filled: Warehouse, api_settings: Settings) -> None:
    both = store.Store(store.PostgresPool(lambda: filled.url), store.Mirror(api_settings.mirror_path), FixedClock(NOW))
    begun = 0

    def pieces(reader: store.Reader) -> Iterator[bytes]:
        nonlocal begun
        assert isinstance(reader, store.PostgresReader)
        reader.scalar("select count(*) from ops.trades")
        begun += 1
        if begun == 1:
            _replace(filled, "top_scores")
        yield from reader.copy("copy (select symbol from marts.top_scores) to stdout", 100)

    lines = b"".join(both.stream(pieces, lambda _: None)).split()
    assert begun == 2
    assert len(lines) == filled.rows("select count(*) as n from marts.top_scores")[0]["n"] > 0
    both.close()


def test_reads_cannot_write(filled: Warehouse) -> None:
    import psycopg

    pool = store.PostgresPool(lambda: filled.url)
    for steady in (True, False):
        with pool.connection(steady=steady) as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("delete from ops.alloc_log")
    pool.close()


def test_a_slow_query_is_cut(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STATEMENT_TIMEOUT", 0.2)
    pool = store.PostgresPool(lambda: filled.url)
    with pool.connection() as conn, pytest.raises(NotReady, match="took longer"):
        store.PostgresReader(conn).fetch("select pg_sleep(30)")
    pool.close()
