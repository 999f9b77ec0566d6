"""Who gets in, what the log keeps, and the log-in of the dashboard."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.factory import create_app
from pas_lib.access import forget_ended_sessions
from pas_lib.clock import FixedClock
from pas_lib.settings import PROJECT_ROOT, Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW, NOW

OPEN = {"/health", "/readyz"}


@pytest.fixture
def stranger(client: TestClient) -> TestClient:
    """The same application without a token."""
    return TestClient(client.app, raise_server_exceptions=False, follow_redirects=False)


def test_every_address_but_two_needs_a_token(warehouse: Warehouse, client: TestClient, stranger: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) > OPEN
    for path, method in ((path, method) for path, methods in paths.items() for method in methods):
        concrete = path.replace("{table}", "prices").replace("{portfolio_id}", "x")
        answer = stranger.request(method, concrete)
        if path in OPEN:
            assert answer.status_code in {200, 503}
        else:
            assert answer.status_code == 401, path
            assert answer.json()["detail"] == "a valid token is required"
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_missing_and_wrong_tokens_look_the_same(warehouse: Warehouse, stranger: TestClient) -> None:
    answers = [
        stranger.get("/portfolios"),
        stranger.get("/portfolios", headers={"Authorization": "Bearer wrong"}),
        stranger.get("/portfolios", headers={"Authorization": seed.ADMIN[:-1]}),
        stranger.get("/portfolios", params={"token": seed.ADMIN}),
        stranger.get("/portfolios", params={"token": "wrong"}),
        stranger.get("/portfolios", cookies={"pas_session": "1.x.y"}),
    ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1


def test_tokens_open(warehouse: Warehouse, stranger: TestClient) -> None:
    for header in (seed.READ, f"Bearer {seed.READ}", seed.ADMIN, f"bearer {seed.ADMIN}"):
        assert stranger.get("/portfolios", headers={"Authorization": header}).status_code == 200
    assert stranger.get("/portfolios", params={"token": seed.READ}).status_code == 200


def csrf_of(client: TestClient) -> str:
    """Return the CSRF token that the session's pages carry."""
    found = re.search(r'name="csrf-token" content="([0-9a-f]{64})"', client.get("/dashboard").text)
    assert found
    return found[1]


def test_login_and_logout(filled: Warehouse, stranger: TestClient) -> None:
    assert stranger.get("/dashboard").headers["location"] == "/dashboard/login"
    failed = stranger.post("/dashboard/login", data={"token": "wrong"})
    assert failed.status_code == 401
    assert "set-cookie" not in failed.headers
    answer = stranger.post("/dashboard/login", data={"token": seed.READ})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert seed.READ not in cookie
    assert "/dashboard/logout" in stranger.get("/dashboard").text
    assert stranger.get("/db/trades", params={"format": "csv"}).status_code == 200
    kept = stranger.cookies["pas_session"]
    assert stranger.post("/dashboard/logout").status_code == 403
    assert stranger.get("/dashboard").status_code == 200
    assert stranger.post("/dashboard/logout", data={"csrf": csrf_of(stranger)}).status_code == 303
    assert stranger.get("/dashboard").status_code == 303
    stranger.cookies.set("pas_session", kept)
    assert stranger.get("/dashboard").status_code == 303


