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

{%- set since = "where event_date >= " ~ reprocess_from('daily_returns') if is_incremental() else "" %}

-- after a rename the whole history comes again under the new symbol
renamed as (
    select distinct symbols.symbol
    from {{ ref('int_security_symbols') }} as symbols
    inner join (
        select security_id from {{ ref('int_security_symbols') }} group by security_id having count(*) > 1
    ) as several on symbols.security_id = several.security_id
),

-- nearly every bar is stated once, and under the one symbol of its security: only the others have to be compared
restated as (
    select
        symbol,
        event_date
    from {{ ref('stg_raw__price_lines') }}
    {{ since }}
    group by symbol, event_date
    having count(*) > 1
),

lines as (
    select
        prices.symbol,
        prices.source,
        sessions.session,
        sessions.session_no,
        sessions.decision_at,
        prices.open,
        prices.close,
        prices.volume,
        prices.known_at,
        prices.ingested_at,
        prices.row_id,
        prices.is_deleted,
        coalesce(restated.symbol, renamed.symbol) is not null as is_compared
    from (select * from {{ ref('stg_raw__price_lines') }} {{ since }}) as prices
    inner join sessions
        on prices.event_date = sessions.session
        and prices.known_at <= sessions.decision_at
    left join restated
        on prices.symbol = restated.symbol
        and prices.event_date = restated.event_date
    left join renamed on prices.symbol = renamed.symbol
),

-- the version of each symbol and source that was known last
latest as (
    select
        *,
        row_number() over (partition by symbol, session, source order by known_at desc, row_id desc) as newest_first
    from lines
    where is_compared
),

-- and of those of a security the newest
compared as (
    select
        latest.*,
        symbols.security_id,
        row_number() over (
            partition by symbols.security_id, latest.session order by latest.known_at desc, latest.row_id desc
        ) as newest_of_security
    from latest
    inner join {{ ref('int_security_symbols') }} as symbols
        on latest.symbol = symbols.symbol
        and latest.ingested_at >= symbols.valid_from
        and latest.ingested_at < symbols.valid_to
    where latest.newest_first = 1
        and not latest.is_deleted
        and latest.close > 0
),

known_bars as (
    select
        security_id,
        session,
        session_no,
        decision_at,
        open,
        close,
        volume
    from compared
    where newest_of_security = 1
    union all
    select
        symbols.security_id,
        lines.session,
        lines.session_no,
        lines.decision_at,
        lines.open,
        lines.close,
        lines.volume
    from lines
    inner join {{ ref('int_security_symbols') }} as symbols
        on lines.symbol = symbols.symbol
        and lines.ingested_at >= symbols.valid_from
        and lines.ingested_at < symbols.valid_to
    where not lines.is_compared
        and not lines.is_deleted
        and lines.close > 0
),

{% if is_incremental() -%}
-- the last bar of each security that goes on: mostly one of the days before, else it is looked for
recent as (
    select
        security_id,
        max(session) as session
    from {{ this }}
    where session >= {{ reprocess_from('daily_returns') }} - 15
    group by security_id
),

last_bars as (
    select
        security_id,
        session
    from recent
    union all
    select
        names.security_id,
        (select max(earlier.session) from {{ this }} as earlier where earlier.security_id = names.security_id) as session
    from (select distinct security_id from known_bars) as names
    left join recent on names.security_id = recent.security_id
    where recent.security_id is null
),

{% endif -%}
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
    inner join last_bars
        on built.security_id = last_bars.security_id
        and built.session = last_bars.session
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
