{{ config(indexes=pg_indexes([{'columns': ['symbol']}])) }}
-- Who held a symbol when. A spell begins when a security is first known under the symbol (a later correction of its row
-- is no new spell) and ends when the next one takes it over. The first holder's spell reaches back for ever: a bar may be
-- fetched a moment before the register is. Of two that became known together the registered company is the later holder.
with holders as (
    select
        symbol,
        security_id,
        min(known_at) as known_at,
        min(row_id) as row_id
    from {{ ref('stg_raw__securities') }}
    group by symbol, security_id
),

ordered as (
    select
        symbol,
        security_id,
        known_at,
        row_number() over (
            partition by symbol
            order by known_at, case when security_id like 'sym:%' then 0 else 1 end, row_id
        ) as spell_no
    from holders
)

select
    symbol,
    security_id,
    known_at,
    case when spell_no = 1 then {{ always() }} else known_at end as valid_from,
    coalesce(lead(known_at) over (partition by symbol order by spell_no), {{ never() }}) as valid_to
from ordered
