"""Pages that are made of the code: one per strategy, from its class and its signal model.

``python -m pas_lib.docs docs/strategies`` writes them; a test holds the committed pages against what it would write.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from pas_lib.datasets import dataset
from pas_lib.dbt import PROJECT_DIR, signal_numbers
from pas_lib.errors import PasError
from pas_lib.strategies import Strategy, all_strategies

_HEAD = "<!-- Made by `make docs` of the strategy's class and of its signal model: change those. -->\n"


def strategy_pages(project_dir: Path = PROJECT_DIR) -> dict[str, str]:
    """Return file name -> text of every page: one per strategy and a table of all.

    Raises
    ------
    PasError
        When a strategy's signal model has no description.
    """
    described = _descriptions(project_dir)
    pages = {f"{one.id}.md": _page(one, described) for one in all_strategies()}
    rows = "\n".join(
        f"| [{one.id}]({one.id}.md) | {', '.join(one.datasets)} | {one.cadence.value} | {one.rule} |"
        for one in all_strategies()
    )
    pages["README.md"] = (
        f"{_HEAD}\n# The strategies\n\nEach is a portfolio of its own: one signal model and one small class.\n\n"
        f"| id | data | cadence | rule |\n|---|---|---|---|\n{rows}\n"
    )
    return pages


def write_strategy_pages(folder: Path, project_dir: Path = PROJECT_DIR) -> list[Path]:
    """Write the pages that differ, take away those of strategies that are gone, and return the paths touched."""
    pages = strategy_pages(project_dir)
    folder.mkdir(parents=True, exist_ok=True)
    touched = []
    for path in sorted(folder.glob("*.md")):
        if path.name not in pages:
            path.unlink()
            touched.append(path)
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            touched.append(path)
    return touched


def _descriptions(project_dir: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((project_dir / "models").rglob("*.yml")):
        document: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for model in document.get("models") or []:
            if model.get("description"):
                found[str(model["name"])] = " ".join(str(model["description"]).split())
    return found


def _page(one: Strategy, described: Mapping[str, str]) -> str:
    model = one.signal_model
    if model not in described:
        raise PasError(f"the model {model} of strategy {one.id} has no description", hint="describe it in a .yml file")
    own = {
        field.name: field.default
        for field in fields(one)  # type: ignore[arg-type]
        if field.default is not MISSING
    }
    taken = {
        name: ", ".join(value) if isinstance(value, list) else value for name, value in signal_numbers(model).items()
    }
    numbers = "\n".join(f"| `{name}` | {value} |" for name, value in (own | taken).items())
    return (
        f"{_HEAD}\n# {one.name}\n\n{inspect.cleandoc(type(one).__doc__ or '')}\n\n"
        f"| | |\n|---|---|\n| id | `{one.id}` |\n| rule | {one.rule} |\n| decides | {one.cadence.value}, at the last"
        f" session of the period |\n| looks back | {one.lookback_days} days |\n\n"
        f"## Signal\n\n`{model}`: {described[model]}\n\n"
        f"## Numbers\n\n| setting | default |\n|---|---|\n{numbers}\n\n"
        f"## Data\n\n| dataset | history | stale after |\n|---|---|---|\n{_data(one)}\n\n"
        "When a dataset is older than that at the decision, the previous weights stay, flagged (cash if there are"
        f" none). {_few(one)}\n"
    )


def _data(one: Strategy) -> str:
    histories = {"full": "the site gives the past", "none": "begins with the first capture"}
    return "\n".join(
        f"| `{name}` | {histories[dataset(name).history]} | {one.tolerance[name]:g} days |" for name in one.datasets
    )


def _few(one: Strategy) -> str:
    floor = " Names with a score of zero or less are not held." if one.positive_only else ""
    return f"What the rule leaves free is held in cash, and the note of the weights says how much.{floor}"


if __name__ == "__main__":
    for changed in write_strategy_pages(Path(sys.argv[1])):
        print(changed)
