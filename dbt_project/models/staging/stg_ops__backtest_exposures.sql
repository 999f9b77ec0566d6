{{ config(tags=['evaluate']) }}
select
    run_id,
    portfolio_id,
    session,
    sector,
    share
from {{ source('ops', 'backtest_exposures') }}
