"""What every command has in common: JSON, help, one line for what goes wrong; and completion in the shell."""

from __future__ import annotations

import json
import os
import signal
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


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("weights", "wiki_atention", "--json"), 1, "did you mean wiki_attention?"),
        (("regime", "--json", "--as-of", "2026-01-31"), 1, "2026-01-31 is not a session of the exchange"),
        (("weights", "--json"), 2, "Missing argument 'strategy'."),
        (("restore", "/nowhere/x.tar", "--json"), 1, "/nowhere/x.tar does not exist"),
    ],
)
def test_with_json_a_failure_is_json_too(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, told: str
) -> None:
    assert run(words) == status
    out = capsys.readouterr()
    answer = json.loads(out.out)
    assert set(answer) == {"error", "status"}
    assert answer["status"] == status
    assert told in answer["error"]
    assert out.err == f"pas: {answer['error']}\n"


def test_a_defect_is_json_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pas_lib.stack.backup.restore", lambda *_, **__: 1 / 0)
    assert run(("restore", "x", "--json")) == 70
    assert json.loads(capsys.readouterr().out)["status"] == 70


def test_without_a_word_the_help_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(()) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert len(out.err.splitlines()) > 20
    assert not out.err.startswith("pas: ")


@pytest.mark.parametrize("group", ["risk", "portfolios", "tokens"])
def test_a_group_alone_shows_what_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    monkeypatch.setenv("PAS_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    monkeypatch.setenv("PAS_SANDBOX_URL", "http://127.0.0.1:1")
    # It gets as far as the store of record, which is not there.
    assert run((group,)) == 1
    assert "127.0.0.1" in capsys.readouterr().err
    assert run((group, "--json")) == 1
    assert json.loads(capsys.readouterr().out)["status"] == 1


def test_json_before_a_groups_command_counts_for_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pas_lib.warehouse.Warehouse.rows", lambda *_, **__: [])
    assert run(("portfolios", "--json", "list")) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(("portfolios", "list")) == 0
    assert "portfolios" in capsys.readouterr().out


def test_the_whole_run_answers_in_one_document_and_stays_up_after_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections.abc import Callable
    from typing import Any

    from pas_lib.stack.errors import StackError

    def whole(*, once: bool, sessions: int, answer: Callable[[dict[str, Any]], None] | None) -> None:
        assert answer is not None
        answer({"sessions": {"2026-01-30": {"once": once, "sessions": sessions}}})
        if not once:
            raise StackError("api ended with status -9")

    monkeypatch.setattr("pas_lib.stack.__main__.run", whole)
    assert run(("run", "--json", "--once", "--sessions", "2")) == 0
    out = capsys.readouterr()
    assert json.loads(out.out) == {"sessions": {"2026-01-30": {"once": True, "sessions": 2}}}
    assert run(("run", "--json")) == 1
    out = capsys.readouterr()
    assert json.loads(out.out)["sessions"]
    assert out.err == "pas: api ended with status -9\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_told_to_end_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    # `pas` in a process of its own, with a command that waits inside something that has to be ended.
    told = tmp_path / "ended"
    script = f"""
import signal, time, pathlib, pas_lib.ingest
from pas_lib.cli import main
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
def waits(*a, **k):
    try:
        print("waiting", flush=True)
        time.sleep(60)
    finally:
        pathlib.Path({str(told)!r}).write_text("in order")
pas_lib.ingest.parse_file = waits
import sys; sys.argv = ["pas", "parse", "prices", "x"]
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "pas: interrupted\n"
    assert told.read_text() == "in order"


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
