"""One SQL, two engines, night by night or at once: every relation of the marts and below has the same rows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pas_lib import clock
from pas_lib.dbt import Dbt
from tests.support.marts import END, Built, disagreements, duckdb_frame, everything, relations

#: A month's last session; the second night comes a month later.
FIRST = date(2025, 11, 28)
#: Of these one row in 23 is no longer stated five days after the first night; every other one is again a week later.
VANISHING = (
    "analyst_ratings",
    "corporate_actions",
    "filings",
    "fundamentals",
    "gov_contracts",
    "insider_buying",
    "lobbying",
    "macro_series",
    "politician_trades",
    "prices",
    "wiki_views",
)


def test_both_engines_make_the_same_rows(built: Built, on_duckdb: Path) -> None:
    names = relations(built.dbt.target_path("all"))
    stored = built.warehouse.rows(
        "select table_schema || '.' || table_name as name from information_schema.tables"
        " where table_schema in ('marts', 'intermediate')"
    )
    kept = {f"intermediate.{name}" for name in ("build_state", "build_entities", "test_state")}
    assert set(names) == {row["name"] for row in stored} - kept
    ours, theirs = everything(built.warehouse.frame, names), everything(duckdb_frame(on_duckdb), names)
    assert disagreements(ours, theirs) == {}
    # the history has no company whose name is not found
    assert [name for name in names if ours[name].empty] == ["intermediate.int_unmatched_names"]


def test_a_wrong_number_is_found(on_duckdb: Path, slot: Path) -> None:
    """What the comparison is worth: one value of one row in a relation that nobody named."""
    name = "intermediate.int_security_features"
    ours = everything(duckdb_frame(on_duckdb), [name])
    slot.write_bytes(on_duckdb.read_bytes())
    with duckdb.connect(str(slot)) as conn:
        conn.execute(f"update {name} set beta_252 = beta_252 * (1 + 1e-8) where session = '{END}' and symbol = 'S010'")
    theirs = everything(duckdb_frame(slot), [name])
    assert [line[:16] for line in disagreements(ours, theirs)[name]] == ["beta_252: 1 rows"]


@pytest.mark.slow
def test_nights_on_duckdb_equal_a_full_refresh(raw_mirror: Path, slot: Path, duck: Dbt) -> None:
    """The second night brings a month of rows, one in fifty of those that were due before, and what vanished."""
    late = f"known_at > timestamptz '{clock.decision_time(FIRST).isoformat()}' or row_id % 50 = 3"
    slot.write_bytes(raw_mirror.read_bytes())
    with duckdb.connect(str(slot)) as conn:
        conn.execute("set timezone = 'UTC'")
        tables = [
            row[0]
            for row in conn.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
            # a late register renames the past, which no increment looks back on
            if row[0] not in ("securities", "universe")
        ]
        for table in tables:
            conn.execute(f"create table raw.later_{table} as select * from raw.{table} where {late} order by row_id")
            conn.execute(f"delete from raw.{table} where {late}")
        gone = clock.decision_time(FIRST + timedelta(days=5))
        for table in VANISHING:
            for when, is_deleted, step in ((gone, True, 23), (gone + timedelta(days=7), False, 46)):
                conn.execute(
                    f"insert into raw.later_{table} by name select * replace ({is_deleted} as is_deleted,"
                    f" timestamptz '{when.isoformat()}' as known_at, timestamptz '{when.isoformat()}' as ingested_at)"
                    f" from raw.{table} where row_id % {step} = 5"
                )
            found = conn.execute(f"select count(*) from raw.later_{table} where is_deleted").fetchall()
            assert found[0][0] > 0, table
    duck.build(FIRST, data_tests=False)
    with duckdb.connect(str(slot)) as conn:
        for table in tables:
            conn.execute(
                f"insert into raw.{table} by name select * replace ((select coalesce(max(row_id), 0) from raw.{table})"
                f" + row_number() over (order by known_at, row_id) as row_id) from raw.later_{table}"
            )
    duck.build(END, data_tests=False)
    names = relations(duck.target_path("transform"), nightly=True)
    nightly = everything(duckdb_frame(slot), names)
    duck.build(END, data_tests=False, full_refresh=True)
    assert disagreements(nightly, everything(duckdb_frame(slot), names)) == {}
