-- Signal research over all sessions of each strategy.
with windows as (
    select
        strategy,
        from_day,
        to_day,
        count(information_coefficient) as sessions,
        avg(names) as names,
        avg(information_coefficient) as mean_ic,
        stddev_samp(information_coefficient) as deviation,
        avg(case when information_coefficient > 0 then 1.0 when information_coefficient is not null then 0.0 end) as hit_rate,
        avg(quantile_spread) as mean_spread
    from {{ ref('signal_research') }}
    group by strategy, from_day, to_day
),

changes as (
    select
        strategy,
        avg(rank_autocorrelation) as rank_autocorrelation,
        avg(new_share) as new_share
    from {{ ref('signal_turnover') }}
    group by strategy
)

select
    windows.strategy,
    windows.from_day,
    windows.to_day,
    cast(windows.sessions as integer) as sessions,
    cast(windows.names as double precision) as names,
    cast(windows.mean_ic as double precision) as mean_ic,
    cast(case when windows.deviation > 1e-12 then windows.deviation end as double precision) as ic_deviation,
    cast(
        case when windows.deviation > 1e-12 then windows.mean_ic / windows.deviation * sqrt(windows.sessions) end
        as double precision
    ) as ic_t,
    cast(windows.hit_rate as double precision) as hit_rate,
    cast(windows.mean_spread as double precision) as mean_spread,
    cast(changes.rank_autocorrelation as double precision) as rank_autocorrelation,
    cast(changes.new_share as double precision) as new_share
from windows
left join changes on windows.strategy = changes.strategy
