{{ config(tags=['evaluate']) }}
-- Daily returns of every portfolio on every basis, beside the benchmark's.
with series as (
    select
        portfolio_id,
        'model' as basis,
        session,
        model_return as ret
    from {{ ref('model_returns') }}
    union all
    select
        portfolio_id,
        'realised' as basis,
        session,
        ret
    from {{ ref('portfolio_returns') }}
    where ret is not null
    union all
    select
        portfolio_id,
        'posted' as basis,
        session,
        ret
    from {{ ref('stg_ops__posted_returns') }}
    where session <= (select max(session) from {{ ref('int_sessions') }})
),

benchmark as (
    select
        session,
        ret
    from {{ ref('daily_returns') }}
    where symbol = '{{ benchmark() }}'
)

select
    series.portfolio_id,
    series.basis,
    series.session,
    series.ret,
    benchmark.ret as benchmark_ret
from series
left join benchmark on series.session = benchmark.session
