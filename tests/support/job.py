"""The whole job as a person starts it, in a home and on ports of its own."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pas_lib.settings import PROJECT_ROOT
from pas_lib.stack.ports import is_free
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.support.paths import folder_in_memory

TOKENS = {
    "API_TOKEN": "test-admin-token-0123456789abcdef0123",
    "API_READ_TOKEN": "test-read-token-0123456789abcdef01234",
    "AIRFLOW_ADMIN_PASSWORD": "test-airflow-password-0123456789",
}

#: Keys of real accounts that happen to be set where the sandbox runs.
CANARIES = {
    "FRED_API_KEY": "c4n4ryfred0123456789abcdefabcdef",
    "QUIVER_API_KEY": "canary-quiver-0123456789",
    "ALPACA_API_KEY": "CANARYALPACA01234567",
    "ALPACA_API_SECRET": "canary-alpaca-secret-0123456789abcdef",
}


def free_ports(count: int) -> list[int]:
    """Return free loopback ports, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass
class Job:
    """``python -m pas_lib.stack run`` in a home of its own, on the small world unless told otherwise."""

    home: Path
    size: str = "small"
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    process: subprocess.Popen[str] | None = None
    output: list[str] = field(default_factory=list)
    seen_sessions: set[int] = field(default_factory=set)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def env(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PAS_", "AIRFLOW"))}
        return (
            clean
            | TOKENS
            | CANARIES
            | {
                "PAS_HOME": str(self.home),
                "PAS_SANDBOX_URL": self.sandbox_url,
                "PAS_API_PORT": str(self.ports[1]),
                "PAS_AIRFLOW_PORT": str(self.ports[2]),
                "PAS_TEST_SANDBOX_SIZE": self.size,
            }
            | self.extra
        )

    # -- running it

    def start(self, *arguments: str, command: str = "run") -> None:
        """Start it; its lines are read by :meth:`until` and :meth:`finish`."""
        self.output = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pas_lib.stack", command, *arguments],
            cwd=PROJECT_ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until(self, text: str) -> None:
        """Read its output up to a line that holds a text; fails if it ends before."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if text in line:
                self._note_sessions()
                return
        raise AssertionError(f"{text!r} never came:\n" + self.text)

    def finish(self) -> int:
        """Read the rest of its output and return its status."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if "] collect" in line:
                self._note_sessions()
        return self.process.wait(timeout=60)

    def run(self, *arguments: str) -> int:
        """Run it to its end."""
        self.start(*arguments)
        return self.finish()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def text(self) -> str:
        return "\n".join(self.output)

    def memory(self) -> int:
        """Return the bytes all its processes take now, PostgreSQL's too; shared pages counted once."""
        leaders = set(self.recorded().values()) | {self.process.pid if self.process else 0}
        postmaster = EmbeddedPostgres(self.home / "postgres").pid
        total = 0
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) in leaders or postmaster in (process.pid, process.ppid()):
                    total += process.memory_full_info().pss
            except (psutil.Error, OSError):
                continue
        return total

    def timings(self) -> dict[str, Any]:
        """Return what the steps of its last run took, in seconds."""
        return dict(json.loads((self.home / "run/timings.json").read_text(encoding="utf-8")))

    # -- what is left

    def recorded(self) -> dict[str, int]:
        """Return name -> process id of what the supervisor has started."""
        try:
            entries = json.loads((self.home / "run/processes.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {entry["name"]: entry["pid"] for entry in entries}

    def _note_sessions(self) -> None:
        self.seen_sessions |= set(self.recorded().values())

    def left_behind(self) -> list[str]:
        """Return what still runs or listens."""
        found = [f"port {port}" for port in self.ports if not is_free(port)]
        for process in psutil.process_iter():
            try:
                ours = os.getsid(process.pid) in self.seen_sessions or str(self.home) in " ".join(process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"process {process.pid} {process.name()}")
            except (psutil.Error, OSError):
                continue
        if EmbeddedPostgres(self.home / "postgres").pid is not None:
            found.append("PostgreSQL")
        return found

    def end(self) -> None:
        """End whatever a failed test left."""
        from pas_lib.stack.processes import Processes

        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)
        Processes(self.home).end_leftovers()
        EmbeddedPostgres(self.home / "postgres").stop()

    # -- what it wrote

    def live(self, name: str = "pas") -> Warehouse:
        """Return one of its databases while it runs."""
        return Warehouse(EmbeddedPostgres(self.home / "postgres").url(name))

    @contextmanager
    def database(self, name: str = "pas") -> Iterator[Warehouse]:
        """Open one of its databases while it does not run."""
        server = EmbeddedPostgres(self.home / "postgres")
        server.start()
        try:
            yield Warehouse(server.url(name))
        finally:
            server.stop()

    def save(self, archive: Path) -> None:
        """Write its home into an archive; nothing of it may run."""
        partial = archive.with_suffix(".partial")
        with tarfile.open(partial, "w") as file:
            file.add(self.home, arcname="home")
        partial.rename(archive)

    def take(self, archive: Path) -> None:
        """Go on from the home that another job saved."""
        with tarfile.open(archive) as file:
            # Owners too: as root, PostgreSQL runs as a user of its own.
            file.extractall(self.home.parent, filter="fully_trusted")

    def orders(self) -> list[tuple[Any, ...]]:
        """Return every order but for its id, in order."""
        query = """
            select session, portfolio_id, symbol, side, qty, state, filled_qty, filled_avg_price
            from ops.orders order by session, portfolio_id, symbol, side
        """
        with self.database() as warehouse:
            return [tuple(row.values()) for row in warehouse.rows(query)]

    def files_with(self, secret: str) -> list[str]:
        """Return the files of the home that hold a secret: logs, landing, both databases, the mirror.

        Airflow's own password file is what it is.
        """
        return [
            str(path.relative_to(self.home))
            for path in self.home.rglob("*")
            if path.is_file() and path.name != "passwords.json" and secret.encode() in _content(path)
        ]


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@contextmanager
def job_of_its_own(size: str = "small") -> Iterator[Job]:
    """A job in a temporary folder, ended afterwards.

    The folder is not pytest's: another test session may close that one to the user PostgreSQL runs as.
    """
    with tempfile.TemporaryDirectory(prefix="pas-job-", dir=folder_in_memory(), ignore_cleanup_errors=True) as folder:
        job = Job(Path(folder) / "home", size)
        try:
            yield job
        finally:
            job.end()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition of another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
