{{ config(materialized='view') }}
-- What was tried. A view: a run shows as soon as it is stored.
select
    run_id,
    origin,
    ran_at,
    start_session,
    end_session,
    strategies,
    parameters,
    code_version,
    data_cut,
    seed,
    trials,
    coverage
from {{ ref('stg_ops__backtest_runs') }}
