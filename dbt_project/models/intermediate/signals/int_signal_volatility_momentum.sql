-- depends_on: {{ ref('int_sessions') }}
{{ signal_config('int_signal_volatility_momentum', ['prices', 'corporate_actions', 'securities', 'universe']) }}
-- Total return over 252 sessions divided by the annualised volatility of the last 60, for the stocks of the indices.
-- A stock may be in two of them.
with ratios as (
    select distinct
        features.session,
        features.security_id,
        features.symbol,
        features.return_252 / (features.volatility_60 * sqrt(cast(252 as double precision))) as ratio
    from {{ ref('int_security_features') }} as features
    inner join {{ ref('int_index_members') }} as members
        on features.security_id = members.security_id
        and features.decision_at >= members.member_from
        and features.decision_at < members.member_to
    where members.index_name in ({{ literals(var('stock_indices')) }})
        and features.is_week_end
        and features.volatility_60 is not null
    {% if is_incremental() %}
        and features.session >= {{ reprocess_from('int_signal_volatility_momentum') }}
    {% endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        {{ significant('ratio') }} as score
    from ratios
)

{{ ranked_signal('volatility_momentum') }}
