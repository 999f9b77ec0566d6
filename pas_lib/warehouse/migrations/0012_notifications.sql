-- What was said to people, each fact once. Addresses of channels are not kept here: they hold secrets.
create table ops.notifications (
    key        text primary key,
    event      text not null,
    title      text not null,
    body       text not null,
    created_at timestamptz not null,
    attempts   integer not null,
    sent_at    timestamptz,
    outcome    text not null
);
create index on ops.notifications (created_at);
