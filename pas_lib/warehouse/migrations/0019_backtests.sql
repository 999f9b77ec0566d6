-- Backtests: every run leaves its row, so that it is known how much was tried. Nothing here ever counts as live.

create table ops.backtest_runs (
    run_id        text primary key,
    origin        text not null default 'backtest' check (origin = 'backtest'),
    ran_at        timestamptz not null,
    start_session date not null,
    end_session   date not null,
    strategies    text not null,
    parameters    jsonb not null,
    code_version  text not null,
    data_cut      jsonb not null,
    -- nothing of a backtest is drawn: NULL
    seed          bigint,
    trials        integer not null,
    coverage      jsonb not null
);
create index on ops.backtest_runs (ran_at);

create table ops.backtest_returns (
    run_id       text not null references ops.backtest_runs,
    portfolio_id text not null,
    session      date not null,
    ret          double precision not null,
    equity       double precision not null,
    turnover     double precision not null,
    cost         double precision not null,
    gross        double precision not null,
    primary key (run_id, portfolio_id, session)
);

-- One row per figure; value is NULL where it cannot be said. trial tells which parameters a portfolio was tried with.
create table ops.backtest_metrics (
    run_id       text not null references ops.backtest_runs,
    portfolio_id text not null,
    trial        text not null,
    metric       text not null,
    value        double precision,
    primary key (run_id, portfolio_id, metric)
);
create index on ops.backtest_metrics (metric);

-- Shares of equity at month-ends and at the end, by sector.
create table ops.backtest_exposures (
    run_id       text not null references ops.backtest_runs,
    portfolio_id text not null,
    session      date not null,
    sector       text not null,
    share        double precision not null,
    primary key (run_id, portfolio_id, session, sector)
);
