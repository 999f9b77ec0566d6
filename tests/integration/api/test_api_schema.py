"""Schemathesis over the whole description, against the real application on a real PostgreSQL.

Every answer has the status, the type and the shape that the description promises; none is a 5xx; without a token
nothing answers but what is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from pydantic import SecretStr
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from api.factory import create_app
from api.openapi import OPEN
from pas_lib.clock import FixedClock
from pas_lib.datasets import catalogue as datasets
from pas_lib.dbt import PROJECT_DIR
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.airflow_stand_in import PASSWORD, airflow_stand_in
from tests.integration.api.conftest import MARKET_NOW, NOW
from tests.support.served import served

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}
#: An answer without an end has tests of its own.
ENDLESS = "/events"


@pytest.fixture
def address(filled: Warehouse, api_settings: Settings) -> Iterator[str]:
    """The application with every table there, and with jobs."""
    build_empty(filled)
    with airflow_stand_in() as airflow:
        settings = api_settings.model_copy(
            update={
                "airflow_url": airflow,
                "airflow_password": SecretStr(PASSWORD),
                "api_requests_per_minute": 1_000_000,
            }
        )
        app = create_app(settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
        with served(app) as url:
            yield url


def build_empty(warehouse: Warehouse) -> None:
    """Create what dbt would: staging as raw is, and the marts that the seed leaves out, empty, by their contracts."""
    warehouse.execute("create schema if not exists staging")
    for name in datasets():
        times = "known_at as first_known_at, null::timestamptz as superseded_at"
        warehouse.execute(f"create view staging.stg_raw__{name} as select *, {times} from raw.{name}")
    for path in sorted((PROJECT_DIR / "models" / "marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []:
            columns = ", ".join(f'"{one["name"]}" {one["data_type"]}' for one in model["columns"])
            warehouse.execute(f"create table if not exists marts.{model['name']} ({columns})")


@dataclass
class Report:
    """What a run found."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        head = f"{sum(self.statuses.values())} requests to {len(self.operations)} operations ({told})"
        return "\n".join([head, *self.failures.values(), *self.errors])


def _run(address: str, *, examples: int, seed_number: int, edges: bool) -> Report:
    """Ask every operation; with ``edges`` also with every parameter at and beyond the edge of what it may be."""
    description = requests.get(f"{address}/openapi.json", headers=ADMIN, timeout=30).json()
    config = SchemathesisConfig.from_dict(
        {
            "headers": ADMIN,
            "base-url": address,
            "seed": seed_number,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"max-examples": examples, "database": "none"},
            "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": edges}},
            "checks": {
                # Text is taken for what it says: `?limit=5` is a number.
                "negative_data_rejection": {"enabled": False},
                # What exists in the warehouse decides, not the form alone.
                "positive_data_acceptance": {"enabled": False},
            },
        }
    )
    schema = schemathesis.openapi.from_dict(description, config=config).exclude(path=ENDLESS)
    report = Report()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(report, event)
        elif isinstance(event, events.NonFatalError):
            report.errors.append(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            report.errors.append(str(event.exception))
    asked = {label.split(" ", 1)[1] for label in report.operations}
    assert asked == {path for path in description["paths"] if path != ENDLESS}
    return report


def _note(report: Report, event: Any) -> None:
    for interaction in event.recorder.interactions.values():
        if interaction.response is not None:
            report.statuses[interaction.response.status_code] += 1
    if event.label:
        report.operations.add(event.label)
    if event.status != Status.FAILURE:
        return
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.status == Status.FAILURE:
                case = event.recorder.cases[case_id].value
                message = " ".join(str(check.failure_info.failure).split())[:400]
                asked = f"{case.method} {case.formatted_path} {case.query or ''} {case.body if case.body else ''}"
                report.failures.setdefault(
                    f"{event.label} {check.name}", f"{event.label} {check.name}: {asked[:300]}: {message}"
                )


def _holds(report: Report) -> None:
    print(report)
    assert not report.errors, report
    assert not report.failures, report
    assert not [status for status in report.statuses if status >= 500], report


def test_the_description_holds(address: str) -> None:
    _holds(_run(address, examples=5, seed_number=7, edges=False))


@pytest.mark.slow
def test_the_description_holds_at_length(address: str) -> None:
    _holds(_run(address, examples=40, seed_number=11, edges=True))


def test_nothing_answers_without_a_token(address: str) -> None:
    description = requests.get(f"{address}/openapi.json", headers=ADMIN, timeout=30).json()
    for path, methods in description["paths"].items():
        for method in methods:
            concrete = path.replace("{", "").replace("}", "")
            answer = requests.request(method, address + concrete, timeout=30)
            assert answer.status_code == (200 if path in OPEN else 401), (method, path)
    for path, status in (("/openapi.json", 401), ("/docs", 303), ("/dashboard", 303), ("/nosuch", 404)):
        answer = requests.get(address + path, timeout=30, allow_redirects=False)
        assert answer.status_code == status, path
        assert "portfolio" not in answer.text.lower() or status == 303
