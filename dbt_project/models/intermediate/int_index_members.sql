{{ config(indexes=pg_indexes([{'columns': ['security_id']}])) }}
-- Intervals in which a security was known to be in an index. An event counts from the latest of its effective date, the
-- time it became known, and the time the security became known under the symbol, until an event of a later effective
-- date counts.
with events as (
    select
        universe.index_name,
        symbols.security_id,
        universe.event,
        universe.effective_date,
        universe.row_id,
        universe.superseded_at,
        greatest(
            universe.known_at,
            symbols.known_at,
            {{ decision_time("universe.effective_date - interval '1 day'") }}
        ) as counts_from
    from {{ ref('stg_raw__universe') }} as universe
    -- a constituents page carries today's symbols, a list of changes those of the day of the change
    inner join {{ ref('int_security_symbols') }} as symbols
        on universe.symbol = symbols.symbol
        and symbols.valid_from <= case
            when universe.event = 'listed' then universe.ingested_at else {{ decision_time('universe.effective_date') }}
        end
        and symbols.valid_to > case
            when universe.event = 'listed' then universe.ingested_at else {{ decision_time('universe.effective_date') }}
        end
),

bounded as (
    select
        *,
        min(counts_from) over (
            partition by index_name, security_id
            order by effective_date desc
            groups between unbounded preceding and 1 preceding
        ) as outdated_at
    from events
)

select
    index_name,
    security_id,
    counts_from as member_from,
    least(coalesce(superseded_at, {{ never() }}), coalesce(outdated_at, {{ never() }})) as member_to
from bounded
where event in ('listed', 'added')
    and counts_from < least(coalesce(superseded_at, {{ never() }}), coalesce(outdated_at, {{ never() }}))
