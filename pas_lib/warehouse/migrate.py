"""Creating a warehouse and bringing it up to the code's version."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import date
from importlib import resources
from itertools import pairwise
from typing import Any, Literal

import psycopg

from pas_lib import clock as calendar
from pas_lib.clock import Clock, SystemClock
from pas_lib.errors import TableMissing, WarehouseError
from pas_lib.warehouse.connection import Warehouse, copy_arrow, trusted

Origin = Literal["sandbox", "real"]

SCHEMAS = ("raw", "staging", "intermediate", "marts", "ops")
_CALENDAR_START = date(2000, 1, 3)
_CALENDAR_END = date(2035, 12, 28)


@dataclass(frozen=True)
class Migration:
    """One numbered step.

    Attributes
    ----------
    version : int
        The number the file's name starts with.
    name : str
        The file's name without ending.
    statements : str
        SQL.
    """

    version: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        """Hash of the statements: an applied migration must not have been edited since."""
        return hashlib.sha256(self.statements.encode()).hexdigest()[:16]


def migrations() -> list[Migration]:
    """Return all migrations of this code, in order.

    Raises
    ------
    WarehouseError
        If two files have the same number.
    """
    folder = resources.files("pas_lib.warehouse.migrations")
    found = [
        Migration(
            int(entry.name.split("_", 1)[0]),
            entry.name.removesuffix(".sql"),
            entry.read_text(encoding="utf-8"),
        )
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: (migration.version, migration.name))
    for one, other in pairwise(found):
        if one.version == other.version:
            raise WarehouseError(f"migrations {one.name} and {other.name} have the same number", hint="rename one")
    return found


def create_database(server: Warehouse, name: str, *, owner: str | None = None) -> bool:
    """Create a database on a server unless it exists.

    Parameters
    ----------
    server : Warehouse
        Any database of the server, opened by a role that may create others.
    name, owner : str
        The new database, and the role that owns it (created without password if missing).

    Returns
    -------
    bool
        Whether it was created.
    """
    from psycopg import sql

    with server.connect(autocommit=True) as conn:
        if owner and not conn.execute("select 1 from pg_roles where rolname = %s", (owner,)).fetchone():
            conn.execute(sql.SQL("create role {} login").format(sql.Identifier(owner)))
        if conn.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            return False
        statement = sql.SQL("create database {} encoding 'UTF8' template template0").format(sql.Identifier(name))
        if owner:
            statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
        conn.execute(statement)
        return True


def migrate(
    warehouse: Warehouse, origin: Origin, *, clock: Clock | None = None, warehouse_id: str | None = None
) -> int:
    """Bring a warehouse to the code's version and stamp its origin.

    Parameters
    ----------
    warehouse : Warehouse
        An existing database, empty or created by this code.
    origin : {"sandbox", "real"}
        Where its data comes from. Written once.
    clock : Clock, optional
        Source of the time stamps.
    warehouse_id : str, optional
        Identity of a new warehouse; random by default.

    Returns
    -------
    int
        The version it has now.

    Raises
    ------
    WarehouseError
        If it is newer than the code, was changed by hand, or holds data of another origin. Nothing is touched then.
    WarehouseUnavailable
        If it cannot be reached.
    """
    from pas_lib.datasets import catalogue, raw_ddl

    now = (clock or SystemClock()).now()
    with warehouse.connect() as conn:
        conn.execute("select pg_advisory_xact_lock(7065651)")
        applied = _applied(conn)
        known = migrations()
        _refuse_unknown(applied, known)
        if applied:
            check_origin(conn, origin)
        else:
            for schema in SCHEMAS:
                conn.execute(trusted(f"create schema if not exists {schema}"))
            conn.execute(
                "create table ops.schema_version (version integer primary key, name text not null,"
                " checksum text not null, applied_at timestamptz not null)"
            )
        for migration in known:
            if migration.version in applied:
                continue
            conn.execute(trusted(migration.statements))
            conn.execute(
                "insert into ops.schema_version values (%s, %s, %s, %s)",
                (migration.version, migration.name, migration.checksum, now),
            )
        for dataset in catalogue().values():
            conn.execute(trusted(raw_ddl(dataset)))
        if not applied:
            conn.execute(
                "insert into ops.warehouse_identity (warehouse_id, origin, created_at) values (%s, %s, %s)",
                (warehouse_id or uuid.uuid4().hex, origin, now),
            )
            _fill_sessions(conn)
        return known[-1].version


def _applied(conn: psycopg.Connection[Any]) -> dict[int, str]:
    found = conn.execute("select to_regclass('ops.schema_version')").fetchone()
    if not found or found[0] is None:
        return {}
    return dict(conn.execute("select version, checksum from ops.schema_version").fetchall())


def _refuse_unknown(applied: dict[int, str], known: list[Migration]) -> None:
    newest = known[-1].version
    if applied and max(applied) > newest:
        raise WarehouseError(
            f"the warehouse has version {max(applied)}, this code knows {newest}",
            hint="update the code; nothing was touched",
        )
    for migration in known:
        if migration.version in applied and applied[migration.version] != migration.checksum:
            raise WarehouseError(
                f"migration {migration.name} differs from the one that was applied",
                hint="restore the file; nothing was touched",
            )


def check_origin(conn: psycopg.Connection[Any], origin: Origin) -> None:
    """Refuse a warehouse of another origin.

    Raises
    ------
    WarehouseError
        If the stamp differs.
    """
    found = conn.execute("select origin from ops.warehouse_identity").fetchone()
    if found and found[0] != origin:
        raise WarehouseError(
            f"the warehouse holds {found[0]} data, PAS_SOURCES asks for {origin}: origins never mix",
            hint="set PAS_DATABASE_URL or PAS_HOME to another warehouse",
        )


def _fill_sessions(conn: psycopg.Connection[Any]) -> None:
    import pyarrow as pa

    days = list(calendar.sessions(_CALENDAR_START, _CALENDAR_END))
    stamp = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "session": pa.array(days, pa.date32()),
            "open_at": pa.array([calendar.session_open(day) for day in days], stamp),
            "close_at": pa.array([calendar.session_close(day) for day in days], stamp),
            "decision_at": pa.array([calendar.decision_time(day) for day in days], stamp),
            "next_session": pa.array([calendar.next_session(day) for day in days], pa.date32()),
            "is_week_end": [calendar.is_week_end(day) for day in days],
            "is_month_end": [calendar.is_month_end(day) for day in days],
            "is_quarter_end": [calendar.is_quarter_end(day) for day in days],
        }
    )
    copy_arrow(conn, table, "ops.sessions")


@dataclass(frozen=True)
class Identity:
    """Who a warehouse is.

    Attributes
    ----------
    warehouse_id : str
        Random, fixed at creation.
    origin : str
        ``sandbox`` or ``real``.
    """

    warehouse_id: str
    origin: str


def identity(warehouse: Warehouse) -> Identity:
    """Return the warehouse's identity.

    Raises
    ------
    WarehouseError
        If the database is no warehouse yet.
    WarehouseUnavailable
        If it cannot be reached.
    """
    try:
        rows = warehouse.rows("select warehouse_id, origin from ops.warehouse_identity")
    except TableMissing:
        raise WarehouseError(
            f"{warehouse.shown_url} is not a warehouse yet", hint="create it with `make run`"
        ) from None
    return Identity(**rows[0])
