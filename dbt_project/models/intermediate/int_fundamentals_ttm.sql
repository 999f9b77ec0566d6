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
{%- set items = flows + balances + ['shares_diluted'] %}
{%- set lengths = ['instant', 'year', 'quarter', 'half', 'nine_months'] %}
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

-- balance sheets of the last three years
sheets as (
    select
        events.event_no,
        events.entity,
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

figures as (
    select
        entity,
        period_end,
        -- a number instead of two words: what is sorted and grouped by here are millions of rows
        case item
            {%- for item in items %}
            when '{{ item }}' then {{ 10 * loop.index }}
            {%- endfor %}
        end + case frequency
            {%- for length in lengths %}
            when '{{ length }}' then {{ loop.index0 }}
            {%- endfor %}
            else 9
        end as cell,
        value,
        filed,
        priority,
        row_id,
        known_at,
        superseded_at
    from {{ ref('int_fundamental_figures') }}
    where item <> 'shares_cover'
    {% if is_incremental() %}
        and entity in (select entity from events)
        -- older ones are no part of what is asked for
        and period_end > {{ reprocess_from('int_fundamentals_ttm') }} - 1600
    {% endif %}
),

-- what was known of a period changes when something about it is filed or withdrawn
turns as (
    select
        entity,
        period_end,
        turned_at,
        lead(turned_at) over (partition by entity, period_end order by turned_at) as next_at,
        row_number() over (order by entity, period_end, turned_at) as report_no
    from (
        select
            entity,
            period_end,
            known_at as turned_at
        from figures
        union
        select
            entity,
            period_end,
            superseded_at
        from figures
        where superseded_at is not null
    ) as moments
),

-- one value per item and period: the first name that has one, its newest filing, which may count the days of the period
-- otherwise
settled as (
    select
        report_no,
        cell,
        value,
        filed
    from (
        select
            turns.report_no,
            figures.cell,
            figures.value,
            figures.filed,
            row_number() over (
                partition by turns.report_no, figures.cell
                order by figures.priority, figures.filed desc, figures.row_id desc
            ) as newest_first
        from turns
        inner join figures
            on turns.entity = figures.entity
            and turns.period_end = figures.period_end
            and {{ current_at('figures', 'turns.turned_at') }}
    ) as ranked
    where newest_first = 1
),

figures_of_report as (
    select
        report_no,
        max(filed) as filed
        {%- for item in flows %}
        {%- set base = 10 * loop.index %}
        {%- for length in lengths[1:] %},
        max(case when cell = {{ base + loop.index }} then value end) as {{ item }}_{{ length }}
        {%- endfor %}
        {%- endfor %}
        {%- for item in balances %},
        max(case when cell = {{ 10 * (flows | length + loop.index) }} then value end) as {{ item }}_instant
        {%- endfor %}
        {%- set base = 10 * items | length %},
        max(case when cell between {{ base + 1 }} and {{ base + 9 }} then value end) as diluted,
        max(case when cell between {{ base }} and {{ base + 9 }} then filed end) as diluted_on
    from settled
    group by report_no
),

reports as (
    select
        turns.entity,
        turns.period_end,
        turns.turned_at as known_at,
        turns.next_at as superseded_at,
        figures_of_report.*
    from turns
    inner join figures_of_report on turns.report_no = figures_of_report.report_no
),

-- of each flow the newest of the years that ended before the period, since a fiscal year may change its end, and the
-- quarters up to the end of the period
parts as (
    select
        event_no,
        years
        {%- for item in flows %},
        {{ newest(item ~ '_before', 'period_end') }} as {{ item }}_last,
        min(case when {{ item }}_before is not null then days end) as {{ item }}_days,
        case when count({{ item }}_quarter) = 4 then sum({{ item }}_quarter) end as {{ item }}_quarters
        {%- endfor %}
    from (
        select
            anchors.event_no,
            anchors.years,
            anchors.period_end - reports.period_end as days,
            reports.period_end
            {%- for item in flows %},
            case when reports.period_end <= anchors.period_end - 75 then reports.{{ item }}_year end as {{ item }}_before,
            reports.{{ item }}_quarter
            {%- endfor %}
        from anchors
        inner join reports
            on anchors.entity = reports.entity
            and reports.period_end between anchors.period_end - 300 and anchors.period_end
            and {{ current_at('reports', 'anchors.decision_at') }}
    ) as around
    group by event_no, years
),

-- the cover of a report tells the number of shares on a day after the period: the newest
covers as (
    select
        event_no,
        years,
        max(period_end) as counted_on,
        max(value) as counted
    from (
        select
            anchors.event_no,
            anchors.years,
            figures.period_end,
            figures.value,
            row_number() over (
                partition by anchors.event_no, anchors.years, figures.frequency
                order by figures.period_end desc, figures.priority, figures.filed desc, figures.row_id desc
            ) as newest_first
        from anchors
        inner join {{ ref('int_fundamental_figures') }} as figures
            on anchors.entity = figures.entity
            and figures.period_end between anchors.period_end and anchors.period_end + 95
            and {{ current_at('figures', 'anchors.decision_at') }}
        where figures.item = 'shares_cover'
    ) as ranked
    where newest_first = 1
    group by event_no, years
),

statements as (
    select
        anchors.event_no,
        anchors.years,
        anchors.period_end,
        reports.filed
        {%- for item in flows %},
        coalesce(
            reports.{{ item }}_year,
            parts.{{ item }}_last + case
                when parts.{{ item }}_days between 75 and 105 then reports.{{ item }}_quarter - before.{{ item }}_quarter
                when parts.{{ item }}_days between 165 and 195 then reports.{{ item }}_half - before.{{ item }}_half
                when parts.{{ item }}_days between 255 and 290
                    then reports.{{ item }}_nine_months - before.{{ item }}_nine_months
            end,
            parts.{{ item }}_quarters
        ) as {{ item }}
        {%- endfor %}
        {%- for item in balances %},
        reports.{{ item }}_instant as {{ item }}
        {%- endfor %},
        covers.counted as cover,
        covers.counted_on as cover_on,
        reports.diluted,
        reports.diluted_on
    from anchors
    inner join reports
        on anchors.entity = reports.entity
        and anchors.period_end = reports.period_end
        and {{ current_at('reports', 'anchors.decision_at') }}
    left join reports as before
        on anchors.entity = before.entity
        and anchors.period_before = before.period_end
        and {{ current_at('before', 'anchors.decision_at') }}
    left join parts on anchors.event_no = parts.event_no and anchors.years = parts.years
    left join covers on anchors.event_no = covers.event_no and anchors.years = covers.years
)

select
    events.entity,
    events.session,
    this_year.period_end,
    last_year.period_end as period_end_before,
    this_year.filed,
    {%- for when, year in [('', 'this_year'), ('_before', 'last_year')] %}
    {{ year }}.revenue as revenue{{ when }},
    coalesce({{ year }}.gross_profit, {{ year }}.revenue - {{ year }}.cost) as gross_profit{{ when }},
    {%- for item in ['overhead', 'operating_income', 'depreciation', 'pretax_income', 'tax', 'net_income',
                     'operating_cash_flow', 'capital_expenditure', 'cash', 'securities', 'receivables',
                     'current_assets', 'property', 'assets', 'current_liabilities'] %}
    {{ year }}.{{ item }} as {{ item }}{{ when }},
    {%- endfor %}
    coalesce({{ year }}.liabilities, {{ year }}.assets - {{ year }}.equity) as liabilities{{ when }},
    coalesce({{ year }}.debt_noncurrent + coalesce({{ year }}.debt_current, 0), {{ year }}.debt_long)
        as long_debt{{ when }},
    {{ year }}.debt_short as short_debt{{ when }},
    {{ year }}.equity as equity{{ when }},
    {{ year }}.retained_earnings as retained_earnings{{ when }},
    {%- endfor %}
    -- numbers of shares are on the basis of their day: a cover's is its own, an average's that of the filing
    coalesce(this_year.cover, this_year.diluted) as shares,
    case
        when this_year.cover is not null then this_year.cover_on
        when this_year.diluted is not null then this_year.diluted_on
    end as shares_on,
    case when this_year.cover is not null then last_year.cover else last_year.diluted end as shares_before,
    case when this_year.cover is not null then last_year.cover_on else last_year.diluted_on end as shares_before_on
from events
inner join statements as this_year on events.event_no = this_year.event_no and this_year.years = 0
left join statements as last_year on events.event_no = last_year.event_no and last_year.years = 1
