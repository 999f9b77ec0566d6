{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_rows('daily_returns', ['prices', 'corporate_actions', 'securities']) }}",
        "{{ delete_reprocessed('daily_returns') }}",
    ],
    post_hook="{{ mark_built('daily_returns') }}",
    indexes=pg_indexes([{'columns': ['security_id', 'session'], 'unique': true}, {'columns': ['session']}])
) }}
-- Total returns from unadjusted bars. Each row uses what was known at the decision time of its own session: a bar or an
-- action that is corrected later changes no session before the correction was known.
with sessions as (
    select
        session,
        session_no,
        decision_at
    from {{ ref('int_sessions') }}
    {% if is_incremental() %}
    where session >= {{ reprocess_from('daily_returns') }}
    {% endif %}
),

-- after a rename the whole history comes again under the new symbol: the newest row of a session counts
known_bars as (
    select distinct on (symbols.security_id, sessions.session)
        symbols.security_id,
        sessions.session,
        sessions.session_no,
        sessions.decision_at,
        prices.open,
        prices.close,
        prices.volume
    from {{ ref('stg_raw__prices') }} as prices
    inner join sessions on prices.event_date = sessions.session
    inner join {{ ref('int_security_symbols') }} as symbols
        on prices.symbol = symbols.symbol
        and prices.ingested_at >= symbols.valid_from
        and prices.ingested_at < symbols.valid_to
    where {{ current_at('prices', 'sessions.decision_at') }}
        and prices.close > 0
    {% if is_incremental() %}
        and prices.event_date >= {{ reprocess_from('daily_returns') }}
    {% endif %}
    order by symbols.security_id, sessions.session, prices.known_at desc, prices.row_id desc
),

stream as (
    select
        security_id,
        session,
        session_no,
        decision_at,
        open,
        close,
        volume,
        cast(1 as double precision) as factor,
        false as is_base
    from known_bars
    {% if is_incremental() %}
    union all
    -- the bar that each security's chain goes on from
    select
        built.security_id,
        built.session,
        sessions.session_no,
        cast(null as timestamp with time zone) as decision_at,
        built.open,
        built.close,
        cast(null as double precision) as volume,
        built.adj_close / built.close as factor,
        true as is_base
    from {{ this }} as built
    inner join (
        select
            security_id,
            max(session) as session
        from {{ this }}
        group by security_id
    ) as latest
        on built.security_id = latest.security_id
        and built.session = latest.session
    inner join {{ ref('int_sessions') }} as sessions on built.session = sessions.session
    {% endif %}
),

chained as (
    select
        *,
        lag(close) over (partition by security_id order by session) as previous_close,
        lag(session) over (partition by security_id order by session) as previous_session,
        session_no - lag(session_no) over (partition by security_id order by session) as step
    from stream
),

-- an action counts in the first bar on or after its ex-date: usually that day's, after missing days a later one
actions_by_bar as (
    select
        security_id,
        ex_date as session,
        ratio,
        cash
    from {{ ref('int_corporate_actions_mapped') }}
    union all
    select
        actions.security_id,
        chained.session,
        actions.ratio,
        actions.cash
    from chained
    inner join {{ ref('int_corporate_actions_mapped') }} as actions
        on chained.security_id = actions.security_id
        and chained.previous_session < actions.ex_date
        and chained.session > actions.ex_date
    where chained.step > 1
),

actions as (
    select
        security_id,
        session,
        case when count(*) = 1 then max(ratio) else exp(sum(ln(ratio))) end as ratio,
        sum(cash) as cash
    from actions_by_bar
    group by security_id, session
),

returns as (
    select
        chained.security_id,
        chained.session,
        chained.decision_at,
        chained.open,
        chained.close,
        chained.volume,
        chained.is_base,
        (chained.close * coalesce(actions.ratio, 1) + coalesce(actions.cash, 0)) / nullif(chained.previous_close, 0) - 1 as ret,
        -- adj_close = close x all splits and reinvested payments so far; it starts at the first close
        sum(ln(
            case
                when chained.is_base then chained.factor
                when chained.previous_close is null then 1
                else coalesce(actions.ratio, 1) + coalesce(actions.cash, 0) / chained.close
            end
        )) over (partition by chained.security_id order by chained.session rows unbounded preceding) as log_factor
    from chained
    left join actions on chained.security_id = actions.security_id and chained.session = actions.session
)

select
    returns.security_id,
    versions.symbol,
    returns.session,
    returns.open,
    returns.close,
    exp(returns.log_factor) * returns.open as adj_open,
    exp(returns.log_factor) * returns.close as adj_close,
    returns.ret,
    returns.close * returns.volume as dollar_volume
from returns
inner join {{ ref('int_security_versions') }} as versions
    on returns.security_id = versions.security_id
    and returns.decision_at >= versions.shown_from
    and returns.decision_at < versions.known_to
where not returns.is_base
