{#- Incremental models and late rows.

    Each incremental model remembers, per raw table it reads, the last row_id it has seen, and the last session it was
    built to. Before the next build it notes the first session that may look different: the first one whose decision
    time is at or after the known_at of any row that came in since, or the first session not built yet. Everything from
    that session on is deleted and computed again. -#}

{% macro build_state() -%} {{ target.database }}.intermediate.build_state {%- endmacro %}

{% macro create_build_state() -%}
    {%- if execute -%}
    create schema if not exists intermediate;
    create table if not exists {{ build_state() }} (
        model text, stage text, source_table text, row_id bigint, built_to date, from_session date
    )
    {%- endif -%}
{%- endmacro %}

{#- What is remembered of a raw table, by the sources that are read of it: with other ones all its rows are new. -#}
{% macro read_table(dataset) -%}
    {%- set wanted = fromjson(env_var('PAS_DBT_READ_SOURCES', '{}')).get(dataset) -%}
    {{ return(dataset ~ ('@' ~ wanted | sort | join('+') if wanted else '')) }}
{%- endmacro %}

{#- Before the model: note what is new. -#}
{% macro note_new_rows(model, datasets) -%}
    {%- if execute -%}
    delete from {{ build_state() }} where model = '{{ model }}' and stage = 'pending';
    insert into {{ build_state() }} (model, stage, source_table, row_id, built_to, from_session)
    select
        '{{ model }}', 'pending', news.source_table, news.row_id,
        (select max(session) from {{ ref('int_sessions') }}),
        (select min(sessions.session) from {{ ref('int_sessions') }} as sessions where sessions.decision_at >= news.first_known_at)
    from (
        {%- for dataset in datasets %}
        select
            '{{ read_table(dataset) }}' as source_table,
            (select coalesce(max(row_id), 0) from {{ source('raw', dataset) }}) as row_id,
            (
                select min(known_at) from {{ source('raw', dataset) }}
                where row_id > (
                    select coalesce(max(row_id), 0) from {{ build_state() }}
                    where model = '{{ model }}' and stage = 'done' and source_table = '{{ read_table(dataset) }}'
                )
            ) as first_known_at
        union all
        {%- endfor %}
        select
            'sessions', 0,
            (
                select min(decision_at) from {{ ref('int_sessions') }}
                where session > coalesce(
                    (select max(built_to) from {{ build_state() }} where model = '{{ model }}' and stage = 'done'),
                    cast('1900-01-01' as date)
                )
            )
    ) as news
    {%- if target.type == 'duckdb' %};
    set variable from_{{ model }} = (
        select min(from_session) from {{ build_state() }} where model = '{{ model }}' and stage = 'pending'
    )
    {%- endif %}
    {%- endif -%}
{%- endmacro %}

{#- Before the model: make room for what is computed again. -#}
{% macro delete_reprocessed(model) -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }} where session >= {{ reprocess_from(model) }}
    {%- endif -%}
{%- endmacro %}

{#- First session to compute; NULL when nothing is new. PostgreSQL evaluates a scalar subquery before it scans and uses it
    as a condition of the scan; DuckDB does so with a variable only. -#}
{% macro reprocess_from(model) -%}
    {%- if target.type == 'duckdb' -%}
    getvariable('from_{{ model }}')
    {%- else -%}
    (select min(from_session) from {{ build_state() }} where model = '{{ model }}' and stage = 'pending')
    {%- endif -%}
{%- endmacro %}

{#- After the model: what was noted is done. Runs in the model's transaction. -#}
{% macro mark_built(model) -%}
    {%- if execute -%}
    delete from {{ build_state() }} where model = '{{ model }}' and stage = 'done';
    update {{ build_state() }} set stage = 'done' where model = '{{ model }}'
    {%- endif -%}
{%- endmacro %}

{#- A provisional row lives until the next session is built, unless its session closed a week or a month. -#}
{% macro delete_passed_provisional() -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }}
    where session in (
        select session from {{ ref('int_sessions') }}
        where not is_week_end and not is_month_end and session < (select max(session) from {{ ref('int_sessions') }})
    )
    {%- endif -%}
{%- endmacro %}
