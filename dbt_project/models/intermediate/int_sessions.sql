{{ config(
    materialized='incremental',
    incremental_strategy='append',
    indexes=pg_indexes([{'columns': ['session'], 'unique': true}, {'columns': ['decision_at'], 'unique': true}])
) }}
-- The trading calendar up to the session that is built for. It never shrinks: a build for a past session keeps what
-- later ones have made.
select
    session,
    session_no,
    open_at,
    close_at,
    decision_at,
    next_session,
    is_week_end,
    is_month_end,
    is_quarter_end,
    -- a window of "the last month" opens at the decision time of the same day of the month before
    {{ decision_time("session - interval '1 month'") }} as month_ago_at
from {{ ref('stg_ops__sessions') }}
where session <= {{ as_of() }}
{% if is_incremental() %}
    and session > (select coalesce(max(session), cast('1900-01-01' as date)) from {{ this }})
{% endif %}
