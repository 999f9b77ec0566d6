{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_rows('signal_research', research_datasets()) }}",
        "{{ note_windows('signal_research', 63) }}",
        "{{ delete_windows('signal_research') }}",
    ],
    post_hook="{{ mark_built('signal_research') }}",
    indexes=pg_indexes([{'columns': ['session']}])
) }}
-- What signals foretold: per strategy, rebalance session and window, the rank correlation of scores and returns, and what the
-- best fifth earned above the worst. Research data: no strategy and no signal reads it, for it knows what came afterwards.
{%- set days = [1, 5, 10, 21, 42, 63] %}
{%- set since = signals_from('signal_research') %}
{%- set windows = [(0, 1), (0, 5), (0, 21), (0, 63), (5, 10), (10, 21), (21, 42), (42, 63)] %}
with windows as (
    {%- for first, last in windows %}
    select {{ first }} as from_day, {{ last }} as to_day {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- the windows that are over, and of these what is told by this build
due as (
    select
        sessions.session,
        sessions.session_no,
        windows.from_day,
        windows.to_day
    from {{ ref('int_sessions') }} as sessions
    cross join windows
    where sessions.session_no + windows.to_day <= (select max(session_no) from {{ ref('int_sessions') }})
    {% if is_incremental() %}
        and sessions.session >= {{ since }}
        and sessions.session_no + windows.to_day >= {{ first_window_end('signal_research') }}
    {% endif %}
),

days as (
    select session, session_no, to_day as day from due
    union
    select session, session_no, from_day from due where from_day > 0
),

sessions as (
    select distinct
        session,
        session_no
    from due
),

-- bought at the next open, as a strategy would
entered as (
    select
        signals.strategy,
        signals.session,
        sessions.session_no,
        signals.security_id,
        signals.score,
        bars.adj_open
    from {{ ref('signals') }} as signals
    inner join sessions on signals.session = sessions.session
    inner join {{ ref('int_sessions') }} as following on sessions.session_no + 1 = following.session_no
    inner join {{ ref('daily_returns') }} as bars
        on signals.security_id = bars.security_id
        and following.session = bars.session
    where bars.adj_open > 0
    {% if is_incremental() %}
        and signals.session >= {{ since }}
        and bars.session >= {{ since }}
    {% endif %}
),

last_bars as (
    select
        names.security_id,
        (
            select max(bars.session) from {{ ref('daily_returns') }} as bars
            where bars.security_id = names.security_id
        ) as session
    from (select distinct security_id from entered) as names
),

-- a name that is gone is worth its last close
ended as (
    select
        last_bars.security_id,
        last_bars.session,
        bars.adj_close
    from last_bars
    inner join {{ ref('daily_returns') }} as bars
        on last_bars.security_id = bars.security_id
        and last_bars.session = bars.session
),

grown as (
    select
        entered.strategy,
        entered.session,
        entered.session_no,
        entered.security_id,
        entered.score,
        days.day,
        coalesce(bars.adj_close, ended.adj_close) / entered.adj_open as growth
    from entered
    inner join days on entered.session = days.session
    inner join {{ ref('int_sessions') }} as later on entered.session_no + days.day = later.session_no
    left join {{ ref('daily_returns') }} as bars
        on entered.security_id = bars.security_id
        and later.session = bars.session
    {% if is_incremental() %}
        and bars.session >= {{ since }}
    {% endif %}
    left join ended
        on entered.security_id = ended.security_id
        and later.session > ended.session
),

wide as (
    select
        strategy,
        session,
        session_no,
        security_id,
        max(score) as score
        {%- for day in days %},
        max(growth) filter (where day = {{ day }}) as growth_{{ day }}
        {%- endfor %}
    from grown
    group by strategy, session, session_no, security_id
),

gained as (
    {%- for first, last in windows %}
    select
        strategy,
        session,
        score,
        {{ first }} as from_day,
        {{ last }} as to_day,
        {%- set ratio = 'growth_' ~ last ~ (' / growth_' ~ first if first else '') %}
        {{ significant('(' ~ ratio ~ ' - 1)') }} as ret
    from wide
    where growth_{{ last }} is not null {{ 'and growth_' ~ first ~ ' > 0' if first }}
    {% if is_incremental() %}
        and session_no + {{ last }} >= {{ first_window_end('signal_research') }}
    {% endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

ranked as (
    select
        strategy,
        session,
        from_day,
        to_day,
        ret,
        count(*) over (partition by strategy, session, from_day, to_day) as names,
        {{ mean_rank('score', 'strategy, session, from_day, to_day') }} as score_rank,
        {{ mean_rank('ret', 'strategy, session, from_day, to_day') }} as return_rank
    from gained
),

centred as (
    select
        strategy,
        session,
        from_day,
        to_day,
        names,
        ret,
        cast(score_rank - (names + 1) / 2.0 as double precision) as score_gap,
        cast(return_rank - (names + 1) / 2.0 as double precision) as return_gap,
        case
            when score_rank - 0.5 >= 0.8 * names then 'best'
            when score_rank - 0.5 <= 0.2 * names then 'worst'
        end as fifth
    from ranked
),

summed as (
    select
        strategy,
        session,
        from_day,
        to_day,
        count(*) as names,
        sum(score_gap * return_gap) as products,
        sum(score_gap * score_gap) as score_squares,
        sum(return_gap * return_gap) as return_squares,
        avg(ret) as mean_return,
        avg(ret) filter (where fifth = 'best') - avg(ret) filter (where fifth = 'worst') as spread
    from centred
    group by strategy, session, from_day, to_day
)

select
    strategy,
    session,
    cast(from_day as integer) as from_day,
    cast(to_day as integer) as to_day,
    cast(names as integer) as names,
    case when names >= {{ var('research_least_names') }}
        then {{ rank_correlation('products', 'score_squares', 'return_squares') }} end as information_coefficient,
    case when names >= {{ var('research_least_names') }} then cast(spread as double precision) end as quantile_spread,
    cast(mean_return as double precision) as mean_return
from summed
