-- depends_on: {{ ref('stg_raw__fundamentals') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_entities('int_fundamental_figures', ['fundamentals'],
            entities_of('int_fundamental_figures', 'fundamentals')) }}",
    ],
    post_hook="{{ mark_built('int_fundamental_figures') }}",
    indexes=pg_indexes([{'columns': ['entity', 'period_end']}, {'columns': ['known_at']}, {'columns': ['superseded_at']}])
) }}
-- The figures of filings the models read, by what the models call them.
with items (item, priority, concept) as (
    {{ fundamental_items() }}
)
{%- if is_incremental() %},

-- all figures of the companies of which something came in
facts as (
    {{ fundamental_versions(new_entities('int_fundamental_figures')) }}
)
{%- endif %}

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
from {{ 'facts' if is_incremental() else ref('stg_raw__fundamentals') ~ ' as facts' }}
inner join items on facts.concept = items.concept
where facts.taxonomy in ('us-gaap', 'dei')
    and facts.unit in ('USD', 'shares')
