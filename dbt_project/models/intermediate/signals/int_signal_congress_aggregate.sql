{{ signal_config('int_signal_congress_aggregate', ['politician_trades', 'prices', 'corporate_actions', 'securities']) }}
-- Net buying of Congress in USD: mid-points of the ranges bought minus those sold, over what was first disclosed between
-- the decision time of the same day of the month before and this one. Stocks and ETFs that traded in the session.
with sessions as (
    select
        session,
        decision_at,
        month_ago_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_congress_aggregate') }}
    {% endif %}
),

-- a trade that several sources state counts once
stated as (
    select distinct on (
        sessions.session, trades.politician, trades.symbol, trades.transaction_date, trades.report_date,
        trades.transaction, trades.amount_range, trades.owner, trades.ordinal
    )
        sessions.session,
        sessions.decision_at,
        symbols.security_id,
        case when trades.transaction = 'purchase' then 1 else -1 end
        * (trades.amount_low + coalesce(trades.amount_high, trades.amount_low)) / 2 as bought
    from {{ ref('stg_raw__politician_trades') }} as trades
    inner join sessions
        on sessions.decision_at >= trades.first_known_at
        and sessions.decision_at < trades.first_known_at + interval '33 days'
        and sessions.month_ago_at < trades.first_known_at
        and {{ current_at('trades', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on trades.symbol = symbols.symbol
        and {{ decision_time('trades.transaction_date') }} >= symbols.valid_from
        and {{ decision_time('trades.transaction_date') }} < symbols.valid_to
    where trades.transaction in ('purchase', 'sale', 'sale_partial', 'sale_full')
        and trades.amount_low is not null
        -- the filers' codes for stock and exchange traded fund; an empty one is a page that names none
        and coalesce(lower(trades.asset_type), '') in (
            '', 'st', 'stock', 'common stock', 'ef', 'etf', 'exchange traded fund', 'exchange traded funds'
        )
    order by
        sessions.session, trades.politician, trades.symbol, trades.transaction_date, trades.report_date,
        trades.transaction, trades.amount_range, trades.owner, trades.ordinal, trades.known_at desc, trades.row_id desc
),

disclosed as (
    select
        session,
        decision_at,
        security_id,
        sum(bought) as net_bought
    from stated
    group by session, decision_at, security_id
),

candidates as (
    select
        disclosed.session,
        disclosed.security_id,
        versions.symbol,
        {{ significant('disclosed.net_bought') }} as score
    from disclosed
    inner join {{ ref('int_security_versions') }} as versions
        on disclosed.security_id = versions.security_id
        and disclosed.decision_at >= versions.known_from
        and disclosed.decision_at < versions.known_to
    inner join {{ ref('daily_returns') }} as bars
        on disclosed.security_id = bars.security_id
        and disclosed.session = bars.session
    where versions.asset_class in ('stock', 'etf')
    {%- if is_incremental() %}
        and bars.session >= {{ reprocess_from('int_signal_congress_aggregate') }}
    {%- endif %}
)

{{ ranked_signal('congress_aggregate') }}
