{#- The condition that a value is one of those of a query. As an array it is a constant to PostgreSQL's planner, which then asks
    it of the tables before it computes windows that go by the column; a query it would join with the outcome. -#}
{% macro among(column, query) -%}
    {%- if target.type == 'postgres' -%}
    {{ column }} = any (array({{ query }}))
    {%- else -%}
    {{ column }} in ({{ query }})
    {%- endif -%}
{%- endmacro %}
