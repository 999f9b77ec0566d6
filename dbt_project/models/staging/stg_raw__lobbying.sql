{# An amendment is a filing of its own that repeats the whole report: it ends the filings it replaces. Registrations
   report nothing and replace nothing. -#}
with filings as (
    {{ versions('lobbying', ['filing_id', 'ordinal'],
        ['filing_id', 'symbol', 'matched_by', 'client', 'registrant', 'amount', 'amount_kind', 'issue', 'filing_type',
         'filing_year', 'filing_period', 'registrant_id', 'client_id', 'report_date', 'posted_at', 'ordinal'],
        subject=['symbol', 'client', 'registrant', 'report_date']) }}
),

replaced as (
    select
        f.row_id,
        min(later.first_known_at) as replaced_at
    from filings as f
    inner join filings as later
        on later.source = f.source
        and later.registrant_id = f.registrant_id
        and later.client_id = f.client_id
        and later.filing_year = f.filing_year
        and later.filing_period = f.filing_period
        and later.filing_id <> f.filing_id
        and (
            -- what states no time of posting was posted by when it was first seen
            coalesce(later.posted_at, later.first_known_at) > coalesce(f.posted_at, f.first_known_at)
            or (
                coalesce(later.posted_at, later.first_known_at) = coalesce(f.posted_at, f.first_known_at)
                and later.filing_id > f.filing_id
            )
        )
    where f.filing_type not like 'R%' and later.filing_type not like 'R%'
    group by f.row_id
)

select
    f.filing_id,
    f.symbol,
    f.matched_by,
    f.client,
    f.registrant,
    f.amount,
    f.amount_kind,
    f.issue,
    f.filing_type,
    f.filing_year,
    f.filing_period,
    f.registrant_id,
    f.client_id,
    f.report_date,
    f.posted_at,
    f.ordinal,
    f.event_date,
    f.known_at,
    case
        when r.replaced_at is null then f.superseded_at
        when f.superseded_at is null then r.replaced_at
        else least(f.superseded_at, r.replaced_at)
    end as superseded_at,
    f.first_known_at,
    f.ingested_at,
    f.source,
    f.row_id
from filings as f
left join replaced as r on r.row_id = f.row_id
