-- Every row of the sources that are read, tombstones among them: for a model that compares only what was stated again.
select
    symbol,
    open,
    close,
    volume,
    event_date,
    known_at,
    ingested_at,
    source,
    row_id,
    is_deleted
from {{ source('raw', 'prices') }}
where {{ is_read('prices') }}
