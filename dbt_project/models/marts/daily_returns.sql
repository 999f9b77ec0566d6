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

-- an action counts in the first bar on or after its ex-date: usually that day's, after missing days a later one
firsts as (
    select
        security_id,
        min(session) as session
    from stream
    group by security_id
),

dated as (
    select
        actions.security_id,
        actions.ex_date,
        actions.ratio,
        actions.cash,
        stream.session
    from {{ ref('int_corporate_actions_mapped') }} as actions
    -- what the first bar brings is no return
    inner join firsts
        on actions.security_id = firsts.security_id
        and actions.ex_date > firsts.session
    left join stream
        on actions.security_id = stream.security_id
        and actions.ex_date = stream.session
),

-- the bars around an ex-date without one
around as (
    select
        dated.security_id,
        dated.ex_date,
        dated.ratio,
        dated.cash,
        min(case when stream.session > dated.ex_date then stream.session end) as session,
        min(case when stream.session > dated.ex_date then stream.session_no end) as session_no,
        max(case when stream.session < dated.ex_date then stream.session_no end) as previous_no
    from dated
    inner join stream on dated.security_id = stream.security_id
    where dated.session is null
    group by dated.security_id, dated.ex_date, dated.ratio, dated.cash
),

actions as (
    select
        security_id,
        session,
        case when count(*) = 1 then max(ratio) else exp(sum(ln(ratio))) end as ratio,
        sum(cash) as cash
    from (
        select
            security_id,
            session,
            ratio,
            cash
        from dated
        where session is not null
        union all
        select
            security_id,
            session,
            ratio,
            cash
        from around
        where session_no - previous_no > 1
    ) as by_bar
    group by security_id, session
),

returns as (
    select
        stream.security_id,
        stream.session,
        stream.decision_at,
        stream.open,
        stream.close,
        stream.volume,
        stream.is_base,
        (stream.close * coalesce(actions.ratio, 1) + coalesce(actions.cash, 0))
            / nullif(lag(stream.close) over bars_in_order, 0) - 1 as ret,
        -- adj_close = close x all splits and reinvested payments so far; it starts at the first close
        sum(ln(
            case
                when stream.is_base then stream.factor
                else coalesce(actions.ratio, 1) + coalesce(actions.cash, 0) / stream.close
            end
        )) over (bars_in_order rows unbounded preceding) as log_factor
    from stream
    left join actions on stream.security_id = actions.security_id and stream.session = actions.session
    window bars_in_order as (partition by stream.security_id order by stream.session)
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
