{#- 100 * percent_rank among the rows of a date that have a value: the lowest gets 0, the highest 100, equals the lowest
    rank of theirs. NULL stays NULL. -#}
{% macro percentile(column, partition_by, inverted=false) -%}
    case when {{ column }} is not null then 100 * percent_rank() over (
        partition by {{ partition_by }}, ({{ column }} is null) order by {{ column }}{{ ' desc' if inverted }}
    ) end
{%- endmacro %}
