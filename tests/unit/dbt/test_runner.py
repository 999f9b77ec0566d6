"""The dbt runner: environment, folders, and the shape of the project."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from pas_lib.dbt import PROJECT_DIR, Dbt, _environment, asking_for_nothing

MODELS = sorted((PROJECT_DIR / "models").rglob("*.sql"))


def test_the_address_goes_through_the_environment(tmp_path: Path) -> None:
    dbt = Dbt("postgresql://me:pw%20d@db.example:6543/pas", tmp_path)
    env = dbt.environment(date(2026, 1, 30), "transform")
    assert env["PAS_AS_OF"] == "2026-01-30"
    assert (env["PAS_DBT_HOST"], env["PAS_DBT_PORT"], env["PAS_DBT_USER"], env["PAS_DBT_DBNAME"]) == (
        "db.example",
        "6543",
        "me",
        "pas",
    )
    # dbt keeps variables with this prefix out of its logs and artefacts
    assert env["DBT_ENV_SECRET_PAS_PASSWORD"] == "pw d"
    assert [name for name, value in env.items() if "pw d" in value] == ["DBT_ENV_SECRET_PAS_PASSWORD"]


def test_a_unix_socket_is_a_host(tmp_path: Path) -> None:
    env = Dbt("postgresql://postgres@/pas?host=/run/pg", tmp_path).environment(date(2026, 1, 30), "all")
    assert env["PAS_DBT_HOST"] == "/run/pg"


def test_the_name_of_the_process_is_no_part_of_the_profile(tmp_path: Path) -> None:
    """What the profile says is part of the parsed project: another process would parse it anew."""
    env = Dbt("postgresql://postgres@/pas?host=/run/pg", tmp_path).environment(date(2026, 1, 30), "all")
    assert env["PGAPPNAME"] == f"pas-dbt-{os.getpid()}"
    profile = (PROJECT_DIR / "profiles.yml").read_text(encoding="utf-8")
    assert "PGAPPNAME" not in re.findall(r"env_var\('(\w+)'", profile)
    target = yaml.safe_load(profile)["portfolio_allocation"]["outputs"]["pg"]
    assert target["application_name"] == ""  # left out, dbt says "dbt"


def test_each_target_and_part_has_a_folder_of_its_own(tmp_path: Path) -> None:
    pg, duck = Dbt("postgresql:///pas", tmp_path), Dbt("x.duckdb", tmp_path, target="duckdb")
    folders = {str(d.target_path(part)) for d in (pg, duck) for part in ("transform", "evaluate", "docs")}
    assert len(folders) == 6
    assert duck.environment(date(2026, 1, 30), "transform")["PAS_DBT_PATH"] == "x.duckdb"
    small = replace(duck, memory_gb=1.5).environment(date(2026, 1, 30), "transform")
    assert small["PAS_DBT_MEMORY"] == "1500MB"
    assert 0 < duck.memory_gb <= 6


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAS_AS_OF", "before")
    monkeypatch.delenv("PAS_DBT_TARGET", raising=False)
    with pytest.raises(RuntimeError), _environment({"PAS_AS_OF": "within", "PAS_DBT_TARGET": "pg"}):
        assert os.environ["PAS_AS_OF"] == "within"
        raise RuntimeError
    assert os.environ["PAS_AS_OF"] == "before"
    assert "PAS_DBT_TARGET" not in os.environ


def test_no_packages_and_no_clock_in_the_models() -> None:
    assert not (PROJECT_DIR / "packages.yml").exists()
    for path in [*MODELS, *(PROJECT_DIR / "macros").rglob("*.sql")]:
        text = path.read_text(encoding="utf-8").lower()
        assert not re.search(r"current_date|current_timestamp|\bnow\(\)|random\(", text), path.name


def test_layers_read_only_what_they_may() -> None:
    """Only staging reads sources; staging reads no models; nothing but marts and the evaluation reads a mart."""
    for path in MODELS:
        text = path.read_text(encoding="utf-8")
        layer = path.relative_to(PROJECT_DIR / "models").parts[0]
        if layer == "staging":
            assert "ref(" not in text, path.name
        else:
            assert "source(" not in text, path.name
        assert path.stem.startswith({"staging": "stg_", "intermediate": "int_"}.get(layer, "")), path.name


def test_every_mart_has_a_contract_a_grain_and_described_columns() -> None:
    described: dict[str, dict] = {}
    for path in (PROJECT_DIR / "models").rglob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            described[model["name"]] = model
    for path in MODELS:
        assert path.stem in described, f"{path.stem} is not described"
        assert described[path.stem]["description"], path.stem
        if path.relative_to(PROJECT_DIR / "models").parts[0] == "marts":
            model = described[path.stem]
            assert "Grain:" in model["description"], path.stem
            assert all(column["description"] and column["data_type"] for column in model["columns"]), path.stem
            tests = model["data_tests"]
            assert any("unique_combination" in test or test["rules"]["arguments"]["keys"] for test in tests), path.stem


def test_the_static_page_asks_for_nothing() -> None:
    # As dbt 1.11 writes it: the template of an icon, inside a script's text, and a place nobody filled in.
    page = (
        '<link rel="shortcut icon" href="${require(\'./assets/favicons/favicon.ico\')}"/><p>kept</p>'
        '<svg><use xlink:href="{{ getIcon(item.type, \\\'on\\\') }}"></use><use xlink:href="#icn-doc"></use></svg>'
    )
    assert asking_for_nothing(page) == (
        "<p>kept</p><svg><use ng-attr-xlink:href=\"{{ getIcon(item.type, \\'on\\') }}\"></use>"
        '<use xlink:href="#icn-doc"></use></svg>'
    )


def test_the_page_that_dbt_ships_is_known() -> None:
    """Its template holds what is replaced: with another dbt this must be looked at again."""
    from importlib.resources import files

    shipped = files("dbt.task.docs").joinpath("index.html").read_text(encoding="utf-8")
    assert shipped.count('xlink:href="{{') == 4
    left = asking_for_nothing(shipped)
    assert 'xlink:href="{{' not in left.replace('ng-attr-xlink:href="{{', "")
    assert "favicons/favicon.ico" not in left
