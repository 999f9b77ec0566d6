-- depends_on: {{ ref('int_sessions') }}
{{ scores_config('top_scores') }}
with ranked as (
    select
        score_date,
        cast(row_number() over (partition by score_date order by overall desc, symbol collate "C") as integer) as rank,
        security_id,
        symbol,
        overall,
        momentum,
        risk_adjusted
    from {{ ref('ticker_scores') }}
    where overall is not null
    {% if is_incremental() %}
        and score_date >= {{ reprocess_from('top_scores') }}
    {% endif %}
)

select
    score_date,
    rank,
    security_id,
    symbol,
    overall,
    momentum,
    risk_adjusted
from ranked
where rank <= 20
