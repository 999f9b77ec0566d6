{{ config(materialized='view') }}
select
    run_id,
    portfolio_id,
    session,
    cast('backtest' as text) as origin,
    ret,
    equity,
    turnover,
    cost,
    gross
from {{ ref('stg_ops__backtest_returns') }}
