{{ scores_config('int_score_components', [{'columns': ['score_date']}]) }}
{%- set since = reprocess_from('int_score_components') %}
-- The stocks of the indices at each scored date with their raw components, rounded to 10 significant digits.
--
-- illiquidity_63: Amihud (2002), "Illiquidity and Stock Returns", Journal of Financial Markets 5: mean of the absolute daily
-- return per million USD traded. short_ratio: days of volume sold short as Yahoo showed it last, at most 45 days ago.
-- insider_buying: purchases on the open market (code P) that became known in the last 91 days over market value.
with newest as (
    select max(session) as session from {{ ref('int_sessions') }}
),

-- a stock may be in two indices
scored as (
    select distinct
        features.security_id,
        features.symbol,
        features.session,
        features.decision_at,
        features.is_month_end,
        (features.return_63 + features.return_126 + features.return_252) / 3 as momentum,
        features.sharpe_252,
        features.beta_252,
        features.volatility_21,
        features.illiquidity_63
    from {{ ref('int_security_features') }} as features
    inner join {{ ref('int_index_members') }} as members
        on features.security_id = members.security_id
        and features.decision_at >= members.member_from
        and features.decision_at < members.member_to
    where members.index_name in ({{ literals(var('stock_indices')) }})
        and (features.is_month_end or features.session = (select session from newest))
    {% if is_incremental() %}
        and features.session >= {{ since }}
    {% endif %}
),

dates as (
    select distinct
        session,
        decision_at
    from scored
),

short_interest as (
    select distinct on (symbols.security_id, dates.session)
        symbols.security_id,
        dates.session,
        snapshots.value as short_ratio
    from {{ ref('stg_raw__fundamentals') }} as snapshots
    inner join {{ ref('int_security_symbols') }} as symbols
        on snapshots.symbol = symbols.symbol
        and snapshots.ingested_at >= symbols.valid_from
        and snapshots.ingested_at < symbols.valid_to
    inner join dates
        on snapshots.event_date > dates.session - 45
        and {{ current_at('snapshots', 'dates.decision_at') }}
    where snapshots.concept = 'shortRatio'
        and snapshots.frequency = 'snapshot'
    {% if is_incremental() %}
        and snapshots.event_date > {{ since }} - 45
    {% endif %}
    order by symbols.security_id, dates.session, snapshots.event_date desc, snapshots.known_at desc, snapshots.row_id desc
),

purchases as (
    select
        symbols.security_id,
        dates.session,
        sum(coalesce(lines.value, lines.shares * lines.price)) as bought
    from {{ ref('int_insider_lines') }} as lines
    inner join dates
        on lines.first_known_at > dates.decision_at - interval '91 days'
        and {{ current_at('lines', 'dates.decision_at') }}
    inner join {{ ref('int_security_symbols') }} as symbols
        on lines.symbol = symbols.symbol
        and {{ decision_time('lines.transaction_date') }} >= symbols.valid_from
        and {{ decision_time('lines.transaction_date') }} < symbols.valid_to
    where lines.code = 'P'
    group by symbols.security_id, dates.session
),

-- nobody's purchases are known before any were collected
insiders_known as (
    select min(first_known_at) as since from {{ ref('int_insider_lines') }}
),

raw_components as (
    select
        scored.security_id,
        scored.symbol,
        scored.session,
        scored.is_month_end,
        scored.momentum,
        scored.sharpe_252,
        scored.beta_252,
        scored.volatility_21,
        scored.illiquidity_63,
        short_interest.short_ratio,
        case
            when scored.decision_at >= (select since from insiders_known)
                then coalesce(purchases.bought, 0) / nullif(caps.market_cap, 0)
        end as insider_buying,
        caps.market_cap,
        ratios.piotroski_f,
        ratios.altman_z,
        ratios.roic,
        ratios.cash_flow_yield,
        ratios.beneish_m,
        ratios.earnings_yield,
        ratios.book_yield
    from scored
    left join short_interest
        on scored.security_id = short_interest.security_id
        and scored.session = short_interest.session
    left join purchases
        on scored.security_id = purchases.security_id
        and scored.session = purchases.session
    left join {{ ref('int_market_caps') }} as caps
        on scored.security_id = caps.security_id
        and scored.session = caps.session
        {%- if is_incremental() %}
        and caps.session >= {{ since }}
        {%- endif %}
    left join {{ ref('int_fundamental_ratios') }} as ratios
        on scored.security_id = ratios.security_id
        and scored.session = ratios.score_date
        {%- if is_incremental() %}
        and ratios.score_date >= {{ since }}
        {%- endif %}
)

select
    security_id,
    symbol,
    session as score_date,
    is_month_end as is_frozen,
    market_cap
    {%- for name in ['momentum', 'sharpe_252', 'beta_252', 'volatility_21', 'illiquidity_63', 'short_ratio',
                     'insider_buying', 'piotroski_f', 'altman_z', 'roic', 'cash_flow_yield', 'beneish_m',
                     'earnings_yield', 'book_yield'] %},
    {{ significant(name) }} as {{ name }}
    {%- endfor %}
from raw_components
