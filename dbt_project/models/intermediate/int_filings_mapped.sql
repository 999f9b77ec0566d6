-- depends_on: {{ ref('stg_raw__filings') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ note_new_entities('int_filings_mapped', ['filings', 'securities'], new_filers('int_filings_mapped')) }}",
    post_hook="{{ mark_built('int_filings_mapped') }}",
    indexes=pg_indexes([{'columns': ['security_id', 'event_date']}, {'columns': ['entity']}])
) }}
-- Filings and expected dates of earnings per security: by the company's CIK, which all its share classes have in common,
-- else by the symbol it was asked under, of the security that had it then.
with lines as (
    {{ filing_versions(new_entities('int_filings_mapped')) if is_incremental() else 'select * from ' ~ ref('stg_raw__filings') }}
),

-- the first CIK stated of a security: what is stated later changes nothing about the past
stated as (
    select
        cik,
        security_id,
        row_number() over (partition by security_id order by known_at, row_id) as version_no
    from {{ ref('stg_raw__securities') }}
    where cik is not null
),

companies as (
    select cik, security_id from stated where version_no = 1
),

registered as (
    select distinct cik from companies
),

matches as (
    select lines.row_id, companies.security_id, 'cik' as matched_by
    from lines
    inner join companies on lines.cik = companies.cik
    union all
    select lines.row_id, symbols.security_id, 'symbol' as matched_by
    from lines
    inner join {{ ref('int_security_symbols') }} as symbols
        on lines.symbol = symbols.symbol
        and lines.ingested_at >= symbols.valid_from
        and lines.ingested_at < symbols.valid_to
    left join registered on lines.cik = registered.cik
    where registered.cik is null
)

select
    matches.security_id,
    lines.entity,
    lines.kind,
    lines.accession,
    lines.form,
    lines.items,
    lines.report_date,
    lines.filed,
    lines.expected_from,
    lines.expected_to,
    lines.is_estimate,
    matches.matched_by,
    lines.event_date,
    lines.known_at,
    lines.superseded_at,
    lines.source,
    lines.row_id
from lines
inner join matches on lines.row_id = matches.row_id
