{#- All rules of a model in one test: what is broken comes as one row per rule, with the number of rows that break it.

    A night looks at what is new since the test passed last: with `new: {rows_of: dataset}` at versions loaded since, with
    `{rows_of: dataset, by: column}` at all rows that have a value of theirs there; with `{from: column}` at the sessions that
    were computed again, with `{entities: column}` at the entities. `dbt test` and a full refresh look at everything.
    `within: column` beside `rows_of` names what versions follow one another in, so that no others are made.

    not_null   columns that have a value in every row
    unique     columns without equal values
    keys       lists of columns whose values together occur once; `key_where` says among which rows
    values     column -> the values it may have; NULL is none
    range      column -> the least and the most it may be
    holds      conditions that no row breaks
    found_in   relation -> columns whose values together are those of a row there -#}
{% test rules(model, not_null=[], unique=[], keys=[], key_where=none, values={}, range={}, holds=[], found_in={}, new=none) %}
{%- set condition = tested_condition(new) -%}
{%- set counts = [] -%}
{%- for column in not_null %}{% do counts.append((column ~ ' is NULL', 'count(*) filter (where ' ~ column ~ ' is null)')) %}{% endfor -%}
{%- for column in unique %}{% do counts.append((column ~ ' is not unique', 'count(' ~ column ~ ') - count(distinct ' ~ column ~ ')')) %}{% endfor -%}
{%- for column, allowed in values.items() -%}
    {%- do counts.append((column ~ ' is none of ' ~ allowed | join(', '),
        'count(*) filter (where ' ~ column ~ ' not in (' ~ literals(allowed) ~ '))')) -%}
{%- endfor -%}
{%- for column, bounds in range.items() -%}
    {%- do counts.append((column ~ ' is not between ' ~ bounds[0] ~ ' and ' ~ bounds[1],
        'count(*) filter (where ' ~ column ~ ' < ' ~ bounds[0] ~ ' or ' ~ column ~ ' > ' ~ bounds[1] ~ ')')) -%}
{%- endfor -%}
{%- for rule in holds %}{% do counts.append((rule ~ ' does not hold', 'count(*) filter (where not (' ~ rule ~ '))')) %}{% endfor -%}
with counted as (
    select
        count(*) as looked_at
        {%- for rule, count in counts %},
        {{ count }} as rule_{{ loop.index }}
        {%- endfor %}
    from {{ model }}
    where {{ condition if counts else 'false' }}
)

select
    rule,
    broken
from (
    select cast('' as text) as rule, 0 as broken
    {%- for rule, count in counts %}
    union all
    select '{{ rule | replace("'", "''") }}', rule_{{ loop.index }} from counted
    {%- endfor %}
    {%- for columns in keys %}
    union all
    select '{{ columns | join(", ") }} are not unique', count(*)
    from (
        select 1 as key
        from {{ model }}
        where {{ condition }}{{ ' and (' ~ key_where ~ ')' if key_where }}
        group by {{ columns | join(', ') }}
        having count(*) > 1
    ) as repeated
    {%- endfor %}
    {%- for relation, columns in found_in.items() %}
    union all
    select '{{ columns | join(", ") }} are not in {{ relation }}', count(*)
    from (select {{ columns | join(', ') }} from {{ model }} where {{ condition }}) as stated
    left join (
        select {{ columns | join(', ') }} from {{ ref(relation) }}
        where {{ condition if (new or {}).get('from') in columns else 'true' }}
    ) as there
        on {% for column in columns %}stated.{{ column }} = there.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    where there.{{ columns[0] }} is null
    {%- endfor %}
) as rules
where broken > 0
{% endtest %}

{#- The condition that a row has not been looked at by a test that passed. What is remembered is written out, for the
    planners to see. -#}
{% macro tested_condition(new) -%}
    {%- set raw = source('raw', new['rows_of']) if 'rows_of' in (new or {}) -%}
    {%- if not new or not execute or flags.WHICH != 'build' or flags.FULL_REFRESH -%}
        true
    {%- elif 'rows_of' in new -%}
        {%- set seen = run_query("select coalesce(max(row_id), 0) from " ~ test_state() ~ " where model = '" ~ tested_model()
            ~ "' and source_table = '" ~ read_table(new['rows_of']) ~ "'").rows[0][0] -%}
        {%- if 'by' in new -%}
            {{ new['by'] }} in (select {{ new['by'] }} from {{ raw }} where row_id > {{ seen }})
        {%- else -%}
            row_id > {{ seen }}
            {%- if 'within' in new %} and {{ among(new['within'], 'select ' ~ new['within'] ~ ' from ' ~ raw ~ ' where row_id > ' ~ seen) }}{% endif -%}
        {%- endif -%}
    {%- else -%}
        {%- set first = run_query("select min(from_session) from " ~ test_state() ~ " where model = '" ~ tested_model() ~ "'").rows[0][0] -%}
        {%- if 'from' in new -%}
            {{ new['from'] ~ " >= cast('" ~ first ~ "' as date)" if first is not none else 'false' }}
        {%- elif first is not none -%}
            true
        {%- else -%}
            {{ new['entities'] }} in (
                select entity from {{ build_entities() }} where model = '{{ tested_model() }}' and stage = 'untested'
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- Name of the model that a test is about. -#}
{% macro tested_model() -%}
    {{ return((model.get('attached_node') or '').split('.')[-1]) }}
{%- endmacro %}

{#- What tests of nights remember: of a raw table the last row they have seen, of a model the first session that was
    computed again since; the entities made anew stand in build_entities. -#}
{% macro test_state() -%} {{ target.database }}.intermediate.test_state {%- endmacro %}

{% macro create_test_state() -%}
    create table if not exists {{ test_state() }} (model text, source_table text, row_id bigint, from_session date)
{%- endmacro %}

{#- After a model: what was computed again has to be tested. -#}
{% macro note_untested(model) -%}
    {%- if is_incremental() %}
    insert into {{ test_state() }} (model, from_session)
    select model, min(from_session) from {{ build_state() }}
    where model = '{{ model }}' and stage = 'pending' and from_session is not null
    group by model;
    {%- else %}
    insert into {{ test_state() }} (model, from_session) values ('{{ model }}', cast('1900-01-01' as date));
    {%- endif %}
    update {{ build_entities() }} set stage = 'untested' where model = '{{ model }}' and stage = 'pending';
{%- endmacro %}

{#- dbt's own materialization, with two more things: what is found is told in the result, and what passed is remembered. -#}
{% materialization test, default %}
    {%- set arguments = (model.get('test_metadata') or {}).get('kwargs') or {} -%}
    {%- set new = arguments.get('new') or {} -%}
    {%- if 'rows_of' in new -%}
        {%- set last_row = run_query("select coalesce(max(row_id), 0) from " ~ source('raw', new['rows_of'])).rows[0][0] -%}
    {%- endif %}

    {%- call statement('main', fetch_result=True) -%}
        {{ get_test_sql(get_limit_subquery_sql(sql, config.get('limit')), config.get('fail_calc'), config.get('warn_if'),
            config.get('error_if'), limit=none) }}
    {%- endcall -%}

    {%- set outcome = load_result('main')['table'] -%}
    {%- if outcome.rows[0][0] -%}
        {%- set found = [] -%}
        {%- for row in run_query("select * from (" ~ sql ~ ") as found limit 3").rows -%}
            {%- if model.get('test_metadata') and model.test_metadata.name == 'rules' -%}
                {%- do found.append(row['rule'] ~ ' (' ~ row['broken'] | int ~ ' rows)') -%}
            {%- else -%}
                {%- do found.append(row.dict() | string) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do log(model.name ~ ': ' ~ found | join('; '), info=true) -%}
        {%- do store_raw_result('main', message=found | join('; '), code='', rows_affected=0, agate_table=outcome) -%}
    {%- elif new -%}
        {%- call statement('passed') -%}
        delete from {{ test_state() }} where model = '{{ tested_model() }}';
        delete from {{ build_entities() }} where model = '{{ tested_model() }}' and stage = 'untested';
        {%- if 'rows_of' in new %}
        insert into {{ test_state() }} (model, source_table, row_id)
        values ('{{ tested_model() }}', '{{ read_table(new["rows_of"]) }}', {{ last_row }})
        {%- endif %}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': []}) }}
{% endmaterialization %}
