"""How many requests a minute the paper broker answers: the real one's rule, off unless somebody sets it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

WINDOW = 60.0
REAL_LIMIT = 200


class RateRule:
    """At most so many requests in any 60 seconds; what is above is refused and does not count.

    Parameters
    ----------
    ticks : callable
        Seconds, as of any origin.
    per_minute : int
        The limit; 0 means none.
    """

    def __init__(self, ticks: Callable[[], float], per_minute: int = 0) -> None:
        self._ticks = ticks
        self.per_minute = per_minute
        self.answered = 0
        self.refused = 0
        self._times: deque[float] = deque()

    def set(self, per_minute: int) -> None:
        """Set the limit and begin to count anew; 0 switches it off."""
        self.per_minute = per_minute
        self.answered = self.refused = 0
        self._times.clear()

    def _forget(self) -> float:
        now = self._ticks()
        while self._times and self._times[0] <= now - WINDOW:
            self._times.popleft()
        return now

    def take(self) -> bool:
        """Count a request; return whether it is answered."""
        now = self._forget()
        if self.per_minute and len(self._times) >= self.per_minute:
            self.refused += 1
            return False
        self._times.append(now)
        self.answered += 1
        return True

    def headers(self, epoch: float) -> dict[str, str]:
        """Return what an answer says about the limit at a time; Retry-After only when nothing is left."""
        now = self._forget()
        limit = self.per_minute or REAL_LIMIT
        left = max(0, limit - len(self._times)) if self.per_minute else limit - 1
        wait = math.ceil(self._times[0] + WINDOW - now) if self._times else int(WINDOW)
        told = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
        told["X-RateLimit-Reset"] = str(int(epoch) + wait)
        return told | ({"Retry-After": str(max(1, wait))} if left == 0 else {})
