"""What every command has in common: JSON, help, one line for what goes wrong; and completion in the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pas_lib.cli.app import run
from pas_lib.reference import commands
from pas_lib.settings import PROJECT_ROOT

ALL = dict(commands())


def test_every_command_answers_in_json_and_is_described() -> None:
    assert len(ALL) > 35
    for name, command in ALL.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, name
        assert command.help, name
        for parameter in command.params:
            assert parameter.name == "help" or getattr(parameter, "help", None), (name, parameter.name)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("weigths",), "No such command 'weigths'. Did you mean 'weights'?"),
        (("weights",), "Missing argument 'strategy'."),
        (("regime", "--as-off", "2026-01-30"), "No such option: --as-off"),
        (("risk", "add-rul"), "No such command 'add-rul'. Did you mean 'add-rule'"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    assert run(words) == 2
    out = capsys.readouterr()
    assert out.out == ""
    (line,) = out.err.splitlines()
    assert told in line


def complete(words: str) -> list[str]:
    """Ask as the shell does, through a script called `pas`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PAS_")}
    asked = {"_PAS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "pas_lib.cli"],
        cwd=PROJECT_ROOT,
        env=env | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_shell_completes_commands_and_options() -> None:
    assert complete("pas wei") == ["weights"]
    assert complete("pas risk add") == ["add-rule"]
    assert "--as-of" in complete("pas regime --")


def test_the_script_that_make_writes_is_completed_by_its_name(tmp_path: Path) -> None:
    script = tmp_path / "pas"
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH="{PROJECT_ROOT}" exec "{sys.executable}" -m pas_lib.cli "$@"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    # In bash, which the command finds among its parents.
    ask = ["bash", "-c", f"'{script}' --show-completion; exit $?"]
    shown = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    assert "complete -o default -F _pas_completion pas" in shown
    lines = f"""
PATH="{tmp_path}:$PATH"
{shown}
COMP_WORDS=(pas dash); COMP_CWORD=1; _pas_completion pas; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dashboard"]
