-- Manual portfolios, what a person did to portfolios, and returns that were posted from outside.

-- One row per symbol of a set of weights; the event that put them tells sets apart. A set of nothing but cash is one
-- row CASH.
create table ops.manual_weights (
    event_id     bigint not null,
    portfolio_id text not null references ops.portfolios,
    set_at       timestamptz not null,
    symbol       text not null,
    weight       double precision not null check (weight >= 0 and weight <= 1),
    set_by       text not null,
    note         text not null default '',
    primary key (event_id, symbol)
);

create index on ops.manual_weights (portfolio_id, event_id);

-- created, weights, funded (details.share: of sizing equity from the next decision on), rebalance, swept, transferred,
-- closed, reopened, returns_posted
create table ops.portfolio_events (
    event_id     bigint generated always as identity primary key,
    portfolio_id text not null references ops.portfolios,
    event        text not null,
    at           timestamptz not null,
    by           text not null,
    details      jsonb not null default '{}'::jsonb
);
create index on ops.portfolio_events (portfolio_id, event_id);

-- A correction is a further row of the same session; the newest one counts.
create table ops.posted_returns (
    row_id       bigint generated always as identity primary key,
    portfolio_id text not null references ops.portfolios,
    session      date not null,
    ret          double precision not null,
    posted_at    timestamptz not null,
    posted_by    text not null,
    source       text not null default ''
);
create index on ops.posted_returns (portfolio_id, session);

-- Trailing statistics of manual portfolios, as they were after each posting.
create table ops.posted_metrics (
    metrics_id   bigint generated always as identity primary key,
    portfolio_id text not null references ops.portfolios,
    as_of        date not null,
    n_obs        integer not null,
    figures      jsonb not null,
    computed_at  timestamptz not null,
    computed_by  text not null
);
create index on ops.posted_metrics (portfolio_id, metrics_id);

create trigger manual_weights_append_only before update or delete on ops.manual_weights
    for each statement execute function ops.refuse_change();
create trigger portfolio_events_append_only before update or delete on ops.portfolio_events
    for each statement execute function ops.refuse_change();
create trigger posted_returns_append_only before update or delete on ops.posted_returns
    for each statement execute function ops.refuse_change();
create trigger posted_metrics_append_only before update or delete on ops.posted_metrics
    for each statement execute function ops.refuse_change();
