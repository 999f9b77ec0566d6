{#- The session a build is made for: PAS_AS_OF, an ISO date. Read in one model only, so that a new date
    re-parses one file. -#}
{% macro as_of() -%}
    cast('{{ env_var("PAS_AS_OF", "1900-01-01") }}' as date)
{%- endmacro %}

{#- Symbol of the benchmark: PAS_BENCHMARK. -#}
{% macro benchmark() -%}
    {{ env_var("PAS_BENCHMARK", "SPY") }}
{%- endmacro %}
