"""``pas dashboard`` over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.settings import PROJECT_ROOT, Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW, NOW
from tests.support.job import free_ports, wait_for


@pytest.fixture
def address(filled: Warehouse, api_settings: Settings) -> Iterator[str]:
    """The API over the filled warehouse, on loopback."""
    app = create_app(api_settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
    port = free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


def pas(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PAS_", "API_"))}
    return subprocess.run(
        [sys.executable, "-m", "pas_lib.cli", "dashboard", *arguments],
        cwd=PROJECT_ROOT,
        env=clean | {"PAS_HOME": str(home), "API_READ_TOKEN": seed.READ} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_its_tables_hold_what_the_api_answers(address: str, tmp_path: Path) -> None:
    done = pas(tmp_path, "--url", address, "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["stores"][0]["status"] == "ready"
    portfolios = next(records for title, records in shown.items() if title.startswith("portfolios"))
    names = {row["portfolio_id"] for row in portfolios}
    assert names >= {"congress_aggregate"}
    held = [title for title in shown if title.startswith("positions of")]
    assert {title.removeprefix("positions of ") for title in held} == {
        row["portfolio_id"] for row in portfolios if row["positions"]
    }
    text = pas(tmp_path, "--url", address)
    assert text.returncode == 0
    for row in portfolios:
        assert row["portfolio_id"] in text.stdout


def test_an_api_that_is_not_up_is_one_line(tmp_path: Path) -> None:
    done = pas(tmp_path, "--url", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is it up?" in done.stderr


def test_a_wrong_token_is_one_line_without_the_token(address: str, tmp_path: Path) -> None:
    done = pas(tmp_path, "--url", address, API_READ_TOKEN="wrong-token-0123456789")
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "wrong-token" not in done.stderr
