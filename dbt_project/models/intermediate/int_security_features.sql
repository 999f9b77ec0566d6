{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=[
        "{{ note_new_rows('int_security_features', ['prices', 'corporate_actions', 'securities']) }}",
        "{{ delete_reprocessed('int_security_features') }}",
        "{{ delete_passed_provisional() }}",
    ],
    post_hook="{{ mark_built('int_security_features') }}",
    indexes=pg_indexes([{'columns': ['session']}])
) }}
-- Returns, volatility, Sharpe, beta and illiquidity of each security at the last session of each week and month, and at the newest.
-- Rolling sums are differences of running sums: one pass, whatever the window; how many is a sum, too, which costs half a
-- count. What the passes carry is what they need. Daily returns are limited to 10,000 % in
-- the sums, so that one absurd print cannot eat the digits of all later windows.
with newest as (
    select max(session) as session from {{ ref('int_sessions') }}
),

-- the securities that have been the benchmark: bars are found by security
benchmarks as (
    select distinct security_id
    from {{ ref('int_security_symbols') }}
    where symbol = '{{ benchmark() }}'
),

-- asked in the value and not in the join: the planners would take the bars of one security and one symbol for two or three;
-- and least() would make 10,000 % of what is missing
market as (
    select
        bars.session,
        max(case when bars.symbol = '{{ benchmark() }}' and bars.ret is not null then least(bars.ret, 100) end) as ret
    from {{ ref('daily_returns') }} as bars
    inner join benchmarks on bars.security_id = benchmarks.security_id
    {% if is_incremental() %}
    where bars.session > {{ reprocess_from('int_security_features') }} - 430
    {% endif %}
    group by bars.session
),

returns as (
    select
        security_id,
        symbol,
        session,
        adj_close,
        dollar_volume,
        case when ret is not null then least(ret, 100) end as ret
    from {{ ref('daily_returns') }}
    {% if is_incremental() %}
    -- 275 sessions are fewer days: for the planners, which see no dates in numbers of sessions
    where session > {{ reprocess_from('int_security_features') }} - 430
    {% endif %}
),

-- what is missing is 0 in the sums, which cost a third less without NULLs, and counts in none of the numbers of terms
bars as (
    select
        bars.security_id,
        bars.symbol,
        sessions.session_no,
        bars.adj_close,
        coalesce(bars.ret, 0) as ret,
        case when bars.ret is not null and market.ret is not null then market.ret else 0 end as market_ret,
        case when bars.ret is not null and market.ret is not null then bars.ret else 0 end as paired_ret,
        -- a million times the absolute return per USD traded
        case when bars.ret is not null and bars.dollar_volume > 0
            then abs(bars.ret) / bars.dollar_volume * 1000000 else 0 end as impact,
        -- two numbers of terms in one sum: pairs by the million, impacts by one
        case when bars.ret is not null and market.ret is not null then cast(1000000 as double precision) else 0 end
        + case when bars.ret is not null and bars.dollar_volume > 0 then 1 else 0 end as terms
    from returns as bars
    inner join {{ ref('int_sessions') }} as sessions on bars.session = sessions.session
    left join market on bars.session = market.session
    {% if is_incremental() %}
    where sessions.session_no >= (
        select session_no - 275 from {{ ref('int_sessions') }}
        where session = {{ reprocess_from('int_security_features') }}
    )
    {% endif %}
),

running as (
    select
        security_id,
        symbol,
        session_no,
        adj_close,
        sum(ret) over bars_so_far as sum_ret,
        sum(ret * ret) over bars_so_far as sum_ret2,
        sum(market_ret) over bars_so_far as sum_market,
        sum(market_ret * market_ret) over bars_so_far as sum_market2,
        sum(paired_ret) over bars_so_far as sum_paired,
        sum(paired_ret * market_ret) over bars_so_far as sum_product,
        sum(impact) over bars_so_far as sum_impact,
        sum(terms) over bars_so_far as sum_terms
    from bars
    window bars_so_far as (partition by security_id order by session_no rows unbounded preceding)
),

