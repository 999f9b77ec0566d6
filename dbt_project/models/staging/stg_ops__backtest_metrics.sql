{{ config(tags=['evaluate']) }}
select
    run_id,
    portfolio_id,
    trial,
    metric,
    value
from {{ source('ops', 'backtest_metrics') }}
