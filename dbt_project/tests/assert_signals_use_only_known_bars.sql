-- A name can only be ranked in a session in which it traded.
select signals.*
from {{ ref('signals') }} as signals
left join {{ ref('daily_returns') }} as bars
    on signals.security_id = bars.security_id
    and signals.session = bars.session
where bars.security_id is null
