"""The stack as a service of one person on one machine: a systemd user unit around the supervisor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pas_lib.settings import PROJECT_ROOT, Settings
from pas_lib.stack.errors import StackError

UNIT = "pas.service"


def unit_text(settings: Settings, *, python: Path | None = None) -> str:
    """Return the unit: PostgreSQL, Airflow, API (and sandbox, where one is configured) under the one supervisor.

    Parameters
    ----------
    settings : Settings
        Whose home the unit is for; other settings are read from ``.env`` and ``config.yaml`` at each start.
    python : Path, optional
        The environment's interpreter; this process's own by default.
    """
    interpreter = python or Path(sys.executable)
    return f"""\
[Unit]
Description=Portfolio Allocation System
After=network-online.target
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
WorkingDirectory={_escaped(PROJECT_ROOT)}
Environment="PAS_HOME={_escaped(settings.home)}"
Environment="PYTHONPATH={_escaped(PROJECT_ROOT)}"
ExecStart="{_escaped(interpreter)}" -m pas_lib.stack serve
Restart=on-failure
RestartSec=10
# The supervisor ends its family in order, PostgreSQL last; only after that is anything made to.
KillMode=mixed
TimeoutStopSec=120
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def _escaped(path: Path) -> str:
    """Return a path as a unit file takes it: a percent sign would begin a specifier."""
    return str(path).replace("%", "%%").replace('"', '\\"')


def unit_path() -> Path:
    """Return where the person's own units lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "systemd" / "user" / UNIT


def install(settings: Settings) -> Path:
    """Write the unit and start it, now and at each log-in.

    Returns
    -------
    Path
        The unit file.

    Raises
    ------
    StackError
        If this machine has no systemd for users, or it refuses the unit; then the unit file is as it was before.
    """
    _require_systemd()
    path = unit_path()
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(unit_text(settings), encoding="utf-8")
    try:
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", UNIT)
    except StackError:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
        raise
    return path


def uninstall() -> bool:
    """Stop the service and take its unit away; data stays.

    Returns
    -------
    bool
        False if there was none.
    """
    path = unit_path()
    if not path.is_file():
        return False
    _require_systemd()
    _systemctl("disable", "--now", UNIT)
    path.unlink()
    _systemctl("daemon-reload")
    return True


def _require_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise StackError("there is no systemd here (systemctl is missing)", hint="`make run` works without it")


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StackError(
            f"systemctl --user {' '.join(arguments)}: {reason}",
            hint="a log-in session of your own is needed; `loginctl enable-linger` keeps it running after log-out",
        )
