select
    decision_id,
    session,
    portfolio_id,
    symbol,
    security_id,
    weight,
    share,
    decided_at,
    origin
from {{ source('ops', 'weight_history') }}
