{{ signal_config('int_signal_app_reviews_hype', ['app_reviews', 'prices', 'corporate_actions', 'securities']) }}
-- One-week change of rating x ln(1 + number of ratings), added up over the apps of a company. Of each app the last reading
-- known at the decision is compared with the one nearest to seven days earlier, five to nine days before it; an app without
-- both does not count. Where the page shows a hype score instead of ratings, that is compared.
with sessions as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_app_reviews_hype') }}
    {% endif %}
),

readings as (
    select
        sessions.session,
        sessions.decision_at,
        reviews.source,
        reviews.symbol,
        reviews.app,
        reviews.publisher,
        reviews.ordinal,
        reviews.event_date,
        coalesce(reviews.rating * ln(1 + cast(reviews.ratings as double precision)), reviews.hype) as hype,
        max(reviews.event_date) over (
            partition by
                sessions.session, reviews.source, reviews.symbol, reviews.app, reviews.publisher, reviews.ordinal
        ) as last_on
    from {{ ref('stg_raw__app_reviews') }} as reviews
    inner join sessions
        on reviews.event_date <= sessions.session
        and reviews.event_date > sessions.session - 25
        and {{ current_at('reviews', 'sessions.decision_at') }}
    where coalesce(reviews.rating * ln(1 + cast(reviews.ratings as double precision)), reviews.hype) is not null
),

compared as (
    select
        last_.session,
        last_.decision_at,
        last_.symbol,
        last_.last_on,
        last_.hype - before.hype as change,
        row_number() over (
            partition by
                last_.session, last_.source, last_.symbol, last_.app, last_.publisher, last_.ordinal
            order by abs(last_.last_on - before.event_date - 7), before.event_date
        ) as nearest_first
    from readings as last_
    inner join readings as before
        on last_.session = before.session
        and last_.source = before.source
        and last_.symbol = before.symbol
        and last_.app = before.app
        and last_.publisher = before.publisher
        and last_.ordinal = before.ordinal
    where last_.event_date = last_.last_on
        and last_.last_on > last_.session - 16
        and last_.last_on - before.event_date between 5 and 9
),

changes as (
    select
        compared.session,
        compared.decision_at,
        symbols.security_id,
        sum(compared.change) as value
    from compared
    inner join {{ ref('int_security_symbols') }} as symbols
        on compared.symbol = symbols.symbol
        and {{ held_on('symbols', 'compared.last_on') }}
    where compared.nearest_first = 1
    group by compared.session, compared.decision_at, symbols.security_id
),

{{ tradable('changes', ['stock']) }}

{{ ranked_signal('app_reviews_hype') }}
