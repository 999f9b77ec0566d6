{#- Versions of filings and of expected dates of earnings. An index and the submissions may both tell of a filing: the
    submissions know the hour, so the line of the index is left out where they knew it no later. `only` as in versions(), on
    entities. -#}
{% macro filing_versions(only=none) -%}
with lines as (
    {{ versions('filings', ['entity', 'kind', 'accession'],
        ['entity', 'kind', 'accession', 'symbol', 'cik', 'company', 'form', 'items', 'report_date', 'filed',
         'accepted_at', 'indexed', 'document', 'expected_from', 'expected_to', 'is_estimate'], only=only) }}
),

told as (
    select entity, accession, min(known_at) as known_at
    from lines
    where source = 'sec_submissions'
    group by entity, accession
)

select
    lines.entity,
    lines.kind,
    lines.accession,
    lines.symbol,
    lines.cik,
    lines.company,
    lines.form,
    lines.items,
    lines.report_date,
    lines.filed,
    lines.accepted_at,
    lines.indexed,
    lines.document,
    lines.expected_from,
    lines.expected_to,
    lines.is_estimate,
    lines.event_date,
    lines.known_at,
    lines.superseded_at,
    lines.first_known_at,
    lines.ingested_at,
    lines.source,
    lines.row_id
from lines
left join told
    on lines.entity = told.entity
    and lines.accession = told.accession
    and lines.source = 'sec_index'
    and told.known_at <= lines.known_at
where told.entity is null
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
