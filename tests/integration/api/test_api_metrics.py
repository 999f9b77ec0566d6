"""What Prometheus reads: steps, dbt and requests; and that alert rules and dashboards ask for nothing else."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from fastapi.testclient import TestClient

from pas_lib.clock import FixedClock
from pas_lib.settings import PROJECT_ROOT
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.system_log import SystemLog
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW

_NAME = re.compile(r"\bpas_[a-z0-9_]+")


@pytest.fixture
def worked(filled: Warehouse) -> Warehouse:
    """A build that went well, and a decision that went wrong after one that did not."""
    clock = FixedClock(MARKET_NOW)
    with SystemLog(filled, clock, "transform.dbt_build", session=seed.FIRST).step("dbt_build") as told:
        clock.at = clock.at.replace(minute=2)
        told["result"] = {"seconds": 118.0, "nodes": {"pass": 210, "success": 96}}
    log = SystemLog(filled, clock, "decide.decide", session=seed.FIRST)
    with log.step("decide"):
        pass
    with pytest.raises(ValueError), log.step("decide"):
        raise ValueError("no")
    filled.execute(
        "insert into ops.reconciliations (broker, account_number, at, is_clean, cash_ledger, cash_broker, differences)"
        " values ('sandbox', 'PA1', now(), true, 1, 1, '[]')"
    )
    filled.execute("update ops.decisions set expected_vol = 0.1, gross = 0.9")
    return filled


def test_steps_builds_and_requests_are_told(worked: Warehouse, client: TestClient) -> None:
    client.get("/portfolios")
    client.get("/portfolios/nobody")
    client.post("/approvals")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'pas_step_good{program="transform.dbt_build"} 1.0',
        'pas_step_seconds{program="transform.dbt_build"} 120.0',
        'pas_step_good{program="decide.decide"} 0.0',
        'pas_dbt_nodes{status="pass"} 210.0',
        'pas_dbt_nodes{status="success"} 96.0',
        'pas_api_requests_total{method="GET",status="2xx"} 1.0',
        'pas_api_requests_total{method="GET",status="4xx"} 1.0',
        'pas_api_requests_total{method="POST",status="4xx"} 1.0',
        'pas_api_request_seconds_count{method="GET"} 2.0',
    ):
        assert line in lines, line


def test_rules_and_dashboards_ask_for_what_is_served(worked: Warehouse, client: TestClient) -> None:
    client.get("/health")
    served = {re.split(r"[{ ]", line)[0] for line in client.get("/metrics").text.splitlines() if line[:1] != "#"}
    rules = yaml.safe_load((PROJECT_ROOT / "docker/prometheus/rules.yml").read_text(encoding="utf-8"))
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    for path in sorted((PROJECT_ROOT / "docker/grafana/dashboards").glob("*.json")):
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        asked += [target["expr"] for panel in panels for target in panel.get("targets", [])]
    names = {name for text in asked for name in _NAME.findall(text)}
    assert len(names) > 15
    assert not names - served, sorted(names - served)
