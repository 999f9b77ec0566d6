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
-- The newest observation of each series as known at each session's decision time. A row counts from its known_at until
-- its own revision or a newer observation is known; of rows that count together the newest observation wins.
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
        known.series_id,
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
)

select
    session,
    series_id,
    value,
    known_at as value_known_at
from candidates
where newest_first = 1
