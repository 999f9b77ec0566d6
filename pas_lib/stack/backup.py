"""One file that holds everything that cannot be made again: the store of record, the landing, the sandbox's state.

Left out on purpose: secrets (``.env``), Airflow's record of its runs, and what follows from the rest (the mirror, dbt's
output). The file is a tar archive whose first member says what it is.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from pas_lib.clock import Clock
from pas_lib.errors import PasError, WarehouseError
from pas_lib.settings import Settings
from pas_lib.stack.processes import Processes
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.migrate import create_database, identity

FORMAT = 1
_MANIFEST = "manifest.json"
_DUMP = "warehouse.dump"
#: Folders of the home that are kept beside the landing; each may be absent.
_FOLDERS = ("sandbox", "run")
#: Of the moment, not of the system: who runs now.
_NOT_KEPT = frozenset({"run/lock", "run/processes.json"})


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes
    ----------
    format : int
        Version of this layout.
    created_at : str
        When, ISO 8601.
    warehouse_id, origin : str
        The warehouse's identity.
    schema_version : int
        Newest migration applied.
    rows : Mapping[str, int]
        Rows per table of ``raw`` and ``ops``, counted in the snapshot that was dumped.
    landing : str
        ``included``, or the address of a landing that is not on this machine and is not part of the file.
    """

    format: int
    created_at: str
    warehouse_id: str
    origin: str
    schema_version: int
    rows: Mapping[str, int]
    landing: str = "included"


def create(settings: Settings, clock: Clock, target: Path) -> Backup:
    """Write a backup; the system may be running.

    The queue of the landing is copied first, then the database is dumped from one snapshot, then the landing's files:
    a run that is loaded meanwhile is in the copy's queue or in its database, or in both (loading twice changes
    nothing), never in neither.

    Parameters
    ----------
    settings : Settings
        Which home, landing and database; the embedded server is started for it if it does not run.
    clock : Clock
        For the date inside: the machine's, also where the system's own time is the sandbox's.
    target : Path
        File to write; it appears whole or not at all, readable by its owner only.

    Returns
    -------
    Backup

    Raises
    ------
    PasError
        If the file exists already, or PostgreSQL cannot be reached or dumped.
    """
    if target.exists():
        raise PasError(f"{target} exists already", hint="name another file")
    if settings.database_url is None and not (settings.home / "postgres" / "PG_VERSION").is_file():
        raise WarehouseError(f"there is no warehouse in {settings.home}", hint="create it with `make run`")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    landing = _local_landing(settings)
    try:
        with (
            _server(settings) as warehouse,
            _private(partial) as stream,
            tarfile.open(fileobj=stream, mode="w") as archive,
        ):
            queue = io.BytesIO()
            if landing is not None:
                with tarfile.open(fileobj=queue, mode="w") as early:
                    _add_folder(early, landing / "queue", "landing/queue")
            with tempfile.TemporaryDirectory(prefix="pas-backup-") as folder:
                dump = Path(folder) / _DUMP
                manifest = _dump(warehouse, dump, clock.now(), "included" if landing else settings.landing_url)
                text = json.dumps(asdict(manifest), indent=2).encode()
                info = tarfile.TarInfo(_MANIFEST)
                info.size, info.mode, info.mtime = len(text), 0o600, int(clock.now().timestamp())
                archive.addfile(info, io.BytesIO(text))
                archive.add(dump, _DUMP)
            if landing is not None:
                _add_folder(archive, landing, "landing", leave_out=frozenset({"landing/queue"}))
                queue.seek(0)
                with tarfile.open(fileobj=queue) as early:
                    for member in early.getmembers():
                        archive.addfile(member, early.extractfile(member) if member.isfile() else None)
            for name in _FOLDERS:
                _add_folder(archive, settings.home / name, f"home/{name}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def inspect(source: Path) -> Backup:
    """Return what a backup says of itself.

    Raises
    ------
    PasError
        If the file is missing or is no backup of this system, or of a newer layout.
    """
    try:
        with tarfile.open(source) as archive:
            first = archive.next()
            stream = archive.extractfile(first) if first is not None and first.name == _MANIFEST else None
            if stream is None:
                raise PasError(f"{source} is not a backup of this system")
            found = json.loads(stream.read())
    except FileNotFoundError:
        raise PasError(f"{source} does not exist") from None
    except (tarfile.TarError, ValueError, OSError):
        raise PasError(f"{source} is not a backup of this system, or it is damaged") from None
    if found.get("format") != FORMAT:
        raise PasError(f"{source} has layout {found.get('format')}, this code knows {FORMAT}", hint="update the code")
    return Backup(**found)


def restore(settings: Settings, source: Path, *, replace: bool = False) -> Backup:
    """Put a backup in place of what the home and its warehouse hold.

    Landing and sandbox are unpacked beside the old ones first; then the database changes in one transaction; then the
    folders change places. Cut off before the transaction, nothing has changed; cut off after it, running it again
    completes it. The old landing's files stay where the backup has none of that name: a landing is only ever added to,
    and what was landed after the backup can be loaded again from it.

    Parameters
    ----------
    settings : Settings
        Which home, landing and database.
    source : Path
        A file written by :func:`create`.
    replace : bool
        Needed when the database holds a warehouse already.

    Returns
    -------
    Backup
        What was restored; the database's row counts were compared with it.

    Raises
    ------
    PasError
        If the stack is up, the file is damaged, of another origin than the settings ask for, or a warehouse would be
        overwritten without ``replace``.
    """
    backup = inspect(source)
    if backup.origin != settings.origin:
        raise WarehouseError(
            f"the backup holds {backup.origin} data, PAS_SOURCES asks for {settings.origin}: origins never mix"
        )
    processes = Processes(settings.home)
    with processes.only_one(), _server(settings) as warehouse:
        if not replace and _is_warehouse(warehouse):
            raise WarehouseError(
                f"{warehouse.shown_url} holds a warehouse already",
                hint="back it up, then say --replace",
            )
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.home) as folder:
            unpacked = Path(folder)
            with tarfile.open(source) as archive:
                archive.extractall(unpacked, filter="data")
            landing = _local_landing(settings)
            if (unpacked / "landing").is_dir() and landing is not None:
                _merge(unpacked / "landing", landing)
            _load(warehouse, unpacked / _DUMP)
            _compare(warehouse, backup)
            for name in _FOLDERS:
                _exchange(unpacked / "home" / name, settings.home / name)
    settings.mirror_path.unlink(missing_ok=True)
    return backup


