from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pas_lib.settings import load_settings
from pas_lib.stack import systemd
from pas_lib.stack.errors import StackError


@pytest.fixture
def user_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's configuration, and a systemctl that writes down what it is told."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n[ ! -e {tmp_path}/refuse ] || {{ echo no bus >&2; exit 1; }}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_it_is_installed_started_and_taken_away_again(user_systemd: Path) -> None:
    settings = load_settings({"PAS_HOME": str(user_systemd / "my home")}, root=user_systemd)
    path = systemd.install(settings)
    assert path == user_systemd / "config/systemd/user/pas.service"
    assert f'Environment="PAS_HOME={user_systemd}/my home"' in path.read_text()
    assert systemd.uninstall()
    assert not path.exists()
    assert not systemd.uninstall()
    assert (user_systemd / "told").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now pas.service",
        "--user disable --now pas.service",
        "--user daemon-reload",
    ]


def test_a_refusal_is_one_line_with_advice(user_systemd: Path) -> None:
    (user_systemd / "refuse").touch()
    with pytest.raises(StackError, match=r"systemctl --user daemon-reload: no bus \(.*enable-linger"):
        systemd.install(load_settings({}, root=user_systemd))
    # Nothing is left that `make uninstall-service` could not take away, and an older unit stays what it was.
    assert not list((user_systemd / "config").rglob("*.service"))
    unit = systemd.unit_path()
    unit.write_text("older", encoding="utf-8")
    with pytest.raises(StackError):
        systemd.install(load_settings({}, root=user_systemd))
    assert unit.read_text(encoding="utf-8") == "older"


def test_without_systemd_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(StackError, match="there is no systemd here"):
        systemd.install(load_settings({}, root=tmp_path))
    assert not list(tmp_path.rglob("*.service"))


def test_a_percent_sign_in_a_path_stays_one(tmp_path: Path) -> None:
    settings = load_settings({"PAS_HOME": "/data/100%"}, root=tmp_path)
    assert 'Environment="PAS_HOME=/data/100%%"' in systemd.unit_text(settings)


def test_systemd_itself_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / systemd.UNIT
    unit.write_text(systemd.unit_text(load_settings({}, root=tmp_path)))
    # Without a folder for its run time it would not look at the unit at all.
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently"))
    wrong = subprocess.run(
        done.args, capture_output=True, text=True, check=False, env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    )
    assert "gently" in wrong.stderr
