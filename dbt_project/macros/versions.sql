{#- Every version of a raw table with the time it ended.

    A version of a natural key ends when the next one of the same source becomes known, in the order (known_at, row_id);
    a tombstone ends its predecessor and is no version itself. The version as known at T is the one with
    known_at <= T and (superseded_at is null or superseded_at > T): at most one per key and source. What one source no
    longer states another may still state: a model that adds up rows takes each key once.

    Where keys say what is stated, a correction comes as another key: with `subject`, what begins when something else about
    the same subject is withdrawn counts as first known when that was, and so on back through a chain of corrections.

    Two sources of one dataset may lie in one table: only those named in PAS_DBT_READ_SOURCES (JSON, dataset -> sources;
    the runner derives it from the settings) are read; of a dataset that is not named, all.

    `only` is a condition on whole keys, for a model that makes some of them anew. -#}
{% macro versions(dataset, key, columns, subject=none, only=none) -%}
with {{ 'recursive ' if subject }}source as (
    select * from {{ source('raw', dataset) }}
    where {{ is_read(dataset) }}
    {%- if only %}
        and {{ only }}
    {%- endif %}
),

ordered as (
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        event_date,
        known_at,
        lead(known_at) over (partition by {{ key | join(', ') }}, source order by known_at, row_id) as superseded_at,
        min(known_at) over (partition by {{ key | join(', ') }}) as first_known_at,
        ingested_at,
        source,
        row_id,
        is_deleted
    from source
)

{%- if subject %}

, withdrawn as (
    select distinct
        {%- for column in subject %}
        {{ column }},
        {%- endfor %}
        source,
        known_at,
        first_known_at
    from ordered
    where is_deleted
),

traced as (
    select
        begun.row_id,
        begun.source,
        {%- for column in subject %}
        begun.{{ column }},
        {%- endfor %}
        withdrawn.first_known_at
    from ordered as begun
    inner join withdrawn
        on begun.source = withdrawn.source
        and begun.first_known_at = withdrawn.known_at
        {%- for column in subject %}
        and begun.{{ column }} = withdrawn.{{ column }}
        {%- endfor %}
    where not begun.is_deleted
    union
    select
        traced.row_id,
        traced.source,
        {%- for column in subject %}
        traced.{{ column }},
        {%- endfor %}
        withdrawn.first_known_at
    from traced
    inner join withdrawn
        on traced.source = withdrawn.source
        and traced.first_known_at = withdrawn.known_at
        {%- for column in subject %}
        and traced.{{ column }} = withdrawn.{{ column }}
        {%- endfor %}
    where withdrawn.first_known_at < traced.first_known_at
),

corrected as (
    select
        row_id,
        min(first_known_at) as first_known_at
    from traced
    group by row_id
)
{%- endif %}

select
    {%- for column in columns %}
    ordered.{{ column }},
    {%- endfor %}
    ordered.event_date,
    ordered.known_at,
    ordered.superseded_at,
    {%- if subject %}
    coalesce(corrected.first_known_at, ordered.first_known_at) as first_known_at,
    {%- else %}
    ordered.first_known_at,
    {%- endif %}
    ordered.ingested_at,
    ordered.source,
    ordered.row_id
from ordered
{%- if subject %}
left join corrected on ordered.row_id = corrected.row_id
{%- endif %}
where not ordered.is_deleted
{%- endmacro %}

{#- Every line of the sources that are read, tombstones among them, for a model that compares only what was stated again. -#}
{% macro lines(dataset, columns) -%}
select
    {%- for column in columns %}
    {{ column }},
    {%- endfor %}
    event_date,
    known_at,
    ingested_at,
    source,
    row_id,
    is_deleted
from {{ source('raw', dataset) }}
where {{ is_read(dataset) }}
{%- endmacro %}

{#- The condition that a raw row comes from a source that is read. -#}
{% macro is_read(dataset) -%}
    {%- set wanted = fromjson(env_var('PAS_DBT_READ_SOURCES', '{}')).get(dataset) -%}
    {{ 'source in (' ~ literals(wanted) ~ ')' if wanted else 'true' }}
{%- endmacro %}

{#- The condition that a version is the current one at an instant. -#}
{% macro current_at(version, instant) -%}
    {{ version }}.known_at <= {{ instant }}
    and ({{ version }}.superseded_at is null or {{ version }}.superseded_at > {{ instant }})
{%- endmacro %}
