-- What it cost to turn a wish into shares, against the close at which it was decided (Perold 1988):
--   delay   = side x filled x (open - decision close)       trading = side x filled x (fill - open)
--   missed  = side x (wanted - filled) x (close - decision close)
-- with side +1 for a buy and -1 for a sell; positive is a cost. Fees come as one sum a day and are shared by traded value.
with attempts as (
    select
        *,
        row_number() over (partition by intent_id order by attempt desc) as from_last
    from {{ ref('stg_ops__orders') }}
),

wishes as (
    select
        intent_id,
        'order' as kind,
        portfolio_id,
        session,
        execution_session,
        max(symbol) as symbol,
        side,
        max(case when from_last = 1 then state end) as state,
        max(case when from_last = 1 then reason end) as reason,
        max(case when attempt = 1 then qty end) as qty,
        sum(filled_qty) as filled_qty,
        sum(filled_qty * coalesce(filled_avg_price, 0)) / nullif(sum(filled_qty), 0) as fill_price,
        max(case when attempt = 1 then decision_close end) as decision_close,
        max(open_price) as open_price
    from attempts
    group by intent_id, portfolio_id, session, execution_session, side
    union all
    select
        trade_id as intent_id,
        kind,
        portfolio_id,
        session,
        execution_session,
        symbol,
        side,
        'filled' as state,
        '' as reason,
        qty,
        qty as filled_qty,
        price as fill_price,
        decision_close,
        price as open_price
    from {{ ref('stg_ops__trades') }}
    where kind = 'cross'
),

-- the official open counts; what the order noted when it was sent stands in until the session's bar is there
priced as (
    select
        wishes.*,
        coalesce(bars.open, wishes.open_price) as official_open,
        bars.close as session_close,
        case when wishes.side = 'buy' then 1 else -1 end as sign,
        wishes.qty * wishes.decision_close as decision_value,
        case when wishes.kind = 'order' then wishes.filled_qty * coalesce(wishes.fill_price, 0) else 0 end as traded_value
    from wishes
    left join {{ ref('daily_returns') }} as bars
        on wishes.symbol = bars.symbol
        and wishes.execution_session = bars.session
),

fees_of_day as (
    select
        session,
        -sum(amount) as fees
    from {{ ref('stg_ops__ledger_entries') }}
    where kind = 'fee' and asset = 'USD'
    group by session
),

traded_of_day as (
    select
        execution_session,
        sum(traded_value) as traded_value
    from priced
    group by execution_session
),

costs as (
    select
        priced.*,
        case when priced.filled_qty > 0 then priced.sign * priced.filled_qty * (priced.official_open - priced.decision_close) else 0 end
            as delay_cost,
        case when priced.filled_qty > 0 then priced.sign * priced.filled_qty * (priced.fill_price - priced.official_open) else 0 end
            as trading_cost,
        case
            when priced.qty > priced.filled_qty
                then priced.sign * (priced.qty - priced.filled_qty) * (priced.session_close - priced.decision_close)
            else 0
        end as missed_cost,
        case
            when traded_of_day.traded_value > 0
                then coalesce(fees_of_day.fees, 0) * priced.traded_value / traded_of_day.traded_value
            else 0
        end as fees
    from priced
    left join traded_of_day on priced.execution_session = traded_of_day.execution_session
    left join fees_of_day on priced.execution_session = fees_of_day.session
)

select
    intent_id,
    kind,
    portfolio_id,
    session,
    execution_session,
    symbol,
    side,
    state,
    reason,
    cast(qty as double precision) as qty,
    cast(filled_qty as double precision) as filled_qty,
    cast(decision_close as double precision) as decision_close,
    cast(official_open as double precision) as open_price,
    cast(fill_price as double precision) as fill_price,
    cast(session_close as double precision) as session_close,
    cast(decision_value as double precision) as decision_value,
    cast(delay_cost as double precision) as delay_cost,
    cast(trading_cost as double precision) as trading_cost,
    cast(fees as double precision) as fees,
    cast(missed_cost as double precision) as missed_cost,
    cast(delay_cost + trading_cost + fees + missed_cost as double precision) as shortfall,
    cast(10000 * (delay_cost + trading_cost + fees + missed_cost) / nullif(decision_value, 0) as double precision) as shortfall_bp
from costs
