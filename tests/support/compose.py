"""``docker-compose.yaml`` without Docker: its services as processes on loopback, with the environment of that file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pas_lib.settings import PROJECT_ROOT
from pas_lib.stack.ports import is_free
from pas_lib.warehouse.embedded import EmbeddedPostgres

FILE = PROJECT_ROOT / "docker-compose.yaml"
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:\?|:-)(?P<rest>[^}]*))?\}")


class Unset(Exception):
    """A variable that the file demands is not set."""


def load(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with its variables filled in, as the compose specification says."""

    def fill(match: re.Match[str]) -> str:
        if match.group(0) == "$$":
            return "$"
        name, how, rest = match.group("name"), match.group("how"), match.group("rest") or ""
        value = env.get(name, "")
        if not value and how == ":?":
            raise Unset(f"{name}: {rest}")
        return value or (rest if how == ":-" else "")

    def walk(node: Any) -> Any:
        if isinstance(node, str):
            return _VARIABLE.sub(fill, node)
        if isinstance(node, list):
            return [walk(item) for item in node]
        if isinstance(node, dict):
            return {key: walk(item) for key, item in node.items()}
        return node

    return dict(walk(yaml.safe_load(FILE.read_text(encoding="utf-8"))))


@dataclass
class Processes:
    """The stack's services as processes.

    A container has addresses and folders of its own; here they are replaced by loopback ports and one folder, in the
    texts of the file, and nothing else is changed.
    """

    home: Path
    secrets: Mapping[str, str]
    ports: Mapping[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = load(self.secrets)["services"]
        self.logs = self.home / "process-logs"
        self.logs.mkdir(parents=True)

    # -- the file's words on this machine

    def here(self, text: str) -> str:
        for container, port in (
            ("postgres:5432", self.ports["postgres"]),
            ("redis:6379", self.ports["redis"]),
            ("airflow-api-server:8080", self.ports["airflow"]),
            ("sandbox:8765", self.ports["sandbox"]),
            ("127.0.0.1:8080", self.ports["airflow"]),
            ("127.0.0.1:8001", self.ports["api"]),
            ("127.0.0.1:8765", self.ports["sandbox"]),
        ):
            text = text.replace(container, f"127.0.0.1:{port}")
        text = text.replace("0.0.0.0", "127.0.0.1")
        return text.replace("/var/lib/pas", str(self.home)).replace("/opt/pas", str(PROJECT_ROOT))

    def environment(self, service: str) -> dict[str, str]:
        """Return a service's environment; of this machine's only what a program cannot start without."""
        machine = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.home)}
        stated = {name: self.here(str(value)) for name, value in self.services[service]["environment"].items()}
        if "PAS_API_PORT" in stated:
            stated["PAS_API_PORT"] = str(self.ports["api"])
        return machine | stated | {"PAS_TEST_SANDBOX_SIZE": "small"}

    def command(self, service: str) -> list[str]:
        """Return a service's command with the ports of this machine."""
        places = {"8080": self.ports["airflow"], "8765": self.ports["sandbox"]}
        words = [str(places.get(word, self.here(word))) for word in self.services[service]["command"]]
        if service == "sandbox":
            words += ["--size", "small"]
        if service == "redis":
            words += ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1"]
        return [sys.executable if word == "python" else word for word in words]

    # -- life

    def start(self, service: str, name: str = "", **extra: str) -> subprocess.Popen[bytes]:
        name = name or service
        with (self.logs / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                self.command(service),
                env=self.environment(service) | extra,
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = process
        return process

    def run(self, service: str, timeout: float) -> str:
        """Run a service to its end and return what it said; fails if it ended badly."""
        process = self.start(service)
        status = process.wait(timeout=timeout)
        said = self.log(service)
        assert status == 0, f"{service} ended with {status}:\n{said[-3000:]}"
        return said

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def healthy(self, service: str, seconds: float = 180.0, *, name: str = "") -> None:
        """Wait until the service's own health check passes, for the process of that name."""
        name = name or service
        how, *words = self.services[service]["healthcheck"]["test"]
        command = [sys.executable if word == "python" else self.here(word) for word in words]
        if how == "CMD-SHELL":
            command = ["sh", "-c", *command]
        # A container's name is in its environment.
        env = self.environment(service) | {"HOSTNAME": socket.gethostname()}
        deadline = time.monotonic() + seconds
        while (done := subprocess.run(command, env=env, capture_output=True, check=False, cwd=PROJECT_ROOT)).returncode:
            process = self.running[name]
            assert process.poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
            assert time.monotonic() < deadline, f"{name} is not healthy: {done}\n{self.log(name)[-3000:]}"
            time.sleep(0.5)

    def kill(self, name: str) -> None:
        """End a service's whole family at once, as a machine that loses power does."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)

    def stop(self) -> None:
        for process in reversed(list(self.running.values())):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=20)


@contextmanager
def postgres_for(stack: Processes) -> Iterator[None]:
    """PostgreSQL on loopback, its databases made by the file's own script and opened by password only."""
    folder = stack.home / "compose-postgres"
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    server.stop()
    port = stack.ports["postgres"]
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"listen_addresses = '127.0.0.1'\nport = {port}\n")
    (folder / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    user = "pgserver" if os.geteuid() == 0 else None
    bin_dir = EmbeddedPostgres.program("pg_ctl").parent
    control = [str(bin_dir / "pg_ctl"), "-w", "-D", str(folder), "-o", f"-k {folder}", "-l", str(folder / "log")]
    subprocess.run([*control, "start"], check=True, user=user, capture_output=True)
    try:
        env = {"PATH": f"{bin_dir}:{os.environ['PATH']}", "PGHOST": str(folder), "PGPORT": str(port)}
        subprocess.run(
            [str(PROJECT_ROOT / "docker/postgres/10-databases.sh")],
            env=env | stack.services["postgres"]["environment"],
            check=True,
            capture_output=True,
        )
        yield
    finally:
        subprocess.run([*control[:4], "-m", "immediate", "stop"], check=False, user=user, capture_output=True)


def missing_programs() -> list[str]:
    """Return what the machine lacks to run the stack as processes."""
    wanted = {
        "redis-server": shutil.which("redis-server"),
        "celery": shutil.which("celery", path=str(Path(sys.executable).parent)),
    }
    # The scheduler's health answers on a port of its own.
    lacking = [name for name, found in wanted.items() if not found]
    return lacking if is_free(8974) else [*lacking, "port 8974"]
