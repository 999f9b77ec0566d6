"""The supervisor behind ``make run``: starts everything, follows a session through it, takes everything down again.

Nothing here is needed where PostgreSQL, Airflow and the API are run by other means (compose, services): it is the
one-command road for one machine.
"""

from __future__ import annotations

from pas_lib.stack.direct import run_direct

__all__ = ["run_direct"]
