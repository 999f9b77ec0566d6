"""The pages of the strategies say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pas_lib.docs import strategy_pages, write_strategy_pages
from pas_lib.errors import PasError
from pas_lib.settings import PROJECT_ROOT
from pas_lib.strategies import all_strategies


def test_the_committed_pages_are_current() -> None:
    committed = {
        path.name: path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "docs/strategies").glob("*.md")
    }
    assert committed == strategy_pages(), "run `make docs`"


def test_there_is_a_page_for_every_strategy_with_its_rule_and_its_signal() -> None:
    pages = strategy_pages()
    for one in all_strategies():
        text = pages[f"{one.id}.md"]
        assert one.rule in text
        assert f"`{one.signal_model}`: " in text
        assert all(f"| `{name}` | " in text for name in one.datasets)
        assert f"[{one.id}]({one.id}.md)" in pages["README.md"]
    assert "begins with the first capture" in pages["wsb_buzz.md"]


def test_pages_are_written_once_and_those_of_gone_strategies_are_taken_away(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old", encoding="utf-8")
    first = {path.name for path in write_strategy_pages(tmp_path)}
    assert first == {"gone.md", *strategy_pages()}
    assert write_strategy_pages(tmp_path) == []


def test_a_model_without_a_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(PasError, match="the model int_signal_app_reviews_hype of strategy app_reviews_hype"):
        strategy_pages(tmp_path)
