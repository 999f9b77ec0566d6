"""The API's own role in the warehouse: it reads everything, writes what people write through it, and owns nothing."""

from __future__ import annotations

from psycopg import sql

from pas_lib.warehouse.connection import Warehouse
from pas_lib.warehouse.migrate import SCHEMAS

API_ROLE = "pas_api"
#: What people write through the API; orders, fills, decisions and collected rows are not among it.
WRITTEN = (
    "approvals",
    "audit_log",
    "ended_sessions",
    "ledger_entries",
    "manual_weights",
    "portfolio_events",
    "portfolios",
    "posted_metrics",
    "posted_returns",
    "risk_alerts",
    "risk_rules",
    "system_logs",
    "tokens",
    "trading_state",
)


def grant_api(warehouse: Warehouse, role: str = API_ROLE) -> bool:
    """Grant the API's role its rights, on what is there and on what dbt will create.

    Every schema may be read; in the tables of `WRITTEN` rows may be added and updated, never deleted. Nothing may be
    created.

    Parameters
    ----------
    warehouse : Warehouse
        Opened as the owner of its tables.
    role : str
        The API's role.

    Returns
    -------
    bool
        False if the server has no such role: then the API shares the owner's.
    """
    who = sql.Identifier(role)
    with warehouse.connect() as conn:
        if conn.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone() is None:
            return False
        for name in SCHEMAS:
            schema = sql.Identifier(name)
            for statement in (
                "grant usage on schema {schema} to {who}",
                "grant select on all tables in schema {schema} to {who}",
                "alter default privileges in schema {schema} grant select on tables to {who}",
            ):
                conn.execute(sql.SQL(statement).format(schema=schema, who=who))
        for statement in (
            # What an earlier version of this list allowed is taken back.
            "revoke insert, update on all tables in schema ops from {who}",
            "alter default privileges in schema ops revoke insert, update on tables from {who}",
            "grant usage, select on all sequences in schema ops to {who}",
            "alter default privileges in schema ops grant usage, select on sequences to {who}",
        ):
            conn.execute(sql.SQL(statement).format(who=who))
        for table in WRITTEN:
            conn.execute(
                sql.SQL("grant insert, update on {table} to {who}").format(table=sql.Identifier("ops", table), who=who)
            )
    return True
