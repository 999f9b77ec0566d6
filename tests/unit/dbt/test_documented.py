"""Every mart says what its rows and columns are; every source says how old it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pas_lib.datasets import catalogue
from pas_lib.dbt import PROJECT_DIR

MARTS = sorted((PROJECT_DIR / "models" / "marts").rglob("*.sql"))


def listed(key: str) -> dict[str, Any]:
    found = {}
    for file in (PROJECT_DIR / "models").rglob("*.yml"):
        for entry in yaml.safe_load(file.read_text(encoding="utf-8")).get(key) or []:
            found[entry["name"]] = entry
    return found


@pytest.mark.parametrize("file", MARTS, ids=lambda file: file.stem)
def test_a_mart_tells_its_grain_and_every_column(file: Path) -> None:
    model = listed("models")[file.stem]
    assert "Grain: one row per" in model["description"]
    # The contract makes a build fail when a column is missing here, or has another type.
    for column in model["columns"]:
        assert column["data_type"], column
        assert len(column["description"]) > 5, column
    assert any("unique_combination" in test or test["rules"]["arguments"]["keys"] for test in model["data_tests"])


def test_contracts_are_enforced_for_all_marts() -> None:
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    marts = project["models"]["portfolio_allocation"]["marts"]
    assert marts["+contract"] == {"enforced": True}
    assert not [file for file in MARTS if "contract" in file.read_text(encoding="utf-8")]


def test_every_dataset_is_a_source_with_a_freshness() -> None:
    tables = {table["name"]: table for table in listed("sources")["raw"]["tables"]}
    assert set(tables) == set(catalogue())
    without = [name for name, table in tables.items() if not (table.get("config") or {}).get("freshness")]
    # A day without a split or a dividend says nothing of how old the collection is.
    assert without == ["corporate_actions"]


def test_exposures_name_what_reads_the_marts() -> None:
    exposed = {ref for one in listed("exposures").values() for ref in one["depends_on"]}
    missing = [file.stem for file in MARTS if f"ref('{file.stem}')" not in exposed]
    assert missing == []
