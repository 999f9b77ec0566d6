{% set by_series = 'partition by portfolio_id, basis' %}
{% set year = 'cast(252 as double precision)' %}
-- The definitions of pas_lib.analytics.performance_summary with a risk-free rate of 0. Two passes: means first.
with series as (
    select
        *,
        case when benchmark_ret is not null then ret end as paired_ret,
        ret - benchmark_ret as active_ret
    from {{ ref('int_return_series') }}
),

centred as (
    select
        *,
        ret - avg(ret) over ({{ by_series }}) as gap,
        benchmark_ret - avg(benchmark_ret) over ({{ by_series }}) as benchmark_gap,
        paired_ret - avg(paired_ret) over ({{ by_series }}) as paired_gap,
        active_ret - avg(active_ret) over ({{ by_series }}) as active_gap,
        count(*) over ({{ by_series }}) as n,
        row_number() over ({{ by_series }} order by ret, session) as worst_no,
        sum(ln(case when ret > -1 then 1 + ret end)) over ({{ by_series }} order by session rows unbounded preceding) as log_wealth
    from series
),

walked as (
    select
        *,
        -- the starting capital counts as a high
        greatest(max(log_wealth) over ({{ by_series }} order by session rows unbounded preceding), 0) as log_high
    from centred
),

sums as (
    select
        portfolio_id,
        basis,
        count(*) as n,
        min(ret) as lowest,
        avg(ret) as mean,
        sum(gap * gap) as square_sum,
        sum(gap * gap * gap) as cube_sum,
        sum(gap * gap * gap * gap) as fourth_sum,
        greatest(max(ret), -min(ret)) as largest,
        avg(case when ret < 0 then ret * ret else 0 end) as downside_square,
        avg(case when ret > 0 then cast(1 as double precision) else 0 end) as win_rate,
        min(exp(log_wealth - log_high) - 1) as max_drawdown,
        sum(ln(case when ret > -1 then 1 + ret end)) as log_growth,
        count(benchmark_ret) as pairs,
        avg(paired_ret) as paired_mean,
        avg(benchmark_ret) as benchmark_mean,
        sum(paired_gap * benchmark_gap) as product_sum,
        sum(benchmark_gap * benchmark_gap) as benchmark_square_sum,
        max(abs(benchmark_ret)) as benchmark_largest,
        avg(active_ret) as active_mean,
        sum(active_gap * active_gap) as active_square_sum,
        max(abs(active_ret)) as active_largest,
        -- order statistic ceil(0.05 n), and the mean of the worst 0.05 n with the last one counted in part
        -max(ret) filter (where worst_no = greatest(ceil(0.05 * n - 1e-9), 1)) as var_95,
        -sum(
            case
                when worst_no <= floor(0.05 * n + 1e-9) then ret
                when worst_no = floor(0.05 * n + 1e-9) + 1 then ret * greatest(0.05 * n - floor(0.05 * n + 1e-9), 0)
            end
        ) / (0.05 * max(n)) as cvar_95
    from walked
    group by portfolio_id, basis
),

deviations as (
    select
        *,
        sqrt(square_sum / nullif(n - 1, 0)) as deviation,
        sqrt(benchmark_square_sum / nullif(pairs - 1, 0)) as benchmark_deviation,
        sqrt(active_square_sum / nullif(pairs - 1, 0)) as active_deviation,
        sqrt(downside_square) as downside
    from sums
),

judged as (
    select
        *,
        case when n > 1 and deviation > 1e-12 * largest then deviation end as usable_deviation,
        case when pairs > 1 and benchmark_deviation > 1e-12 * benchmark_largest then product_sum / benchmark_square_sum end as slope,
        case when pairs > 1 and active_deviation > 1e-12 * active_largest then active_deviation end as usable_active,
        case when n > 1 then case when lowest > -1 then exp(log_growth * {{ year }} / n) - 1 else -1 end end as growth,
        case when n > 1 then case when lowest > -1 then least(max_drawdown, 0) else -1 end end as drawdown
    from deviations
),

-- S per day, and the variance of its estimate by skewness and kurtosis (Bailey & Lopez de Prado 2012)
rated as (
    select
        *,
        mean / usable_deviation as each,
        cube_sum / n / power(square_sum / n, 1.5) as skewness,
        fourth_sum / n / power(square_sum / n, 2) as kurtosis
    from (select * from judged where usable_deviation is not null) as moving
    union all
    select
        *,
        cast(null as double precision) as each,
        cast(null as double precision) as skewness,
        cast(null as double precision) as kurtosis
    from judged
    where usable_deviation is null
),

scored as (
    select
        *,
        each * sqrt(cast(n - 1 as double precision)) / sqrt(
            case when 1 - skewness * each + (kurtosis - 1) / 4 * each * each > 0
                then 1 - skewness * each + (kurtosis - 1) / 4 * each * each end
        ) as score
    from rated
)

select
    portfolio_id,
    basis,
    (select max(session) from {{ ref('int_sessions') }}) as as_of,
    cast(n as integer) as n_obs,
    cast(mean / usable_deviation * sqrt({{ year }}) as double precision) as sharpe,
    cast(case when n > 1 then mean * {{ year }} / nullif(downside * sqrt({{ year }}), 0) end as double precision) as sortino,
    cast((paired_mean - slope * benchmark_mean) * {{ year }} as double precision) as alpha,
    cast(slope as double precision) as beta,
    cast(case when pairs > 1 then coalesce(usable_active, 0) * sqrt({{ year }}) end as double precision) as tracking_error,
    cast(active_mean * {{ year }} / (usable_active * sqrt({{ year }})) as double precision) as information_ratio,
    cast(drawdown as double precision) as max_drawdown,
    cast(growth as double precision) as cagr,
    cast(case when n > 1 then coalesce(usable_deviation, 0) * sqrt({{ year }}) end as double precision) as annual_volatility,
    cast(growth / nullif(abs(drawdown), 0) as double precision) as calmar,
    cast(case when n > 1 then win_rate end as double precision) as win_rate,
    cast(case when n > 1 then var_95 end as double precision) as var_95,
    cast(case when n > 1 then case when 0.05 * n + 1e-9 < 1 then var_95 else cvar_95 end end as double precision) as cvar_95,
    cast(sqrt((1 + each * each / 2) / n * {{ year }}) as double precision) as sharpe_se,
    cast({{ normal_cdf('score') }} as double precision) as probabilistic_sharpe
from scored
