{{ config(tags=['evaluate']) }}
select
    run_id,
    portfolio_id,
    session,
    ret,
    equity,
    turnover,
    cost,
    gross
from {{ source('ops', 'backtest_returns') }}
