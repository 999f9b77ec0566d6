-- What was collected without a gap, how new its newest row is, gates that a person overruled, and the pace at sites.

-- First day asked for; null where a collection followed what was loaded. Together with the watermark: what is complete.
alter table ops.ingest_runs add column asked_from date;

-- Time of the newest thing the collection said, by the dataset's own measure; null where it has none.
alter table ops.ingest_runs add column newest_at timestamptz;

-- Digest of all a capture said, for datasets whose rows state no time of their own.
alter table ops.ingest_runs add column content text;

create table ops.gate_overrides (
    override_id bigint generated always as identity primary key,
    run_id      text not null,
    dataset     text not null,
    gate        text not null check (gate in ('count', 'vanished')),
    rows_found  bigint not null,
    rows_before bigint not null,
    reason      text not null,
    who         text not null,
    accepted_at timestamptz not null
);
create index on ops.gate_overrides (dataset, accepted_at);

-- When the next request to a site may be sent: microseconds since 1970 of the server's clock, shared by all workers.
create unlogged table ops.site_pace (
    site       text primary key,
    arrival_us bigint not null
);
