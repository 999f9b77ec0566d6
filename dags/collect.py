"""
Collects the public data of one session.

One run per session D at 20:00 New York time, keyed by D. One task per dataset; a dataset that is not due is skipped.
The task `gate` closes the run and is the only one that announces `collected`: it fails when prices, universe or
corporate actions could not be collected, because nothing may be decided without them; otherwise it lists what is stale.
"""

from __future__ import annotations

import pas_assets as assets
from airflow.sdk import DAG
from pas_deadlines import over_within
from pas_defaults import AUTOMATIC, default_args
from pas_operators import GateOperator, IngestOperator
from pas_timetables import SessionTimetable
from pendulum import datetime

from pas_lib.datasets import catalogue, leaders

# What is traded and watched must be known before it is asked for.
FIRST = "universe"
AFTER_FIRST = ("prices", "wiki_views")

with DAG(
    dag_id="collect",
    schedule=SessionTimetable("evening", automatic=AUTOMATIC),
    start_date=datetime(2026, 1, 2, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    doc_md=__doc__,
    deadline=over_within(3),
    tags=["collection"],
):
    # A follower travels in its leader's payload: it has no task, and what becomes of the leader becomes of it.
    tasks = {
        dataset.name: IngestOperator(
            task_id=dataset.name,
            dataset=dataset.name,
            pool="sites",
            trigger_rule="none_failed",
            doc_md=dataset.doc,
        )
        for dataset in leaders()
    }
    gate = GateOperator(
        task_id="gate",
        datasets={name: name for name in tasks},
        critical=sorted({dataset.leader or dataset.name for dataset in catalogue().values() if dataset.critical}),
        announces=assets.COLLECTED,
        trigger_rule="all_done",
        retries=0,
    )
    for name, task in tasks.items():
        if name in AFTER_FIRST:
            tasks[FIRST] >> task
        task >> gate
