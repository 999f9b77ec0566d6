{{ signal_config('int_signal_composite_leaders', score_datasets()) }}
-- Overall score of every stock that has one at the last session of a month.
with candidates as (
    select
        scores.score_date as session,
        scores.security_id,
        scores.symbol,
        scores.overall as score
    from {{ ref('ticker_scores') }} as scores
    inner join {{ ref('int_sessions') }} as sessions on scores.score_date = sessions.session
    where sessions.is_month_end
    {% if is_incremental() %}
        and scores.score_date >= {{ reprocess_from('int_signal_composite_leaders') }}
    {% endif %}
)

{{ ranked_signal('composite_leaders') }}
