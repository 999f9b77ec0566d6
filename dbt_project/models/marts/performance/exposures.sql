-- Target holdings of each live decision, as shares of managed equity, with the sector known at the decision.
select
    weights.session,
    weights.portfolio_id,
    coalesce(versions.sector, 'Unclassified') as sector,
    weights.symbol,
    weights.share as weight
from {{ ref('stg_ops__weight_history') }} as weights
inner join {{ ref('int_sessions') }} as sessions on weights.session = sessions.session
left join {{ ref('int_security_versions') }} as versions
    on weights.security_id = versions.security_id
    and sessions.decision_at >= versions.shown_from
    and sessions.decision_at < versions.known_to
where weights.origin <> 'replay'
