{{ config(indexes=pg_indexes([{'columns': ['security_id']}])) }}
-- What was known of each security when: name, sector, article and symbol, one row per interval. The symbol is the
-- newest one known.
with versions as (
    select
        *,
        row_number() over (partition by security_id, known_at order by row_id desc) as newest_first
    from {{ ref('stg_raw__securities') }}
)

select
    security_id,
    symbol,
    name,
    sector,
    industry,
    wiki_title,
    asset_class,
    leverage,
    known_at as known_from,
    coalesce(lead(known_at) over (partition by security_id order by known_at), {{ never() }}) as known_to,
    -- the first version also names the security in sessions before it was known
    case when row_number() over (partition by security_id order by known_at) = 1 then {{ always() }} else known_at end
        as shown_from
from versions
where newest_first = 1
