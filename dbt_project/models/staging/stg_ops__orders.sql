-- Only the account that the warehouse is bound to.
select
    orders.client_order_id,
    orders.intent_id,
    orders.portfolio_id,
    orders.session,
    orders.execution_session,
    orders.symbol,
    orders.side,
    orders.attempt,
    orders.state,
    orders.reason,
    cast(orders.qty as double precision) as qty,
    cast(orders.filled_qty as double precision) as filled_qty,
    cast(orders.filled_avg_price as double precision) as filled_avg_price,
    cast(orders.decision_close as double precision) as decision_close,
    cast(orders.open_price as double precision) as open_price
from {{ source('ops', 'orders') }} as orders
inner join {{ source('ops', 'ledger_bindings') }} as bindings
    on orders.broker = bindings.broker
    and orders.account_number = bindings.account_number
    and bindings.is_active
