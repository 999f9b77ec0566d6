"""How many requests the API answered, and how long they took: kept in the process, told by ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric

#: Seconds; the point reads are meant to stay below 0.05.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Traffic:
    """Counts answers by method and kind of status; the paths are left out, since they name what somebody looks at."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._answers = Counter(
            "pas_api_requests", "answers of this API process", ["method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "pas_api_request_seconds",
            "time to the end of an answer, streams included",
            ["method"],
            buckets=_BOUNDS,
            registry=self._registry,
        )

    def note(self, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
        self._answers.labels(known, f"{status // 100}xx").inc()
        self._seconds.labels(known).observe(seconds)

    def families(self) -> Iterator[Metric]:
        """Yield what was counted."""
        yield from self._registry.collect()
