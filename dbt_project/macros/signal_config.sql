{#- The head of every signal model: incremental by session, computed again from the first session that late rows of its
    datasets can touch. -#}
{% macro signal_config(model, datasets) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=[
            "{{ note_new_rows('" ~ model ~ "', " ~ datasets ~ ") }}",
            "{{ delete_reprocessed('" ~ model ~ "') }}",
        ],
        post_hook="{{ mark_built('" ~ model ~ "') }}",
    ) }}
{%- endmacro %}

{#- The last step of every signal model: the `candidates` (session, security_id, symbol, score) ranked. A model of several
    strategies names none and has a column `strategy` instead. -#}
{% macro ranked_signal(strategy=none) -%}
select
    {{ "'" ~ strategy ~ "' as strategy" if strategy else "strategy" }},
    session,
    security_id,
    symbol,
    score,
    cast(row_number() over (
        partition by {{ "" if strategy else "strategy, " }}session order by score desc, symbol collate "C"
    ) as integer) as rank
from candidates
where score is not null
{%- endmacro %}
