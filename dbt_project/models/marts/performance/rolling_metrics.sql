{% set year = 'cast(252 as double precision)' %}
-- Every window is averaged on its own rows, not by differences of running sums: those would lose digits.
with series as (
    select
        portfolio_id,
        basis,
        session,
        ret,
        benchmark_ret,
        ret * benchmark_ret as product,
        ln(case when ret > -1 then 1 + ret end) as growth,
        row_number() over (partition by portfolio_id, basis order by session) as nth
    from {{ ref('int_return_series') }}
),

{% for days in (63, 252) %}
{% set window = 'over (partition by portfolio_id, basis order by session rows between ' ~ (days - 1) ~ ' preceding and current row)' %}
window_{{ days }} as (
    select
        portfolio_id,
        basis,
        {{ days }} as days,
        session,
        nth,
        min(ret) {{ window }} as lowest,
        greatest(max(ret) {{ window }}, -min(ret) {{ window }}) as largest,
        sum(growth) {{ window }} as growth,
        avg(ret) {{ window }} as mean,
        stddev_samp(ret) {{ window }} as deviation,
        count(benchmark_ret) {{ window }} as pairs,
        avg(benchmark_ret) {{ window }} as benchmark_mean,
        stddev_samp(benchmark_ret) {{ window }} as benchmark_deviation,
        max(abs(benchmark_ret)) {{ window }} as benchmark_largest,
        covar_samp(ret, benchmark_ret) {{ window }} as covariance
    from series
){{ ',' if not loop.last }}
{% endfor %}

select
    portfolio_id,
    basis,
    cast(days as integer) as days,
    session,
    cast(case when lowest > -1 then exp(growth) - 1 else -1 end as double precision) as total_return,
    cast(case when deviation > 1e-12 * largest then deviation else 0 end * sqrt({{ year }}) as double precision) as annual_volatility,
    cast(case when deviation > 1e-12 * largest then mean / deviation * sqrt({{ year }}) end as double precision) as sharpe,
    cast(
        case when pairs = days and benchmark_deviation > 1e-12 * benchmark_largest
            then covariance / (benchmark_deviation * benchmark_deviation) end as double precision
    ) as beta
from (
    select * from window_63
    union all
    select * from window_252
) as windows
where nth >= days
