-- depends_on: {{ ref('int_sessions') }}
{{ scores_config('ticker_scores', [{'columns': ['security_id', 'score_date'], 'unique': true}, {'columns': ['score_date']}]) }}
with ranked as (
    select
        security_id,
        symbol,
        score_date,
        is_frozen,
        market_cap,
        {{ percentile('piotroski_f', 'score_date') }} as piotroski,
        {{ percentile('altman_z', 'score_date') }} as altman,
        {{ percentile('roic', 'score_date') }} as roic,
        {{ percentile('cash_flow_yield', 'score_date') }} as cash_flow_yield,
        {{ percentile('beneish_m', 'score_date', inverted=true) }} as beneish,
        {{ percentile('earnings_yield', 'score_date') }} as earnings_yield,
        {{ percentile('book_yield', 'score_date') }} as book_yield,
        {{ percentile('momentum', 'score_date') }} as momentum,
        {{ percentile('illiquidity_63', 'score_date', inverted=true) }} as liquidity,
        {{ percentile('short_ratio', 'score_date', inverted=true) }} as low_short_ratio,
        {{ percentile('insider_buying', 'score_date') }} as insider_buying,
        {{ percentile('sharpe_252', 'score_date') }} as sharpe,
        {{ percentile('beta_252', 'score_date', inverted=true) }} as low_beta,
        {{ percentile('volatility_21', 'score_date', inverted=true) }} as low_volatility
    from {{ ref('int_score_components') }}
    {% if is_incremental() %}
    where score_date >= {{ reprocess_from('ticker_scores') }}
    {% endif %}
),

scored as (
    select
        security_id,
        symbol,
        score_date,
        is_frozen,
        cast(market_cap as double precision) as market_cap,
        -- fewer than three of the five say too little
        case
            when case when piotroski is null then 0 else 1 end + case when altman is null then 0 else 1 end
                + case when roic is null then 0 else 1 end + case when cash_flow_yield is null then 0 else 1 end
                + case when beneish is null then 0 else 1 end >= 3
                then (
                    coalesce(piotroski, 50) + coalesce(altman, 50) + coalesce(roic, 50) + coalesce(cash_flow_yield, 50)
                    + coalesce(beneish, 50)
                ) / cast(5 as double precision)
        end as fundamentals,
        cast(momentum as double precision) as momentum,
        case
            when coalesce(liquidity, low_short_ratio, insider_buying) is not null
                then (coalesce(liquidity, 50) + coalesce(low_short_ratio, 50) + coalesce(insider_buying, 50))
                    / cast(3 as double precision)
        end as liquidity_sentiment,
        case
            when coalesce(sharpe, low_beta, low_volatility) is not null
                then (coalesce(sharpe, 50) + coalesce(low_beta, 50) + coalesce(low_volatility, 50))
                    / cast(3 as double precision)
        end as risk_adjusted,
        case
            when coalesce(cash_flow_yield, earnings_yield, book_yield) is not null
                then (coalesce(cash_flow_yield, 50) + coalesce(earnings_yield, 50) + coalesce(book_yield, 50))
                    / cast(3 as double precision)
        end as value
    from ranked
),

overall as (
    select
        *,
        -- NULL without fundamentals or momentum
        0.376 * fundamentals
        + 0.235 * momentum
        + 0.070 * coalesce(liquidity_sentiment, 50)
        + 0.319 * coalesce(risk_adjusted, 50) as overall
    from scored
)

select
    security_id,
    symbol,
    score_date,
    is_frozen,
    cast({{ significant('fundamentals') }} as double precision) as fundamentals,
    {{ significant('momentum') }} as momentum,
    cast({{ significant('liquidity_sentiment') }} as double precision) as liquidity_sentiment,
    {{ significant('risk_adjusted') }} as risk_adjusted,
    cast({{ significant('value') }} as double precision) as value,
    cast({{ significant('overall') }} as double precision) as overall,
    market_cap
from overall
