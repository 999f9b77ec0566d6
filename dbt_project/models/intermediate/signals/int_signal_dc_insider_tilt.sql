{{ signal_config('int_signal_dc_insider_tilt', ['dc_insider_scores', 'prices', 'corporate_actions', 'securities']) }}
-- DC insider score of the stocks in the newest capture known at the decision. A symbol that stands there with several dates
-- has the score of the last one; a symbol that the page no longer shows has none.
with sessions as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    where is_week_end
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_signal_dc_insider_tilt') }}
    {% endif %}
),

known as (
    select
        sessions.session,
        sessions.decision_at,
        scores.symbol,
        scores.score,
        scores.capture_date,
        max(scores.capture_date) over (partition by sessions.session) as newest_capture,
        row_number() over (
            partition by sessions.session, scores.capture_date, scores.symbol
            order by scores.event_date desc, scores.known_at desc, scores.row_id desc
        ) as newest_first
    from {{ ref('stg_raw__dc_insider_scores') }} as scores
    inner join sessions
        on scores.capture_date <= sessions.session
        and scores.capture_date > sessions.session - 31
        and {{ current_at('scores', 'sessions.decision_at') }}
),

shown as (
    select
        known.session,
        known.decision_at,
        symbols.security_id,
        max(known.score) as value
    from known
    inner join {{ ref('int_security_symbols') }} as symbols
        on known.symbol = symbols.symbol
        and {{ held_on('symbols', 'known.capture_date') }}
    where known.capture_date = known.newest_capture
        and known.newest_first = 1
    group by known.session, known.decision_at, symbols.security_id
),

{{ tradable('shown', ['stock']) }}

{{ ranked_signal('dc_insider_tilt') }}
