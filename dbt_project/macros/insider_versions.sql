{#- Versions of the lines of filings. An amendment replaces what it repeats, from when it becomes known on: of the filing it
    names by its day (of all earlier ones, where that day has none) everything if it has no fewer lines; else of the
    transactions of a day, code and class those that it states again. Where it states fewer of these than the filing did,
    and not their sum, each of its lines replaces the one that is most like it: of several that are alike and equal, one;
    of several that are alike and differ, all, since which one is meant is not told. Where a source does not tell amendments
    apart, a line that is filed again unchanged counts once.

    `only` as in versions(): on whole companies, all symbols of theirs. -#}
{% macro insider_versions(only=none) -%}
with lines as (
    {{ versions('insider_buying',
        ['symbol', 'insider', 'transaction_date', 'code', 'ownership', 'security_title', 'filed_at', 'ordinal'],
        ['symbol', 'issuer_cik', 'insider', 'insider_cik', 'owners', 'officer_title', 'is_director', 'is_officer',
         'is_ten_percent_owner', 'is_other', 'code', 'acquired_disposed', 'shares', 'price', 'value',
         'shares_following', 'ownership', 'security_title', 'transaction_date', 'filed_at', 'is_amendment',
         'original_filed', 'is_planned', 'accession', 'ordinal'], only=only) }}
),

-- only who amends, and what
told as (
    select
        row_id,
        source,
        coalesce(issuer_cik, symbol) as issuer,
        coalesce(insider_cik, insider) as owner,
        filed_at,
        is_amendment,
        original_filed,
        transaction_date,
        code,
        security_title,
        ownership,
        shares,
        price,
        shares_following,
        ordinal,
        superseded_at is null as is_current,
        first_known_at
    from lines
    where is_amendment is not null
),

filings as (
    select
        source,
        issuer,
        owner,
        filed_at,
        is_amendment,
        original_filed,
        min(first_known_at) as first_known_at,
        count(*) as line_count
    from told
    where is_current
    group by source, issuer, owner, filed_at, is_amendment, original_filed
),

pairs as (
    select
        earlier.source,
        earlier.issuer,
        earlier.owner,
        earlier.filed_at,
        earlier.is_amendment,
        earlier.line_count <= later.line_count as is_no_longer,
        later.filed_at as amended_by,
        later.first_known_at as amended_at,
        case
            when {{ new_york_date('earlier.filed_at') }} = later.original_filed then 1
            when earlier.original_filed = later.original_filed then 1
            else 0
        end as is_named
    from filings as earlier
    inner join filings as later
        on earlier.source = later.source
        and earlier.issuer = later.issuer
        and earlier.owner = later.owner
        and earlier.filed_at < later.filed_at
    where later.is_amendment
),

amended as (
    select
        pairs.*,
        max(is_named) over (partition by source, issuer, owner, amended_by) as any_named,
        -- of two filings of one day, which one is meant is not told
        sum(case when is_named = 1 and not is_amendment then 1 else 0 end) over (
            partition by source, issuer, owner, amended_by
        ) as originals_named
    from pairs
),

counted as (
    select
        told.*,
        count(case when is_current then 1 end) over (
            partition by source, issuer, owner, filed_at, transaction_date, code, security_title
        ) as group_lines,
        sum(case when is_current then shares end) over (
            partition by source, issuer, owner, filed_at, transaction_date, code, security_title
        ) as group_shares,
        row_number() over (
            partition by source, issuer, owner, filed_at, transaction_date, code, security_title, is_current
            order by ordinal, row_id
        ) as group_place
    from told
),

likened as (
    select
        earlier.row_id,
        amended.amended_at,
        case
            when earlier.group_lines <= later.group_lines then true
            else coalesce(earlier.group_shares = later.group_shares, false)
        end as is_all,
        later.row_id as by_row_id,
        later.group_place as by_place,
        earlier.filed_at,
        earlier.group_place,
        coalesce(earlier.shares, -1) as shares,
        coalesce(earlier.price, -1) as price,
        earlier.ownership,
        case when earlier.ownership = later.ownership then 2 else 0 end
        + case when earlier.shares = later.shares then 1 else 0 end
        + case when earlier.price = later.price then 1 else 0 end
        + case when earlier.shares_following = later.shares_following then 1 else 0 end as likeness
    from amended
    inner join counted as earlier
        on amended.source = earlier.source
        and amended.issuer = earlier.issuer
        and amended.owner = earlier.owner
        and amended.filed_at = earlier.filed_at
    inner join counted as later
        on amended.source = later.source
        and amended.issuer = later.issuer
        and amended.owner = later.owner
        and amended.amended_by = later.filed_at
        and earlier.transaction_date = later.transaction_date
        and earlier.code = later.code
        and earlier.security_title = later.security_title
    where amended.is_named = amended.any_named and later.is_current
),

placed as (
    select
        row_id,
        amended_at,
        is_all,
        by_place,
        rank() over (partition by by_row_id, filed_at order by likeness desc) as place,
        row_number() over (partition by by_row_id, filed_at, likeness order by group_place, row_id) as alike_place,
        count(*) over (partition by by_row_id, filed_at, likeness) as alike,
        min(shares) over (partition by by_row_id, filed_at, likeness)
        = max(shares) over (partition by by_row_id, filed_at, likeness)
        and min(price) over (partition by by_row_id, filed_at, likeness)
        = max(price) over (partition by by_row_id, filed_at, likeness)
        and min(ownership) over (partition by by_row_id, filed_at, likeness)
        = max(ownership) over (partition by by_row_id, filed_at, likeness) as are_equal
    from likened
),

ends as (
    select
        row_id,
        amended_at
    from placed
    where is_all or (place = 1 and (not are_equal or mod(by_place - 1, alike) = alike_place - 1))
    union all
    select
        told.row_id,
        amended.amended_at
    from amended
    inner join told
        on amended.source = told.source
        and amended.issuer = told.issuer
        and amended.owner = told.owner
        and amended.filed_at = told.filed_at
    where amended.is_named = 1 and amended.is_no_longer and amended.originals_named <= 1
),

ended as (
    select
        row_id,
        min(amended_at) as amended_at
    from ends
    group by row_id
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
    lines.original_filed,
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
{%- endmacro %}

{#- Symbols of the companies of which lines came in: a company may have changed its symbol. -#}
{% macro new_insider_symbols(model) -%}
with recursive companies as (
    select distinct
        symbol,
        issuer_cik
    from {{ source('raw', 'insider_buying') }}
    where issuer_cik is not null
),

touched as (
    select symbol
    from {{ source('raw', 'insider_buying') }}
    where row_id > {{ new_row(model, 'insider_buying') }}
    union
    select other.symbol
    from touched
    inner join companies as mine on touched.symbol = mine.symbol
    inner join companies as other on mine.issuer_cik = other.issuer_cik
)

select symbol as entity from touched
{%- endmacro %}
