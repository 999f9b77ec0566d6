{{ signal_config('int_signal_trends_news_sentiment',
    ['google_trends', 'news_headlines', 'prices', 'corporate_actions', 'securities']) }}
-- Product of two ranks among the stocks whose search interest rises and whose news are good: the rise of the trend score from
-- the first capture of the last 30 days (at least six days before the newest) to the newest one known at the decision, and
-- the mean sentiment of the headlines first seen in those 30 days. The highest rank is the best; equals share the lowest.
with sessions as (
    select
        session,
        decision_at,
        {{ decision_time("session - interval '30 days'") }} as month_ago_at
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_trends_news_sentiment') }}
    {% endif %}
),

searches as (
    select
        sessions.session,
        symbols.security_id,
        trends.capture_date,
        max(trends.score) as score,
        max(max(trends.capture_date)) over (partition by sessions.session) as newest_capture
    from {{ ref('stg_raw__google_trends') }} as trends
    inner join sessions
        on sessions.decision_at >= trends.first_known_at
        and sessions.month_ago_at < trends.first_known_at
        and {{ current_at('trends', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on trends.symbol = symbols.symbol
        and {{ held_on('symbols', 'trends.capture_date') }}
    group by sessions.session, symbols.security_id, trends.capture_date
),

spans as (
    select
        session,
        security_id,
        min(capture_date) filter (where capture_date <= newest_capture - 6) as first_on,
        max(newest_capture) as last_on
    from searches
    group by session, security_id
),

rises as (
    select
        spans.session,
        spans.security_id,
        {{ significant('(last_.score - first_.score)') }} as rise
    from spans
    inner join searches as last_
        on spans.session = last_.session
        and spans.security_id = last_.security_id
        and spans.last_on = last_.capture_date
    inner join searches as first_
        on spans.session = first_.session
        and spans.security_id = first_.security_id
        and spans.first_on = first_.capture_date
),

news as (
    select
        sessions.session,
        symbols.security_id,
        avg(headlines.sentiment) as sentiment
    from {{ ref('stg_raw__news_headlines') }} as headlines
    inner join sessions
        on sessions.decision_at >= headlines.first_known_at
        and sessions.month_ago_at < headlines.first_known_at
        and {{ current_at('headlines', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on headlines.symbol = symbols.symbol
        and headlines.first_known_at >= symbols.valid_from
        and headlines.first_known_at < symbols.valid_to
    where headlines.sentiment is not null
    group by sessions.session, symbols.security_id
),

qualified as (
    select
        rises.session,
        rises.security_id,
        versions.symbol,
        rises.rise,
        {{ significant('news.sentiment') }} as sentiment
    from rises
    inner join sessions on rises.session = sessions.session
    inner join news
        on rises.session = news.session
        and rises.security_id = news.security_id
    inner join {{ ref('int_security_versions') }} as versions
        on rises.security_id = versions.security_id
        and sessions.decision_at >= versions.known_from
        and sessions.decision_at < versions.known_to
    inner join {{ ref('daily_returns') }} as bars
        on rises.security_id = bars.security_id
        and rises.session = bars.session
    where rises.rise > 0
        and news.sentiment > 0
        and versions.asset_class = 'stock'
    {%- if is_incremental() %}
        and bars.session >= {{ reprocess_from('int_signal_trends_news_sentiment') }}
    {%- endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        cast(
            rank() over (partition by session order by rise) * rank() over (partition by session order by sentiment)
            as double precision
        ) as score
    from qualified
)

{{ ranked_signal('trends_news_sentiment') }}
