{#- Names of the models that make signals: PAS_SIGNAL_MODELS, names (or file names) with spaces between. dbt must know
    what a model reads when it parses, and cannot look for files then: pas_lib/dbt.py does. -#}
{% macro signal_models() -%}
    {%- set names = [] -%}
    {%- for name in env_var("PAS_SIGNAL_MODELS", "").split() -%}
        {%- do names.append(name | replace(".sql", "")) -%}
    {%- endfor -%}
    {%- if execute and not names -%}
        {{ exceptions.raise_compiler_error("PAS_SIGNAL_MODELS is empty: run `pas build`, or set it to the names of the int_signal_* models") }}
    {%- endif -%}
    {{ return(names) }}
{%- endmacro %}
