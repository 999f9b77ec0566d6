"""What was collected from the sandbox, as staging shows it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pas_lib.clock import clock_for
from pas_lib.dbt import Dbt
from pas_lib.ingest import ingest, road
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.sources import source
from pas_lib.warehouse import Warehouse
from tests.support.marts import mirrored
from tests.support.road import EVENING, settings_at

FRIDAY = date(2026, 1, 30)


@pytest.fixture
def warehouse(dbt_warehouse: Warehouse) -> Warehouse:
    return dbt_warehouse


def test_staging_of_insiders_and_ratings(
    warehouse: Warehouse, dbt_work: Path, slot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        clock = clock_for(settings)
        for name in ("universe", "analyst_ratings"):
            ingest(name, FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        # The road that tells amendments apart.
        monkeypatch.setattr(road, "usable_sources", lambda data, settings: [source("sec_edgar")])
        window = {"start": date(2025, 6, 2), "end": date(2026, 1, 29)}
        ingest("insider_buying", FRIDAY, settings=settings, clock=clock, warehouse=warehouse, **window)
    models = ("stg_raw__insider_buying", "stg_raw__analyst_ratings")
    result = Dbt(warehouse.url, dbt_work, threads=1).build(FRIDAY, unit_tests=True, select=models)
    assert result.count("error") == result.count("fail") == 0
    counts = warehouse.rows(
        "select (select count(*) from raw.insider_buying) as filed,"
        " (select count(*) from raw.analyst_ratings) as rated,"
        " (select count(*) from staging.stg_raw__insider_buying) as insiders,"
        " (select count(*) from staging.stg_raw__analyst_ratings) as ratings"
    )[0]
    assert counts["insiders"] == counts["filed"] > 400
    assert counts["ratings"] == counts["rated"] > 500
    lines = warehouse.rows(
        "select o.superseded_at = min(a.filed_at) as ended, count(*) as n from staging.stg_raw__insider_buying o"
        " join staging.stg_raw__insider_buying a using (symbol, insider, transaction_date, code, security_title)"
        " where a.is_amendment and not o.is_amendment and a.filed_at > o.filed_at group by o.row_id, o.superseded_at"
    )
    assert len(lines) > 5
    assert all(line["ended"] for line in lines)
    kept = warehouse.rows(
        "select count(*) as n from staging.stg_raw__insider_buying where superseded_at is null and code = 'P'"
    )[0]
    assert kept["n"] > 100

    # The mirror says the same, row by row.
    mirror = mirrored(slot, warehouse, EVENING)
    Dbt(str(mirror), dbt_work, target="duckdb", threads=1).build(FRIDAY, data_tests=False, select=models)
    with duckdb.connect(str(mirror), read_only=True) as conn:
        for model, columns in (
            ("stg_raw__insider_buying", "row_id, extract(epoch from superseded_at), shares, code, is_amendment"),
            ("stg_raw__analyst_ratings", "row_id, extract(epoch from rated_at), target_current, action, firm"),
        ):
            query = f"select {columns} from staging.{model} order by row_id"
            rows = warehouse.rows(query)
            theirs = [tuple(float(v) if isinstance(v, Decimal) else v for v in row.values()) for row in rows]
            assert conn.execute(query).fetchall() == theirs
