"""The reference pages say what the code does."""

from __future__ import annotations

import pytest

from api import reference as api_reference
from api.openapi import operations
from pas_lib import reference
from pas_lib.datasets import catalogue
from pas_lib.settings import PROJECT_ROOT, setting_names


@pytest.mark.parametrize("name", ["datasets.md", "settings.md", "commands.md"])
def test_the_committed_pages_are_current(name: str) -> None:
    assert (PROJECT_ROOT / "docs/reference" / name).read_text(encoding="utf-8") == reference.pages()[name], (
        "run `make docs`"
    )


def test_the_committed_page_of_the_api_is_current() -> None:
    text = (PROJECT_ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    assert text == api_reference.page(), "run `make docs`"
    for path, method, _ in operations(api_reference.description()):
        assert f"### {method.upper()} {path}\n" in text


def test_every_column_setting_and_command_is_there() -> None:
    made = reference.pages()
    for one in catalogue().values():
        for column in one.columns:
            assert f"| `{column.name}` | {column.type} |" in made["datasets.md"]
    for name in setting_names():
        assert f"| `{name}` |" in made["settings.md"]
    for name, _ in reference.commands():
        assert f"\n## {name}\n" in made["commands.md"]
    assert "pas risk add-rule" in made["commands.md"]


def test_comments_belong_to_the_lines_below() -> None:
    text = "# head\n\n# -- places (x: y)\nA=1\n# of b\n# and c\nB=\nC=\n\nD=\n# of e\nE=2\n# of f\nF=\n"
    found = [(one.name, one.section, one.note) for one in reference.settings_in(text)]
    assert found == [
        ("A", "places", ""), ("B", "places", "of b and c"), ("C", "places", "of b and c"),
        ("D", "places", ""), ("E", "places", "of e"), ("F", "places", "of f"),
    ]  # fmt: skip
