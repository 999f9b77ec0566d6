{{ signal_config('int_signal_wiki_attention', ['wiki_views', 'prices', 'corporate_actions', 'securities']) }}
-- Jump of page views: ln of the mean of the last 7 known days over the mean of the 90 days before, in standard deviations
-- of the daily ln views of those 90 days (views + 1, so that a day without any counts). Views of a day are known two days
-- later at 00:00 UTC, so the newest known day is the UTC date of the decision time less 2. At least 5 of the 7 and 60 of
-- the 90 days must be there. An article of several share classes counts once, for the symbol that comes first.
with sessions as (
    select
        session,
        decision_at,
        cast((decision_at at time zone 'UTC') as date) - 2 as last_day
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_wiki_attention') }}
    {% endif %}
),

-- the 97 days each session looks at
days as (
    select
        sessions.session,
        sessions.decision_at,
        sessions.last_day,
        cast(sessions.last_day - cast(back.days as integer) as date) as day
    from sessions
    cross join generate_series(0, 96) as back (days)
    {% if not is_incremental() %}
    where sessions.last_day >= (select min(event_date) from {{ ref('stg_raw__wiki_views') }})
    {% endif %}
),

attention as (
    select
        days.session,
        days.decision_at,
        views.article,
        count(*) filter (where views.event_date > days.last_day - 7) as recent_days,
        count(*) filter (where views.event_date <= days.last_day - 7) as base_days,
        avg(cast(views.views as double precision)) filter (where views.event_date > days.last_day - 7) as recent_mean,
        avg(cast(views.views as double precision)) filter (where views.event_date <= days.last_day - 7) as base_mean,
        stddev_samp(ln(cast(views.views as double precision) + 1))
            filter (where views.event_date <= days.last_day - 7) as base_deviation
    from {{ ref('stg_raw__wiki_views') }} as views
    inner join days
        on views.event_date = days.day
        and {{ current_at('views', 'days.decision_at') }}
    {% if is_incremental() %}
    where views.event_date > {{ reprocess_from('int_signal_wiki_attention') }} - 110
    {% endif %}
    group by days.session, days.decision_at, views.article
),

-- found before the bars are looked up: how many articles match cannot be guessed, and the bars are many
matched as materialized (
    select
        attention.session,
        attention.article,
        versions.security_id,
        ln((attention.recent_mean + 1) / (attention.base_mean + 1)) / attention.base_deviation as jump
    from attention
    inner join {{ ref('int_security_versions') }} as versions
        on replace(attention.article, ' ', '_') = replace(versions.wiki_title, ' ', '_')
        and attention.decision_at >= versions.known_from
        and attention.decision_at < versions.known_to
    where attention.recent_days >= 5
        and attention.base_days >= 60
        and attention.base_deviation > 1e-9
        and versions.asset_class = 'stock'
),

jumps as (
    select
        matched.session,
        bars.security_id,
        bars.symbol,
        matched.jump,
        row_number() over (partition by matched.session, matched.article order by bars.symbol collate "C") as class_no
    from matched
    inner join {{ ref('daily_returns') }} as bars
        on matched.security_id = bars.security_id
        and matched.session = bars.session
    {%- if is_incremental() %}
    where bars.session >= {{ reprocess_from('int_signal_wiki_attention') }}
    {%- endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        {{ significant('jump') }} as score
    from jumps
    where class_no = 1
)

{{ ranked_signal('wiki_attention') }}
