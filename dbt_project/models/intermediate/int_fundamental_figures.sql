{{ config(indexes=pg_indexes([{'columns': ['entity', 'period_end']}])) }}
-- The figures of filings the models read, by what the models call them.
with items (item, priority, concept) as (
    {{ fundamental_items() }}
)

select
    facts.entity,
    items.item,
    items.priority,
    facts.frequency,
    facts.event_date as period_end,
    facts.period_days,
    facts.value,
    facts.filed,
    facts.known_at,
    facts.superseded_at,
    facts.row_id
from {{ ref('stg_raw__fundamentals') }} as facts
inner join items on facts.concept = items.concept
where facts.taxonomy in ('us-gaap', 'dei')
    and facts.unit in ('USD', 'shares')
