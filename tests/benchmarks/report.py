"""What a benchmark reports, and how it is timed."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Result:
    """One row: the work, our time, a peer's time for the same work, how well the answers agree, and the gate.

    Attributes
    ----------
    work : str
        What was done, with its size.
    ours_ms : float
        Best time of ours, milliseconds.
    peer : str
        Name and version of the peer, empty when there is none.
    peer_ms : float, optional
        Its best time.
    parity : str
        How the answers compared.
    gate : str
        The figure that must hold, empty when there is none.
    passed : bool
        Whether parity and gate hold.
    skipped : str
        Why the row has no peer figures.
    """

    work: str
    ours_ms: float
    peer: str = ""
    peer_ms: float | None = None
    parity: str = ""
    gate: str = ""
    passed: bool = True
    skipped: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times longer the peer takes."""
        return None if self.peer_ms is None else self.peer_ms / self.ours_ms


def best_ms(work: Callable[[], object], *, repeat: int = 5, cpu: bool = False) -> float:
    """Best time of some calls after one that does not count: what else the machine does only ever adds.

    With `cpu` it is the processor time of this process, for work that is all computation here, ours and the peer's:
    other programs on the machine do not count.
    """
    clock = time.process_time if cpu else time.perf_counter
    work()
    times = []
    for _ in range(repeat):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times) * 1e3


def peer(name: str) -> ModuleType | None:
    """Return an optional peer, or None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def missing(name: str) -> str:
    """Return the reason why rows against an absent peer are skipped."""
    return f"{name} is not installed (pip install -r requirements-bench.in)"
