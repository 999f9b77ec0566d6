select
    portfolio_id,
    session,
    model_return,
    turnover,
    cost,
    origin,
    computed_at
from {{ source('ops', 'simulated_returns') }}
