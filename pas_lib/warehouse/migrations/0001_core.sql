-- Calendar, collection, decisions. Raw tables are derived from the dataset catalogue and created beside this file.

create table ops.warehouse_identity (
    only_row     boolean primary key default true check (only_row),
    warehouse_id text not null,
    origin       text not null check (origin in ('sandbox', 'real')),
    created_at   timestamptz not null
);

create table ops.sessions (
    session        date primary key,
    open_at        timestamptz not null,
    close_at       timestamptz not null,
    decision_at    timestamptz not null,
    next_session   date not null,
    is_week_end    boolean not null,
    is_month_end   boolean not null,
    is_quarter_end boolean not null
);

-- ------------------------------------------------------------------------------------------------ collection

create table ops.ingest_runs (
    run_id           text not null,
    dataset          text not null,
    source           text not null,
    session          date,
    status           text not null check (status in ('loaded', 'unchanged', 'landed', 'skipped', 'failed')),
    started_at       timestamptz not null,
    finished_at      timestamptz,
    payloads         integer not null default 0,
    rows_parsed      bigint not null default 0,
    rows_new         bigint not null default 0,
    rows_changed     bigint not null default 0,
    rows_deleted     bigint not null default 0,
    rows_quarantined bigint not null default 0,
    watermark        date,
    note             text,
    primary key (run_id, dataset, source)
);
create index on ops.ingest_runs (dataset, finished_at);

create table ops.landing_files (
    path       text not null,
    dataset    text not null,
    source     text not null,
    run_id     text not null,
    url        text not null,
    sha256     text not null,
    bytes      bigint not null,
    fetched_at timestamptz not null,
    loaded_at  timestamptz not null,
    primary key (path, dataset)
);

create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    dataset       text not null,
    source        text not null,
    run_id        text not null,
    source_url    text not null,
    payload_path  text not null,
    reason        text not null,
    record        jsonb not null,
    quarantined_at timestamptz not null
);
create index on ops.quarantine (dataset, quarantined_at);

-- ------------------------------------------------------------------------------------------------- decisions

create table ops.portfolios (
    portfolio_id text primary key,
    name         text not null,
    strategy     text,
    kind         text not null check (kind in ('strategy', 'manual')),
    cadence      text not null,
    status       text not null default 'active' check (status in ('active', 'closed')),
    created_at   timestamptz not null
);

create table ops.decisions (
    decision_id    text primary key,
    session        date not null,
    decided_at     timestamptz not null,
    origin         text not null check (origin in ('live', 'replay')),
    inputs_hash    text not null,
    method         text not null,
    cci            double precision,
    scale          double precision not null,
    gross          double precision not null,
    expected_vol   double precision,
    reason         text not null,
    managed_equity double precision,
    run_id         text not null
);
create unique index decisions_one_live on ops.decisions (session) where origin = 'live';

-- One row per portfolio and symbol held as a target; weight is within the portfolio, share is of managed equity.
create table ops.weight_history (
    decision_id  text not null references ops.decisions,
    session      date not null,
    portfolio_id text not null references ops.portfolios,
    symbol       text not null,
    security_id  text,
    weight       double precision not null,
    share        double precision not null,
    decided_at   timestamptz not null,
    origin       text not null,
    primary key (decision_id, portfolio_id, symbol)
);
create index on ops.weight_history (portfolio_id, session);

-- Inputs, diagnostics and result of each allocation, one row per portfolio; failures of tasks have event 'task_failed'.
create table ops.alloc_log (
    log_id       bigint generated always as identity primary key,
    logged_at    timestamptz not null,
    session      date,
    event        text not null,
    decision_id  text,
    portfolio_id text,
    method       text,
    allocation   double precision,
    scale        double precision,
    share        double precision,
    trades       boolean,
    reason       text,
    details      jsonb not null default '{}'::jsonb
);
create index on ops.alloc_log (session, event);

-- What each strategy wanted at each of its rebalance sessions. Written once; never changed.
create table ops.model_weights (
    portfolio_id text not null,
    session      date not null,
    symbol       text not null,
    security_id  text not null,
    weight       double precision not null,
    note         text not null default '',
    origin       text not null check (origin in ('history', 'live')),
    computed_at  timestamptz not null,
    primary key (portfolio_id, session, symbol)
);

-- Daily return of each portfolio's model: its target weights filled at the next open, net of costs, before allocation.
create table ops.simulated_returns (
    portfolio_id text not null,
    session      date not null,
    model_return double precision not null,
    turnover     double precision not null,
    cost         double precision not null,
    origin       text not null,
    computed_at  timestamptz not null,
    primary key (portfolio_id, session)
);

create table ops.regime_history (
    session     date primary key,
    cci         double precision,
    scale       double precision not null,
    parts       jsonb not null,
    note        text not null default '',
    computed_at timestamptz not null
);
