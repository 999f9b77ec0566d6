"""Pages inside the Airflow UI, links from tasks, notes, deadlines, and what the UI tells of every task."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.loopback import Answer, Seen, serve

pytestmark = pytest.mark.airflow

PAGE = '<a href="/dashboard">x</a><script src="/static/a.js?v=1"></script><a href="//other/">y</a><img src="data:,">'
SCRIPT = 'new EventSource("/events"); fetch(`/scheduler/jobs/${id}`); const slash = "/"; f("/positions")'


def test_addresses_are_put_below() -> None:
    from pas_views import below

    assert below(PAGE, "text/html; charset=utf-8") == (
        '<a href="/pas/api/dashboard">x</a><script src="/pas/api/static/a.js?v=1"></script>'
        '<a href="//other/">y</a><img src="data:,">'
    )
    assert below(SCRIPT, "text/javascript") == (
        'new EventSource("/pas/api/events"); fetch(`/pas/api/scheduler/jobs/${id}`); const slash = "/"; f("/positions")'
    )
    assert below(SCRIPT, "application/json") == SCRIPT


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's side in front of an API, with Airflow's log-in taken for granted or refused."""
    from airflow.api_fastapi.core_api import security
    from fastapi import HTTPException
    from fastapi.testclient import TestClient
    from pas_views import web_app

    allowed = {"yes": True}

    def requires(_: Any) -> Any:
        def check() -> None:
            if not allowed["yes"]:
                raise HTTPException(401)

        return check

    monkeypatch.setattr(security, "requires_access_view", requires)

    def api(request: Seen) -> Answer:
        if request.headers.get("authorization") != "Bearer the-read-token":
            return Answer("no", 401)
        if request.path == "/static/a.js":
            return Answer(SCRIPT, content_type="text/javascript")
        return Answer(
            PAGE + request.query.get("q", ""),
            content_type="text/html; charset=utf-8",
            headers={"X-Frame-Options": "DENY"},
        )

    with serve(api) as site:
        monkeypatch.setenv("PAS_HOME", str(tmp_path))
        monkeypatch.setenv("PAS_API_URL", site.url)
        monkeypatch.setenv("API_READ_TOKEN", "the-read-token")
        yield SimpleNamespace(client=TestClient(web_app()), site=site, allowed=allowed)


def test_the_dashboard_is_shown_behind_the_log_in(pages: Any) -> None:
    answer = pages.client.get("/api/dashboard", params={"q": "shown"})
    assert answer.status_code == 200
    assert 'href="/pas/api/dashboard"' in answer.text
    assert answer.text.endswith("shown")
    assert "the-read-token" not in answer.text
    assert "x-frame-options" not in answer.headers
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert 'EventSource("/pas/api/events")' in pages.client.get("/api/static/a.js").text
    seen = len(pages.site.seen)
    for path in ("/api/portfolios", "/api/metrics/x", "/api/risk/breaker", "/api/scheduler", "/api/../health"):
        assert pages.client.get(path).status_code == 404, path
    assert pages.client.post("/api/dashboard/logout").status_code == 405
    pages.allowed["yes"] = False
    for path in ("/api/dashboard", "/dbt-docs", "/dashboard"):
        assert pages.client.get(path).status_code == 401, path
    assert len(pages.site.seen) == seen


def test_an_api_that_is_away_is_said(pages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAS_API_URL", "http://127.0.0.1:1")
    answer = pages.client.get("/api/dashboard")
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)


def test_links_lead_to_what_a_task_did() -> None:
    from pas_links import ResultLink
    from pas_operators import EvaluateOperator, IngestOperator

    key: Any = SimpleNamespace(run_id="manual__2026-01-30__20260131T010000.1Z")
    ingest = IngestOperator(task_id="prices", dataset="prices")
    assert ResultLink().get_link(ingest, ti_key=key) == "/pas/api/dashboard/data/prices"
    assert ResultLink().get_link(EvaluateOperator(task_id="e"), ti_key=key) == "/pas/api/dashboard"


def test_notes_are_short_lists() -> None:
    from pas_operators import as_text

    result = {
        "session": "2026-01-30",
        "stale": [],
        "failed": ["a", "b"],
        "nodes": {"pass": 3, "more": {}},
        "none": None,
    }
    assert as_text(result) == "- session: 2026-01-30\n- failed: 2: a, b\n- nodes: pass 3"
    # Records are counted, never poured out.
    orders = [{"client_order_id": f"a-{n}", "state": "filled" if n else "expired", "qty": "1"} for n in range(220)]
    portfolios = [{"portfolio_id": "a", "trades": True, "weights": {"A": 1.0}}, {"portfolio_id": "b", "trades": False}]
    told = {"cci": 0.553226709102762, "plan": {"equity": "5", "orders": orders}, "orders": orders}
    assert as_text(told | {"portfolios": portfolios, "fills": [{"x": 1}, {"x": 2}]}).splitlines() == [
        "- cci: 0.553227",
        "- plan: equity 5, orders 220",
        "- orders: 220 (219 filled, 1 expired)",
        "- portfolios: 2 (1 trade)",
        "- fills: 2",
    ]
    assert as_text({"stale": list("abcdefg")}) == "- stale: 7: a, b, c, d, e, ..."
    assert len(as_text({str(n): "x" * 50 for n in range(100)})) <= 900


def test_every_dag_and_task_is_documented_and_has_a_deadline(dag_bag: Any) -> None:
    for dag in dag_bag.dags.values():
        assert len(dag.doc_md or "") > 80, dag.dag_id
        assert dag.deadline, dag.dag_id
        for task in dag.tasks:
            assert len(task.doc_md or "") > 20, (dag.dag_id, task.task_id)
            assert "Parameters\n" not in task.doc_md
