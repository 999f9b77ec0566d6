{#- Fresh planner statistics on PostgreSQL; DuckDB keeps its own. -#}
{% macro analyze_relation(relation) -%}
    {%- if target.type == 'postgres' -%} analyze {{ relation }} {%- endif -%}
{%- endmacro %}

{% macro analyze_sources() -%}
    {%- if target.type == 'postgres' and execute -%}
        analyze {% for name in ['prices', 'wiki_views', 'politician_trades', 'macro_series', 'corporate_actions', 'securities', 'universe'] -%}
            raw.{{ name }}{% if not loop.last %}, {% endif %}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Indexes are for PostgreSQL; DuckDB scans faster than it maintains them. -#}
{% macro pg_indexes(indexes) -%}
    {{ return(indexes if target.type == 'postgres' else []) }}
{%- endmacro %}
