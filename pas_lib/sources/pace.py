"""The pace at a site, shared by all that ask it.

The algorithm (GCRA: one request each interval) is pyrate-limiter's; here is only where its one number lies. It lies in
a file, under a lock, for all processes of a machine, and beside it in the warehouse for the workers of all machines: a
request goes out when both allow it. While PostgreSQL is away the file goes on by itself.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from pyrate_limiter import GCRA, Limiter, Rate, StateBucket, StateStore, WallClock

if TYPE_CHECKING:
    from pyrate_limiter.abstracts.algorithm import Decision, State, StateAlgorithm

    from pas_lib.warehouse import Warehouse

#: No site is asked so seldom: a number further ahead comes from a clock that was wrong.
_FAR_US = 3_600_000_000
#: Questions answered by the file alone before the warehouse is tried again.
_TRY_AGAIN = 50

_TAKE = """
    insert into ops.site_pace as p (site, arrival_us) values (%(site)s, 0)
    on conflict (site) do update set arrival_us = p.arrival_us
    returning arrival_us, (extract(epoch from clock_timestamp()) * 1000)::bigint
"""


class SharedPace(StateStore):
    """State of one site in a file and, where it can be reached, in the warehouse.

    Parameters
    ----------
    site : str
        Whose pace it is.
    folder : Path
        Where the files of all sites are.
    warehouse : Warehouse, optional
        Shared with workers on other machines.
    """

    is_async = False
    default_clock = WallClock()

    def __init__(self, site: str, folder: Path, warehouse: Warehouse | None = None) -> None:
        self.site = site
        self.path = folder / site
        self.warehouse = warehouse
        self._conn: psycopg.Connection[Any] | None = None
        self._alone = 0
        folder.mkdir(parents=True, exist_ok=True)

    def check(self, algorithm: StateAlgorithm, rates: list[Rate], now: int, weight: int) -> Decision:
        """Apply a step of the algorithm to both states, or to neither."""
        with self._file() as handle:
            state, decision = algorithm.step(rates, _read(handle, now), now, weight)
            if decision.allowed:
                decision = self._ask_the_others(algorithm, rates, weight) or decision
            if decision.allowed:
                handle.seek(0)
                handle.write(b"%020d" % int(state[0]))
                handle.flush()
            return decision

    def read(self, algorithm: StateAlgorithm, rates: list[Rate]) -> State:  # noqa: ARG002 - part of the contract
        """Return the file's state."""
        with self._file() as handle:
            return _read(handle, self.default_clock.now())

    def reset(self) -> None:
        """Forget the file's state."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connection to the warehouse."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    @contextmanager
    def _file(self) -> Iterator[Any]:
        # Opened anew each time: the lock belongs to the opening, and keeps threads apart too.
        with open(self.path, "a+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            with open(self.path, "r+b") as handle:
                yield handle

    def _ask_the_others(self, algorithm: StateAlgorithm, rates: list[Rate], weight: int) -> Decision | None:
        """Apply the step to the warehouse's state by its clock; None while it cannot be reached."""
        if self.warehouse is None or self._alone > 0:
            self._alone -= 1
            return None
        try:
            if self._conn is None:
                self._conn = psycopg.connect(
                    self.warehouse.url, autocommit=True, connect_timeout=5, application_name="pas pace"
                )
            with self._conn.transaction():
                row = self._conn.execute(_TAKE, {"site": self.site}).fetchone()
                arrival, now = row if row is not None else (0, 0)
                state, decision = algorithm.step(rates, (_plausible(arrival, now),), now, weight)
                if decision.allowed:
                    self._conn.execute(
                        "update ops.site_pace set arrival_us = %s where site = %s", (int(state[0]), self.site)
                    )
                return decision
        except psycopg.Error:
            self.close()
            self._alone = _TRY_AGAIN
            return None


def _read(handle: Any, now: int) -> tuple[int]:
    text = handle.read().strip()
    return (_plausible(int(text) if text.isdigit() else 0, now),)


def _plausible(arrival_us: int, now: int) -> int:
    return arrival_us if arrival_us <= now * 1000 + _FAR_US else 0


def limiter(site: str, per_second: float, folder: Path, warehouse: Warehouse | None = None) -> Limiter:
    """Return what every request to a site waits for, whoever sends it.

    Parameters
    ----------
    site : str
        Whose limit it is.
    per_second : float
        Requests a second, evenly spaced.
    folder : Path
        Shared by the processes of this machine.
    warehouse : Warehouse, optional
        Shared by all machines.
    """
    interval = max(1, round(1000.0 / per_second))
    return Limiter(StateBucket([Rate(1, interval)], GCRA(), SharedPace(site, folder, warehouse)))
