{{ signal_config('int_signal_politician_sleeves', ['politician_trades', 'prices', 'corporate_actions', 'securities']) }}
-- Net position in USD of three politicians per security: mid-points of the ranges bought minus those sold, over what was
-- first disclosed in the 24 months up to the decision. Stocks and ETFs that traded in the session. A trade that several
-- sources state, or that an amended report states again, counts once.
with people as (
    select 'pelosi' as strategy, 'P000197' as bioguide_id, '%pelosi%' as surname
    union all
    select 'meuser' as strategy, 'M001204' as bioguide_id, '%meuser%' as surname
    union all
    select 'capito' as strategy, 'C001047' as bioguide_id, '%capito%' as surname
),

sessions as (
    select
        session,
        decision_at,
        {{ decision_time("session - interval '24 months'") }} as two_years_ago_at
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_politician_sleeves') }}
    {% endif %}
),

disclosed as (
    select
        people.strategy,
        trades.symbol,
        trades.transaction_date,
        case when trades.transaction = 'purchase' then 1 else -1 end as direction,
        trades.amount_low,
        trades.amount_high,
        trades.owner,
        trades.ordinal,
        trades.known_at,
        trades.superseded_at,
        trades.row_id,
        min(trades.first_known_at) over (
            partition by
                people.strategy, trades.symbol, trades.transaction_date, trades.transaction, trades.amount_range,
                trades.owner, trades.ordinal
        ) as first_known_at
    from {{ ref('stg_raw__politician_trades') }} as trades
    inner join people
        on trades.bioguide_id = people.bioguide_id
        or (trades.bioguide_id is null and lower(trades.politician) like people.surname)
    where trades.transaction in ('purchase', 'sale', 'sale_partial', 'sale_full')
        and trades.amount_low is not null
        and coalesce(lower(trades.asset_type), '') in (
            '', 'st', 'stock', 'common stock', 'ef', 'etf', 'exchange traded fund', 'exchange traded funds'
        )
),

stated as (
    select distinct on (
        sessions.session, disclosed.strategy, disclosed.symbol, disclosed.transaction_date, disclosed.direction,
        disclosed.amount_low, disclosed.owner, disclosed.ordinal
    )
        sessions.session,
        sessions.decision_at,
        disclosed.strategy,
        symbols.security_id,
        disclosed.direction * (disclosed.amount_low + coalesce(disclosed.amount_high, disclosed.amount_low)) / 2 as bought
    from disclosed
    inner join sessions
        on sessions.decision_at >= disclosed.first_known_at
        and sessions.two_years_ago_at < disclosed.first_known_at
        and {{ current_at('disclosed', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on disclosed.symbol = symbols.symbol
        and {{ held_on('symbols', 'disclosed.transaction_date') }}
    order by
        sessions.session, disclosed.strategy, disclosed.symbol, disclosed.transaction_date, disclosed.direction,
        disclosed.amount_low, disclosed.owner, disclosed.ordinal, disclosed.known_at desc, disclosed.row_id desc
),

positions as (
    select
        session,
        decision_at,
        strategy,
        security_id,
        sum(bought) as value
    from stated
    group by session, decision_at, strategy, security_id
),

{{ tradable('positions', columns=['strategy']) }}

{{ ranked_signal() }}
