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

revisions as (
    select
        sessions.session,
        sessions.decision_at,
        symbols.security_id,
        ratings.action,
        row_number() over (
            partition by
                sessions.session, symbols.security_id, lower(ratings.firm), {{ new_york_date('ratings.rated_at') }}
            order by ratings.rated_at desc, ratings.row_id desc
        ) as newest_first
    from {{ ref('stg_raw__analyst_ratings') }} as ratings
    inner join sessions
        on sessions.decision_at >= ratings.first_known_at
        and sessions.four_weeks_ago_at < ratings.first_known_at
        and {{ current_at('ratings', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on ratings.symbol = symbols.symbol
        and ratings.rated_at >= symbols.valid_from
        and ratings.rated_at < symbols.valid_to
    where ratings.action in ('upgrade', 'downgrade', 'maintain', 'reiterate')
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
