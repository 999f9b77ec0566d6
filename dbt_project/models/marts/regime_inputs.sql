{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_rows('regime_inputs', ['macro_series']) }}",
        "{{ delete_reprocessed('regime_inputs') }}",
    ],
    post_hook="{{ mark_built('regime_inputs') }}",
    indexes=pg_indexes([{'columns': ['session', 'series_id'], 'unique': true}])
) }}
-- The newest observation of each series as known at each session's decision time, and the one twelve months before it. A
-- row counts from its known_at until its own revision or a newer observation is known; of rows that count together the
-- newest observation wins. Both are what was known last of their dates: what a revision of the base year moved, it moved
-- in both.
with sessions as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    {% if is_incremental() %}
    where session >= {{ reprocess_from('regime_inputs') }}
    {% endif %}
),

known as (
    select
        series_id,
        event_date,
        value,
        known_at,
        row_id,
        superseded_at,
        min(known_at) over (
            partition by series_id
            order by event_date desc
            groups between unbounded preceding and 1 preceding
        ) as outdated_at
    from {{ ref('stg_raw__macro_series') }}
    where value is not null
),

candidates as (
    select
        sessions.session,
        sessions.decision_at,
        known.series_id,
        known.event_date,
        known.value,
        known.known_at,
        row_number() over (
            partition by sessions.session, known.series_id
            order by known.event_date desc, known.known_at desc, known.row_id desc
        ) as newest_first
    from known
    inner join sessions
        on sessions.decision_at >= known.known_at
        and sessions.decision_at < least(coalesce(known.superseded_at, {{ never() }}), coalesce(known.outdated_at, {{ never() }}))
),

chosen as (
    select
        session,
        decision_at,
        series_id,
        event_date,
        value,
        known_at
    from candidates
    where newest_first = 1
),

year_before as (
    select
        chosen.session,
        chosen.series_id,
        earlier.value,
        row_number() over (
            partition by chosen.session, chosen.series_id order by earlier.known_at desc, earlier.row_id desc
        ) as newest_first
    from chosen
    inner join {{ ref('stg_raw__macro_series') }} as earlier
        on chosen.series_id = earlier.series_id
        and cast(chosen.event_date - interval '12 months' as date) = earlier.event_date
        and {{ current_at('earlier', 'chosen.decision_at') }}
    where earlier.value is not null
)

select
    chosen.session,
    chosen.series_id,
    chosen.value,
    year_before.value as value_year_before,
    chosen.known_at as value_known_at
from chosen
left join year_before
    on chosen.session = year_before.session
    and chosen.series_id = year_before.series_id
    and year_before.newest_first = 1
