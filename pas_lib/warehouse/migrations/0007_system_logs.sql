-- What the programs did, one row per event: structured, kept for PAS_LOG_RETENTION_DAYS.
create table ops.system_logs (
    log_id    bigint generated always as identity primary key,
    logged_at timestamptz not null,
    level     text not null check (level in ('debug', 'info', 'warning', 'error', 'critical')),
    program   text not null,
    event     text not null,
    session   date,
    run_id    text,
    fields    jsonb not null default '{}'
);
create index on ops.system_logs (logged_at);
create index on ops.system_logs (session, program);
