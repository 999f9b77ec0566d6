"""Which browser sessions were logged out. Their cookies are signed and would open the dashboard until their time."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

import psycopg

from api.errors import NotReady
from pas_lib.errors import PasError

log = logging.getLogger("api.sessions")

#: Seconds a session that was looked up is taken to be what it was.
REMEMBERED = 2.0
#: More sessions than this are not kept in mind: they are looked up again.
_MOST = 1000

#: Says whether the session of a digest was ended.
Find = Callable[[bytes], bool]
#: Keeps the end of the session of a digest: when it was, and when its cookie ends.
Keep = Callable[[bytes, datetime, datetime], object]


def _none(digest: bytes) -> bool:
    del digest
    return False


def _nowhere(digest: bytes, ended_at: datetime, cookie_ends: datetime) -> None:
    del digest, ended_at, cookie_ends


class EndedSessions:
    """The log-outs, kept in PostgreSQL so that a restart does not forget them and other processes learn of them.

    While PostgreSQL cannot be asked, sessions that this process knows to hold go on (the dashboard shows the mirror
    then); of others it cannot be told, so that they have to log in again.

    Parameters
    ----------
    find, keep : Callable, optional
        Without them the log-outs live as long as the process.
    """

    def __init__(self, find: Find = _none, keep: Keep = _nowhere) -> None:
        self._find = find
        self._keep = keep
        self._ended: dict[bytes, datetime] = {}
        #: Known to hold: when that was looked up, by this process's own count of seconds.
        self._held: dict[bytes, float] = {}
        self._unkept: list[tuple[bytes, datetime, datetime]] = []
        self._lock = threading.Lock()

    def opened(self, session_id: str) -> None:
        """Remember a session that begins."""
        self._hold(_digest(session_id))

    def has(self, session_id: str) -> bool:
        """Return whether a session was ended, or may have been for all that can be told."""
        digest = _digest(session_id)
        with self._lock:
            if digest in self._ended:
                return True
            since = self._held.get(digest)
        if since is not None and monotonic() - since < REMEMBERED:
            return False
        try:
            self._keep_the_rest()
            if self._find(digest):
                with self._lock:
                    self._held.pop(digest, None)
                return True
        except NotReady:
            return since is None
        self._hold(digest)
        return False

    def end(self, session_id: str, now: datetime, cookie_ends: datetime) -> None:
        """End a session, here at once."""
        digest = _digest(session_id)
        with self._lock:
            self._ended = {one: ends for one, ends in self._ended.items() if ends > now}
            self._ended[digest] = cookie_ends
            self._held.pop(digest, None)
            self._unkept.append((digest, now, cookie_ends))
        self._keep_the_rest()

    def _hold(self, digest: bytes) -> None:
        with self._lock:
            if len(self._held) >= _MOST:
                self._held.clear()
            self._held[digest] = monotonic()

    def _keep_the_rest(self) -> None:
        """Store the ends that are not stored yet; what cannot be stored now is tried again with the next look."""
        with self._lock:
            waiting, self._unkept = self._unkept, []
        for number, one in enumerate(waiting):
            try:
                self._keep(*one)
            except (PasError, psycopg.Error) as error:
                log.warning("%d log-outs are not stored yet: %s", len(waiting) - number, type(error).__name__)
                with self._lock:
                    self._unkept = waiting[number:] + self._unkept
                return


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "replace")).digest()
