-- Every request that changes something: who asked, when, for what, and what became of it. Rows are added, never changed.
create table ops.audit_log (
    audit_id   bigint generated always as identity primary key,
    at         timestamptz not null,
    request_id text not null,
    phase      text not null check (phase in ('asked', 'done', 'refused')),
    actor      text not null,
    stated_by  text,
    method     text not null,
    path       text not null,
    body       jsonb,
    detail     text not null default ''
);
create index on ops.audit_log (at);
