"""What a person may change over HTTP, and who may not."""

from __future__ import annotations

from fastapi.testclient import TestClient

from api.factory import create_app
from pas_lib.clock import SandboxClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}
PLAN = {"session": "2026-01-30", "plan_hash": "p", "by": "Ada"}
HALT = {"state": "HALTED", "by": "Ada", "reason": "strange fills"}


def test_only_the_admin_token_changes_anything(filled: Warehouse, client: TestClient) -> None:
    client.post("/dashboard/login", data={"token": seed.ADMIN}, headers={"Origin": "http://testserver"})
    before = filled.rows("select count(*) as n from ops.trading_state")
    for path, body in (("/approvals", PLAN), ("/risk/breaker", HALT)):
        assert client.post(path, json=body).status_code == 403
        client.headers.pop("Authorization", None)
        # The session of the admin token alone does not write; without it nobody does.
        assert client.post(path, json=body).status_code == 403
        assert client.post(path, json=body, params={"token": seed.ADMIN}).status_code == 403
        kept = client.cookies.pop("pas_session")
        assert client.post(path, json=body).status_code == 401
        assert client.post(path, json=body, params={"token": seed.READ}).status_code == 401
        assert client.post(path, json=body, params={"token": seed.ADMIN}).status_code == 401
        client.cookies.set("pas_session", kept)
        client.headers["Authorization"] = seed.READ
    assert filled.rows("select count(*) as n from ops.trading_state") == before
    assert filled.rows("select * from ops.approvals") == []


def test_while_the_markets_clock_is_away_what_needs_it_says_so(filled: Warehouse, api_settings: Settings) -> None:
    away = SandboxClock("http://127.0.0.1:1")
    with TestClient(create_app(api_settings, market_clock=away), raise_server_exceptions=False, headers=ADMIN) as one:
        for answer in (
            one.get("/explain/x/AAA"),
            one.post("/risk/breaker", json=HALT),
            one.post("/approvals", json=PLAN),
        ):
            assert (answer.status_code, "does not tell the time" in answer.json()["detail"]) == (503, True), answer.text
        assert one.get("/explain/x/AAA", params={"as_of": "2026-01-30"}).status_code == 404
        assert one.get("/dashboard").status_code == 200
    assert filled.rows("select count(*) as n from ops.trading_state") == [{"n": 2}]


def test_approval(filled: Warehouse, client: TestClient) -> None:
    answer = client.post("/approvals", json=PLAN, headers=ADMIN)
    assert (answer.status_code, answer.json()["decision"]) == (201, "approved")
    refused = client.post("/approvals", json=PLAN | {"decision": "refused", "note": "no"}, headers=ADMIN)
    assert refused.status_code == 201
    stored = filled.rows("select plan_hash, decision, decided_by, note from ops.approvals order by approval_id")
    assert stored == [
        {"plan_hash": "p", "decision": "approved", "decided_by": "Ada", "note": ""},
        {"plan_hash": "p", "decision": "refused", "decided_by": "Ada", "note": "no"},
    ]
    for change, status in (
        ({"plan_hash": "another"}, 409),
        ({"session": "2026-01-29"}, 409),
        ({"decision": "maybe"}, 422),
        ({"by": ""}, 422),
        ({"surplus": 1}, 422),
    ):
        wrong = client.post("/approvals", json=PLAN | change, headers=ADMIN)
        assert wrong.status_code == status, wrong.text
        assert wrong.headers["content-type"] == "application/problem+json"
    assert len(filled.rows("select * from ops.approvals")) == 2


def test_breaker(filled: Warehouse, client: TestClient) -> None:
    answer = client.post("/risk/breaker", json=HALT, headers=ADMIN)
    stored = HALT | {"set_at": "2026-02-02T13:00:00Z"}
    assert (answer.status_code, answer.json()) == (201, stored)
    assert client.get("/risk/breaker").json() == stored
    latest = filled.rows("select state, set_by, reason from ops.trading_state order by state_id desc limit 1")
    assert latest == [{"state": "HALTED", "set_by": "Ada", "reason": "strange fills"}]
    assert "HALTED" in client.get("/dashboard").text
    for change in ({"reason": " "}, {"by": "system"}, {"state": "PAUSED"}):
        assert client.post("/risk/breaker", json=HALT | change, headers=ADMIN).status_code == 422


def test_nothing_is_written_without_postgres(api_settings: Settings) -> None:
    from api.factory import create_app

    away = api_settings.model_copy(update={"database_url": "postgresql://u:canarypw@127.0.0.1:1/pas"})
    with TestClient(create_app(away)) as one:
        answer = one.post("/risk/breaker", json=HALT, headers=ADMIN)
    assert answer.status_code == 503
    assert "PostgreSQL" in answer.json()["detail"]
    assert "canarypw" not in answer.text
