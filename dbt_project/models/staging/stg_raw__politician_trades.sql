{#- Versions of disclosed trades. Filings of the House restate or withdraw the trades of an asset and day; those of the
    Senate repeat the whole report they amend; of two amendments of one day the later is told by the hour of filing, then by
    its number. What an amendment repeats ends when it becomes known, and it counts as
    disclosed since what it repeats was. Other sources show amendments in place: their versions say it all. -#}
with filed as (
    {{ versions('politician_trades',
        ['politician', 'symbol', 'transaction_date', 'report_date', 'transaction', 'amount_range', 'owner', 'document',
         'ordinal'],
        ['politician', 'bioguide_id', 'chamber', 'party', 'symbol', 'asset', 'asset_type', 'transaction',
         'amount_range', 'amount_low', 'amount_high', 'transaction_date', 'report_date', 'owner', 'filing_status',
         'document', 'filed_at', 'amendment', 'ordinal'],
        subject=['politician', 'symbol', 'transaction_date', 'report_date']) }}
),

-- assets without a symbol are told apart by their names
subjects as (
    select
        row_id,
        source,
        politician,
        symbol,
        case when symbol = '' then coalesce(asset, '') else '' end as asset_name,
        transaction_date,
        owner,
        report_date,
        filing_status,
        document,
        filed_at,
        amendment,
        first_known_at
    from filed
    where filing_status is not null
),

repeated as (
    select
        earlier.row_id,
        earlier.source,
        earlier.document,
        earlier.first_known_at,
        later.row_id as by_row_id,
        later.first_known_at as ended_at
    from subjects as earlier
    inner join subjects as later
        on earlier.source = later.source
        and earlier.politician = later.politician
        and earlier.symbol = later.symbol
        and earlier.asset_name = later.asset_name
        and earlier.transaction_date = later.transaction_date
        and earlier.owner = later.owner
        and (
            earlier.report_date < later.report_date
            -- filed and amended on one day
            or (
                earlier.report_date = later.report_date
                and earlier.document <> later.document
                and (
                    earlier.filing_status = 'new'
                    or earlier.filed_at < later.filed_at
                    or (earlier.filed_at = later.filed_at and earlier.amendment < later.amendment)
                )
            )
        )
    where later.filing_status in ('amended', 'deleted')
),

ends as (
    select
        row_id,
        ended_at
    from repeated
    union all
    select
        subjects.row_id,
        repeated.ended_at
    from subjects
    inner join repeated
        on subjects.source = repeated.source
        and subjects.document = repeated.document
    where subjects.source = 'senate_efd'
),

ended as (
    select
        row_id,
        min(ended_at) as ended_at
    from ends
    group by row_id
),

began as (
    select
        by_row_id as row_id,
        min(first_known_at) as first_known_at
    from repeated
    group by by_row_id
)

select
    filed.politician,
    filed.bioguide_id,
    filed.chamber,
    filed.party,
    filed.symbol,
    filed.asset,
    filed.asset_type,
    filed.transaction,
    filed.amount_range,
    filed.amount_low,
    filed.amount_high,
    filed.transaction_date,
    filed.report_date,
    filed.owner,
    filed.filing_status,
    filed.document,
    filed.filed_at,
    filed.amendment,
    filed.ordinal,
    filed.event_date,
    filed.known_at,
    case
        when ended.ended_at is null then filed.superseded_at
        when filed.superseded_at is null or ended.ended_at < filed.superseded_at then ended.ended_at
        else filed.superseded_at
    end as superseded_at,
    coalesce(began.first_known_at, filed.first_known_at) as first_known_at,
    filed.ingested_at,
    filed.source,
    filed.row_id
from filed
left join ended on filed.row_id = ended.row_id
left join began on filed.row_id = began.row_id
where coalesce(filed.filing_status, '') <> 'deleted'
