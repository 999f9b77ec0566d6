"""Every column that a model or a source has is in dbt's manifest with a description, and no other is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.marts import Built

GRAIN = ("one row", "a row per", "versions of", "rows of")


@pytest.fixture(scope="module")
def manifest(built: Built) -> dict[str, Any]:
    text = (built.dbt.target_path("all") / "manifest.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def described(found: dict[str, Any], relations: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return relation -> columns without a description, and names in the manifest that are no columns."""
    out: dict[str, list[str]] = {}
    for node in relations:
        have = found[f"{node['schema']}.{node.get('identifier') or node.get('alias')}"]
        named = {name: one for name, one in node["columns"].items() if one["description"].strip()}
        wrong = [name for name in have if name not in named] + [
            f"no column: {name}" for name in named if name not in have
        ]
        if wrong:
            out[f"{node['schema']}.{node['name']}"] = wrong
    return out


def columns(built: Built) -> dict[str, list[str]]:
    rows = built.warehouse.rows(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where table_schema in ('raw', 'ops', 'staging', 'intermediate', 'marts') order by ordinal_position"
    )
    out: dict[str, list[str]] = {}
    for row in rows:
        out.setdefault(f"{row['table_schema']}.{row['table_name']}", []).append(str(row["column_name"]))
    return out


def test_every_column_of_every_model_is_described(built: Built, manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(models) > 60
    assert described(columns(built), models) == {}


def test_every_column_of_every_source_is_described(built: Built, manifest: dict[str, Any]) -> None:
    assert described(columns(built), list(manifest["sources"].values())) == {}


def test_every_model_tells_its_grain(manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    told = {one["name"]: " ".join(one["description"].lower().split()) for one in models}
    assert [name for name, text in told.items() if not any(word in text for word in GRAIN)] == []
