"""The DuckDB mirror against a real PostgreSQL."""

from __future__ import annotations

import fcntl
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pas_lib import clock
from pas_lib.clock import FixedClock
from pas_lib.errors import WarehouseError, WarehouseUnavailable
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.mirror import PRIVATE, publish, refresh
from tests.support.performance_world import load_performance
from tests.support.raw_world import RawWorld

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> RawWorld:
    return RawWorld(
        start=date(2025, 10, 1), stocks=9, trades=60, wiki_start=date(2025, 11, 1), macro_start=date(2025, 6, 1)
    )


@pytest.fixture
def filled(warehouse: Warehouse, world: RawWorld) -> Warehouse:
    world.load(warehouse)
    load_performance(warehouse, world)
    warehouse.execute("create schema if not exists marts")
    warehouse.execute(
        "create table marts.daily_returns as select symbol as security_id, symbol, event_date as session, open, close,"
        " 'NaN'::double precision as ret from raw.prices"
    )
    return warehouse


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as conn:
        conn.execute("set timezone = 'UTC'")
        return conn.execute(statement).fetchall()


def test_every_table_arrives_with_its_values(filled: Warehouse, settings: Settings) -> None:
    report = refresh(settings, FixedClock(NOW), filled)
    path = settings.mirror_path
    assert report.path == path
    assert report.rebuilt
    assert report.published_at == NOW
    for schema in ("raw", "marts", "ops"):
        tables = filled.rows(
            "select table_name as name from information_schema.tables where table_schema = %s", (schema,)
        )
        for row in tables:
            name = f"{schema}.{row['name']}"
            if row["name"] in PRIVATE:
                with pytest.raises(duckdb.CatalogException):
                    query(path, f"select count(*) from {name}")
                continue
            expected = filled.rows(f"select count(*) as n from {name}")[0]["n"]
            assert query(path, f"select count(*) from {name}") == [(expected,)], name
            assert report.rows[name] == expected
    columns = "row_id, symbol, event_date, known_at, close, volume, is_deleted, content_hash"
    ours = [tuple(row.values()) for row in filled.rows(f"select {columns} from raw.prices order by row_id")]
    assert query(path, f"select {columns} from raw.prices order by row_id") == ours
    ours = [
        tuple(row.values())
        for row in filled.rows("select entry_id, book, amount, occurred_at from ops.ledger_entries order by 1")
    ]
    assert query(path, "select entry_id, book, amount, occurred_at from ops.ledger_entries order by 1") == ours
    assert query(path, "select symbol, qty from ops.positions order by 1") == [
        (row["symbol"], row["qty"]) for row in filled.rows("select symbol, qty from ops.positions order by 1")
    ]
    assert query(path, "select warehouse_id, origin, published_at from mirror.stamp") == [
        ("test-warehouse", "sandbox", NOW)
    ]
    assert not list(path.parent.glob("*.new*"))


def test_a_refresh_brings_only_what_is_new(filled: Warehouse, world: RawWorld, tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    publish(path, filled, NOW)
    assert publish(path, filled, NOW).transferred == 0
    day = world.sessions[-1]
    world.append(
        filled,
        "prices",
        day,
        clock.session_close(day) + timedelta(days=1),
        symbol="S001",
        open=1.0,
        high=1.0,
        low=1.0,
        close=1.0,
        volume=1.0,
        currency="USD",
        split_factor=1.0,
    )
    filled.execute("update marts.daily_returns set close = close + 1 where session = %s and symbol = 'S001'", (day,))
    report = publish(path, filled, NOW + timedelta(hours=1))
    assert not report.rebuilt
    month = filled.rows("select count(*) as n from marts.daily_returns where session >= %s", (day.replace(day=1),))[0][
        "n"
    ]
    assert report.transferred == 1 + month
    assert query(path, "select close from raw.prices order by row_id desc limit 1") == [(1.0,)]
    want = filled.rows("select close from marts.daily_returns where session = %s and symbol = 'S001'", (day,))[0][
        "close"
    ]
    assert query(path, f"select close from marts.daily_returns where session = '{day}' and symbol = 'S001'") == [
        (want,)
    ]


def test_columns_and_tables_may_change(filled: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    filled.execute("create table ops.short_lived (a integer)")
    publish(path, filled, NOW)
    filled.execute("drop table ops.short_lived")
    filled.execute("alter table marts.daily_returns add column extra numeric(12,4) default 1.25")
    publish(path, filled, NOW)
    assert query(path, "select distinct cast(extra as text) from marts.daily_returns") == [("1.2500",)]
    assert query(path, "select count(*) from information_schema.tables where table_name = 'short_lived'") == [(0,)]


def test_a_row_that_was_numbered_early_and_committed_late_is_not_lost(filled: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    insert = (
        "insert into raw.macro_series (row_id, source, event_date, known_at, ingested_at, source_url, run_id,"
        " content_hash, is_deleted, series_id, value, realtime_start) overriding system value values"
        " (%s, 's', '2025-01-01', now(), now(), 'u', 'r', 'h', false, 'X', %s, %s)"
    )
    with filled.connect() as slow:
        slow.execute(insert, (900_001, 1.0, date(2025, 1, 1)))
        filled.execute(insert, (900_002, 2.0, date(2025, 1, 2)))
        publish(path, filled, NOW)
        assert query(path, "select count(*) from raw.macro_series where series_id = 'X'") == [(1,)]
    publish(path, filled, NOW)
    assert query(path, "select value from raw.macro_series where series_id = 'X' order by row_id") == [(1.0,), (2.0,)]


def test_readers_keep_the_old_file_and_a_damaged_one_is_built_anew(filled: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    publish(path, filled, NOW)
    reader = duckdb.connect(str(path), read_only=True)
    inode = path.stat().st_ino
    publish(path, filled, NOW + timedelta(days=1))
    assert path.stat().st_ino != inode
    assert reader.execute("select published_at from mirror.stamp").fetchall()[0][0] == NOW
    reader.close()
    path.write_bytes(b"no database")
    assert publish(path, filled, NOW).rebuilt


def test_a_mirror_of_another_warehouse_is_not_gone_on_with(filled: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    publish(path, filled, NOW)
    filled.execute("update ops.warehouse_identity set warehouse_id = 'other'")
    assert publish(path, filled, NOW).rebuilt
    assert query(path, "select warehouse_id from mirror.stamp") == [("other",)]


def test_failures_publish_nothing(filled: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.duckdb"
    publish(path, filled, NOW)
    before = path.read_bytes()
    # a transfer that loses rows
    import pas_lib.warehouse.mirror as module

    real = module._insert

    def losing(source, target, table, where):
        return real(source, target, table, f"({where}) and close > 30" if table.name == "daily_returns" else where)

    monkeypatch.setattr(module, "_insert", losing)
    filled.execute("update marts.daily_returns set close = close * 2")
    with pytest.raises(WarehouseError, match=r"marts\.daily_returns differs"):
        publish(path, filled, NOW)
    monkeypatch.undo()
    assert path.read_bytes() == before
    with (tmp_path / ".m.duckdb.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WarehouseError, match="another refresh"):
            publish(path, filled, NOW)
    with pytest.raises(WarehouseUnavailable, match="cannot be reached"):
        publish(path, Warehouse("postgresql://postgres@/pas?host=/nowhere"), NOW)
    assert path.read_bytes() == before
