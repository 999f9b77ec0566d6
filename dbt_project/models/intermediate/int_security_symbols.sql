{{ config(indexes=pg_indexes([{'columns': ['symbol']}])) }}
-- Who held a symbol when. A spell begins when another security than before is first known under the symbol and ends
-- when the next one takes it over. The first holder's spell reaches back for ever: a bar may be fetched a moment before
-- the register is.
with ordered as (
    select
        symbol,
        security_id,
        known_at,
        row_id,
        lag(security_id) over (partition by symbol order by known_at, row_id) as previous_holder
    from {{ ref('stg_raw__securities') }}
),

spells as (
    select
        symbol,
        security_id,
        known_at,
        row_id
    from ordered
    where previous_holder is null or previous_holder <> security_id
)

select
    symbol,
    security_id,
    known_at,
    case when row_number() over (partition by symbol order by known_at, row_id) = 1 then {{ always() }} else known_at end
        as valid_from,
    coalesce(lead(known_at) over (partition by symbol order by known_at, row_id), {{ never() }}) as valid_to
from spells
