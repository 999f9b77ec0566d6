"""Migrations, identity and bulk paths on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import psycopg
import pyarrow as pa
import pytest

from pas_lib.errors import TableMissing, WarehouseError, WarehouseUnavailable
from pas_lib.warehouse import Warehouse, copy_arrow, identity, migrate


def _tables(warehouse: Warehouse) -> list[str]:
    found = warehouse.rows(
        "select table_schema || '.' || table_name as name from information_schema.tables"
        " where table_schema not in ('pg_catalog', 'information_schema') order by 1"
    )
    return [row["name"] for row in found]


def test_migrating_twice_changes_nothing(empty_database: Warehouse) -> None:
    version = migrate(empty_database, "sandbox", warehouse_id="w1")
    before = _tables(empty_database)
    applied = empty_database.rows("select * from ops.schema_version order by version")
    assert migrate(empty_database, "sandbox") == version
    assert _tables(empty_database) == before
    assert empty_database.rows("select * from ops.schema_version order by version") == applied
    assert identity(empty_database).warehouse_id == "w1"
    assert {"raw.prices", "raw.universe", "ops.decisions", "ops.sessions"} <= set(before)


def test_a_newer_warehouse_is_refused_untouched(empty_database: Warehouse) -> None:
    migrate(empty_database, "sandbox")
    empty_database.execute("insert into ops.schema_version values (999, '999_future', 'x', now())")
    before = _tables(empty_database)
    with pytest.raises(WarehouseError, match="the warehouse has version 999"):
        migrate(empty_database, "sandbox")
    assert _tables(empty_database) == before


def test_an_edited_migration_is_refused(empty_database: Warehouse) -> None:
    migrate(empty_database, "sandbox")
    empty_database.execute("update ops.schema_version set checksum = 'other' where version = 1")
    with pytest.raises(WarehouseError, match="0001_core differs from the one that was applied"):
        migrate(empty_database, "sandbox")


def test_origins_never_mix(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="holds sandbox data, PAS_SOURCES asks for real"):
        migrate(warehouse, "real")
    assert identity(warehouse).origin == "sandbox"


def test_a_database_that_is_no_warehouse_says_so(empty_database: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="is not a warehouse yet"):
        identity(empty_database)


def test_sessions_are_filled(warehouse: Warehouse) -> None:
    row = warehouse.rows("select * from ops.sessions where session = '2026-01-30'")[0]
    assert row["decision_at"] == datetime(2026, 1, 31, 3, 30, tzinfo=UTC)
    assert row["next_session"] == date(2026, 2, 2)
    assert (row["is_week_end"], row["is_month_end"], row["is_quarter_end"]) == (True, True, False)


def test_copy_keeps_nulls_empty_texts_quotes_and_the_last_bit(warehouse: Warehouse) -> None:
    warehouse.execute("create table t (a text, b double precision, d date, at timestamptz, ok boolean)")
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    values = {
        "a": ["", None, 'quote " comma , line\nbreak \\N', "é"],
        "b": [0.1 + 0.2, None, 1e-300, -0.0],
        "d": [date(2026, 1, 30), None, date(1999, 12, 31), date(2026, 2, 2)],
        "at": [at, None, at, at],
        "ok": [True, None, False, True],
    }
    stamp = pa.timestamp("us", tz="UTC")
    table = pa.table(
        values, schema=pa.schema({"a": "string", "b": "float64", "d": "date32", "at": stamp, "ok": "bool"})
    )
    with warehouse.connect() as conn:
        assert copy_arrow(conn, table, "t") == 4
    got = warehouse.arrow("select * from t order by ctid").to_pydict()
    assert {name: got[name] for name in values} == values


def test_a_failed_block_leaves_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation), warehouse.connect() as conn:
        conn.execute("insert into ops.portfolios values ('a', 'A', null, 'manual', 'manual', 'active', now())")
        conn.execute("insert into ops.portfolios values ('b', null, null, 'manual', 'manual', 'active', now())")
    assert warehouse.rows("select * from ops.portfolios") == []


def test_kept_open_reads_share_a_connection_that_holds_no_table(warehouse: Warehouse) -> None:
    others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    warehouse.execute("create table t as select 1 as a")
    with warehouse.kept_open() as kept:
        own = [kept.arrow("select pg_backend_pid() as pid")["pid"][0].as_py() for _ in range(2)]
        assert own[0] == own[1]
        assert [row["pid"] for row in warehouse.rows(others)] == [own[0]]
        assert kept.arrow("select a from t").to_pylist() == [{"a": 1}]
        # A build that replaces the table meanwhile is not held up, and is seen.
        warehouse.execute("set lock_timeout = '1s'; drop table t; create table t as select 2 as a")
        assert kept.frame("select a from t")["a"].tolist() == [2]
        with pytest.raises(TableMissing, match="nowhere"):
            kept.arrow("select * from nowhere")
        assert kept.arrow("select a from t").to_pylist() == [{"a": 2}]
    gone = f"select count(*) = 0 as gone from ({others}) s where s.pid = {own[0]}"
    assert _soon(lambda: bool(warehouse.rows(gone)[0]["gone"]))


def _soon(condition: Callable[[], bool]) -> bool:
    """Tell whether a condition comes true: a server notices after a moment that somebody has gone."""
    deadline = time.monotonic() + 10
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return met


def test_an_absent_server_is_one_line_with_what_to_do() -> None:
    away = Warehouse("postgresql://user:canary-password@127.0.0.1:1/pas")
    for call in (lambda: away.rows("select 1"), lambda: away.arrow("select 1"), lambda: identity(away)):
        with pytest.raises(WarehouseUnavailable, match="cannot be reached.*make run") as caught:
            call()
        assert "canary" not in str(caught.value)
        assert "\n" not in str(caught.value)
