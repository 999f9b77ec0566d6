"""A failed task reaches the channels, also when it is the warehouse that failed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pas_notifier import PasNotifier

from tests.support.receiver import receive


def test_a_failure_is_told_although_the_warehouse_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    monkeypatch.setenv("PAS_SOURCES", "public")
    monkeypatch.setenv("PAS_CONTACT", "https://example.com/contact")
    monkeypatch.setenv("PAS_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    monkeypatch.setenv("PAS_NOTIFY_TIMEOUT_SEC", "60")
    task = SimpleNamespace(dag_id="execute", task_id="execute", run_id="r", try_number=2, map_index=-1)
    with receive() as receiver:
        monkeypatch.setenv("PAS_NOTIFY_URLS", receiver.url)
        PasNotifier().notify({"task_instance": task, "exception": RuntimeError("out of paper"), "partition_key": "x"})  # type: ignore[typeddict-item]
        (got,) = receiver.got
    assert (got["title"], got["message"]) == ("execute.execute failed", "RuntimeError: out of paper")