def test_a_log_out_outlives_the_process(filled: Warehouse, client: TestClient, api_settings: Settings) -> None:
    def started(settings: Settings = api_settings) -> TestClient:
        app = create_app(settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
        return TestClient(app, raise_server_exceptions=False, follow_redirects=False)

    before = started()
    before.post("/dashboard/login", data={"token": seed.READ})
    ended = before.cookies["pas_session"]
    assert before.post("/dashboard/logout", data={"csrf": csrf_of(before)}).status_code == 303
    before.post("/dashboard/login", data={"token": seed.READ})
    held = before.cookies["pas_session"]
    rows = filled.rows("select * from ops.ended_sessions")
    assert [row["cookie_ends"] - row["ended_at"] for row in rows] == [timedelta(hours=12)]
    assert ended.split(".")[1] not in str(rows)

    after = started()
    for cookie, status in ((held, 200), (ended, 303)):
        after.cookies.set("pas_session", cookie)
        assert after.get("/dashboard").status_code == status
        assert after.get("/portfolios").status_code == (200 if status == 200 else 401)

    # The row goes a day after the cookie has ended by itself, not before.
    (row,) = rows
    for later, gone in ((timedelta(hours=23, minutes=59), 0), (timedelta(hours=24, minutes=1), 1)):
        assert forget_ended_sessions(filled, FixedClock(row["cookie_ends"] + later)) == gone

    # While nobody can be asked, a new process cannot tell which of them hold; one begun there does.
    away = started(api_settings.model_copy(update={"database_url": "postgresql://u:canarypw@127.0.0.1:1/pas"}))
    away.cookies.set("pas_session", held)
    assert away.get("/dashboard").headers["location"] == "/dashboard/login"
    away.cookies.clear()
    assert away.post("/dashboard/login", data={"token": seed.READ}).status_code == 303
    assert away.get("/dashboard").status_code == 503
    assert client.get("/db/ended_sessions").status_code == 404


def test_only_a_browser_session_can_be_ended(filled: Warehouse, client: TestClient) -> None:
    answer = client.get("/dashboard")
    assert answer.status_code == 200
    assert "/dashboard/logout" not in answer.text
    assert "csrf" not in answer.text


def test_a_token_in_the_address_is_exchanged(filled: Warehouse, stranger: TestClient) -> None:
    answer = stranger.get("/dashboard", params={"token": seed.READ})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert stranger.get("/dashboard").status_code == 200


def test_forms_of_other_sites_are_refused(warehouse: Warehouse, stranger: TestClient) -> None:
    for origin in ("http://evil.example", "null"):
        answer = stranger.post("/dashboard/login", data={"token": seed.READ}, headers={"Origin": origin})
        assert answer.status_code == 403
    framed = stranger.post("/dashboard/login", data={"token": seed.READ}, headers={"Sec-Fetch-Site": "cross-site"})
    assert framed.status_code == 403
    mine = stranger.post("/dashboard/login", data={"token": seed.READ}, headers={"Origin": "http://testserver"})
    assert mine.status_code == 303


def test_wrong_tokens_at_the_log_in_are_counted(warehouse: Warehouse, stranger: TestClient) -> None:
    statuses = [stranger.post("/dashboard/login", data={"token": f"wrong{n}"}).status_code for n in range(6)]
    assert statuses == [401] * 5 + [429]
    right = stranger.post("/dashboard/login", data={"token": seed.READ})
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) >= 60
    assert "set-cookie" not in right.headers
    assert stranger.get("/portfolios", headers={"Authorization": seed.READ}).status_code == 200


def test_no_answer_leads_to_the_host_that_a_request_names(filled: Warehouse, stranger: TestClient) -> None:
    elsewhere = {"Host": "evil.example"}
    for path, status in (("/", 307), ("/dashboard", 303), ("/dashboard/", 307), ("/docs", 303), ("/portfolios/", 404)):
        answer = stranger.get(path, headers=elsewhere)
        assert answer.status_code == status, path
        assert "evil" not in str(answer.headers) + answer.text


def test_a_path_cannot_write_a_line_into_the_log(
    warehouse: Warehouse, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="api.access"):
        for path in (
            "/nosuch%0a10.0.0.1%20GET%20/forged%20200%20",
            "/positions/x%0d%0aSet-Cookie:%20a=b",
            "/a%1b[31m%00",
        ):
            answer = client.get(path)
            assert answer.status_code in {400, 404}
            assert "set-cookie" not in answer.headers
    assert len(caplog.messages) == 3
    assert all(message.isprintable() and message.count(" GET ") == 1 for message in caplog.messages)


