"""A running sandbox: one per module for tests that only read, a fresh one for those that move the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pas_lib.sandbox.testing import RunningSandbox, running_sandbox

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 pas-tests (tests@example.org)"


class Caller:
    """Asks one running sandbox."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["User-Agent"] = BROWSER

    def get(self, path: str, **kwargs: object) -> requests.Response:
        return self.session.get(self.sandbox.url + path, timeout=10, **kwargs)  # type: ignore[arg-type]

    def advance(self, to: str) -> dict[str, str]:
        answer = self.session.post(f"{self.sandbox.url}/sandbox/advance", json={"to": to}, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def fault(self, **fault: object) -> None:
        answer = self.session.put(f"{self.sandbox.url}/sandbox/faults", json=fault, timeout=10)
        assert answer.status_code == 200, answer.text


def _caller(home: Path) -> Iterator[Caller]:
    with running_sandbox(home) as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.session.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Read-only: the clock stands at its start, no faults."""
    yield from _caller(tmp_path_factory.mktemp("sandbox"))


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Caller]:
    """A sandbox of the test's own."""
    yield from _caller(tmp_path)
