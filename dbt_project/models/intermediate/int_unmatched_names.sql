-- Names that no symbol was found for: what the table of aliases may have to learn.
with named as (
    select
        'lobbying' as dataset,
        client as company,
        amount,
        event_date
    from {{ ref('stg_raw__lobbying') }}
    where symbol is null and superseded_at is null

    union all

    select
        'gov_contracts' as dataset,
        recipient as company,
        amount,
        event_date
    from {{ ref('stg_raw__gov_contracts') }}
    where symbol is null and superseded_at is null
)

select
    dataset,
    company,
    count(*) as n_rows,
    sum(coalesce(amount, 0)) as amount,
    min(event_date) as first_date,
    max(event_date) as last_date
from named
group by dataset, company