# ----------------------------------------------------------------------------------------------------- database


def _dump(warehouse: Warehouse, dump: Path, now: datetime, landing: str) -> Backup:
    """Dump from an exported snapshot, and count in the same one."""
    who = identity(warehouse)
    with warehouse.connect() as conn:
        conn.execute("set transaction isolation level repeatable read, read only")
        snapshot = conn.execute("select pg_export_snapshot()").fetchone()
        version = conn.execute("select max(version) from ops.schema_version").fetchone()
        rows = _counts(conn)
        _program(
            "pg_dump",
            "--format=custom",
            "--compress=1",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot[0] if snapshot else ''}",
            f"--file={dump}",
            warehouse=warehouse,
        )
    return Backup(
        FORMAT, now.isoformat(), who.warehouse_id, who.origin, int(version[0]) if version else 0, rows, landing
    )


def _load(warehouse: Warehouse, dump: Path) -> None:
    _program(
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--no-privileges",
        "--single-transaction",
        "--exit-on-error",
        str(dump),
        warehouse=warehouse,
    )


def _program(name: str, *arguments: str, warehouse: Warehouse) -> None:
    """Run a client program of PostgreSQL; the address goes through the environment, where no process list shows it."""
    info = {key: str(value) for key, value in psycopg.conninfo.conninfo_to_dict(warehouse.url).items() if value}
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
    env = dict(os.environ) | {names[key]: value for key, value in info.items() if key in names}
    # pg_restore writes to standard output unless a database is named; the password stays out of it.
    extra = ("--dbname", info.get("dbname", "")) if name == "pg_restore" else ()
    done = subprocess.run(
        [str(EmbeddedPostgres.program(name)), "--no-password", *extra, *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:300])
        raise WarehouseError(f"{name} of {warehouse.shown_url} failed: {reason}", hint="nothing was changed")


def _counts(conn: psycopg.Connection[Any]) -> dict[str, int]:
    tables = conn.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema in ('raw', 'ops') and table_type = 'BASE TABLE' order by 1, 2"
    ).fetchall()
    counts = {}
    for schema, table in tables:
        query = psycopg.sql.SQL("select count(*) from {}").format(psycopg.sql.Identifier(schema, table))
        row = conn.execute(query).fetchone()
        counts[f"{schema}.{table}"] = int(row[0]) if row else 0
    return counts


def _compare(warehouse: Warehouse, backup: Backup) -> None:
    with warehouse.connect() as conn:
        found = _counts(conn)
    for table, rows in backup.rows.items():
        if found.get(table) != rows:
            raise WarehouseError(f"{table} has {found.get(table)} rows after the restore, the backup says {rows}")


def _is_warehouse(warehouse: Warehouse) -> bool:
    with warehouse.connect() as conn:
        found = conn.execute("select to_regclass('ops.warehouse_identity')").fetchone()
        return bool(found and found[0])


@contextmanager
def _server(settings: Settings) -> Iterator[Warehouse]:
    """Yield the warehouse; the embedded server is started for it if need be, and stopped again."""
    warehouse = Warehouse.from_settings(settings)
    if settings.database_url is not None:
        yield warehouse
        return
    postgres = EmbeddedPostgres(settings.home / "postgres")
    running = postgres.is_running()
    postgres.start()
    try:
        create_database(Warehouse(postgres.url()), "pas")
        yield warehouse
    finally:
        if not running:
            postgres.stop()


# ------------------------------------------------------------------------------------------------------- files


def _local_landing(settings: Settings) -> Path | None:
    parts = urlsplit(settings.landing_url)
    if parts.scheme not in ("", "file"):
        return None
    return Path(parts.path if parts.scheme else settings.landing_url)


@contextmanager
def _private(path: Path) -> Iterator[io.BufferedWriter]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _add_folder(archive: tarfile.TarFile, folder: Path, name: str, *, leave_out: frozenset[str] = frozenset()) -> None:
    if not folder.is_dir():
        return

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = member.name.removeprefix("home/")
        draft = member.name.endswith(".part")
        return None if draft or member.name in leave_out or inside in _NOT_KEPT else member

    archive.add(folder, name, filter=keep)


def _merge(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{place.name}.part")
            shutil.copyfile(path, draft)
            draft.replace(place)


def _exchange(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    if target.name == "run":
        # Its lock is held by this very process: the folder stays, its content is replaced.
        _merge(source, target)
        return
    aside = source.with_name(f"{source.name}.old")
    if target.exists():
        target.replace(aside)
    source.replace(target)
