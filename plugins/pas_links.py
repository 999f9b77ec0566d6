"""Links from a task in the Airflow UI to what it did, in the dashboard inside the UI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

#: Where Airflow mounts the project's application, and where the REST API's pages lie in it.
MOUNTED = "/pas"
BELOW = f"{MOUNTED}/api"

_SESSION = re.compile(r"\d{4}-\d{2}-\d{2}")


class ResultLink(BaseOperatorLink):
    """Leads to the page of the REST API that shows what a task wrote.

    An operator says where with ``result_path``, a path that may hold ``{session}`` and ``{dataset}``.
    """

    name = "What it did"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address; empty where there is nothing to show."""
        path = getattr(operator, "result_path", "")
        session = _SESSION.search(ti_key.run_id)
        if not path or ("{session}" in path and session is None):
            return ""
        found = path.format(session=session.group() if session else "", dataset=getattr(operator, "dataset", ""))
        return f"{BELOW}/{found}"
