{{ signal_config('int_signal_small_cap_momentum',
    ['filings', 'fundamentals', 'prices', 'corporate_actions', 'securities']) }}
-- Total return over 126 sessions of stocks with a market cap under $2bn that rose, and that have a catalyst in the three
-- months after the decision: earnings the company has announced, or a periodic report a year after one that was filed. `until`
-- is the day of the first of them.
with sessions as (
    select
        session,
        decision_at,
        cast(session + interval '3 months' as date) as last_day
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_small_cap_momentum') }}
    {% endif %}
),

risen as (
    select
        sessions.session,
        sessions.decision_at,
        sessions.last_day,
        features.security_id,
        features.return_126
    from {{ ref('int_security_features') }} as features
    inner join sessions on features.session = sessions.session
    where features.return_126 > 0
),

catalysts as (
    select
        risen.session,
        risen.security_id,
        filings.expected_from as day
    from risen
    inner join {{ ref('int_filings_mapped') }} as filings
        on risen.security_id = filings.security_id
        and filings.expected_from > risen.session
        and filings.expected_from <= risen.last_day
        and {{ current_at('filings', 'risen.decision_at') }}
    where filings.kind = 'earnings_date'
        and not coalesce(filings.is_estimate, false)
    union all
    select
        risen.session,
        risen.security_id,
        cast(filings.filed + interval '1 year' as date) as day
    from risen
    inner join {{ ref('int_filings_mapped') }} as filings
        on risen.security_id = filings.security_id
        and filings.filed + interval '1 year' > risen.session
        and filings.filed + interval '1 year' <= risen.last_day
        and {{ current_at('filings', 'risen.decision_at') }}
    where filings.kind = 'filing'
        and filings.form in ('10-K', '10-Q')
),

first_catalysts as (
    select
        session,
        security_id,
        min(day) as day
    from catalysts
    group by session, security_id
),

small as (
    select
        risen.session,
        risen.decision_at,
        risen.security_id,
        risen.return_126 as value,
        first_catalysts.day as until
    from risen
    inner join {{ ref('int_market_caps') }} as caps
        on risen.session = caps.session
        and risen.security_id = caps.security_id
    inner join first_catalysts
        on risen.session = first_catalysts.session
        and risen.security_id = first_catalysts.security_id
    where caps.market_cap < {{ var('small_cap_below') }}
),

{{ tradable('small', ['stock'], columns=['until']) }}

{{ ranked_signal('small_cap_momentum', until='until') }}
