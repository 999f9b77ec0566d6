{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook=[
        "{{ note_new_rows('int_fundamentals_ttm', ['fundamentals']) }}",
        "{{ remember_known('int_fundamentals_ttm') }}",
        "{{ delete_reprocessed('int_fundamentals_ttm') }}",
    ],
    post_hook="{{ mark_built('int_fundamentals_ttm') }}",
    indexes=pg_indexes([{'columns': ['entity', 'session']}])
) }}
{%- set flows = fundamental_flows() %}
{%- set balances = fundamental_balances() %}
{#- numbers instead of words and keys: what is sorted and grouped by here are millions of rows -#}
{%- set role = {'now': 0, 'then': 1, 'last': 2, 'part': 3, 'cover': 4} %}
-- Statements of each company as they were known, one row per session in which filings changed what is known. The newest
-- balance sheet dates everything: a figure that has no value for that very period is stale and left out. A flow is that of
-- the fiscal year, after a quarterly report: year + this year so far - the same part of last year; else the sum of four
-- quarters. Periods are told by their days, since fiscal labels belong to the filing. Of a restated figure the newest filing
-- known in the session counts, of several names for it the first that has one.
with news as (
    select distinct
        entity,
        known_at as changed_at
    from {{ ref('int_fundamental_figures') }}
    {% if is_incremental() %}
    where known_at > {{ built_decision('int_fundamentals_ttm') }}
    {% endif %}
    union
    select distinct
        entity,
        superseded_at
    from {{ ref('int_fundamental_figures') }}
    where superseded_at is not null
    {% if is_incremental() %}
        and superseded_at > {{ built_decision('int_fundamentals_ttm') }}
    {% endif %}
),

-- the first session whose decision can know it
instants as (
    select
        changes.changed_at,
        min(sessions.session) as session
    from (select distinct changed_at from news) as changes
    inner join {{ ref('int_sessions') }} as sessions
        on sessions.decision_at >= changes.changed_at
        and sessions.decision_at < changes.changed_at + interval '12 days'
    group by changes.changed_at
),

events as (
    select
        entity,
        session,
        decision_at,
        row_number() over (order by entity, session) as event_no
    from (
        select distinct
            news.entity,
            sessions.session,
            sessions.decision_at
        from news
        inner join instants on news.changed_at = instants.changed_at
        inner join {{ ref('int_sessions') }} as sessions on instants.session = sessions.session
        {% if is_incremental() %}
        where sessions.session >= {{ reprocess_from('int_fundamentals_ttm') }}
        {% endif %}
    ) as changed
),

-- balance sheets of the last three years, the newest first
sheets as (
    select distinct
        events.event_no,
        events.entity,
        events.session,
        events.decision_at,
        figures.period_end,
        max(figures.period_end) over (partition by events.event_no) as newest_end
    from events
    inner join {{ ref('int_fundamental_figures') }} as figures
        on events.entity = figures.entity
        and figures.item = 'assets'
        and figures.frequency = 'instant'
        and figures.period_end > events.session - 1200
        and {{ current_at('figures', 'events.decision_at') }}
),

yearly as (
    select
        event_no,
        entity,
        decision_at,
        newest_end,
        max(case when newest_end - period_end between 350 and 380 then period_end end) as end_1,
        max(case when newest_end - period_end between 715 and 745 then period_end end) as end_2
    from sheets
    group by event_no, entity, decision_at, newest_end
),

-- this year's report and the one of a year before, each with the one a year before it
anchors as (
    select event_no, entity, decision_at, 0 as years, newest_end as period_end, end_1 as period_before from yearly
    union all
    select event_no, entity, decision_at, 1 as years, end_1 as period_end, end_2 as period_before from yearly
    where end_1 is not null
),

found as (
    select
        anchors.event_no, anchors.years, anchors.period_end as anchor, {{ role['now'] }} as role,
        figures.item, figures.frequency, figures.period_end, figures.period_days, figures.value, figures.filed,
        figures.priority, figures.row_id
    from anchors
    inner join {{ ref('int_fundamental_figures') }} as figures
        on anchors.entity = figures.entity
        and anchors.period_end = figures.period_end
        and {{ current_at('figures', 'anchors.decision_at') }}
    where figures.item <> 'shares_cover'
    union all
    select
        anchors.event_no, anchors.years, anchors.period_end, {{ role['then'] }},
        figures.item, figures.frequency, figures.period_end, figures.period_days, figures.value, figures.filed,
        figures.priority, figures.row_id
    from anchors
    inner join {{ ref('int_fundamental_figures') }} as figures
        on anchors.entity = figures.entity
        and anchors.period_before = figures.period_end
        and {{ current_at('figures', 'anchors.decision_at') }}
    where figures.frequency in ('quarter', 'half', 'nine_months')
        and figures.item in ({{ literals(flows) }})
    union all
    -- the fiscal year that ended before the period
    select
        anchors.event_no, anchors.years, anchors.period_end, {{ role['last'] }},
        figures.item, figures.frequency, figures.period_end, figures.period_days, figures.value, figures.filed,
        figures.priority, figures.row_id
    from anchors
    inner join {{ ref('int_fundamental_figures') }} as figures
        on anchors.entity = figures.entity
        and figures.period_end between anchors.period_end - 300 and anchors.period_end - 75
        and {{ current_at('figures', 'anchors.decision_at') }}
    where figures.frequency = 'year'
        and figures.item in ({{ literals(flows) }})
    union all
    -- the four quarters up to the end of the period
    select
        anchors.event_no, anchors.years, anchors.period_end, {{ role['part'] }},
        figures.item, figures.frequency, figures.period_end, 0, figures.value, figures.filed,
        figures.priority, figures.row_id
    from anchors
    inner join {{ ref('int_fundamental_figures') }} as figures
        on anchors.entity = figures.entity
        and figures.period_end between anchors.period_end - 300 and anchors.period_end
        and {{ current_at('figures', 'anchors.decision_at') }}
    where figures.frequency = 'quarter'
        and figures.item in ({{ literals(flows) }})
    union all
    -- the cover of a report tells the number of shares on a day after the period
    select
        anchors.event_no, anchors.years, anchors.period_end, {{ role['cover'] }},
        figures.item, figures.frequency, figures.period_end, 0, figures.value, figures.filed,
        figures.priority, figures.row_id
    from anchors
    inner join {{ ref('int_fundamental_figures') }} as figures
        on anchors.entity = figures.entity
        and figures.period_end between anchors.period_end and anchors.period_end + 95
        and {{ current_at('figures', 'anchors.decision_at') }}
    where figures.item = 'shares_cover'
),

-- one value per item and period: the first name that has one, its newest filing, which may count the days of the period
-- otherwise; of covers the newest, and the newest of the years before, since a fiscal year may change its end
pieces as (
    select
        event_no,
        years,
        anchor,
        role,
        item,
        frequency,
        period_end,
        value,
        filed
    from (
        select
            *,
            row_number() over (
                partition by
                    event_no, years, role, item,
                    case when role in ({{ role['cover'] }}, {{ role['last'] }}) then anchor else period_end end, frequency
                order by period_end desc, priority, filed desc, row_id desc
            ) as newest_first
        from found
    ) as ranked
    where newest_first = 1
),

parts as (
    select
        event_no,
        years,
        anchor,
        item,
        max(case when role = {{ role['now'] }} and frequency = 'instant' then value end) as state,
        max(case when role = {{ role['now'] }} and frequency = 'year' then value end) as fiscal,
        max(case when role = {{ role['last'] }} then value end) as last_year,
        anchor - max(case when role = {{ role['last'] }} then period_end end) as days_so_far,
        {%- for length in ['quarter', 'half', 'nine_months'] %}
        max(case when role = {{ role['now'] }} and frequency = '{{ length }}' then value end)
        - max(case when role = {{ role['then'] }} and frequency = '{{ length }}' then value end) as {{ length }}_change,
        {%- endfor %}
        case when sum(case when role = {{ role['part'] }} then 1 else 0 end) = 4
            then sum(case when role = {{ role['part'] }} then value end) end as four_quarters,
        max(case when role = {{ role['now'] }} and frequency <> 'instant' then value end) as any_value,
        max(case when role = {{ role['now'] }} then filed end) as filed,
        max(case when role = {{ role['cover'] }} then period_end end) as counted_on,
        max(case when role = {{ role['cover'] }} then value end) as counted
    from pieces
    group by event_no, years, anchor, item
),

items as (
    select
        event_no,
        years,
        anchor,
        item,
        filed,
        counted_on,
        counted,
        any_value,
        coalesce(
            state,
            fiscal,
            last_year + case
                when days_so_far between 75 and 105 then quarter_change
                when days_so_far between 165 and 195 then half_change
                when days_so_far between 255 and 290 then nine_months_change
            end,
            four_quarters
        ) as value
    from parts
),

wide as (
    select
        event_no,
        max(case when years = 0 then anchor end) as period_end,
        max(case when years = 1 then anchor end) as period_end_before,
        max(case when years = 0 then filed end) as filed
        {%- for item in flows + balances %},
        max(case when item = '{{ item }}' and years = 0 then value end) as {{ item }},
        max(case when item = '{{ item }}' and years = 1 then value end) as {{ item }}_before
        {%- endfor %}
        {%- for when in [0, 1] %},
        max(case when item = 'shares_cover' and years = {{ when }} then counted end) as cover_{{ when }},
        max(case when item = 'shares_cover' and years = {{ when }} then counted_on end) as cover_on_{{ when }},
        max(case when item = 'shares_diluted' and years = {{ when }} then any_value end) as diluted_{{ when }},
        max(case when item = 'shares_diluted' and years = {{ when }} then filed end) as diluted_on_{{ when }}
        {%- endfor %}
    from items
    group by event_no
)

select
    events.entity,
    events.session,
    period_end,
    period_end_before,
    filed,
    {%- for when in ['', '_before'] %}
    revenue{{ when }},
    coalesce(gross_profit{{ when }}, revenue{{ when }} - cost{{ when }}) as gross_profit{{ when }},
    overhead{{ when }},
    operating_income{{ when }},
    depreciation{{ when }},
    pretax_income{{ when }},
    tax{{ when }},
    net_income{{ when }},
    operating_cash_flow{{ when }},
    capital_expenditure{{ when }},
    cash{{ when }},
    securities{{ when }},
    receivables{{ when }},
    current_assets{{ when }},
    property{{ when }},
    assets{{ when }},
    current_liabilities{{ when }},
    coalesce(liabilities{{ when }}, assets{{ when }} - equity{{ when }}) as liabilities{{ when }},
    coalesce(debt_noncurrent{{ when }} + coalesce(debt_current{{ when }}, 0), debt_long{{ when }}) as long_debt{{ when }},
    debt_short{{ when }} as short_debt{{ when }},
    equity{{ when }},
    retained_earnings{{ when }},
    {%- endfor %}
    -- numbers of shares are on the basis of their day: a cover's is its own, an average's that of the filing
    coalesce(cover_0, diluted_0) as shares,
    case when cover_0 is not null then cover_on_0 when diluted_0 is not null then diluted_on_0 end as shares_on,
    case when cover_0 is not null then cover_1 else diluted_1 end as shares_before,
    case when cover_0 is not null then cover_on_1 else diluted_on_1 end as shares_before_on
from wide
inner join events on wide.event_no = events.event_no
