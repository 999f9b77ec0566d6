{{ config(indexes=pg_indexes([{'columns': ['security_id', 'score_date'], 'unique': true}, {'columns': ['score_date']}])) }}
with ranked as (
    select
        security_id,
        symbol,
        score_date,
        is_frozen,
        {{ percentile('momentum', 'score_date') }} as momentum,
        {{ percentile('sharpe_252', 'score_date') }} as sharpe,
        {{ percentile('beta_252', 'score_date', inverted=true) }} as low_beta,
        {{ percentile('volatility_21', 'score_date', inverted=true) }} as low_volatility
    from {{ ref('int_score_components') }}
),

scored as (
    select
        security_id,
        symbol,
        score_date,
        is_frozen,
        cast(null as double precision) as fundamentals,
        cast(momentum as double precision) as momentum,
        cast(null as double precision) as liquidity_sentiment,
        case
            when coalesce(sharpe, low_beta, low_volatility) is not null
                then (coalesce(sharpe, 50) + coalesce(low_beta, 50) + coalesce(low_volatility, 50)) / cast(3 as double precision)
        end as risk_adjusted
    from ranked
),

overall as (
    select
        *,
        case
            when momentum is null then null
            {%- if 'fundamentals' in var('collected_components') %}
            when fundamentals is null then null
            {%- endif %}
            else 0.376 * coalesce(fundamentals, 50)
                + 0.235 * momentum
                + 0.070 * coalesce(liquidity_sentiment, 50)
                + 0.319 * coalesce(risk_adjusted, 50)
        end as overall
    from scored
)

select
    security_id,
    symbol,
    score_date,
    is_frozen,
    {{ significant('fundamentals') }} as fundamentals,
    {{ significant('momentum') }} as momentum,
    {{ significant('liquidity_sentiment') }} as liquidity_sentiment,
    {{ significant('risk_adjusted') }} as risk_adjusted,
    cast({{ significant('overall') }} as double precision) as overall
from overall
