select
    session,
    open_at,
    close_at,
    decision_at,
    next_session,
    is_week_end,
    is_month_end,
    is_quarter_end,
    cast(row_number() over (order by session) as integer) as session_no
from {{ source('ops', 'sessions') }}