def test_no_other_origin_is_let_in_and_no_foreign_content(filled: Warehouse, client: TestClient) -> None:
    elsewhere = {"Origin": "http://evil.example"}
    asked = client.options("/portfolios", headers=elsewhere | {"Access-Control-Request-Method": "PUT"})
    for answer in (asked, client.get("/portfolios", headers=elsewhere)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    for path in ("/dashboard", "/dashboard/login", "/portfolios", "/nosuch"):
        policy = client.get(path).headers["content-security-policy"]
        rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == "'none'"


PAGES = ("", "/portfolios", "/portfolios?portfolio=wiki_attention", "/portfolios?portfolio=all",
         "/research", "/risk", "/trading", "/data", "/login",
         "/data/trades", "/data/marts.metrics", "/data/positions", "/data/nosuch", "/data/tokens")  # fmt: skip


def test_pages_hold_no_script_and_no_style_of_their_own(filled: Warehouse, client: TestClient) -> None:
    for page in PAGES:
        answer = client.get(f"/dashboard{page}")
        expected = 404 if page in {"/data/nosuch", "/data/tokens"} else 200
        assert answer.status_code == expected, answer.text
        text = answer.text
        assert 'class="banner sandbox"' in text
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=", text), page
        assert set(re.findall(r"<script(?! src=\"/static/)[^>]*>", text)) <= {
            '<script type="application/json" id="chart-data">'
        }
        assert not re.search(r'(src|href)="(https?:)?//', text)


def test_tokens_are_in_no_log_and_no_answer(
    filled: Warehouse, client: TestClient, stranger: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for path in (
        "/portfolios",
        "/db/prices",
        "/nosuch",
        "/db/nosuch",
        "/dashboard",
        "/metrics",
        "/docs",
        "/openapi.json",
    ):
        for answer in (
            client.get(path),
            stranger.get(path, params={"token": seed.READ}),
            stranger.get(path, params={"token": seed.ADMIN, "limit": seed.ADMIN}),
            stranger.get(path, headers={"Authorization": seed.ADMIN}),
        ):
            texts += [answer.text, str(answer.headers)]
    texts.append(client.get("/db/prices", params={"limit": seed.READ}).text)
    texts.append(stranger.post("/dashboard/login", data={"token": seed.ADMIN + "x"}).text)
    # The client's own library logs the addresses it asks for; the application's loggers must not.
    texts += [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert any(r.name == "api.access" for r in caplog.records)
    assert not [text for text in texts if "canary" in text]


def run_server(env: dict[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api"],
        env={"PAS_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_ROOT)} | env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"API_TOKEN": "", "API_READ_TOKEN": ""}, "not set"),
        ({"PAS_API_HOST": "0.0.0.0", "API_READ_TOKEN": "short"}, "fewer than 32"),
        ({"PAS_API_PORT": "taken"}, "PAS_API_PORT"),
    ],
)
def test_the_server_refuses_in_one_line(tmp_path: Path, change: dict[str, str], named: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {"API_TOKEN": seed.ADMIN, "API_READ_TOKEN": seed.READ, "PAS_API_PORT": port}
        env |= {k: port if v == "taken" else v for k, v in change.items()}
        done = run_server(env, tmp_path)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert named in lines[0]
    assert "canary" not in done.stderr + done.stdout
    if named == "PAS_API_PORT":
        assert port in lines[0]


def test_a_defect_shows_no_trace(warehouse: Warehouse, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from api import queries

    def broken(_: object) -> None:
        raise ZeroDivisionError("secret inner state")

    monkeypatch.setattr(queries, "correlations", broken)
    answer = client.get("/positions/all")
    assert answer.status_code == 200
    monkeypatch.setattr(queries, "allocations", broken)
    answer = client.get("/metrics")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


def test_weak_tokens_are_served_on_loopback_only(api_settings: Settings) -> None:
    from pydantic import SecretStr

    from api.factory import create_app

    weak = create_app(api_settings.model_copy(update={"api_read_token": SecretStr("short")}))
    with TestClient(weak, base_url="http://192.0.2.7") as outside:
        answer = outside.get("/health")
    assert answer.status_code == 403
    assert "loopback" in answer.json()["detail"]
    with TestClient(weak, base_url="http://127.0.0.1") as inside:
        assert inside.get("/health").status_code == 200
