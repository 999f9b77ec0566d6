"""Jobs over HTTP, against a stand-in that answers as Airflow's REST interface does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.airflow_stand_in import Airflow, airflow_stand_in
from tests.integration.api.conftest import MARKET_NOW, NOW

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}
READ = {"Authorization": f"Bearer {seed.READ}"}


@pytest.fixture
def airflow() -> Iterator[str]:
    with airflow_stand_in() as address:
        yield address


@pytest.fixture
def client(filled: Warehouse, api_settings: Settings, airflow: str) -> Iterator[TestClient]:
    settings = api_settings.model_copy(
        update={"airflow_url": airflow, "airflow_password": SecretStr("airflow-password")}
    )
    app = create_app(settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
    with TestClient(app, headers=READ, raise_server_exceptions=False) as one:
        yield one


def test_a_job_is_started_for_the_last_closed_session_and_followed(client: TestClient, filled: Warehouse) -> None:
    started = client.post("/scheduler/jobs/collect/run", headers=ADMIN)
    assert started.status_code == 202, started.text
    assert started.json()["session"] == "2026-01-30"
    run_id = started.json()["run_id"]
    jobs = {row["job_id"]: row for row in client.get("/scheduler/jobs").json()["records"]}
    assert set(jobs) == {"collect", "collect_dataset", "decide"}
    assert jobs["collect"]["last_run"]["run_id"] == run_id
    assert jobs["decide"]["last_run"] is None
    followed = client.get(f"/scheduler/jobs/collect/runs/{run_id}").json()
    assert followed["tasks"] == [{"task_id": "prices", "state": "running", "try_number": 2}]
    assert client.get("/scheduler/jobs/collect").json()["runs"][0]["run_id"] == run_id
    audit = filled.rows("select phase, actor, method, path, body from ops.audit_log order by audit_id")
    assert [(row["phase"], row["path"]) for row in audit] == [
        ("asked", "/scheduler/jobs/collect/run"),
        ("done", "/scheduler/jobs/collect/run"),
    ]


def test_a_session_that_is_going_on_is_not_asked_for_twice(client: TestClient, filled: Warehouse) -> None:
    assert client.post("/scheduler/jobs/decide/run", json={"session": "2026-01-30"}, headers=ADMIN).status_code == 202
    again = client.post("/scheduler/jobs/decide/run", json={"session": "2026-01-30"}, headers=ADMIN)
    assert again.status_code == 409
    assert "queued already" in again.json()["detail"]
    assert len(Airflow.runs) == 1
    phases = filled.rows("select phase, detail from ops.audit_log order by audit_id")
    assert [row["phase"] for row in phases] == ["asked", "done", "asked", "refused"]
    assert phases[-1]["detail"].startswith("Conflict: decide of 2026-01-30 is queued already")


def test_one_dataset_is_collected_with_its_leader(client: TestClient) -> None:
    answer = client.post("/scrapers/corporate_actions/run", headers=ADMIN)
    assert answer.status_code == 202, answer.text
    assert Airflow.runs[0]["dag_id"] == "collect_dataset"
    assert Airflow.runs[0]["conf"] == {"dataset": "prices"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/scheduler/jobs/nothing/run", None, 404),
        ("/scrapers/nothing/run", None, 404),
        ("/scheduler/jobs/collect/run", {"session": "2026-01-31"}, 422),
        ("/scheduler/jobs/collect/run", {"session": "2026-02-02"}, 422),
        ("/scheduler/jobs/collect/run", {"surplus": 1}, 422),
    ],
)
def test_what_cannot_be_run_is_refused(client: TestClient, path: str, body: Any, status: int) -> None:
    answer = client.post(path, json=body, headers=ADMIN)
    assert answer.status_code == status, answer.text
    assert Airflow.runs == []


def test_a_paused_job_is_not_started(client: TestClient) -> None:
    Airflow.paused = {"decide"}
    answer = client.post("/scheduler/jobs/decide/run", headers=ADMIN)
    assert (answer.status_code, "paused" in answer.json()["detail"]) == (409, True)


def test_the_read_token_starts_nothing(client: TestClient) -> None:
    assert client.post("/scheduler/jobs/collect/run").status_code == 403
    assert client.post("/scrapers/prices/run").status_code == 403
    assert Airflow.runs == []


def test_a_log_in_that_ended_is_renewed(client: TestClient) -> None:
    assert client.get("/scheduler/jobs").status_code == 200
    Airflow.tokens.clear()
    assert client.get("/scheduler/jobs").status_code == 200
    assert len(Airflow.logins) == 2


def test_without_airflow_it_says_so(filled: Warehouse, api_settings: Settings) -> None:
    for update, told in (
        ({"airflow_password": None}, "AIRFLOW_ADMIN_PASSWORD is not set"),
        ({"airflow_password": SecretStr("x"), "airflow_url": "http://127.0.0.1:9"}, "does not answer"),
    ):
        app = create_app(api_settings.model_copy(update=update), clock=FixedClock(NOW))
        with TestClient(app, headers=READ) as client:
            answer = client.get("/scheduler/jobs")
            assert answer.status_code == 503
            assert told in answer.json()["detail"]


def test_a_write_that_cannot_be_recorded_is_not_done(client: TestClient, filled: Warehouse) -> None:
    filled.execute("drop table ops.audit_log")
    answer = client.post("/scheduler/jobs/collect/run", headers=ADMIN)
    assert answer.status_code == 503
    assert "nothing was done" in answer.json()["detail"]
    assert Airflow.runs == []
