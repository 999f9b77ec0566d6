-- Returns that people posted for manual portfolios, each session as last corrected.
with numbered as (
    select
        posted.portfolio_id,
        posted.session,
        posted.ret,
        row_number() over (partition by posted.portfolio_id, posted.session order by posted.row_id desc) as newest
    from {{ source('ops', 'posted_returns') }} as posted
    inner join {{ source('ops', 'portfolios') }} as portfolios
        on posted.portfolio_id = portfolios.portfolio_id
        and portfolios.kind = 'manual'
)

select
    portfolio_id,
    session,
    ret
from numbered
where newest = 1
