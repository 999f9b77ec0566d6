"""Long computations in the server give way to short reads, where server and caller share a machine.

PostgreSQL has no priorities of its own; the processes that serve a connection are ordinary ones.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

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
    except (psycopg.Error, psutil.AccessDenied, PermissionError):
        return


def give_way() -> None:
    """Let this process work only when nothing else on its machine wants to; it does not come back from that.

    A process of low niceness still holds a processor for some milliseconds while another one wakes up, and a short read
    wakes up many times; one of the policy SCHED_IDLE leaves at once. Where there is no such policy, niceness has to do.
    """
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def lower(pid: int) -> None:
    """Let one process of PostgreSQL give way as :func:`give_way` does, if it is there and one of its."""
    try:
        process = psutil.Process(pid)
        if not process.name().startswith("postgres"):
            return
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        elif process.nice() < 19:
            process.nice(19)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
