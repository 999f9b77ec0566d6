-- The stocks of the indices at each scored date with their raw components, rounded to 10 significant digits.
with members as (
    select distinct
        features.security_id,
        features.session
    from {{ ref('int_security_features') }} as features
    inner join {{ ref('int_index_members') }} as members
        on features.security_id = members.security_id
        and features.decision_at >= members.member_from
        and features.decision_at < members.member_to
    where members.index_name in ({{ literals(var('stock_indices')) }})
),

newest as (
    select max(session) as session from {{ ref('int_sessions') }}
),

raw_components as (
    select
        features.security_id,
        features.symbol,
        features.session,
        features.is_month_end,
        (features.return_63 + features.return_126 + features.return_252) / 3 as momentum,
        features.sharpe_252,
        features.beta_252,
        features.volatility_21
    from {{ ref('int_security_features') }} as features
    inner join members
        on features.security_id = members.security_id
        and features.session = members.session
    where features.is_month_end or features.session = (select session from newest)
)

select
    security_id,
    symbol,
    session as score_date,
    is_month_end as is_frozen,
    {{ significant('momentum') }} as momentum,
    {{ significant('sharpe_252') }} as sharpe_252,
    {{ significant('beta_252') }} as beta_252,
    {{ significant('volatility_21') }} as volatility_21
from raw_components
