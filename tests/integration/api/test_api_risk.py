"""Risk over HTTP: figures and limits of the decision, rules, alerts, and who may change them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.pipeline import decide
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.pipeline.marts_world import DECISION, MartsWorld
from tests.integration.pipeline.test_decide import EVENING, Planner, buy_everything

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}


@pytest.fixture
def decided(warehouse: Warehouse, settings: Settings) -> Warehouse:
    """A decision that a limit cut and a rule spoke about, and books that hold it."""
    MartsWorld().write(warehouse)
    tight = settings.model_copy(update={"risk_rules": "gross > 0.01", "max_etf_weight": 0.02})
    buy_everything(warehouse, decide(DECISION, tight, EVENING, warehouse, planner=Planner()))
    return warehouse


@pytest.fixture
def client(decided: Warehouse, settings: Settings) -> Iterator[TestClient]:
    keys = {"api_token": SecretStr(seed.ADMIN), "api_read_token": SecretStr(seed.READ)}
    now = FixedClock(datetime(2026, 2, 2, 13, tzinfo=UTC))
    app = create_app(settings.model_copy(update=keys), clock=now, market_clock=now)
    with TestClient(app, headers={"Authorization": f"Bearer {seed.READ}"}, raise_server_exceptions=False) as one:
        yield one


def test_the_book_and_one_portfolio(decided: Warehouse, client: TestClient) -> None:
    whole = client.get("/risk/all").json()
    stored = {r["metric"]: r["value"] for r in decided.rows("select metric, value from ops.risk_figures")}
    assert whole["decision"]["figures"] == stored
    assert whole["decision"]["share"] == stored["gross"]
    cut = [one for one in whole["decision"]["cuts"] if one["code"] == "NAME_CAP"]
    assert cut
    assert all(one["allowed"] == 0.02 < one["wanted"] for one in cut)
    assert sum(one["share"] for one in whole["decision"]["sectors"]) == pytest.approx(stored["gross"])
    # What is held is what was decided: the same losses, as fractions of the holdings instead of the equity.
    assert whole["var_99"] == pytest.approx(stored["var_99"] / stored["gross"], rel=1e-6)
    assert [one["message"] for one in whole["alerts"]] == [f"gross is {stored['gross']:.4g}, > 0.01"]
    assert (whole["trading_state"], whole["realised"]) == ("ACTIVE", None)

    part = client.get("/risk/sector_risk_parity").json()["decision"]
    shares = decided.rows("select symbol, share from ops.weight_history where portfolio_id = 'sector_risk_parity'")
    assert part["share"] == pytest.approx(sum(row["share"] for row in shares))
    assert {one["label"]: one["share"] for one in part["names"]} == pytest.approx(
        {row["symbol"]: row["share"] for row in shares}
    )
    # Its own figures, not the book's: three ETFs of a known share each.
    own = part["figures"]
    assert own["gross"] == own["net"] == pytest.approx(part["share"])
    assert own["largest_name"] == pytest.approx(max(row["share"] for row in shares))
    assert sum(one["share"] for one in part["sectors"]) == pytest.approx(part["share"])
    assert 0.0 < own["var_95"] <= own["var_99"] <= own["cvar_99"]
    assert set(own) == set(stored) - {"daily_loss", "drawdown", "cci", "scale"}
    everyone = [client.get(f"/risk/{name['label']}").json()["decision"] for name in whole["decision"]["portfolios"]]
    for figure in ("net", "leveraged", "beta"):
        assert sum(one["figures"][figure] for one in everyone if one["figures"]) == pytest.approx(stored[figure])
    # Losses of parts do not add up to less than those of the whole (they fall on different days).
    assert sum(one["figures"]["cvar_95"] for one in everyone if one["figures"]) >= stored["cvar_95"] - 1e-12
    assert {one["subject"] for one in part["cuts"]} == {one["subject"] for one in cut}
    assert client.get("/risk/congress_aggregate").json()["decision"]["cuts"] == []
    assert "1 open alert" in client.get("/dashboard", headers=ADMIN).text
    page = client.get("/dashboard/risk", headers=ADMIN).text
    assert "NAME_CAP" in page


def test_rules_and_alerts(decided: Warehouse, client: TestClient) -> None:
    rule = {"metric": "beta", "op": ">", "threshold": 0.8, "by": "Ada", "note": "why not"}
    assert client.post("/risk/rules", json=rule).status_code == 403
    for change in ({"op": "="}, {"metric": "Not Good"}, {"by": " "}, {"threshold": "x"}, {"surplus": 1}):
        assert client.post("/risk/rules", json=rule | change, headers=ADMIN).status_code == 422, change
    made = client.post("/risk/rules", json=rule, headers=ADMIN)
    assert (made.status_code, made.json()["rule_id"]) == (201, 1)
    assert client.post("/risk/rules/1/end", json={"by": "Bob"}, headers=ADMIN).status_code == 200
    assert client.post("/risk/rules/1/end", json={"by": "Bob"}, headers=ADMIN).status_code == 409
    (listed,) = client.get("/risk/rules").json()["records"]
    assert (listed["created_by"], listed["ended_by"], listed["note"]) == ("Ada", "Bob", "why not")

    (alert,) = client.get("/risk/alerts", params={"open": True}).json()["records"]
    seen = {"by": "Ada", "note": "known"}
    assert client.post("/risk/alerts/1/acknowledge", json=seen).status_code == 403
    assert client.post(f"/risk/alerts/{alert['alert_id']}/acknowledge", json=seen, headers=ADMIN).status_code == 200
    assert client.post(f"/risk/alerts/{alert['alert_id']}/acknowledge", json=seen, headers=ADMIN).status_code == 409
    assert client.get("/risk/alerts", params={"open": True}).json()["records"] == []
    (known,) = client.get("/risk/alerts").json()["records"]
    assert (known["acknowledged_by"], known["note"]) == ("Ada", "known")
    assert client.get("/risk/all").json()["alerts"] == []
