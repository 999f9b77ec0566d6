"""The programs of the stack as processes: each in a session of its own, so that its whole family can be ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from pas_lib.stack import signals
from pas_lib.stack.errors import StackError

#: Seconds until a process that was killed is gone.
_DYING = 10.0


@dataclass
class Child:
    """A program that was started.

    Attributes
    ----------
    name : str
        What it is called in messages.
    popen : subprocess.Popen
        Its first process; also the leader of its session.
    log : Path
        Where its output goes.
    """

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Process id of the leader, and id of its session."""
        return self.popen.pid

    def is_alive(self) -> bool:
        """Return whether the leader still runs."""
        return self.popen.poll() is None

    def last_line(self) -> str:
        """Return the last line of its log that says something."""
        return last_line(self.log)


def last_line(path: Path) -> str:
    """Return the last non-empty line of a text file, or an empty string."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 8192))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class Processes:
    """Starts programs, remembers them on disk, and ends them with everything they started.

    Parameters
    ----------
    home : Path
        ``run/`` (who runs) and ``logs/`` are kept in it.
    """

    def __init__(self, home: Path) -> None:
        self.run_dir = home / "run"
        self.log_dir = home / "logs"
        self.children: list[Child] = []
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(parents=True, exist_ok=True)

    @property
    def _record(self) -> Path:
        return self.run_dir / "processes.json"

    @contextlib.contextmanager
    def only_one(self) -> Iterator[None]:
        """Hold this home for one supervisor.

        Raises
        ------
        StackError
            If another one holds it.
        """
        with (self.run_dir / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                raise StackError(
                    f"another run is up in {self.run_dir.parent} (process {lock.read().strip() or 'unknown'})",
                    hint="end it with Ctrl-C there, or set PAS_HOME",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    # -- life

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int | IO[Any] = subprocess.DEVNULL,
    ) -> Child:
        """Start a program in a session of its own, its output going to ``logs/<name>.log``."""
        log = self.log_dir / f"{name}.log"
        with signals.held_back(), log.open("ab") as output:
            popen = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            child = Child(name, popen, log)
            self.children.append(child)
            self._remember()
        return child

    def put_logs_aside(self) -> None:
        """Keep the logs of the run before this one in ``logs/previous``."""
        aside = self.log_dir / "previous"
        aside.mkdir(exist_ok=True)
        for log in self.log_dir.glob("*.log"):
            log.replace(aside / log.name)

    def require_alive(self) -> None:
        """Raise for the first program that has ended.

        Raises
        ------
        StackError
            Naming it, its status, its last line and its log.
        """
        for child in self.children:
            if not child.is_alive():
                raise StackError(
                    f"{child.name} ended with status {child.popen.returncode}: {child.last_line()[:300]}",
                    hint=f"log: {child.log}",
                )

    def stop(self, *, patience: float = 5.0) -> None:
        """End every program and everything it started: asked first, made to after ``patience`` seconds."""
        end_sessions([child.pid for child in self.children], patience=patience)
        for child in self.children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.popen.wait(timeout=5)
        self.children.clear()
        self._record.unlink(missing_ok=True)

    # -- leftovers of a supervisor that was killed

    def end_leftovers(self, *, patience: float = 3.0) -> list[str]:
        """End what a supervisor that was killed left running, and return the names of it.

        A recorded process counts only if it is the very one that was started: same id, same start time. Members of its
        session are ended with it, also when the leader is gone.
        """
        try:
            recorded = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        leaders: dict[int, str] = {}
        for entry in recorded:
            pid, started = int(entry["pid"]), float(entry["started"])
            if _is_same(pid, started) or (not psutil.pid_exists(pid) and _members([pid])):
                leaders[pid] = str(entry["name"])
        end_sessions(list(leaders), patience=patience)
        self._record.unlink(missing_ok=True)
        return sorted(leaders.values())

    def _remember(self) -> None:
        entries = []
        for child in self.children:
            with contextlib.suppress(psutil.Error):
                entries.append(
                    {"name": child.name, "pid": child.pid, "started": psutil.Process(child.pid).create_time()}
                )
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(entries), encoding="utf-8")
        draft.replace(self._record)


def _is_same(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1.0
    except psutil.Error:
        return False


def _members(sessions: Sequence[int]) -> list[psutil.Process]:
    """Return the living processes of the given sessions. Members may change their group, never their session."""
    wanted = set(sessions)
    found = []
    for pid in psutil.pids():
        try:
            if pid != os.getpid() and os.getsid(pid) in wanted:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def end_sessions(sessions: Sequence[int], *, patience: float) -> None:
    """End all processes of the given sessions: SIGTERM, and SIGKILL for what is left after ``patience`` seconds."""
    for process in _members(sessions):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while (left := _members(sessions)) and time.monotonic() < deadline:
        time.sleep(0.05)
    # Again and again: a process may have been forked between listing and killing, and dying takes a moment.
    deadline = time.monotonic() + _DYING
    while left and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)
        left = _members(sessions)
