{{ config(indexes=pg_indexes([{'columns': ['strategy', 'session', 'rank'], 'unique': true}])) }}
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
{% if not loop.last %}union all{% endif %}
{% endfor %}
