{{ signal_config('int_signal_wsb_buzz', ['reddit_mentions', 'prices', 'corporate_actions', 'securities']) }}
-- Rise of mentions over seven days: ln of the mentions in the newest capture known at the decision over those in the capture
-- nearest to seven days earlier (five to nine days before it), one added to both. Who was not ranked then had none. At
-- least 10 mentions now; tickers that are words of English are left out.
with sessions as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_wsb_buzz') }}
    {% endif %}
),

-- the captures of the two weeks that each session looks at
captures as (
    select distinct
        sessions.session,
        sessions.decision_at,
        mentions.capture_date
    from {{ ref('stg_raw__reddit_mentions') }} as mentions
    inner join sessions
        on mentions.capture_date <= sessions.session
        and mentions.capture_date > sessions.session - 20
        and {{ current_at('mentions', 'sessions.decision_at') }}
    where mentions.forum = '{{ var("mentions_forum") }}'
),

newest as (
    select
        session,
        decision_at,
        max(capture_date) as capture_date
    from captures
    group by session, decision_at
),

pairs as (
    select
        newest.session,
        newest.decision_at,
        newest.capture_date,
        before.capture_date as capture_before,
        row_number() over (
            partition by newest.session order by abs(newest.capture_date - before.capture_date - 7), before.capture_date
        ) as nearest_first
    from newest
    inner join captures as before on newest.session = before.session
    where newest.capture_date - before.capture_date between 5 and 9
),

counted as (
    select
        pairs.session,
        pairs.decision_at,
        symbols.security_id,
        coalesce(sum(mentions.mentions) filter (where mentions.capture_date = pairs.capture_date), 0) as now_,
        coalesce(sum(mentions.mentions) filter (where mentions.capture_date = pairs.capture_before), 0) as before
    from pairs
    inner join {{ ref('stg_raw__reddit_mentions') }} as mentions
        on mentions.capture_date in (pairs.capture_date, pairs.capture_before)
        and {{ current_at('mentions', 'pairs.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on mentions.symbol = symbols.symbol
        and {{ held_on('symbols', 'mentions.capture_date') }}
    where pairs.nearest_first = 1
        and mentions.forum = '{{ var("mentions_forum") }}'
        and not mentions.is_common_word
    group by pairs.session, pairs.decision_at, symbols.security_id
),

rises as (
    select
        session,
        decision_at,
        security_id,
        ln((cast(now_ as double precision) + 1) / (cast(before as double precision) + 1)) as value
    from counted
    where now_ >= {{ var('mentions_least') }}
),

{{ tradable('rises', ['stock']) }}

{{ ranked_signal('wsb_buzz') }}
