"""The budget of requests: a token bucket that never asks for more than the broker answers in any minute."""

from __future__ import annotations

from collections.abc import Callable

MINUTE = 60.0
#: Of a minute's requests, this part may come at once; the rest is spread evenly.
BURST = 0.1


class RateBudget:
    """Waits before a request when too many went out already.

    With capacity ``b`` and ``r`` tokens a minute, at most ``b + r`` requests go out in any 60 seconds: the two are
    chosen so that their sum is the limit, whichever way the broker counts its minutes.

    Parameters
    ----------
    per_minute : int
        The broker's limit; 0 means none.
    ticks : callable
        Seconds, as of any origin.
    sleep : callable
        Waits a number of seconds.
    """

    def __init__(self, per_minute: int, ticks: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.per_minute = per_minute
        self._ticks = ticks
        self._sleep = sleep
        self._capacity = max(1.0, per_minute * BURST)
        self._rate = (per_minute - self._capacity) / MINUTE
        self._tokens = self._capacity
        self._at = ticks()
        self.taken = 0

    def take(self) -> None:
        """Count one request, after waiting for its turn."""
        self.taken += 1
        if not self.per_minute:
            return
        self._refill()
        while self._tokens < 1.0:
            self._sleep((1.0 - self._tokens) / self._rate + 1e-3)
            before = self._tokens
            self._refill()
            if self._tokens <= before:
                # The waiting is someone else's business (a test's, a simulation's): the request goes out.
                break
        self._tokens -= 1.0

    def _refill(self) -> None:
        now = self._ticks()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
