"""
Looks how old every dataset is, on a schedule of its own: that nothing was collected must show too.

One run per session at 08:00 New York time, before the open. It fails when a dataset is older than the catalogue
tolerates, and names it with its age.
"""

from __future__ import annotations

from airflow.sdk import DAG
from pas_deadlines import over_within
from pas_defaults import AUTOMATIC, default_args
from pas_operators import FreshnessOperator
from pas_timetables import SessionTimetable
from pendulum import datetime

with DAG(
    dag_id="freshness",
    schedule=SessionTimetable("morning", automatic=AUTOMATIC),
    start_date=datetime(2026, 1, 2, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(retries=1),
    doc_md=__doc__,
    deadline=over_within(0.5),
    tags=["collection"],
):
    FreshnessOperator(task_id="freshness")
