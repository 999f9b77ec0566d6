"""What this project adds to Airflow: the session timetable, links from tasks, and its pages in the menu; no logic."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from pas_links import BELOW, MOUNTED, ResultLink
from pas_timetables import SessionTimetable
from pas_views import web_app


class PasPlugin(AirflowPlugin):
    """Registration."""

    name = "pas"
    timetables: ClassVar[list[type]] = [SessionTimetable]
    operator_extra_links: ClassVar[list[Any]] = [ResultLink()]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {"app": web_app(), "url_prefix": MOUNTED, "name": "Portfolio Allocation System"}
    ]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {"name": "Dashboard", "href": f"{BELOW}/dashboard", "destination": "nav", "url_route": "pas-dashboard"},
        {
            "name": "dbt docs",
            "href": f"{MOUNTED}/dbt-docs",
            "destination": "nav",
            "url_route": "dbt-docs",
            "category": "docs",
        },
    ]
