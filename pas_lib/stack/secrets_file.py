"""Random secrets, made once: API tokens and the Airflow password in ``.env``, Airflow's own keys beside its data."""

from __future__ import annotations

import base64
import json
import os
import secrets
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
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    present: dict[str, str] = {}
    for line in lines:
        name, sep, value = line.strip().removeprefix("export ").partition("=")
        if sep and not name.startswith("#"):
            present[name.strip()] = value.strip().strip("'\"")
    tokens = {name: os.environ.get(name) or present.get(name) or "" for name in TOKENS}
    missing = [name for name, value in tokens.items() if not value]
    if missing:
        tokens |= {name: secrets.token_urlsafe(24) for name in missing}
        # A name left empty in the file is filled in place of the empty line.
        kept = [line for line in lines if line.strip().removeprefix("export ").partition("=")[0] not in missing]
        _write_private(path, "\n".join([*kept, *(f"{name}={tokens[name]}" for name in missing)]) + "\n")
    elif path.is_file():
        path.chmod(0o600)
    return tokens


def airflow_keys(folder: Path) -> dict[str, str]:
    """Return Airflow's signing and encryption keys, made at the first call and kept in ``keys.json`` (mode 0600)."""
    path = folder / "keys.json"
    if path.is_file():
        return {str(name): str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    keys = {
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
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
