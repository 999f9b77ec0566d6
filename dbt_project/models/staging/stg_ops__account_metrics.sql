select
    metrics.session,
    metrics.taken_at,
    cast(metrics.equity as double precision) as equity,
    cast(metrics.cash as double precision) as cash,
    cast(metrics.managed_equity as double precision) as managed_equity
from {{ source('ops', 'account_metrics') }} as metrics
inner join {{ source('ops', 'ledger_bindings') }} as bindings
    on metrics.broker = bindings.broker
    and metrics.account_number = bindings.account_number
    and bindings.is_active
