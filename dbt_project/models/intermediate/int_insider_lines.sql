-- depends_on: {{ ref('stg_raw__insider_buying') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ note_new_entities('int_insider_lines', ['insider_buying'],
        new_insider_symbols('int_insider_lines'), 'symbol') }}",
    post_hook="{{ mark_built('int_insider_lines') }}",
    indexes=pg_indexes([{'columns': ['symbol']}, {'columns': ['first_known_at']}])
) }}
-- Insiders' transactions as staging has them, kept: what amends what is told for companies of which something came in.
{%- if is_incremental() %}
with lines as (
    {{ insider_versions(new_entities('int_insider_lines', 'symbol')) }}
)
{%- endif %}

select
    symbol,
    insider,
    insider_cik,
    code,
    shares,
    price,
    value,
    security_title,
    transaction_date,
    filed_at,
    known_at,
    superseded_at,
    first_known_at,
    source,
    row_id
from {{ 'lines' if is_incremental() else ref('stg_raw__insider_buying') }}
