{{ signal_config('int_signal_micro_small_leaders', score_datasets()) }}
-- Mean of value and momentum score of stocks with a market cap of $50M to $2bn and at least $1M traded a day (mean of the
-- last 21 sessions) at the last session of a month.
with small as (
    select
        scores.score_date as session,
        scores.security_id,
        scores.symbol,
        (scores.value + scores.momentum) / 2 as score
    from {{ ref('ticker_scores') }} as scores
    inner join {{ ref('int_sessions') }} as sessions on scores.score_date = sessions.session
    where sessions.is_month_end
        and scores.value is not null
        and scores.momentum is not null
        and scores.market_cap between {{ var('micro_cap_from') }} and {{ var('small_cap_below') }}
    {% if is_incremental() %}
        and scores.score_date >= {{ reprocess_from('int_signal_micro_small_leaders') }}
    {% endif %}
),

-- the last 21 sessions of each month
days as (
    select
        months.session as month_end,
        days.session
    from {{ ref('int_sessions') }} as months
    inner join {{ ref('int_sessions') }} as days on days.session_no between months.session_no - 20 and months.session_no
    where months.is_month_end
    {% if is_incremental() %}
        and months.session >= {{ reprocess_from('int_signal_micro_small_leaders') }}
    {% endif %}
),

traded as (
    select
        days.month_end as session,
        bars.security_id
    from days
    inner join {{ ref('daily_returns') }} as bars on days.session = bars.session
    {% if is_incremental() %}
    where bars.session >= {{ reprocess_from('int_signal_micro_small_leaders') }} - 60
    {% endif %}
    group by days.month_end, bars.security_id
    having sum(bars.dollar_volume) / 21 >= {{ var('micro_cap_least_traded') }}
),

candidates as (
    select
        small.session,
        small.security_id,
        small.symbol,
        {{ significant('small.score') }} as score
    from small
    inner join traded
        on small.session = traded.session
        and small.security_id = traded.security_id
)

{{ ranked_signal('micro_small_leaders') }}
