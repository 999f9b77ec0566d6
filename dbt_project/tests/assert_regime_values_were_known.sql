-- Nothing may be used before it was public.
select inputs.*
from {{ ref('regime_inputs') }} as inputs
inner join {{ ref('int_sessions') }} as sessions on inputs.session = sessions.session
where inputs.value_known_at > sessions.decision_at
