{#- Round to 10 significant digits: parallel sums differ in the last bits, ranks must not. NULL stays NULL.
    Plain double arithmetic, so that both engines give the same digits: a half goes away from zero, which round() does on
    one of them only (the other one rounds it to the even digit). -#}
{% macro significant(expression) -%}
    {%- set shift = "power(cast(10 as double precision), 9 - floor(log10(abs(" ~ expression ~ "))))" -%}
    (case when {{ expression }} = 0 then cast(0 as double precision)
          else sign({{ expression }}) * floor(abs({{ expression }}) * {{ shift }} + 0.5) / {{ shift }} end)
{%- endmacro %}

{#- 22:30 New York time of a date, whatever the connection's time zone is. -#}
{% macro decision_time(date_expression) -%}
    ((cast({{ date_expression }} as timestamp) + interval '22 hours 30 minutes') at time zone 'America/New_York')
{%- endmacro %}

{#- The calendar date of an instant in New York. -#}
{% macro new_york_date(instant) -%}
    cast(({{ instant }} at time zone 'America/New_York') as date)
{%- endmacro %}

{% macro never() -%} cast('9999-12-31 00:00:00+00' as timestamp with time zone) {%- endmacro %}

{% macro always() -%} cast('1900-01-01 00:00:00+00' as timestamp with time zone) {%- endmacro %}

{#- A list of names as SQL literals. -#}
{% macro literals(names) -%}
    {%- for name in names -%} '{{ name }}' {%- if not loop.last %}, {% endif -%} {%- endfor -%}
{%- endmacro %}

{#- Of the values that are not NULL the one with the latest day. -#}
{% macro newest(value, day) -%}
    {%- if target.type == 'postgres' -%}
    (array_agg({{ value }} order by {{ day }} desc) filter (where {{ value }} is not null))[1]
    {%- else -%}
    max_by({{ value }}, {{ day }})
    {%- endif -%}
{%- endmacro %}
