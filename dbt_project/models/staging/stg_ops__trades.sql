-- Only the account that the warehouse is bound to.
select
    trades.trade_id,
    trades.kind,
    trades.portfolio_id,
    trades.session,
    trades.execution_session,
    trades.symbol,
    trades.side,
    cast(trades.qty as double precision) as qty,
    cast(trades.price as double precision) as price,
    cast(trades.decision_close as double precision) as decision_close
from {{ source('ops', 'trades') }} as trades
inner join {{ source('ops', 'ledger_bindings') }} as bindings
    on trades.broker = bindings.broker
    and trades.account_number = bindings.account_number
    and bindings.is_active
