"""What the supervisor keeps on disk: tokens, keys, and how far a session is."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pas_lib.stack import secrets_file
from pas_lib.stack.state import STEPS, SessionState


@pytest.fixture(autouse=True)
def _no_tokens_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in secrets_file.TOKENS:
        monkeypatch.delenv(name, raising=False)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_missing_tokens_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    first = secrets_file.ensure_tokens(path)
    assert mode(path) == 0o600
    assert set(first) == set(secrets_file.TOKENS)
    assert len(set(first.values())) == len(first)
    assert all(len(value) >= 32 for value in first.values())
    assert secrets_file.ensure_tokens(path) == first


def test_what_is_in_the_file_stays_and_an_empty_name_is_filled(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nAPI_TOKEN=\nexport API_READ_TOKEN='kept'\nFRED_API_KEY=x\n")
    path.chmod(0o644)
    tokens = secrets_file.ensure_tokens(path)
    text = path.read_text()
    assert tokens["API_READ_TOKEN"] == "kept"
    assert tokens["API_TOKEN"]
    assert text.startswith("# mine\nexport API_READ_TOKEN='kept'\nFRED_API_KEY=x\n")
    assert text.count("API_TOKEN=") == 1
    assert mode(path) == 0o600


def test_a_full_file_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("".join(f"{name}=a-token-for-{name}\n" for name in secrets_file.TOKENS))
    path.chmod(0o644)
    before = path.read_text()
    secrets_file.ensure_tokens(path)
    assert path.read_text() == before
    assert mode(path) == 0o600


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "from-outside")
    assert secrets_file.ensure_tokens(tmp_path / ".env")["API_TOKEN"] == "from-outside"
    assert "from-outside" not in (tmp_path / ".env").read_text()


def test_airflows_keys_are_kept_and_its_password_follows_the_tokens(tmp_path: Path) -> None:
    keys = secrets_file.airflow_keys(tmp_path)
    assert secrets_file.airflow_keys(tmp_path) == keys
    assert mode(tmp_path / "keys.json") == 0o600
    path = secrets_file.write_airflow_password(tmp_path, "admin", "one")
    assert secrets_file.write_airflow_password(tmp_path, "admin", "two") == path
    assert json.loads(path.read_text()) == {"admin": "two"}
    assert mode(path) == 0o600


def test_the_encryption_key_is_one_airflow_accepts(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    key = Fernet(secrets_file.airflow_keys(tmp_path)["fernet_key"])
    assert key.decrypt(key.encrypt(b"x")) == b"x"


def test_a_session_is_resumed_where_it_was_left(tmp_path: Path) -> None:
    state = SessionState.load(tmp_path / "run/session.json")
    assert state.session is None
    assert state.unfinished is None
    state.begin(date(2026, 1, 30))
    state.finish("collect")
    again = SessionState.load(state.path)
    assert (again.session, again.done, again.unfinished) == (date(2026, 1, 30), ["collect"], date(2026, 1, 30))
    again.begin(date(2026, 1, 30))
    assert again.done == ["collect"]
    for step in STEPS:
        again.finish(step)
    assert SessionState.load(state.path).unfinished is None
    again.begin(date(2026, 2, 2))
    assert SessionState.load(state.path).done == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"session": "soon", "done": []}', '{"done": []}'])
def test_a_broken_state_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session.json"
    path.write_text(text)
    assert SessionState.load(path).session is None