windows as (
    select
        security_id,
        symbol,
        session_no,
        adj_close,
        lag(session_no, 63) over bars_in_order as session_no_63,
        lag(session_no, 252) over bars_in_order as session_no_252,
        lag(adj_close, 63) over bars_in_order as adj_close_63,
        lag(adj_close, 126) over bars_in_order as adj_close_126,
        lag(adj_close, 252) over bars_in_order as adj_close_252,
        sum_ret - coalesce(lag(sum_ret, 21) over bars_in_order, 0) as ret_21,
        sum_ret2 - coalesce(lag(sum_ret2, 21) over bars_in_order, 0) as ret2_21,
        sum_ret - coalesce(lag(sum_ret, 60) over bars_in_order, 0) as ret_60,
        sum_ret2 - coalesce(lag(sum_ret2, 60) over bars_in_order, 0) as ret2_60,
        sum_ret - coalesce(lag(sum_ret, 252) over bars_in_order, 0) as ret_252,
        sum_ret2 - coalesce(lag(sum_ret2, 252) over bars_in_order, 0) as ret2_252,
        sum_market - coalesce(lag(sum_market, 252) over bars_in_order, 0) as market_252,
        sum_market2 - coalesce(lag(sum_market2, 252) over bars_in_order, 0) as market2_252,
        sum_paired - coalesce(lag(sum_paired, 252) over bars_in_order, 0) as paired_252,
        sum_product - coalesce(lag(sum_product, 252) over bars_in_order, 0) as product_252,
        floor((sum_terms - coalesce(lag(sum_terms, 252) over bars_in_order, 0)) / 1000000) as pairs_252,
        sum_impact - coalesce(lag(sum_impact, 63) over bars_in_order, 0) as impact_63,
        sum_terms - coalesce(lag(sum_terms, 63) over bars_in_order, 0) as terms_63
    from running
    window bars_in_order as (partition by security_id order by session_no)
),

chosen as (
    select
        windows.*,
        sessions.session,
        sessions.decision_at,
        sessions.is_week_end,
        sessions.is_month_end,
        -- a window may miss a few sessions (halts, missing days), not many
        coalesce(windows.session_no - session_no_63 <= 63 + 5, false) as has_63,
        coalesce(windows.session_no - session_no_252 <= 252 + 10, false) as has_252,
        (ret2_21 - ret_21 * ret_21 / 21) / 20 as variance_21,
        (ret2_60 - ret_60 * ret_60 / 60) / 59 as variance_60,
        (ret2_252 - ret_252 * ret_252 / 252) / 251 as variance_252,
        market2_252 - market_252 * market_252 / nullif(pairs_252, 0) as market_variation,
        terms_63 - floor(terms_63 / 1000000) * 1000000 as impacts_63
    from windows
    inner join {{ ref('int_sessions') }} as sessions on windows.session_no = sessions.session_no
    where (sessions.is_week_end or sessions.is_month_end or sessions.session = (select session from newest))
    {% if is_incremental() %}
        and sessions.session >= {{ reprocess_from('int_security_features') }}
    {% endif %}
)

select
    security_id,
    symbol,
    session,
    decision_at,
    is_week_end,
    is_month_end,
    case when has_252 then adj_close / adj_close_63 - 1 end as return_63,
    case when has_252 then adj_close / adj_close_126 - 1 end as return_126,
    case when has_252 then adj_close / adj_close_252 - 1 end as return_252,
    case when has_63 and variance_21 > 1e-14 then sqrt(variance_21) end as volatility_21,
    case when has_63 and variance_60 > 1e-14 then sqrt(variance_60) end as volatility_60,
    case
        when has_252 and variance_252 > 1e-14
            then ret_252 / 252 / sqrt(variance_252) * sqrt(cast(252 as double precision))
    end as sharpe_252,
    case
        when has_252 and pairs_252 >= 200 and market_variation > 1e-12
            then (product_252 - paired_252 * market_252 / pairs_252) / market_variation
    end as beta_252,
    case when has_63 and impacts_63 >= 50 then impact_63 / impacts_63 end as illiquidity_63
from chosen
