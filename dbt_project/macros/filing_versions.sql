{#- Versions of filings and of expected dates of earnings. An index and the submissions may both tell of a filing: the
    submissions know the hour, so the line of the index is left out where they knew it no later. What is asked of one entity
    is made of its rows alone: each step is read once and goes by the entity. `only` as in versions(), on entities. -#}
{% macro filing_versions(only=none) -%}
{%- set columns = ['entity', 'kind', 'accession', 'symbol', 'cik', 'company', 'form', 'items', 'report_date', 'filed',
                   'accepted_at', 'indexed', 'document', 'expected_from', 'expected_to', 'is_estimate'] -%}
with lines as (
    {{ versions('filings', ['entity', 'kind', 'accession'], columns, only=only) }}
),

told as (
    select
        *,
        min(case when source = 'sec_submissions' then known_at end) over (partition by entity, accession) as submitted_at
    from lines
)

select
    {%- for column in columns %}
    {{ column }},
    {%- endfor %}
    event_date,
    known_at,
    superseded_at,
    first_known_at,
    ingested_at,
    source,
    row_id
from told
where source <> 'sec_index' or submitted_at is null or submitted_at > known_at
{%- endmacro %}

{#- Entities of which filings came in, and those whose company or symbol the register states something new about. -#}
{% macro new_filers(model) -%}
{{ entities_of(model, 'filings') }}
union
select filings.entity
from {{ source('raw', 'filings') }} as filings
inner join {{ source('raw', 'securities') }} as stated on filings.cik = stated.cik
where stated.security_id in (
    select security_id from {{ source('raw', 'securities') }} where row_id > {{ new_row(model, 'securities') }}
)
union
select filings.entity
from {{ source('raw', 'filings') }} as filings
inner join {{ source('raw', 'securities') }} as stated on filings.symbol = stated.symbol
where stated.row_id > {{ new_row(model, 'securities') }}
{%- endmacro %}
