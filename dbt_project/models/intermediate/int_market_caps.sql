{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=[
        "{{ note_new_rows('int_market_caps', ['fundamentals', 'prices', 'corporate_actions', 'securities']) }}",
        "{{ delete_reprocessed('int_market_caps') }}",
        "{{ delete_passed_provisional() }}",
    ],
    post_hook="{{ mark_built('int_market_caps') }}",
    indexes=pg_indexes([{'columns': ['security_id', 'session']}, {'columns': ['session']}])
) }}
-- Market value of each security's company at the sessions of int_security_features: the unadjusted close times the shares
-- of all classes. Shares are those of the newest filing known, else, from the first fetch on, those of Yahoo's page; splits
-- between the day they were counted on and the session are made up for. Figures of more than 400 days ago are none.
with features as (
    select
        features.security_id,
        features.session,
        sessions.decision_at,
        bars.close
    from {{ ref('int_security_features') }} as features
    inner join {{ ref('int_sessions') }} as sessions on features.session = sessions.session
    inner join {{ ref('daily_returns') }} as bars
        on features.security_id = bars.security_id
        and features.session = bars.session
    {% if is_incremental() %}
    where features.session >= {{ reprocess_from('int_market_caps') }}
    {% endif %}
),

filed as (
    select
        entities.security_id,
        reports.session as known_from,
        lead(reports.session) over (partition by entities.security_id, reports.entity order by reports.session) as known_to,
        reports.shares,
        reports.shares_on
    from {{ ref('int_fundamentals_ttm') }} as reports
    inner join {{ ref('int_fundamental_entities') }} as entities on reports.entity = entities.entity
    {% if is_incremental() %}
    -- of older ones no count is recent enough
    where reports.session > {{ reprocess_from('int_market_caps') }} - 800
    {% endif %}
),

shown as (
    select
        symbols.security_id,
        snapshots.known_at,
        snapshots.event_date as shares_on,
        max(case when snapshots.concept = 'impliedSharesOutstanding' then snapshots.value end) as all_classes,
        max(case when snapshots.concept = 'sharesOutstanding' then snapshots.value end) as one_class
    from {{ ref('stg_raw__fundamentals') }} as snapshots
    inner join {{ ref('int_security_symbols') }} as symbols
        on snapshots.symbol = symbols.symbol
        and snapshots.ingested_at >= symbols.valid_from
        and snapshots.ingested_at < symbols.valid_to
    where snapshots.frequency = 'snapshot'
        and snapshots.concept in ('impliedSharesOutstanding', 'sharesOutstanding')
    {% if is_incremental() %}
        and snapshots.event_date > {{ reprocess_from('int_market_caps') }} - 400
    {% endif %}
    group by symbols.security_id, snapshots.known_at, snapshots.event_date
),

from_filings as (
    select distinct on (features.security_id, features.session)
        features.security_id,
        features.session,
        features.close,
        filed.shares,
        filed.shares_on
    from features
    inner join filed
        on features.security_id = filed.security_id
        and features.session >= filed.known_from
        and (filed.known_to is null or features.session < filed.known_to)
        and filed.shares_on > features.session - 400
    where filed.shares > 0
    order by features.security_id, features.session, filed.shares_on desc
),

from_pages as (
    select distinct on (features.security_id, features.session)
        features.security_id,
        features.session,
        features.close,
        coalesce(shown.all_classes, shown.one_class) as shares,
        shown.shares_on
    from features
    inner join shown
        on features.security_id = shown.security_id
        and shown.known_at <= features.decision_at
        and shown.shares_on > features.session - 400
    left join from_filings
        on features.security_id = from_filings.security_id
        and features.session = from_filings.session
    where coalesce(shown.all_classes, shown.one_class) > 0
        and from_filings.session is null
    order by features.security_id, features.session, shown.shares_on desc
),

chosen as (
    select
        *,
        'filing' as shares_source
    from from_filings
    union all
    select
        *,
        'page' as shares_source
    from from_pages
),

split as (
    select
        chosen.security_id,
        chosen.session,
        exp(sum(ln(actions.ratio))) as ratio
    from chosen
    inner join {{ ref('int_corporate_actions_mapped') }} as actions
        on chosen.security_id = actions.security_id
        and actions.ex_date > chosen.shares_on
        and actions.ex_date <= chosen.session
    where actions.ratio <> 1
    group by chosen.security_id, chosen.session
)

select
    chosen.security_id,
    chosen.session,
    chosen.close,
    chosen.shares * coalesce(split.ratio, 1) as shares,
    chosen.shares_on,
    chosen.shares_source,
    {{ significant('chosen.close * chosen.shares * coalesce(split.ratio, 1)') }} as market_cap
from chosen
left join split on chosen.security_id = split.security_id and chosen.session = split.session
