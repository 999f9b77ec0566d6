{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ note_new_entities('int_fundamental_entities', ['fundamentals', 'securities'],
        new_fundamental_entities('int_fundamental_entities')) }}",
    post_hook="{{ mark_built('int_fundamental_entities') }}",
    indexes=pg_indexes([{'columns': ['entity']}])
) }}
-- Which securities the filings of an entity are about: all share classes of a company known by its CIK; else the security
-- that held the symbol when the figures were fetched.
with asked as (
    select distinct
        entity,
        symbol,
        ingested_at
    from {{ ref('stg_raw__fundamentals') }}
    where taxonomy <> 'yahoo'
    {%- if is_incremental() %}
        and {{ new_entities('int_fundamental_entities') }}
    {%- endif %}
),

registered as (
    select distinct
        'cik' || cik as entity,
        security_id
    from {{ ref('stg_raw__securities') }}
    where cik is not null
),

named as (
    select distinct
        asked.entity,
        symbols.security_id
    from asked
    inner join {{ ref('int_security_symbols') }} as symbols
        on asked.symbol = symbols.symbol
        and asked.ingested_at >= symbols.valid_from
        and asked.ingested_at < symbols.valid_to
    where not exists (select 1 from registered where registered.entity = asked.entity)
)

select
    registered.entity,
    registered.security_id
from registered
where exists (select 1 from asked where asked.entity = registered.entity)
union all
select
    entity,
    security_id
from named
