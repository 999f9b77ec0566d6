"""When a failed task is worth another try: the site was busy or away, never when it refused us or sent nonsense."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from pas_lib import errors
from pas_lib.dbt import DbtError

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Answers that another try will not change.
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 410, 422})
_FINAL = (
    errors.SettingsError,
    errors.PayloadError,
    errors.QuarantineError,
    errors.UnknownName,
    errors.LedgerError,
    errors.OrderError,
    errors.GuardError,
)
#: A failed build is among them: what failed is run again alone, and a lock or a lost connection is over by then.
_PASSING = (
    errors.WarehouseUnavailable,
    errors.SourceError,
    errors.BrokerError,
    DbtError,
    ConnectionError,
    TimeoutError,
)


class PasRetryPolicy(RetryPolicy):
    """Retry what passes (rate limits, 5xx, time-outs, a database that is away); fail at once on the rest.

    Errors outside the project's own and the standard connection errors keep Airflow's ordinary behaviour.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide on one failure, in the worker, on the exception itself."""
        del try_number, max_tries, context
        name = type(exception).__name__
        status = _status(exception)
        if isinstance(exception, _FINAL):
            return RetryDecision.fail(f"{name} will not pass by itself")
        if status in _REFUSED:
            return RetryDecision.fail(f"{name} with status {status} will not pass by itself")
        if isinstance(exception, _PASSING) or (status is not None and (status == 429 or status >= 500)):
            return RetryDecision.retry(_asked_delay(exception), f"{name} may pass")
        if isinstance(exception, errors.PasError):
            return RetryDecision.fail(f"{name} will not pass by itself")
        return RetryDecision.default()


def _status(exception: BaseException) -> int | None:
    """Return the HTTP status an error carries, wherever its library keeps it."""
    for holder in (exception, getattr(exception, "response", None)):
        for attribute in ("status", "status_code"):
            value = getattr(holder, attribute, None)
            if isinstance(value, int):
                return value
    return None


def _asked_delay(exception: BaseException) -> timedelta | None:
    """Return the delay a site asked for (Retry-After), if it did."""
    seconds = getattr(exception, "retry_after", None)
    return timedelta(seconds=float(seconds)) if isinstance(seconds, int | float) else None
