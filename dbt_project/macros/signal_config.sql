{#- The head of every signal model: incremental by session, computed again from the first session that late rows of its
    datasets can touch. -#}
{% macro signal_config(model, datasets) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ note_new_rows('" ~ model ~ "', " ~ datasets ~ ") }}",
            "{{ delete_reprocessed('" ~ model ~ "') }}",
        ],
        post_hook="{{ mark_built('" ~ model ~ "') }}",
        indexes=pg_indexes([{'columns': ['session']}]),
    ) }}
{%- endmacro %}

{#- The last step of every signal model: the `candidates` (session, security_id, symbol, score) ranked. A model of several
    strategies names none and has a column `strategy` instead; one whose names are held until a day names that column. -#}
{% macro ranked_signal(strategy=none, until='cast(null as date)') -%}
select
    {{ "'" ~ strategy ~ "' as strategy" if strategy else "strategy" }},
    session,
    security_id,
    symbol,
    score,
    cast(row_number() over (
        partition by {{ "" if strategy else "strategy, " }}session order by score desc, symbol collate "C"
    ) as integer) as rank,
    {{ until }} as until
from candidates
where score is not null
{%- endmacro %}
