-- depends_on: {{ ref("int_sessions") }}
{{ research_config('signal_turnover') }}
-- How much a signal changes from one rebalance session to the next: rank autocorrelation over the names of both.
with rebalances as (
    select
        strategy,
        session,
        lag(session) over (partition by strategy order by session) as previous_session
    from (select distinct strategy, session from {{ ref('signals') }}) as decided
),

changed as (
    select
        strategy,
        session,
        previous_session
    from rebalances
    where previous_session is not null
    {% if is_incremental() %}
        and session >= {{ research_from('signal_turnover') }}
    {% endif %}
),

pairs as (
    select
        changed.strategy,
        changed.session,
        changed.previous_session,
        case when earlier.security_id is not null then 1 else 0 end as is_common,
        signals.score,
        earlier.score as score_before
    from changed
    inner join {{ ref('signals') }} as signals
        on changed.strategy = signals.strategy
        and changed.session = signals.session
    left join {{ ref('signals') }} as earlier
        on changed.strategy = earlier.strategy
        and changed.previous_session = earlier.session
        and signals.security_id = earlier.security_id
),

ranked as (
    select
        strategy,
        session,
        previous_session,
        is_common,
        count(*) over (partition by strategy, session, is_common) as names,
        {{ mean_rank('score', 'strategy, session, is_common') }} as now_rank,
        {{ mean_rank('score_before', 'strategy, session, is_common') }} as before_rank
    from pairs
),

summed as (
    select
        strategy,
        session,
        previous_session,
        count(*) as names,
        sum(is_common) as common,
        sum(is_common * (now_rank - (names + 1) / 2.0) * (before_rank - (names + 1) / 2.0)) as products,
        sum(is_common * (now_rank - (names + 1) / 2.0) * (now_rank - (names + 1) / 2.0)) as now_squares,
        sum(is_common * (before_rank - (names + 1) / 2.0) * (before_rank - (names + 1) / 2.0)) as before_squares
    from ranked
    group by strategy, session, previous_session
)

select
    strategy,
    session,
    previous_session,
    cast(names as integer) as names,
    cast(common as integer) as common,
    case when common >= {{ var('research_least_names') }}
        then {{ rank_correlation('products', 'now_squares', 'before_squares') }} end as rank_autocorrelation,
    cast(cast(names - common as double precision) / names as double precision) as new_share
from summed
