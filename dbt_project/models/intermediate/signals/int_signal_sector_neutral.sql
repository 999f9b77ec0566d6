{{ signal_config('int_signal_sector_neutral', score_datasets()) }}
-- Value score of the 3 best stocks of each sector at the last session of a quarter; the sector as known at the decision.
with valued as (
    select
        scores.score_date as session,
        scores.security_id,
        scores.symbol,
        scores.value as score,
        row_number() over (
            partition by scores.score_date, versions.sector order by scores.value desc, scores.symbol collate "C"
        ) as place
    from {{ ref('ticker_scores') }} as scores
    inner join {{ ref('int_sessions') }} as sessions on scores.score_date = sessions.session
    inner join {{ ref('int_security_versions') }} as versions
        on scores.security_id = versions.security_id
        and sessions.decision_at >= versions.known_from
        and sessions.decision_at < versions.known_to
    where sessions.is_quarter_end
        and scores.value is not null
        and versions.sector is not null
    {% if is_incremental() %}
        and scores.score_date >= {{ reprocess_from('int_signal_sector_neutral') }}
    {% endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        score
    from valued
    where place <= 3
)

{{ ranked_signal('sector_neutral') }}
