{{ config(tags=['evaluate']) }}
select
    run_id,
    origin,
    ran_at,
    start_session,
    end_session,
    strategies,
    cast(parameters as text) as parameters,
    code_version,
    cast(data_cut as text) as data_cut,
    seed,
    trials,
    cast(coverage as text) as coverage
from {{ source('ops', 'backtest_runs') }}
