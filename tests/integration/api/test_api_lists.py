"""Every list: columns, order and pages, by one mechanism."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.test_api_schema import build_empty

#: Path -> a column to sort by, and another one.
LISTS = {
    "/portfolios": ("cash", "portfolio_id"),
    "/positions/all": ("qty", "symbol"),
    "/trades/all": ("price", "trade_id"),
    "/orders": ("qty", "client_order_id"),
    "/weight_history/congress_aggregate": ("weight", "symbol"),
    "/allocations": ("share", "portfolio_id"),
    "/approvals": ("decided_at", "note"),
    "/allocation_history": ("cash", "session"),
    "/performance/all": ("equity", "session"),
    "/metrics/sector_risk_parity": ("sharpe", "basis"),
    "/correlations": ("correlation", "portfolio_b"),
    "/sector_exposure/all": ("weight", "sector"),
    "/scores/top": ("momentum", "symbol"),
    "/regime": ("cci", "session"),
    "/strategies": ("title", "strategy"),
    "/risk/alerts": ("value", "alert_id"),
    "/risk/rules": ("threshold", "rule_id"),
    "/logs": ("logged_at", "program"),
    "/quarantine": ("reason", "quarantine_id"),
    "/freshness": ("tolerance_days", "dataset"),
    "/scheduler/jobs": ("job_id", "description"),
    "/tokens": ("name", "scope"),
}
ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}


def test_every_list_is_asked_alike(filled: Warehouse, client: TestClient) -> None:
    build_empty(filled)
    description = client.get("/openapi.json").json()["paths"]
    asked = {
        path: {one["name"] for one in methods.get("get", {}).get("parameters", [])}
        for path, methods in description.items()
    }
    lists = {path: names for path, names in asked.items() if "fields" in names and not path.startswith("/db")}
    assert {path.partition("{")[0] for path in lists} == {_stem(path) for path in LISTS}
    assert all({"fields", "sort_by", "order", "page", "limit"} <= names for names in lists.values())
    for path, (by, other) in LISTS.items():
        if path == "/scheduler/jobs":  # needs Airflow; see its own tests
            continue
        whole = _get(client, path)["records"]
        for order in ("asc", "desc"):
            found = [one[by] for one in _get(client, path, sort_by=by, order=order)["records"]]
            known = [one for one in found if one is not None]
            assert known == sorted(known, reverse=order == "desc"), (path, order)
            assert found[len(known) :] == [None] * (len(found) - len(known))
        picked = _get(client, path, fields=f"{other}, {by}")
        assert picked["records"] == [{other: one[other], by: one[by]} for one in whole], path
        assert [list(one) for one in picked["records"]] == [[other, by]] * len(whole), path
        last = max(1, -(-len(whole) // 2))
        pages = [_get(client, path, sort_by=by, limit=2, page=n) for n in range(1, last + 1)]
        assert [one for page in pages for one in page["records"]] == _get(client, path, sort_by=by)["records"], path
        assert [page["next_page"] for page in pages] == [*range(2, last + 1), None], path
        for wrong in ({"fields": "nosuch"}, {"fields": f"{by},"}, {"sort_by": f"{by} desc; drop"}, {"limit": 0}):
            answer = client.get(path, params=wrong, headers=ADMIN)
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path
            assert "\n" not in answer.json()["detail"]


def _stem(path: str) -> str:
    """Return a path up to the portfolio it names, if it does."""
    head, _, tail = path.rpartition("/")
    return f"{head}/" if tail in {"all", *seed.IDS} else path


def _get(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "path", ["/regime?sort_by=parts", "/allocation_history?sort_by=shares", "/logs?sort_by=fields"]
)
def test_what_holds_many_values_has_no_order(filled: Warehouse, client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, "column to sort by" in answer.json()["detail"]) == (422, True)
