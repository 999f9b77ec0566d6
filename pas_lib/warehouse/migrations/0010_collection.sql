-- Validators of answers, the order of loads, and what became of refused records.

-- What a site was asked and answered, so that it can be asked whether that has changed. The bytes are in the landing.
create table ops.cache (
    dataset       text not null,
    cache_key     text not null,
    source        text not null,
    url           text not null,
    etag          text not null,
    last_modified text not null,
    path          text not null,
    sha256        text not null,
    bytes         bigint not null,
    run_id        text not null,
    stored_at     timestamptz not null,
    used_at       timestamptz not null,
    primary key (dataset, cache_key)
);

create sequence ops.load_numbers;
alter table ops.ingest_runs add column load_number bigint;
create index on ops.ingest_runs (dataset, load_number);

-- Appended, never changed; the newest row of a record counts, and one without any is open.
create table ops.quarantine_states (
    state_id      bigint generated always as identity primary key,
    quarantine_id bigint not null references ops.quarantine,
    state         text not null check (state in ('resolved', 'superseded')),
    run_id        text not null,
    note          text not null default '',
    decided_at    timestamptz not null
);
create index on ops.quarantine_states (quarantine_id);
