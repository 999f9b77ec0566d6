"""
Carries out the decision of session D at the open of the next session, keyed by D.

One run and one task at a time: two of them could trade twice. What was sent is never sent again; a run that was killed
and started again ends with the same orders. In the sandbox a run is asked for when its clock has reached the open.
"""

from __future__ import annotations

import pas_assets as assets
from airflow.sdk import DAG
from pas_deadlines import over_within
from pas_defaults import AUTOMATIC, default_args
from pas_operators import ExecuteOperator
from pas_timetables import SessionTimetable
from pendulum import datetime

with DAG(
    dag_id="execute",
    schedule=SessionTimetable("next_open", automatic=AUTOMATIC),
    start_date=datetime(2026, 1, 2, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(retries=3),
    doc_md=__doc__,
    deadline=over_within(8),
    tags=["trading"],
):
    ExecuteOperator(task_id="execute", pool="alpaca", max_active_tis_per_dag=1, outlets=[assets.EXECUTED])
