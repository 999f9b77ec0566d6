"""
Decides one session.

Strategies due and all model returns, allocation, exposure scale, risk, order plan, intents, and the request for an
approval where one is needed. A session already decided keeps its decision. In live mode `approve` shows the plan under
"Required Actions" and waits until the close of the execution session; elsewhere it is skipped. A plan that was approved
or refused on the command line or over the API meanwhile needs no answer here.
"""

from __future__ import annotations

import pas_assets as assets
from airflow.sdk import DAG, PartitionedAssetTimetable
from pas_approval import ApprovePlanOperator
from pas_deadlines import over_within
from pas_defaults import default_args
from pas_operators import DecideOperator

with DAG(
    dag_id="decide",
    schedule=PartitionedAssetTimetable(assets=assets.TRANSFORMED),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(retries=1),
    doc_md=__doc__,
    # A live plan may wait for a person until the close of the next session: after a day somebody is asked again.
    deadline=over_within(24),
    tags=["decision"],
):
    DecideOperator(task_id="decide", outlets=[assets.DECIDED]) >> ApprovePlanOperator(task_id="approve")
