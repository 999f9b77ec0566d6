{{ signal_config('int_signal_volatility_momentum', ['prices', 'corporate_actions', 'securities', 'universe']) }}
-- Total return over 252 sessions divided by the annualised volatility of the last 60, for the stocks of the indices.
with ratios as (
    select
        features.session,
        features.security_id,
        features.symbol,
        features.return_252 / (features.volatility_60 * sqrt(cast(252 as double precision))) as ratio
    from {{ ref('int_security_features') }} as features
    inner join (
        select distinct
            listed.security_id,
            weeks.session
        from {{ ref('int_index_members') }} as listed
        inner join {{ ref('int_sessions') }} as weeks
            on weeks.decision_at >= listed.member_from
            and weeks.decision_at < listed.member_to
        where listed.index_name in ({{ literals(var('stock_indices')) }})
            and weeks.is_week_end
    ) as members
        on features.security_id = members.security_id
        and features.session = members.session
    where features.is_week_end
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
