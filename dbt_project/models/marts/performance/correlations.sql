-- Pearson correlation of model returns over the sessions both portfolios have, both orders and the diagonal.
with pairs as (
    select
        a.portfolio_id as portfolio_a,
        b.portfolio_id as portfolio_b,
        a.model_return as x,
        b.model_return as y
    from {{ ref('model_returns') }} as a
    inner join {{ ref('model_returns') }} as b on a.session = b.session
),

centred as (
    select
        portfolio_a,
        portfolio_b,
        x - avg(x) over (partition by portfolio_a, portfolio_b) as x,
        y - avg(y) over (partition by portfolio_a, portfolio_b) as y
    from pairs
),

sums as (
    select
        portfolio_a,
        portfolio_b,
        count(*) as n_obs,
        sum(x * y) as product_sum,
        sum(x * x) as x_square_sum,
        sum(y * y) as y_square_sum
    from centred
    group by portfolio_a, portfolio_b
)

select
    portfolio_a,
    portfolio_b,
    (select max(session) from {{ ref('int_sessions') }}) as as_of,
    cast(n_obs as integer) as n_obs,
    case
        when n_obs > 1 and x_square_sum > 1e-20 and y_square_sum > 1e-20
            then cast(least(greatest(product_sum / sqrt(x_square_sum * y_square_sum), -1), 1) as double precision)
    end as correlation
from sums
