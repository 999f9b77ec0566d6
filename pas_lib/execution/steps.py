"""Named points of an execution, so that a test can end the process at each of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

#: In the order in which one execution passes them.
STEPS = (
    "bound",
    "synced",
    "stale_canceled",
    "funded",
    "crossed",
    "sells_stored",
    "sell_submitting",
    "sell_posted",
    "sell_recorded",
    "sells_done",
    "buys_stored",
    "buy_submitting",
    "buy_posted",
    "buy_recorded",
    "buys_done",
    "fills_applied",
    "settled",
    "reconciled",
)
#: Passed only where a limit order is replaced.
REPLACING = ("sell_stale", "sell_cancel_asked", "buy_stale", "buy_cancel_asked")


class Steps:
    """Counts how often each step was passed.

    Parameters
    ----------
    env : Mapping, optional
        ``PAS_KILL_AT=step`` or ``PAS_KILL_AT=step:3`` makes the process kill itself, without any cleaning up, the first
        or third time it gets there.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        name, _, count = (os.environ if env is None else env).get("PAS_KILL_AT", "").partition(":")
        self._kill_at = name
        self._count = int(count or "1")
        self.passed: list[str] = []

    def reach(self, step: str) -> None:
        """Pass a step."""
        if step not in STEPS and step not in REPLACING:
            raise ValueError(f"{step!r} is no step of an execution")
        self.passed.append(step)
        if step == self._kill_at and self.passed.count(step) == self._count:
            os.kill(os.getpid(), signal.SIGKILL)
