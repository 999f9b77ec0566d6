{{ config(materialized='view') }}
-- One row per portfolio of a run: its figures side by side.
select
    run_id,
    portfolio_id,
    cast('backtest' as text) as origin,
    max(trial) as trial,
    {%- for name in ['total_return', 'cagr', 'annual_volatility', 'sharpe', 'sharpe_se', 'probabilistic_sharpe',
        'deflated_sharpe', 'sortino', 'max_drawdown', 'calmar', 'win_rate', 'var_95', 'cvar_95', 'alpha', 'beta',
        'tracking_error', 'information_ratio', 'turnover', 'cost', 'gross', 'names'] %}
    max(value) filter (where metric = '{{ name }}') as {{ name }},
    {%- endfor %}
    cast(max(value) filter (where metric = 'n_obs') as integer) as n_obs
from {{ ref('stg_ops__backtest_metrics') }}
group by run_id, portfolio_id
