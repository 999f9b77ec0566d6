"""Named tokens over HTTP and on the command line: what each scope may, who the audit names, how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from fastapi.testclient import TestClient

from api.factory import create_app
from pas_lib import access
from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW, NOW
from tests.integration.api.test_api_access import csrf_of

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}
PLAN = {"session": "2026-01-30", "plan_hash": "p", "by": "Ada"}
HALT = {"state": "HALTED", "by": "Ada", "reason": "strange fills"}


@pytest.fixture
def nobody(client: TestClient) -> TestClient:
    """The same application without a token."""
    return TestClient(client.app, raise_server_exceptions=False, follow_redirects=False)


def made(client: TestClient, name: str, scope: str, **more: object) -> str:
    """Make a token and return it."""
    answer = client.post("/tokens", json={"name": name, "scope": scope, "by": "Ada"} | more, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def test_each_scope_may_what_it_says_and_the_audit_names_the_token(
    filled: Warehouse, client: TestClient, nobody: TestClient
) -> None:
    tokens = {scope: made(client, f"of-{scope}", scope) for scope in access.SCOPES}
    expected = {"read": (200, 403, 403, 403), "trade": (200, 201, 403, 403), "admin": (200, 201, 201, 200)}
    for scope, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"}
        answers = (
            nobody.get("/portfolios", headers=headers),
            nobody.post("/approvals", json=PLAN, headers=headers),
            nobody.post("/risk/breaker", json=HALT, headers=headers),
            nobody.get("/tokens", headers=headers),
        )
        assert tuple(one.status_code for one in answers) == expected[scope]
        in_query = nobody.get("/portfolios", params={"token": token}).status_code
        assert in_query == (200 if scope == "read" else 401)
    rows = filled.rows("select actor, path, phase from ops.audit_log where phase <> 'asked' order by audit_id")
    done = [(row["actor"], row["path"], row["phase"]) for row in rows]
    assert done[:3] == [("admin", "/tokens", "done")] * 3
    assert done[3:5] == [("of-read", "/approvals", "refused"), ("of-read", "/risk/breaker", "refused")]
    assert done[5:7] == [("of-trade", "/approvals", "done"), ("of-trade", "/risk/breaker", "refused")]
    assert done[7:] == [("of-admin", "/approvals", "done"), ("of-admin", "/risk/breaker", "done")]


def test_a_token_is_kept_as_a_digest_and_shown_once(filled: Warehouse, client: TestClient) -> None:
    token = made(client, "grafana", "read", days=90, note="boards")
    row = filled.rows("select * from ops.tokens")[0]
    assert bytes(row["digest"]) == access.digest(token)
    assert row["expires_at"] - row["created_at"] == timedelta(days=90)
    secret = token.split("_", 2)[2]
    for table in ("tokens", "audit_log"):
        assert secret not in str(filled.rows(f"select * from ops.{table}"))
    listed = client.get("/tokens", headers=ADMIN)
    assert [(one["name"], one["is_valid"]) for one in listed.json()["records"]] == [("grafana", True)]
    assert secret not in listed.text
    assert "digest" not in listed.text


def test_revocation_ends_the_token_and_its_browser_session_at_once(
    filled: Warehouse, client: TestClient, nobody: TestClient
) -> None:
    token = made(client, "desk", "trade")
    assert nobody.post("/dashboard/login", data={"token": token}).status_code == 303
    csrf = csrf_of(nobody)
    approved = nobody.post("/approvals", json=PLAN, headers={"X-CSRF-Token": csrf})
    assert approved.status_code == 201
    assert nobody.post("/approvals", json=PLAN, headers={"X-CSRF-Token": csrf[::-1]}).status_code == 403
    assert nobody.post("/risk/breaker", json=HALT, headers={"X-CSRF-Token": csrf}).status_code == 403
    assert client.post("/tokens/desk/revoke", json={"by": "Bob"}, headers=ADMIN).json()["revoked_by"] == "Bob"
    assert nobody.get("/dashboard").headers["location"] == "/dashboard/login"
    assert nobody.get("/portfolios").status_code == 401
    assert nobody.post("/approvals", json=PLAN, headers={"X-CSRF-Token": csrf}).status_code == 401
    assert nobody.get("/portfolios", headers={"Authorization": token}).status_code == 401
    again = client.post("/tokens/desk/revoke", json={"by": "Bob"}, headers=ADMIN)
    assert (again.status_code, "desk" in again.json()["detail"]) == (409, True)
    # The name is free again; the old token stays what it is.
    made(client, "desk", "read")
    assert nobody.get("/portfolios", headers={"Authorization": token}).status_code == 401
    assert len(filled.rows("select 1 from ops.approvals")) == 1


def test_a_token_ends_with_its_time(filled: Warehouse, client: TestClient, api_settings: Settings) -> None:
    token = made(client, "short", "read", days=1)
    for later, status in ((timedelta(hours=23), 200), (timedelta(hours=25), 401)):
        app = create_app(api_settings, clock=FixedClock(NOW + later), market_clock=FixedClock(MARKET_NOW))
        with TestClient(app) as one:
            assert one.get("/portfolios", headers={"Authorization": token}).status_code == status


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"name": "admin"}, 422, "cannot name a token"),
        ({"name": "Upper"}, 422, "cannot name a token"),
        ({"scope": "owner"}, 422, "scope"),
        ({"days": 0}, 422, "days"),
        ({"days": 4000}, 422, "days"),
        ({"by": " "}, 422, "who makes it"),
        ({"surplus": 1}, 422, "surplus"),
    ],
)
def test_what_is_no_token(
    filled: Warehouse, client: TestClient, change: dict[str, object], status: int, word: str
) -> None:
    answer = client.post("/tokens", json={"name": "desk", "scope": "read", "by": "Ada"} | change, headers=ADMIN)
    assert (answer.status_code, word in answer.json()["detail"]) == (status, True), answer.text
    assert filled.rows("select 1 from ops.tokens") == []


def test_two_tokens_of_one_name_do_not_hold_at_once(filled: Warehouse, client: TestClient) -> None:
    made(client, "desk", "read")
    twice = client.post("/tokens", json={"name": "desk", "scope": "admin", "by": "Ada"}, headers=ADMIN)
    assert twice.status_code == 422
    assert "pas tokens revoke desk" in twice.json()["detail"]


def test_named_tokens_open_nothing_while_they_cannot_be_checked(
    filled: Warehouse, client: TestClient, api_settings: Settings
) -> None:
    token = made(client, "desk", "read")
    away = api_settings.model_copy(update={"database_url": "postgresql://u:canarypw@127.0.0.1:1/pas"})
    with TestClient(create_app(away, market_clock=FixedClock(MARKET_NOW)), follow_redirects=False) as one:
        answer = one.get("/portfolios", headers={"Authorization": token})
        assert (answer.status_code, "named tokens" in answer.json()["detail"]) == (503, True)
        assert one.get("/portfolios", headers={"Authorization": "wrong"}).status_code == 401
        page = one.post("/dashboard/login", data={"token": token})
        assert (page.status_code, "named tokens" in page.text) == (503, True)
        one.post("/dashboard/login", data={"token": seed.READ})
        shown = one.get("/dashboard")
        assert (shown.status_code, "Nothing can be shown" in shown.text) == (503, True)
        assert "canarypw" not in answer.text + page.text + shown.text


def test_tokens_are_in_no_table_that_is_served_and_not_in_the_mirror(
    filled: Warehouse, client: TestClient, api_settings: Settings
) -> None:
    from pas_lib.warehouse.mirror import publish

    made(client, "desk", "read")
    for name in ("tokens", "ops.tokens", 'ops."tokens"', "OPS.TOKENS"):
        assert client.get(f"/db/{name}").status_code == 404
        assert client.get(f"/db/{name}/all").status_code == 404
    assert "tokens" not in {one["table"] for one in client.get("/db").json()["records"]}
    publish(api_settings.mirror_path, filled, NOW)
    with duckdb.connect(str(api_settings.mirror_path), read_only=True) as mirror:
        tables = {row[0] for row in mirror.execute("select table_name from information_schema.tables").fetchall()}
    assert "audit_log" in tables
    assert "tokens" not in tables


def test_the_page_of_the_tokens_is_the_admins(filled: Warehouse, client: TestClient, nobody: TestClient) -> None:
    tokens = {scope: made(client, f"of-{scope}", scope, note="<i>x</i>") for scope in access.SCOPES}
    client.post("/tokens/of-read/revoke", json={"by": "Ada", "reason": "not used"}, headers=ADMIN)
    audited = filled.rows("select body from ops.audit_log where path = '/tokens/of-read/revoke' and phase = 'done'")
    assert [row["body"] for row in audited] == [{"by": "Ada", "reason": "not used"}]
    for scope in ("trade", "admin"):
        headers = {"Authorization": tokens[scope]}
        answer = nobody.get("/dashboard/tokens", headers=headers)
        assert answer.status_code == (200 if scope == "admin" else 403)
        assert ("of-trade" in answer.text) == (scope == "admin")
        assert ('href="/dashboard/tokens"' in nobody.get("/dashboard", headers=headers).text) == (scope == "admin")
    page = nobody.get("/dashboard/tokens", headers={"Authorization": tokens["admin"]}).text
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert 'data-path="/tokens/of-trade/revoke"' in page
    assert 'data-path="/tokens/of-read/revoke"' not in page
    assert not [token for token in tokens.values() if token.split("_", 2)[2] in page]
    assert nobody.get("/dashboard/tokens").headers["location"] == "/dashboard/login"


def test_the_command_line_makes_lists_and_revokes(
    filled: Warehouse, client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pas_lib.cli.app import run

    monkeypatch.setenv("PAS_DATABASE_URL", filled.url)
    assert run(["tokens", "create", "desk", "--scope", "trade", "--days", "0", "--by", "Ada"]) == 0
    token = capsys.readouterr().out.strip()
    assert access.id_in(token)
    headers = {"Authorization": token}
    assert client.get("/portfolios", headers=headers).status_code == 200
    assert run(["tokens", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["scope"], one["expires_at"], one["is_valid"]) for one in listed] == [
        ("desk", "trade", None, True)
    ]
    assert run(["tokens", "revoke", "nosuch"]) == 1
    assert "nosuch" in capsys.readouterr().err
    assert run(["tokens", "revoke", "desk", "--by", "Ada"]) == 0
    # Another process learns of it within moments: nothing is taken from memory here.
    client.app.state.guard.forget()  # type: ignore[attr-defined]
    assert client.get("/portfolios", headers=headers).status_code == 401
    assert datetime.now(UTC) - filled.rows("select revoked_at from ops.tokens")[0]["revoked_at"] < timedelta(minutes=5)
