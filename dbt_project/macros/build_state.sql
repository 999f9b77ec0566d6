{#- Incremental models and late rows.

    Each incremental model remembers, per raw table it reads, the last row_id it has seen, and the last session it was
    built to. Before the next build it notes the first session that may look different: the first one whose decision
    time is at or after the known_at of any row that came in since, or the first session not built yet. Everything from
    that session on is deleted and computed again. -#}

{% macro build_state() -%} {{ target.database }}.intermediate.build_state {%- endmacro %}

{% macro build_entities() -%} {{ target.database }}.intermediate.build_entities {%- endmacro %}

{% macro create_build_state() -%}
    {%- if execute -%}
    create schema if not exists intermediate;
    create table if not exists {{ build_state() }} (
        model text, stage text, source_table text, row_id bigint, built_to date, from_session date
    );
    create table if not exists {{ build_entities() }} (model text, stage text, entity text);
    {{ create_test_state() }}
    {%- endif -%}
{%- endmacro %}

{#- What is remembered of a raw table, by the sources that are read of it: with other ones all its rows are new. -#}
{% macro read_table(dataset) -%}
    {%- set wanted = fromjson(env_var('PAS_DBT_READ_SOURCES', '{}')).get(dataset) -%}
    {{ return(dataset ~ ('@' ~ wanted | sort | join('+') if wanted else '')) }}
{%- endmacro %}

{#- Before the model: note what is new. `models` are incremental ones that are copied: what they were made from counts, too;
    one that comes new, or goes, makes everything new. -#}
{% macro note_new_rows(model, datasets, models=[]) -%}
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
        {%- for copied in models %}
        select
            'model:{{ copied }}', 0,
            case
                when exists (
                    select 1 from {{ build_state() }}
                    where model = '{{ model }}' and stage = 'done' and source_table = 'model:{{ copied }}'
                )
                    then (
                        select min(sessions.decision_at)
                        from {{ build_state() }} as made
                        inner join {{ ref('int_sessions') }} as sessions on made.from_session = sessions.session
                        where made.model = '{{ copied }}' and made.stage = 'done'
                    )
                else (select min(decision_at) from {{ ref('int_sessions') }})
            end
        union all
        {%- endfor %}
        {%- if models %}
        select
            'models', 0,
            (
                select min(decision_at) from {{ ref('int_sessions') }}
                where exists (
                    select 1 from {{ build_state() }}
                    where model = '{{ model }}' and stage = 'done' and source_table like 'model:%'
                        and source_table not in (
                            {%- for copied in models %}'model:{{ copied }}'{{ ', ' if not loop.last }}{% endfor -%}
                        )
                )
            )
        union all
        {%- endif %}
        select
            'sessions', 0,
            (
                select min(decision_at) from {{ ref('int_sessions') }}
                where session > coalesce(
                    (select max(built_to) from {{ build_state() }} where model = '{{ model }}' and stage = 'done'),
                    cast('1900-01-01' as date)
                )
            )
    ) as news;
    {{ remember('from_' ~ model,
        "select min(from_session) from " ~ build_state() ~ " where model = '" ~ model ~ "' and stage = 'pending'") }}
    {%- endif -%}
{%- endmacro %}

{#- Keep one value for the rest of the connection, where both planners see it as a constant: how much there is to read
    decides how it is read. -#}
{% macro remember(name, query) -%}
    {%- if target.type == 'duckdb' -%}
    set variable {{ name }} = ({{ query }})
    {%- else -%}
    select set_config('pas.{{ name }}', cast(({{ query }}) as text), false)
    {%- endif -%}
{%- endmacro %}

{% macro remembered(name, type) -%}
    {%- if target.type == 'duckdb' -%}
    getvariable('{{ name }}')
    {%- else -%}
    cast(nullif(current_setting('pas.{{ name }}', true), '') as {{ type }})
    {%- endif -%}
{%- endmacro %}

{#- Before the model: make room for what is computed again. -#}
{% macro delete_reprocessed(model, dated='session') -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }} where {{ dated }} >= {{ reprocess_from(model) }}
    {%- endif -%}
{%- endmacro %}

{#- First session to compute; NULL when nothing is new. -#}
{% macro reprocess_from(model) -%}
    {{ remembered('from_' ~ model, 'date') }}
{%- endmacro %}

{#- After the model: what was noted is done. Runs in the model's transaction. -#}
{% macro mark_built(model) -%}
    {%- if execute -%}
    {{ note_untested(model) }}
    delete from {{ build_state() }} where model = '{{ model }}' and stage = 'done';
    update {{ build_state() }} set stage = 'done' where model = '{{ model }}'
    {%- endif -%}
{%- endmacro %}

{#- A provisional row lives until the next session is built, unless its session closed what it is kept for: it is of the
    session that was the newest in the build before. -#}
{% macro delete_passed_provisional(dated='session', kept='is_week_end or is_month_end') -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }}
    where {{ dated }} in (
        select session from {{ ref('int_sessions') }}
        where not ({{ kept }})
            and session < (select max(session) from {{ ref('int_sessions') }})
            and session >= (
                select min(built_to) from {{ build_state() }} where model = '{{ this.name }}' and stage = 'done'
            )
    )
    {%- endif -%}
{%- endmacro %}

{#- The head of the models of scores: a row per security and scored date, the newest one provisional until a month ends. -#}
{% macro scores_config(model, indexes=[]) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=[
            "{{ note_new_rows('" ~ model ~ "', score_datasets()) }}",
            "{{ delete_reprocessed('" ~ model ~ "', 'score_date') }}",
            "{{ delete_passed_provisional('score_date', 'is_month_end') }}",
        ],
        post_hook="{{ mark_built('" ~ model ~ "') }}",
        indexes=pg_indexes(indexes),
    ) }}
{%- endmacro %}

{#- Every dataset a score comes from. -#}
{% macro score_datasets() -%}
    {{ return(['prices', 'corporate_actions', 'securities', 'universe', 'fundamentals', 'insider_buying']) }}
{%- endmacro %}

{#- For models without sessions, made anew entity by entity: note which ones, `entities` being a query for them that asks for
    the rows that came in with `new_row`. -#}
{% macro note_new_entities(model, datasets, entities, column='entity') -%}
    {%- if execute -%}
    delete from {{ build_state() }} where model = '{{ model }}' and stage = 'pending';
    delete from {{ build_entities() }} where model = '{{ model }}' and stage = 'pending';
    {%- for dataset in datasets %}
    insert into {{ build_state() }} (model, stage, source_table, row_id)
    select '{{ model }}', 'pending', '{{ read_table(dataset) }}', coalesce(max(row_id), 0) from {{ source('raw', dataset) }};
    {{ remember('row_' ~ model ~ '_' ~ dataset,
        "select coalesce(max(row_id), 0) from " ~ build_state() ~ " where model = '" ~ model ~ "' and stage = 'done'"
        ~ " and source_table = '" ~ read_table(dataset) ~ "'") }};
    {%- endfor %}
    {%- if is_incremental() %}
    insert into {{ build_entities() }} (model, stage, entity)
    select '{{ model }}', 'pending', entity from ({{ entities }}) as touched group by entity;
    delete from {{ this }} where {{ new_entities(model, column) }}
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- Last row of a dataset that the model has seen. -#}
{% macro new_row(model, dataset) -%}
    {{ remembered('row_' ~ model ~ '_' ~ dataset, 'bigint') }}
{%- endmacro %}

{#- The condition that something of the entity came in. -#}
{% macro new_entities(model, column='entity') -%}
    {{ column }} in (select entity from {{ build_entities() }} where model = '{{ model }}' and stage = 'pending')
{%- endmacro %}

{#- Entities of which rows came in. -#}
{% macro entities_of(model, dataset) -%}
    select entity from {{ source('raw', dataset) }} where row_id > {{ new_row(model, dataset) }}
{%- endmacro %}

{#- The last decision before the first session to compute: what was known by then is built. -#}
{% macro remember_known(model) -%}
    {%- if execute and is_incremental() -%}
    {{ remember('known_' ~ model,
        "select coalesce(max(decision_at), " ~ always() ~ ") from " ~ ref('int_sessions')
        ~ " where session < " ~ reprocess_from(model)) }}
    {%- endif -%}
{%- endmacro %}

{% macro built_decision(model) -%}
    {{ remembered('known_' ~ model, 'timestamp with time zone') }}
{%- endmacro %}
