"""Portfolios over HTTP: who may do what, 409 for a strategy's, and posted returns."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from pas_lib.warehouse import Warehouse
from tests.integration.api import seed

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}
NEW = {"portfolio_id": "mine", "name": "My ideas", "by": "Ada", "weights": {"AAA": 0.5}, "share": 0.1}


@pytest.fixture
def priced(filled: Warehouse) -> Warehouse:
    """AAA has a price today."""
    return filled


def test_a_manual_portfolio_from_birth_to_close(priced: Warehouse, client: TestClient) -> None:
    symbol = priced.rows("select symbol from raw.prices order by event_date desc, symbol limit 1")[0]["symbol"]
    new = NEW | {"weights": {symbol: 0.5}}
    assert client.post("/portfolios", json=new).status_code == 403
    assert client.post("/portfolios", json=new, headers=ADMIN).status_code == 201
    assert client.post("/portfolios", json=new, headers=ADMIN).status_code == 422
    (one,) = [p for p in client.get("/portfolios").json()["records"] if p["portfolio_id"] == "mine"]
    assert (one["kind"], one["status"], one["strategy"]) == ("manual", "active", None)
    weights = {"by": "Ada", "weights": {symbol: 0.25}, "note": "less"}
    assert client.put("/portfolios/mine/weights", json=weights).status_code == 403
    assert client.put("/portfolios/mine/weights", json=weights, headers=ADMIN).status_code == 200
    wrong = client.put("/portfolios/wiki_attention/weights", json=weights, headers=ADMIN)
    assert (wrong.status_code, wrong.headers["content-type"]) == (409, "application/problem+json")
    assert "run by its strategy" in wrong.json()["detail"]
    assert client.put("/portfolios/nobody/weights", json=weights, headers=ADMIN).status_code == 404
    for bad in ({symbol: 1.5}, {symbol: "x"}, {"no symbol": 0.1}, {"ZZZZZ": 0.1}):
        assert client.put("/portfolios/mine/weights", json=weights | {"weights": bad}, headers=ADMIN).status_code == 422
    by = {"by": "Ada"}
    assert client.post("/portfolios/wiki_attention/rebalance", json=by, headers=ADMIN).status_code == 202
    assert client.post("/portfolios/wiki_attention/rebalance", json=by).status_code == 403
    assert client.post("/portfolios/mine/funding", json=by | {"share": 0.2}, headers=ADMIN).status_code == 202
    assert client.post("/portfolios/mine/funding", json=by | {"share": 2}, headers=ADMIN).status_code == 422
    assert client.post("/portfolios/wiki_attention/funding", json=by | {"share": 0.2}, headers=ADMIN).status_code == 409
    assert client.post("/portfolios/wiki_attention/sweep", json=by, headers=ADMIN).status_code == 409
    assert client.post("/portfolios/mine/sweep", json=by, headers=ADMIN).json()["result"].startswith("0.00 USD")
    move = by | {"target": "mine", "amount": "10.00"}
    assert client.post("/portfolios/wiki_attention/transfer", json=move, headers=ADMIN).status_code == 409
    assert client.post("/portfolios/mine/close", json=by | {"reason": "done"}, headers=ADMIN).status_code == 202
    assert client.put("/portfolios/mine/weights", json=weights, headers=ADMIN).status_code == 422
    assert client.post("/portfolios/mine/reopen", json=by, headers=ADMIN).status_code == 200
    told = priced.rows("select event, by from ops.portfolio_events where portfolio_id = 'mine' order by event_id")
    events = ["created", "weights", "funded", "weights", "funded", "closed", "reopened"]
    assert [row["event"] for row in told] == events
    assert {row["by"] for row in told} == {"Ada"}


def test_posted_returns(priced: Warehouse, client: TestClient) -> None:
    assert client.post("/portfolios", json={"portfolio_id": "mine", "name": "m", "by": "Ada"}, headers=ADMIN).is_success
    body = {"returns": {"2026-01-28": 0.01, "2026-01-29": -0.02, "2026-01-30": 0.005}, "by": "Ada", "source": "mail"}
    assert client.post("/metrics/mine", json=body).status_code == 403
    made = client.post("/metrics/mine", json=body, headers=ADMIN)
    assert made.status_code == 201
    answer = made.json()
    assert (answer["written"], answer["corrected"], answer["is_trailing"]) == (3, 0, True)
    assert answer["statistics"]["n_obs"] == 3
    assert answer["statistics"]["max_drawdown"] == pytest.approx(-0.02)
    (record,) = client.get("/metrics/mine").json()["records"]
    assert record == answer["statistics"]
    other = client.post("/metrics/congress_aggregate", json=body, headers=ADMIN).json()
    assert not other["is_trailing"]
    assert "posted" not in {one["basis"] for one in client.get("/metrics/congress_aggregate").json()["records"]}
    assert client.post("/metrics/nobody", json=body, headers=ADMIN).status_code == 404
    for change in ({"returns": {}}, {"returns": {"2026-01-31": 0.1}}, {"returns": {"2026-01-30": -3}}, {"by": ""}):
        assert client.post("/metrics/mine", json=body | change, headers=ADMIN).status_code == 422
