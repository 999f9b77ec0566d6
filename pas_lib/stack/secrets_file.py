"""Random secrets, made once: API tokens and the Airflow password in ``.env``, Airflow's own keys beside its data."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

#: Names written to ``.env`` if they are not set there or in the environment.
TOKENS = ("API_TOKEN", "API_READ_TOKEN", "AIRFLOW_ADMIN_PASSWORD")


def ensure_tokens(path: Path) -> dict[str, str]:
    """Make sure ``.env`` holds the tokens, and return them.

    What is there, or set in the environment, is kept; the file ends with mode 0600.

    Parameters
    ----------
    path : Path
        The ``.env`` file.

    Returns
    -------
    dict of str to str
        Name -> value of each token.
    """
    tokens, _ = _ensure(path, dict.fromkeys(TOKENS, _token))
    return tokens


def ensure_compose_secrets(path: Path) -> list[str]:
    """Make sure ``.env`` holds what ``docker-compose.yaml`` refuses to start without.

    Parameters
    ----------
    path : Path
        The ``.env`` file; what is there, or set in the environment, is kept.

    Returns
    -------
    list of str
        Names of the secrets that were made.
    """
    _, made = _ensure(path, COMPOSE_SECRETS)
    return made


def _token() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


#: What the compose stack needs, and how each is made. Those that become part of an address hold no special characters.
COMPOSE_SECRETS: dict[str, Callable[[], str]] = {
    **dict.fromkeys(TOKENS, _token),
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(24),
    "WAREHOUSE_DB_PASSWORD": lambda: secrets.token_hex(24),
    "API_DB_PASSWORD": lambda: secrets.token_hex(24),
    "AIRFLOW_DB_PASSWORD": lambda: secrets.token_hex(24),
    "REDIS_PASSWORD": lambda: secrets.token_hex(24),
    "AIRFLOW_FERNET_KEY": _fernet_key,
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_urlsafe(64),
    "AIRFLOW_API_SECRET": lambda: secrets.token_urlsafe(32),
    "GRAFANA_PASSWORD": _token,
}


def _ensure(path: Path, wanted: Mapping[str, Callable[[], str]]) -> tuple[dict[str, str], list[str]]:
    """Return name -> value of what is wanted, and the names that had to be made and were added to the file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    present: dict[str, str] = {}
    for line in lines:
        name, sep, value = line.strip().removeprefix("export ").partition("=")
        if sep and not name.startswith("#"):
            present[name.strip()] = value.strip().strip("'\"")
    values = {name: os.environ.get(name) or present.get(name) or "" for name in wanted}
    missing = [name for name, value in values.items() if not value]
    if missing:
        values |= {name: wanted[name]() for name in missing}
        # A name left empty in the file is filled in place of the empty line.
        kept = [line for line in lines if line.strip().removeprefix("export ").partition("=")[0] not in missing]
        _write_private(path, "\n".join([*kept, *(f"{name}={values[name]}" for name in missing)]) + "\n")
    elif path.is_file():
        path.chmod(0o600)
    return values, missing


def airflow_keys(folder: Path) -> dict[str, str]:
    """Return Airflow's signing and encryption keys, made at the first call and kept in ``keys.json`` (mode 0600)."""
    path = folder / "keys.json"
    if path.is_file():
        return {str(name): str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    keys = {
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
        "fernet_key": _fernet_key(),
    }
    _write_private(path, json.dumps(keys))
    return keys


def write_airflow_password(folder: Path, user: str, password: str) -> Path:
    """Write the file Airflow's simple log-in reads, mode 0600, and return its path."""
    path = folder / "passwords.json"
    _write_private(path, json.dumps({user: password}))
    return path


def _write_private(path: Path, text: str) -> None:
    """Replace a file at once, never readable for others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.chmod(0o600)
    draft.replace(path)
