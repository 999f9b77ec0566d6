"""
Evaluates a session once its orders are executed.

Equity, returns, metrics, account snapshots, and the DuckDB mirror that offline analysis reads.
"""

from __future__ import annotations

import pas_assets as assets
from airflow.sdk import DAG, PartitionedAssetTimetable
from pas_deadlines import over_within
from pas_defaults import default_args
from pas_operators import EvaluateOperator

with DAG(
    dag_id="evaluate",
    schedule=PartitionedAssetTimetable(assets=assets.EXECUTED),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(retries=1),
    doc_md=__doc__,
    deadline=over_within(1.5),
    tags=["evaluation"],
):
    EvaluateOperator(task_id="evaluate", outlets=[assets.EVALUATED])
