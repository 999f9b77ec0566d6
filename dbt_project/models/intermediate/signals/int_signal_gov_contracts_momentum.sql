{{ signal_config('int_signal_gov_contracts_momentum', ['gov_contracts', 'prices', 'corporate_actions', 'securities']) }}
-- USD of contracts per company that became known between the decision time of the same day of the month before and this
-- one, what was taken back subtracted. An amount corrected later counts in the month the obligation was first known;
-- totals of an award's whole life are not counted, since they repeat what earlier months brought.
with sessions as (
    select
        session,
        decision_at,
        month_ago_at
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_gov_contracts_momentum') }}
    {% endif %}
),

given as (
    select
        sessions.session,
        sessions.decision_at,
        symbols.security_id,
        sum(contracts.amount) as value
    from {{ ref('stg_raw__gov_contracts') }} as contracts
    inner join sessions
        on sessions.decision_at >= contracts.first_known_at
        and sessions.month_ago_at < contracts.first_known_at
        and {{ current_at('contracts', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on contracts.symbol = symbols.symbol
        and {{ held_on('symbols', 'contracts.action_date') }}
    where coalesce(contracts.amount_kind, 'transaction') = 'transaction'
    group by sessions.session, sessions.decision_at, symbols.security_id
),

{{ tradable('given', ['stock']) }}

{{ ranked_signal('gov_contracts_momentum') }}
