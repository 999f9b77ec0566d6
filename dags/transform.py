"""
Builds every dbt model and runs its tests, for one session, once its data is collected.

One task: a dbt invocation costs seconds before it does anything. A retry runs only what failed or was left out.
"""

from __future__ import annotations

import pas_assets as assets
from airflow.sdk import DAG, PartitionedAssetTimetable
from pas_deadlines import over_within
from pas_defaults import default_args
from pas_operators import DbtBuildOperator

with DAG(
    dag_id="transform",
    schedule=PartitionedAssetTimetable(assets=assets.COLLECTED),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(retries=1),
    doc_md=__doc__,
    deadline=over_within(1.5),
    tags=["transformation"],
):
    DbtBuildOperator(task_id="dbt_build", outlets=[assets.TRANSFORMED])
