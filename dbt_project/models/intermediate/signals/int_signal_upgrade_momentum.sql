{{ signal_config('int_signal_upgrade_momentum', ['analyst_ratings', 'prices', 'corporate_actions', 'securities']) }}
-- (Upgrades - downgrades) / revisions of analysts over the four weeks up to the decision, for stocks with at least 3
-- revisions. A revision is what a firm says about a share it covers already: up, down, maintained or reiterated; one a day and
-- firm. It counts from when it was first public.
with sessions as (
    select
        session,
        decision_at,
        {{ decision_time("session - interval '28 days'") }} as four_weeks_ago_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_upgrade_momentum') }}
    {% endif %}
),

-- the days each window covers, in UTC: ratings are looked up by day, not compared with every session
days as (
    select
        sessions.session,
        sessions.decision_at,
        sessions.four_weeks_ago_at,
        cast(cast((sessions.decision_at at time zone 'UTC') as date) - cast(back.days as integer) as date) as day
    from sessions
    cross join generate_series(0, 29) as back (days)
),

ratings as (
    select
        symbols.security_id,
        ratings.action,
        lower(ratings.firm) as firm,
        ratings.rated_at,
        {{ new_york_date('ratings.rated_at') }} as rated_on,
        ratings.first_known_at,
        cast((ratings.first_known_at at time zone 'UTC') as date) as first_known_on,
        ratings.known_at,
        ratings.superseded_at,
        ratings.row_id
    from {{ ref('stg_raw__analyst_ratings') }} as ratings
    inner join {{ ref('int_security_symbols') }} as symbols
        on ratings.symbol = symbols.symbol
        and ratings.rated_at >= symbols.valid_from
        and ratings.rated_at < symbols.valid_to
    where ratings.action in ('upgrade', 'downgrade', 'maintain', 'reiterate')
),

revisions as (
    select
        days.session,
        days.decision_at,
        ratings.security_id,
        ratings.action,
        row_number() over (
            partition by days.session, ratings.security_id, ratings.firm, ratings.rated_on
            order by ratings.rated_at desc, ratings.row_id desc
        ) as newest_first
    from ratings
    inner join days
        on ratings.first_known_on = days.day
        and days.decision_at >= ratings.first_known_at
        and days.four_weeks_ago_at < ratings.first_known_at
        and {{ current_at('ratings', 'days.decision_at') }}
),

balances as (
    select
        session,
        decision_at,
        security_id,
        cast(
            count(*) filter (where action = 'upgrade') - count(*) filter (where action = 'downgrade') as double precision
        ) / count(*) as value
    from revisions
    where newest_first = 1
    group by session, decision_at, security_id
    having count(*) >= {{ var('ratings_least') }}
),

{{ tradable('balances', ['stock']) }}

{{ ranked_signal('upgrade_momentum') }}
