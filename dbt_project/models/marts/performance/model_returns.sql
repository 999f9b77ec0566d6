select
    portfolio_id,
    session,
    model_return,
    turnover,
    cost
from {{ ref('stg_ops__simulated_returns') }}
where session <= (select max(session) from {{ ref('int_sessions') }})
