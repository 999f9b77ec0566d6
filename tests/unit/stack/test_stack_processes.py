"""Processes: the whole family ends, leftovers are found, a second supervisor is refused, ports are named."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pas_lib.stack.errors import StackError
from pas_lib.stack.ports import Port, require_free
from pas_lib.stack.processes import Processes, end_sessions, last_line

# A parent that is deaf to SIGTERM, with a child in a process group of its own, as a task of Airflow is.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
print(child.pid, flush=True)
time.sleep(600)
"""
QUIET = [sys.executable, "-c", "import time; time.sleep(600)"]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.stop(patience=0.1)


def start(processes: Processes, name: str, command: list[str]) -> int:
    return processes.start(name, command, env=dict(os.environ), cwd=Path.cwd()).pid


def test_the_whole_family_ends_also_when_the_parent_is_deaf(processes: Processes) -> None:
    parent = start(processes, "family", [sys.executable, "-c", FAMILY])
    log = processes.log_dir / "family.log"
    wait_for(lambda: last_line(log))
    child = int(last_line(log))
    assert os.getpgid(child) != os.getpgid(parent)
    processes.stop(patience=0.2)
    assert not is_running(parent)
    assert not is_running(child)
    assert not (processes.run_dir / "processes.json").exists()


def test_what_a_killed_supervisor_left_is_ended_by_the_next(processes: Processes, tmp_path: Path) -> None:
    pid = start(processes, "sandbox", QUIET)
    # Another supervisor on the same home knows it from the record only.
    assert Processes(tmp_path).end_leftovers() == ["sandbox"]
    assert not is_running(pid)
    assert Processes(tmp_path).end_leftovers() == []


def test_members_of_a_dead_leaders_session_are_ended_too(processes: Processes, tmp_path: Path) -> None:
    parent = start(processes, "family", [sys.executable, "-c", FAMILY])
    log = processes.log_dir / "family.log"
    wait_for(lambda: last_line(log))
    child = int(last_line(log))
    os.kill(parent, signal.SIGKILL)
    processes.children[0].popen.wait(timeout=10)
    assert is_running(child)
    assert Processes(tmp_path).end_leftovers(patience=0.2) == ["family"]
    assert not is_running(child)


def test_a_stranger_with_a_recorded_id_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(QUIET, start_new_session=True)
    try:
        record = tmp_path / "run" / "processes.json"
        record.parent.mkdir()
        record.write_text(json.dumps([{"name": "api", "pid": stranger.pid, "started": 1.0}]))
        assert Processes(tmp_path).end_leftovers() == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_broken_record_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/processes.json").write_text("{")
    assert Processes(tmp_path).end_leftovers() == []


def test_a_program_that_died_is_named_with_its_last_words(processes: Processes) -> None:
    start(processes, "quiet", QUIET)
    start(processes, "api", [sys.executable, "-c", "import sys; sys.exit('the token is weak')"])
    processes.children[1].popen.wait(timeout=30)
    with pytest.raises(StackError, match=r"api ended with status 1: the token is weak \(log: .*api\.log\)"):
        processes.require_alive()


def test_one_home_has_one_supervisor(tmp_path: Path) -> None:
    with (
        Processes(tmp_path).only_one(),
        pytest.raises(StackError, match=rf"another run is up .*process {os.getpid()}"),
        Processes(tmp_path).only_one(),
    ):
        pass
    with Processes(tmp_path).only_one():
        pass


def test_ending_sessions_that_are_gone_is_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    gone.wait(timeout=30)
    end_sessions([gone.pid], patience=0.1)


def test_a_port_in_use_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {number} for the API is in use \(.*set PAS_API_PORT\)"):
            require_free([Port(number, "the API", "PAS_API_PORT")])
    require_free([Port(number, "the API", "PAS_API_PORT")])


def test_two_programs_on_one_port_are_told_apart() -> None:
    with pytest.raises(StackError, match="PAS_AIRFLOW_PORT or PAS_API_PORT"):
        require_free([Port(1, "the API", "PAS_API_PORT"), Port(1, "Airflow", "PAS_AIRFLOW_PORT")])
