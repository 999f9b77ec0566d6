"""What this project adds to Airflow: the session timetable, and dbt's documentation in its menu."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from pas_timetables import SessionTimetable

if TYPE_CHECKING:
    from fastapi import FastAPI


def _docs_page() -> Path:
    from pas_lib.pipeline.evaluate import docs_page
    from pas_lib.settings import load_settings

    return docs_page(load_settings())


def _web_app() -> FastAPI:
    """Build the plugin's web application.

    Mounted applications inherit no log-in from Airflow: every route demands one here, and the application's own
    description pages, which would stay open, are off.
    """
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import requires_access_view
    from fastapi import Depends, FastAPI
    from fastapi.responses import FileResponse, HTMLResponse, Response

    app = FastAPI(
        title="Portfolio Allocation System",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )
    framed = {"Content-Security-Policy": "frame-ancestors 'self'"}

    @app.get("/dbt-docs")
    def dbt_docs() -> Response:
        page = _docs_page()
        if not page.is_file():
            return HTMLResponse("<p>No documentation yet: the evaluate DAG writes it.</p>", headers=framed)
        return FileResponse(page, headers=framed)

    return app


class PasPlugin(AirflowPlugin):
    """Registration; no logic."""

    name = "pas"
    timetables: ClassVar[list[type]] = [SessionTimetable]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {"app": _web_app(), "url_prefix": "/pas", "name": "Portfolio Allocation System"}
    ]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "dbt docs",
            "href": "/pas/dbt-docs",
            "destination": "nav",
            "url_route": "dbt-docs",
            "category": "docs",
        }
    ]
