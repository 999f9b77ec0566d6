"""
Collects one dataset now, due or not.

Asked for by a person or through the REST API (`POST /scrapers/{dataset}/run`), never by a schedule; keyed by the
session it is collected for. What it finds is taken up by the next `transform`.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from pas_deadlines import over_within
from pas_defaults import default_args
from pas_operators import IngestOperator
from pas_timetables import SessionTimetable
from pendulum import datetime

from pas_lib.datasets import leaders

_NAMES = sorted(dataset.name for dataset in leaders())

with DAG(
    dag_id="collect_dataset",
    schedule=SessionTimetable("evening", automatic=False),
    start_date=datetime(2026, 1, 2, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    params={"dataset": Param(_NAMES[0], type="string", enum=_NAMES, description="Which dataset to collect.")},
    doc_md=__doc__,
    deadline=over_within(2),
    tags=["collection"],
):
    IngestOperator(task_id="collect_dataset", dataset="{{ params.dataset }}", only_when_due=False, pool="sites")
