"""The description of the interface: complete, with valid examples, and true to what failures look like."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.examples import VALUES
from api.factory import create_app
from api.openapi import OPEN, operations
from pas_lib.settings import Settings

#: Answers that are not JSON.
STREAMS = {"/events", "/metrics", "/db/{table}/all"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    tokens = {"api_token": SecretStr("a" * 40), "api_read_token": SecretStr("r" * 40)}
    app: FastAPI = create_app(Settings().model_copy(update=tokens))
    return app.openapi()


def names(description: dict[str, Any]) -> set[str]:
    found = {parameter["name"] for _, _, one in operations(description) for parameter in one.get("parameters", [])}
    for schema in description["components"]["schemas"].values():
        for name, part in schema.get("properties", {}).items():
            kinds = [part, part.get("items", {}), *part.get("anyOf", [])]
            if not any("$ref" in kind or "$ref" in kind.get("items", {}) or "const" in kind for kind in kinds):
                found.add(name)
    return found


def test_everything_has_an_example(description: dict[str, Any]) -> None:
    wanted = names(description)
    assert len(wanted) > 150
    assert not wanted - set(VALUES)


def test_no_example_is_left_over(description: dict[str, Any]) -> None:
    used = {parameter["name"] for _, _, one in operations(description) for parameter in one.get("parameters", [])}
    for schema in description["components"]["schemas"].values():
        used |= {part for name in schema.get("properties", {}) for part in (name, f"{schema['title']}.{name}")}
    assert not set(VALUES) - used


def test_examples_are_valid(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    seen = 0
    for name, schema in schemas.items():
        for one in schema.get("examples", []):
            seen += 1
            root = {"components": description["components"], "$ref": f"#/components/schemas/{name}"}
            jsonschema.Draft202012Validator(root).validate(one)
    assert seen == len([one for one in schemas.values() if one.get("properties")]) > 50


def test_every_answer_has_a_model_of_its_own(description: dict[str, Any]) -> None:
    for path, method, one in operations(description):
        (status,) = [status for status in one["responses"] if status.startswith("2")]
        content = one["responses"][status]["content"]
        if path in STREAMS:
            assert "application/json" not in content, path
            continue
        schema = content["application/json"]["schema"]
        if "anyOf" in schema:
            schema, selected = schema["anyOf"]
            assert selected == {"$ref": "#/components/schemas/Selected"}
        assert "$ref" in schema, (method, path)
        assert content["application/json"]["example"] is not None


def test_every_failure_is_a_problem(description: dict[str, Any]) -> None:
    for path, method, one in operations(description):
        for status, answer in one["responses"].items():
            if status.startswith("2") or (path, status) == ("/readyz", "503"):
                continue
            (kind,) = answer["content"]
            assert kind == "application/problem+json", (method, path, status)
        assert one["description"], path
        if path not in OPEN:
            assert "401" in one["responses"]
            assert {"token": []} in one["security"]
            assert ({"query": []} in one["security"]) == (method == "get")


def test_parameters_are_described(description: dict[str, Any]) -> None:
    plain = {
        "portfolio_id",
        "symbol",
        "dataset",
        "table",
        "job_id",
        "run_id",
        "rule_id",
        "alert_id",
        "quarantine_id",
        "limit",
        "page",
        "state",
        "event",
        "source",
    }
    for path, _, one in operations(description):
        for parameter in one.get("parameters", []):
            assert parameter["name"] in plain or parameter.get("description"), (path, parameter["name"])
