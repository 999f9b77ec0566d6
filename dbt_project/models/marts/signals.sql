{{ config(indexes=pg_indexes([{'columns': ['strategy', 'session', 'rank'], 'unique': true}])) }}
-- One line here for each strategy whose rule is a query.
{% set models = [
    ref('int_signal_congress_aggregate'),
    ref('int_signal_sector_risk_parity'),
    ref('int_signal_volatility_momentum'),
    ref('int_signal_wiki_attention'),
] %}
{% for model in models %}
select
    strategy,
    session,
    security_id,
    symbol,
    score,
    rank
from {{ model }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
