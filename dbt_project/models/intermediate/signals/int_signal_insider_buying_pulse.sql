{{ signal_config('int_signal_insider_buying_pulse',
    ['insider_buying', 'fundamentals', 'prices', 'corporate_actions', 'securities']) }}
-- Open-market purchases of insiders (code P) that were first filed between the decision time of the same day of the month
-- before and this one, over the market cap. At least two insiders, or $100,000. What an amendment states again was filed
-- when it was first stated, with the amended numbers from then on.
with sessions as (
    select
        session,
        decision_at,
        month_ago_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_insider_buying_pulse') }}
    {% endif %}
),

-- found before the sessions are looked up: else DuckDB looks for the first statement in every window again
purchases as materialized (
    select
        symbol,
        insider,
        insider_cik,
        value,
        transaction_date,
        known_at,
        superseded_at,
        min(first_known_at) over (
            partition by source, symbol, insider, transaction_date, security_title
        ) as filed_first_at
    from {{ ref('int_insider_lines') }}
    where code = 'P'
),

bought as (
    select
        sessions.session,
        sessions.decision_at,
        symbols.security_id,
        sum(purchases.value) as bought
    from purchases
    inner join sessions
        on sessions.decision_at >= purchases.filed_first_at
        and sessions.month_ago_at < purchases.filed_first_at
        and {{ current_at('purchases', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on purchases.symbol = symbols.symbol
        and {{ held_on('symbols', 'purchases.transaction_date') }}
    group by sessions.session, sessions.decision_at, symbols.security_id
    having sum(purchases.value) > 0
        and (
            count(distinct coalesce(purchases.insider_cik, lower(purchases.insider))) >= {{ var('insiders_least') }}
            or sum(purchases.value) >= {{ var('insiders_least_value') }}
        )
),

pulses as (
    select
        bought.session,
        bought.decision_at,
        bought.security_id,
        bought.bought / caps.market_cap as value
    from bought
    inner join {{ ref('int_market_caps') }} as caps
        on bought.session = caps.session
        and bought.security_id = caps.security_id
    where caps.market_cap > 0
),

{{ tradable('pulses', ['stock']) }}

{{ ranked_signal('insider_buying_pulse') }}
