-- depends_on: {{ ref("int_sessions") }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=[
        "{{ note_new_rows('signal_turnover', research_datasets()) }}",
        "{{ delete_reprocessed('signal_turnover') }}",
    ],
    post_hook="{{ mark_built('signal_turnover') }}",
) }}
-- How much a signal changes from one rebalance session to the next: rank autocorrelation over the names of both.
with decided as (
    select distinct
        strategy,
        session
    from {{ ref('signals') }}
    {% if is_incremental() %}
    where session >= {{ reprocess_from('signal_turnover') }}
    {% endif %}
),

rebalances as (
    select
        strategy,
        session
    from decided
    {% if is_incremental() %}
    union all
    -- the one each strategy goes on from
    select
        strategies.strategy,
        (
            select max(signals.session) from {{ ref('signals') }} as signals
            where signals.strategy = strategies.strategy
                and signals.session < {{ reprocess_from('signal_turnover') }}
        ) as session
    from (select distinct strategy from decided) as strategies
    {% endif %}
),

ordered as (
    select
        strategy,
        session,
        lag(session) over (partition by strategy order by session) as previous_session
    from rebalances
    where session is not null
),

changed as (
    select
        strategy,
        session,
        previous_session
    from ordered
    where previous_session is not null
    {% if is_incremental() %}
        and session >= {{ reprocess_from('signal_turnover') }}
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
