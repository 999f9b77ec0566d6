-- Only the account that the warehouse is bound to: books of two accounts never mix.
select
    entries.entry_id,
    entries.txn_id,
    entries.kind,
    entries.book as portfolio_id,
    entries.asset,
    cast(entries.amount as double precision) as amount,
    entries.session,
    entries.occurred_at
from {{ source('ops', 'ledger_entries') }} as entries
inner join {{ source('ops', 'ledger_bindings') }} as bindings
    on entries.broker = bindings.broker
    and entries.account_number = bindings.account_number
    and bindings.is_active
where entries.book <> 'OUTSIDE'
