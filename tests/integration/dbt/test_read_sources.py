"""Two sources of a dataset in one table: what is configured counts, once; on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pas_lib.dbt import PROJECT_DIR, Dbt
from pas_lib.warehouse import Warehouse
from tests.support.marts import mirrored
from tests.support.raw_world import RawWorld

DAY = date(2025, 4, 17)
KNOWN = datetime(2025, 4, 18, 4, tzinfo=UTC)
END = date(2025, 12, 31)


def rows() -> RawWorld:
    world = RawWorld(
        start=date(2025, 12, 1), stocks=9, trades=1, wiki_start=date(2025, 12, 30), macro_start=date(2025, 12, 1)
    )
    world.tables.clear()
    filing = {"symbol": "AAA", "matched_by": "source", "client": "A", "registrant": "F", "report_date": DAY}
    world.add("lobbying", DAY, KNOWN, filing_id="official-1", amount=10.0, ordinal=0, source="senate_lda", **filing)
    world.add("lobbying", DAY, KNOWN, filing_id="mirror-1", amount=10.0, ordinal=0, source="quiver_api", **filing)
    value = {"series_id": "DGS10", "value": 4.0, "realtime_start": DAY}
    world.add("macro_series", DAY, KNOWN, vintage="alfred", source="fred", **value)
    world.add("macro_series", DAY, KNOWN, vintage="lag_rule", source="fredgraph", **value)
    return world


@pytest.mark.slow
def test_two_sources_of_a_dataset_count_once_on_both_engines(warehouse: Warehouse, dbt_work: Path, slot: Path) -> None:
    rows().load(warehouse)
    select = ["stg_raw__lobbying", "stg_raw__macro_series"]
    query = (
        "select source, amount as figure from staging.stg_raw__lobbying"
        " union all select source, value from staging.stg_raw__macro_series order by 1"
    )
    mirrored(slot, warehouse, datetime(2026, 1, 2, tzinfo=UTC))

    def read(**read_sources: list[str]) -> list[tuple[object, ...]]:
        Dbt(warehouse.url, dbt_work, threads=1, read_sources=read_sources).build(END, select=select, data_tests=False)
        duck = Dbt(str(slot), dbt_work, target="duckdb", threads=1, read_sources=read_sources)
        duck.build(END, select=select, data_tests=False)
        found = [tuple(row.values()) for row in warehouse.rows(query)]
        with duckdb.connect(str(slot), read_only=True) as conn:
            assert conn.execute(query).fetchall() == found
        return found

    assert read(lobbying=["senate_lda"], macro_series=["fred"]) == [("fred", 4.0), ("senate_lda", 10.0)]
    # Another choice is read at once, although dbt keeps the parsed project.
    assert read(lobbying=["quiver_api"], macro_series=["fredgraph"]) == [("fredgraph", 4.0), ("quiver_api", 10.0)]


def test_raw_is_only_read_through_the_macros_that_choose_sources() -> None:
    for path in (PROJECT_DIR / "models").rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        assert "source('raw'" not in text.replace('"', "'"), path.name
        if path.name.startswith("stg_raw__"):
            assert "versions(" in text or "lines('" in text, path.name
