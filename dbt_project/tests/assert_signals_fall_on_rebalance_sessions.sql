-- Monthly strategies rank at the last session of a month, the others at the last session of a week.
select signals.strategy, signals.session
from {{ ref('signals') }} as signals
inner join {{ ref('int_sessions') }} as sessions on signals.session = sessions.session
where (signals.strategy = 'wiki_attention' and not sessions.is_month_end)
    or (signals.strategy <> 'wiki_attention' and not sessions.is_week_end)
