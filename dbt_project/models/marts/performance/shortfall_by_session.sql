-- Sums of the wishes of a portfolio, and of all, by the session in which they were carried out. A cost that is not known
-- yet (no close) makes the sum unknown, too: it never counts as zero.
with wishes as (
    select * from {{ ref('implementation_shortfall') }}
),

per_book as (
    select
        portfolio_id as book,
        wishes.*
    from wishes
    union all
    select
        'ALL' as book,
        wishes.*
    from wishes
)

select
    book as portfolio_id,
    execution_session,
    cast(count(*) as integer) as wishes,
    cast(sum(case when filled_qty >= qty then 1 else 0 end) as integer) as filled,
    cast(sum(decision_value) as double precision) as decision_value,
    cast(case when count(delay_cost) = count(*) then sum(delay_cost) end as double precision) as delay_cost,
    cast(case when count(trading_cost) = count(*) then sum(trading_cost) end as double precision) as trading_cost,
    cast(sum(fees) as double precision) as fees,
    cast(case when count(missed_cost) = count(*) then sum(missed_cost) end as double precision) as missed_cost,
    cast(case when count(shortfall) = count(*) then sum(shortfall) end as double precision) as shortfall,
    cast(
        case when count(shortfall) = count(*) then 10000 * sum(shortfall) / nullif(sum(decision_value), 0) end
        as double precision
    ) as shortfall_bp
from per_book
group by book, execution_session
