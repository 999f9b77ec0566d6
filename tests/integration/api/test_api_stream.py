"""Whole tables as a stream hold the same values as their pages, from either store."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.mirror import refresh
from tests.integration.api.conftest import NOW


def pages(client: TestClient, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page: int | None = 1
    while page:
        answer = client.get(f"/db/{table}", params={"page": page, "limit": 7}).json()
        found += answer["records"]
        page = answer["next_page"]
    return found


def lines(client: TestClient, table: str, **query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/db/{table}/all", params={"format": "ndjson", **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def comparable(records: list[dict[str, Any]]) -> list[str]:
    def value(one: Any) -> Any:
        if isinstance(one, str):
            try:
                return datetime.fromisoformat(one).timestamp() if "T" in one else one
            except ValueError:
                return one
        return float(one) if isinstance(one, int) and not isinstance(one, bool) else one

    return sorted(repr({name: value(item) for name, item in record.items()}) for record in records)


@pytest.mark.parametrize("table", ["prices", "orders", "regime_history", "decisions", "account_metrics", "positions"])
def test_a_stream_holds_what_the_pages_hold(client: TestClient, filled: Warehouse, table: str) -> None:
    paged = pages(client, table)
    assert paged
    assert comparable(lines(client, table)) == comparable(paged)


@pytest.mark.parametrize("table", ["prices", "orders", "decisions"])
def test_the_mirror_streams_the_same(client: TestClient, filled: Warehouse, api_settings: Settings, table: str) -> None:
    expected = comparable(lines(client, table))
    refresh(api_settings, FixedClock(NOW), filled)
    broken = TestClient(client.app, headers=dict(client.headers))
    pool = client.app.state.store._pool  # type: ignore[attr-defined]
    pool.close()
    pool._address = lambda: "postgresql://nobody@/nowhere?host=/nonexistent"
    answer = broken.get(f"/db/{table}/all", params={"format": "ndjson"})
    assert answer.headers["X-PAS-Source"] == "mirror"
    assert comparable([json.loads(line) for line in answer.text.splitlines()]) == expected


def test_csv_has_a_header_and_empty_cells_for_what_is_missing(client: TestClient, filled: Warehouse) -> None:
    filled.execute("update raw.prices set volume = 'NaN' where row_id = (select min(row_id) from raw.prices)")
    answer = client.get("/db/prices/all", params={"fields": "row_id,symbol,volume,known_at,is_deleted"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    stored = {str(row["row_id"]): row for row in filled.rows("select * from raw.prices")}
    assert len(rows) == len(stored)
    assert list(rows[0]) == ["row_id", "symbol", "volume", "known_at", "is_deleted"]
    for row in rows:
        one = stored[row["row_id"]]
        assert row["symbol"] == one["symbol"]
        assert row["is_deleted"] == str(one["is_deleted"]).lower()
        assert datetime.fromisoformat(row["known_at"]) == one["known_at"]
        assert (row["volume"] == "") == (one["volume"] is None or one["volume"] != one["volume"])
    assert sum(row["volume"] == "" for row in rows) == 1


def test_text_with_quotes_backslashes_and_line_ends_survives(client: TestClient, filled: Warehouse) -> None:
    awkward = 'a "quoted" back\\slash,\nand a line'
    filled.execute("update ops.orders set reason = %s", (awkward,))
    assert {row["reason"] for row in lines(client, "orders")} == {awkward}
    text = client.get("/db/orders/all", params={"fields": "reason"}).text
    assert {row["reason"] for row in csv.DictReader(io.StringIO(text))} == {awkward}


def test_what_is_not_there_is_refused_before_anything_is_sent(client: TestClient, filled: Warehouse) -> None:
    assert client.get("/db/pg_shadow/all").status_code == 404
    assert client.get("/db/orders/all", params={"fields": "state,nothing"}).status_code == 422
    assert client.get("/db/orders/all", params={"format": "xml"}).status_code == 422
    assert client.get("/db/signals/all").status_code in (200, 503)
    client.headers.pop("Authorization")
    assert client.get("/db/orders/all").status_code == 401
