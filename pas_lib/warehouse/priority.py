"""Long computations in the server give way to short reads, where server and caller share a machine.

PostgreSQL has no priorities of its own; the processes that serve a connection are ordinary ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

#: What is added to the niceness: an eleventh of the processor time of a process that is not nice, when both want it.
NICENESS = 10
#: Seconds between two looks for new processes: parallel workers come and go.
_EVERY = 0.1
_SERVING = "select pid from pg_stat_activity where application_name = %s"


@contextmanager
def giving_way(url: str, application: str) -> Iterator[None]:
    """Lower the priority of the server's processes that work for an application, as long as the block lasts.

    Nothing happens where the server is on another machine, or its processes belong to somebody else: it is a courtesy,
    never a reason to fail.

    Parameters
    ----------
    url : str
        libpq address; only a unix socket is a sign of the same machine.
    application : str
        ``application_name`` of the connections.
    """
    host = str(psycopg.conninfo.conninfo_to_dict(url).get("host") or "")
    if not host.startswith("/"):
        yield
        return
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(url, application, over), name="giving-way", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=10)


def _watch(url: str, application: str, over: threading.Event) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="pas-priority") as conn:
            while not over.wait(_EVERY):
                for (pid,) in conn.execute(_SERVING, (application,)).fetchall():
                    lower(pid)
    except (psycopg.Error, psutil.AccessDenied):
        return


def lower(pid: int) -> None:
    """Lower the priority of one process of PostgreSQL, once; one that is gone or something else is left alone."""
    try:
        process = psutil.Process(pid)
        if process.name().startswith("postgres") and process.nice() < NICENESS:
            process.nice(NICENESS)
    except psutil.NoSuchProcess:
        return
