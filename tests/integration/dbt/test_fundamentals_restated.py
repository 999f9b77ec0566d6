"""The trailing year where periods are counted anew: other days, another fiscal year, another source."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pas_lib.datasets import dataset
from pas_lib.dbt import Dbt
from pas_lib.ingest.validate import conform
from pas_lib.sources import Payload, source
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.bitemporal import VersionedLoad

FETCHED = datetime(2024, 12, 20, tzinfo=UTC)
MODELS = ["+int_fundamentals_ttm"]


def fact(end: str, value: float, filed: str, start: str | None = None) -> dict[str, Any]:
    told = {"end": end, "val": value, "accn": f"0000000000-{filed[2:4]}-{filed[5:7]}{filed[8:]}00", "form": "10-K"}
    return {**told, "filed": filed, "fy": 2024, "fp": "FY", **({"start": start} if start else {})}


def load(warehouse: Warehouse, cik: int, assets: list[dict[str, Any]], revenue: list[dict[str, Any]]) -> None:
    facts = {"Assets": assets, "Revenues": revenue}
    body = {"cik": cik, "entityName": "X", "facts": {"us-gaap": {k: {"units": {"USD": v}} for k, v in facts.items()}}}
    payload = Payload("sec_facts", "fundamentals", "x", "u", 200, "", FETCHED, {}, json.dumps(body).encode())
    data = dataset("fundamentals")
    table = conform(data, source("sec_facts").parse(payload)[0])
    with warehouse.connect() as conn:
        staged = VersionedLoad(conn, data, f"run-{cik}", FETCHED)
        staged.add(table, pa.repeat("made-up://", table.num_rows), "sec_facts", FETCHED)
        staged.merge()


def revenue(warehouse: Warehouse, cik: int, day: date) -> Any:
    rows = warehouse.rows(
        "select revenue from intermediate.int_fundamentals_ttm where entity = %s and session <= %s"
        " order by session desc limit 1",
        (f"cik{cik:010d}", day),
    )
    return rows[0]["revenue"]


def test_the_newest_filing_counts_whatever_its_periods_are(warehouse: Warehouse, dbt_work: Path) -> None:
    # Restated downwards, and the year begins a day earlier there.
    load(
        warehouse,
        1,
        [fact("2023-12-31", 10.0, "2024-02-15"), fact("2023-12-31", 9.0, "2024-06-03")],
        [fact("2023-12-31", 1000.0, "2024-02-15", "2023-01-01"), fact("2023-12-31", 900.0, "2024-06-03", "2022-12-31")],
    )
    # The fiscal year ended in December, and in June since: both years end within what precedes the quarter.
    load(
        warehouse,
        2,
        [fact("2023-09-30", 10.0, "2023-11-08"), fact("2024-09-30", 10.0, "2024-11-08")],
        [
            fact("2023-12-31", 1000.0, "2024-02-15", "2023-01-01"),
            fact("2024-06-30", 800.0, "2024-08-15", "2023-07-01"),
            fact("2023-09-30", 250.0, "2023-11-08", "2023-07-01"),
            fact("2024-09-30", 210.0, "2024-11-08", "2024-07-01"),
        ],
    )
    dbt = Dbt(warehouse.url, dbt_work, threads=1, read_sources={"fundamentals": ["sec_facts"]})
    dbt.build(date(2024, 11, 29), select=MODELS, data_tests=False)
    assert [revenue(warehouse, 1, day) for day in (date(2024, 5, 31), date(2024, 6, 28))] == [1000.0, 900.0]
    assert revenue(warehouse, 2, date(2024, 11, 29)) == 800.0 + 210.0 - 250.0

    # Another source is read from now on: what was built of the first one is built again.
    names = ", ".join(column.name for column in dataset("fundamentals").columns if column.name != "value")
    warehouse.execute(
        "insert into raw.fundamentals (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,"
        f" is_deleted, {names}, value) select 'another', event_date, known_at, ingested_at, source_url, run_id,"
        f" content_hash, is_deleted, {names}, 2 * value from raw.fundamentals"
    )
    dbt.build(date(2024, 11, 29), select=MODELS, data_tests=False)
    assert revenue(warehouse, 1, date(2024, 6, 28)) == 900.0
    other = Dbt(warehouse.url, dbt_work, threads=1, read_sources={"fundamentals": ["another"]})
    other.build(date(2024, 11, 29), select=MODELS, data_tests=False)
    assert [revenue(warehouse, 1, day) for day in (date(2024, 5, 31), date(2024, 6, 28))] == [2000.0, 1800.0]
