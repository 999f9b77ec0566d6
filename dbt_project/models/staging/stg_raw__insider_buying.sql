{#- Versions of the lines of filings. An amendment repeats the lines it corrects: those of the same company, insider, day,
    code and class in earlier filings end when it becomes known. Where a source does not tell amendments apart, a line
    that is filed again unchanged counts once. -#}
with lines as (
    {{ versions('insider_buying',
        ['symbol', 'insider', 'transaction_date', 'code', 'ownership', 'security_title', 'filed_at', 'ordinal'],
        ['symbol', 'issuer_cik', 'insider', 'insider_cik', 'owners', 'officer_title', 'is_director', 'is_officer',
         'is_ten_percent_owner', 'is_other', 'code', 'acquired_disposed', 'shares', 'price', 'value',
         'shares_following', 'ownership', 'security_title', 'transaction_date', 'filed_at', 'is_amendment',
         'is_planned', 'accession', 'ordinal']) }}
),

amendments as (
    select distinct source, symbol, insider, transaction_date, code, security_title, filed_at, first_known_at
    from lines
    where is_amendment
),

ended as (
    select
        lines.row_id,
        min(amendments.first_known_at) as amended_at
    from lines
    inner join amendments
        on lines.source = amendments.source
        and lines.symbol = amendments.symbol
        and lines.insider = amendments.insider
        and lines.transaction_date = amendments.transaction_date
        and lines.code = amendments.code
        and lines.security_title = amendments.security_title
        and lines.filed_at < amendments.filed_at
    group by lines.row_id
),

repeats as (
    select
        row_id,
        min(filed_at) over (
            partition by
                source, symbol, insider, transaction_date, code, ownership, security_title, shares, price,
                shares_following, ordinal
        ) as first_filed_at
    from lines
    where is_amendment is null
)

select
    lines.symbol,
    lines.issuer_cik,
    lines.insider,
    lines.insider_cik,
    lines.owners,
    lines.officer_title,
    lines.is_director,
    lines.is_officer,
    lines.is_ten_percent_owner,
    lines.is_other,
    lines.code,
    lines.acquired_disposed,
    lines.shares,
    lines.price,
    lines.value,
    lines.shares_following,
    lines.ownership,
    lines.security_title,
    lines.transaction_date,
    lines.filed_at,
    lines.is_amendment,
    lines.is_planned,
    lines.accession,
    lines.ordinal,
    lines.event_date,
    lines.known_at,
    case
        when ended.amended_at is null then lines.superseded_at
        when lines.superseded_at is null or ended.amended_at < lines.superseded_at then ended.amended_at
        else lines.superseded_at
    end as superseded_at,
    lines.first_known_at,
    lines.ingested_at,
    lines.source,
    lines.row_id
from lines
left join ended on lines.row_id = ended.row_id
left join repeats on lines.row_id = repeats.row_id
where repeats.row_id is null or repeats.first_filed_at = lines.filed_at
