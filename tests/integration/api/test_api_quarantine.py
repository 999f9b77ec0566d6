"""``/quarantine`` and ``/freshness`` over HTTP: PostgreSQL first, the dashboard beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.landing import Landing
from pas_lib.settings import load_settings
from pas_lib.sources import Payload
from pas_lib.warehouse import Warehouse

NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)
READ = "r" * 40
CANARY = "canary0123456789canary"


@pytest.fixture
def client(warehouse: Warehouse, tmp_path: Path) -> Iterator[TestClient]:
    settings = load_settings(
        {
            "PAS_HOME": str(tmp_path),
            "PAS_DATABASE_URL": warehouse.url,
            "API_TOKEN": "a" * 40,
            "API_READ_TOKEN": READ,
            "QUIVER_API_KEY": CANARY,
        },
        root=tmp_path,
    )
    body = ("x" * 5000 + f'{{"Ticker":"BROKEN NAME","key":"{CANARY}"}}' + "y" * 5000).encode()
    payload = Payload("quiver_api", "politician_trades", "all", "https://a.b/c", 200, "", NOW, {}, body)
    landed = Landing(settings.landing_url).write("politician_trades/run", 0, payload)
    with warehouse.connect() as conn:
        for number in range(5):
            name = "politician_trades" if number < 4 else "lobbying"
            conn.execute(
                "insert into ops.quarantine (dataset, source, run_id, source_url, payload_path, reason, record,"
                " quarantined_at) values (%s, 'quiver_api', 'run', 'https://a.b/c', %s, %s, %s, %s)",
                (
                    name,
                    landed.path if number != 3 else "gone/file",
                    "symbol is missing" if number % 2 else "a Date cannot be read",
                    json.dumps({"symbol": "BROKEN NAME", "n": number}),
                    NOW,
                ),
            )
        conn.execute(
            "insert into ops.quarantine_states (quarantine_id, state, run_id, decided_at)"
            " select min(quarantine_id), 'resolved', 'later', %s from ops.quarantine",
            (NOW,),
        )
    app = create_app(settings, clock=FixedClock(NOW), market_clock=FixedClock(NOW))
    with TestClient(app, headers={"Authorization": READ}) as found:
        yield found


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["quarantine_id"] for row in answer.json()["records"]]


def test_records_are_listed_filtered_and_paged(client: TestClient) -> None:
    assert ids(client.get("/quarantine")) == [5, 4, 3, 2]
    assert ids(client.get("/quarantine?state=all")) == [5, 4, 3, 2, 1]
    assert ids(client.get("/quarantine?state=resolved")) == [1]
    assert ids(client.get("/quarantine?dataset=lobbying")) == [5]
    assert ids(client.get("/quarantine?reason=DATE")) == [5, 3]
    assert ids(client.get("/quarantine?source=quiver_page")) == []
    first = client.get("/quarantine?limit=3&state=all").json()
    assert (first["page"], first["next_page"]) == (1, 2)
    second = client.get("/quarantine?limit=3&state=all&page=2")
    assert (ids(second), second.json()["next_page"]) == ([2, 1], None)
    assert client.get("/quarantine?state=lost").status_code == 422
    assert client.get("/quarantine", headers={"Authorization": ""}).status_code == 401


def test_a_record_is_shown_with_the_part_of_its_payload(client: TestClient) -> None:
    one = client.get("/quarantine/2").json()
    assert (one["reason"], one["state"], one["record"]) == (
        "symbol is missing", "open", {"symbol": "BROKEN NAME", "n": 1}
    )  # fmt: skip
    assert '"Ticker":"BROKEN NAME"' in one["excerpt"]
    assert len(one["excerpt"]) <= 600
    assert CANARY not in client.get("/quarantine/2").text
    gone = client.get("/quarantine/4").json()
    assert gone["excerpt"] is None
    assert "is missing in the landing" in gone["note"]
    assert client.get("/quarantine/999").status_code == 404
    assert client.get("/quarantine/1").json()["decided_by"] == "later"


def test_the_dashboard_counts_what_is_open(client: TestClient) -> None:
    page = client.get("/dashboard/data", headers={"Authorization": READ})
    assert page.status_code == 200
    section = page.text[page.text.index('id="h-quarantine"') :]
    section = section[: section.index("</section>")]
    assert '<span class="count">4 records</span>' in section
    assert "symbol is missing" in section
    assert "a Date cannot be read" in section


def test_freshness_names_every_dataset(client: TestClient) -> None:
    from pas_lib.datasets import catalogue

    answer = client.get("/freshness").json()
    assert {row["dataset"] for row in answer["records"]} == set(catalogue())
    assert all(row["is_stale"] for row in answer["records"])
