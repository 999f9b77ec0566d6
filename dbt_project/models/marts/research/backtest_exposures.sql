{{ config(materialized='view') }}
select
    run_id,
    portfolio_id,
    session,
    cast('backtest' as text) as origin,
    sector,
    share
from {{ ref('stg_ops__backtest_exposures') }}
