{{ signal_config('int_signal_lobbying_growth', ['lobbying', 'prices', 'corporate_actions', 'securities']) }}
-- Growth of what a company spent on lobbying: reports that became known in the three months up to the decision over those
-- of the three months a year before, less 1. A report counts when it was first public; an amendment changes its amount from
-- then on, and moves it to no other quarter. What an in-house registrant states includes the fees of outside firms, so the
-- larger of the two counts. Less than $50,000 now, or nothing a year before, is no growth.
with sessions as (
    select
        session,
        decision_at,
        {{ decision_time("session - interval '3 months'") }} as quarter_ago_at,
        {{ decision_time("session - interval '12 months'") }} as year_ago_at,
        {{ decision_time("session - interval '15 months'") }} as year_and_quarter_ago_at
    from {{ ref('int_sessions') }}
    where is_month_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_lobbying_growth') }}
    {% endif %}
),

reports as (
    select
        symbol,
        amount,
        amount_kind,
        coalesce(report_date, event_date) as stated_on,
        known_at,
        superseded_at,
        min(first_known_at) over (
            partition by
                source,
                coalesce(
                    cast(registrant_id as text) || '/' || cast(client_id as text) || '/' || cast(filing_year as text)
                    || '/' || filing_period,
                    filing_id
                )
        ) as reported_at
    from {{ ref('stg_raw__lobbying') }}
    where coalesce(filing_type, '') not like 'R%'
),

spent as (
    select
        sessions.session,
        sessions.decision_at,
        symbols.security_id,
        reports.reported_at > sessions.quarter_ago_at as is_recent,
        greatest(
            coalesce(sum(reports.amount) filter (where reports.amount_kind = 'expenses'), 0),
            coalesce(sum(reports.amount) filter (where reports.amount_kind = 'income'), 0)
        ) + coalesce(sum(reports.amount) filter (where reports.amount_kind is null), 0) as spend
    from reports
    inner join sessions
        on reports.reported_at > sessions.year_and_quarter_ago_at
        and reports.reported_at <= sessions.decision_at
        and (reports.reported_at > sessions.quarter_ago_at or reports.reported_at <= sessions.year_ago_at)
        and {{ current_at('reports', 'sessions.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on reports.symbol = symbols.symbol
        and {{ held_on('symbols', 'reports.stated_on') }}
    group by
        sessions.session, sessions.decision_at, symbols.security_id, reports.reported_at > sessions.quarter_ago_at
),

growth as (
    select
        now_.session,
        now_.decision_at,
        now_.security_id,
        now_.spend / before.spend - 1 as value
    from spent as now_
    inner join spent as before
        on now_.session = before.session
        and now_.security_id = before.security_id
    where now_.is_recent
        and not before.is_recent
        and before.spend > 0
        and now_.spend >= {{ var('lobbying_least_spend') }}
),

{{ tradable('growth', ['stock']) }}

{{ ranked_signal('lobbying_growth') }}
