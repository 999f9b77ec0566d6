{#- Fresh planner statistics on PostgreSQL; DuckDB keeps its own. -#}
{% macro analyze_relation(relation) -%}
    {%- if target.type == 'postgres' -%} analyze {{ relation }} {%- endif -%}
{%- endmacro %}

{#- The same for raw tables that changed by more than a twentieth since they were last analysed. -#}
{% macro analyze_sources() -%}
    {%- if target.type == 'postgres' and execute -%}
    do $$
    declare
        stale record;
    begin
        for stale in
            select relname from pg_stat_user_tables
            where schemaname = 'raw' and n_mod_since_analyze > 100 + n_live_tup / 20
        loop
            execute format('analyze raw.%I', stale.relname);
        end loop;
    end $$
    {%- endif -%}
{%- endmacro %}

{#- Indexes are for PostgreSQL; DuckDB scans faster than it maintains them. -#}
{% macro pg_indexes(indexes) -%}
    {{ return(indexes if target.type == 'postgres' else []) }}
{%- endmacro %}
