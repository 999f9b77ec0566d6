"""What all DAGs have in common: owner, retries, the notifier, tags, pools, and whether they start by themselves."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pas_notifier import PasNotifier
from pas_retry import PasRetryPolicy

from pas_lib.settings import load_settings

_SETTINGS = load_settings()

#: The sandbox's world has a clock of its own: there, runs are asked for.
AUTOMATIC = _SETTINGS.sources != "sandbox"

#: Allowed tags.
TAGS = frozenset({"collection", "transformation", "decision", "trading", "evaluation"})

#: Pools, created by the set-up (``airflow pools import dags/pas_pools.json``).
POOLS = frozenset(json.loads(Path(__file__).with_name("pas_pools.json").read_text(encoding="utf-8")))

_PAUSE = timedelta(minutes=2) if AUTOMATIC else timedelta(seconds=2)


def default_args(*, retries: int = 2) -> dict[str, Any]:
    """Return the arguments all tasks of a DAG share.

    Parameters
    ----------
    retries : int
        How often a failure that may pass is tried again.
    """
    return {
        "owner": "pas",
        "retries": retries,
        "retry_delay": _PAUSE,
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "retry_policy": PasRetryPolicy(),
        "on_failure_callback": PasNotifier(),
    }
