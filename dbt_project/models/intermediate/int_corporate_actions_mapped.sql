-- Splits and cash payments per security and ex-date, as known at the decision time of the ex-date's session.
with mapped as (
    select
        symbols.security_id,
        actions.event_date as ex_date,
        actions.action,
        actions.ordinal,
        actions.ratio,
        actions.amount,
        actions.known_at,
        -- a symbol and its successor may both have brought the same action: the newest counts
        row_number() over (
            partition by symbols.security_id, actions.event_date, actions.action, actions.ordinal
            order by actions.known_at desc, actions.row_id desc
        ) as newest_first
    from {{ ref('stg_raw__corporate_actions') }} as actions
    inner join {{ ref('int_security_symbols') }} as symbols
        on actions.symbol = symbols.symbol
        and actions.ingested_at >= symbols.valid_from
        and actions.ingested_at < symbols.valid_to
    where {{ current_at('actions', decision_time('actions.event_date')) }}
)

select
    security_id,
    ex_date,
    case
        when count(*) filter (where action = 'split' and ratio > 0) = 0 then 1
        when count(*) filter (where action = 'split' and ratio > 0) = 1 then max(ratio) filter (where action = 'split')
        else exp(sum(ln(ratio)) filter (where action = 'split' and ratio > 0))
    end as ratio,
    sum(case when action in ('dividend', 'capital_gain') then coalesce(amount, 0) else 0 end) as cash
from mapped
where newest_first = 1
group by security_id, ex_date
