-- depends_on: {{ ref('int_sessions') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_rows('signals', research_datasets(), signal_models()) }}",
        "{{ delete_reprocessed('signals') }}",
    ],
    post_hook="{{ mark_built('signals') }}",
    indexes=pg_indexes([{'columns': ['strategy', 'session', 'rank'], 'unique': true}, {'columns': ['session']}])
) }}
-- The signals of all strategies: every model called int_signal_*, as the environment names them.
{% for model in signal_models() %}
select
    strategy,
    session,
    security_id,
    symbol,
    score,
    rank,
    until
from {{ ref(model) }}
{% if is_incremental() %}
where session >= {{ reprocess_from('signals') }}
{% endif %}
{% if not loop.last %}union all{% endif %}
{% endfor %}
