-- Risk of each portfolio's part of a decision's book, after all caps. Shares are of sizing equity, as in the figures of
-- the whole book, so that the parts can be held against it; NULL where a figure is not known.
create table ops.portfolio_risk_figures (
    decision_id  text not null references ops.decisions,
    session      date not null,
    origin       text not null check (origin in ('live', 'replay')),
    portfolio_id text not null,
    metric       text not null,
    value        double precision,
    primary key (decision_id, portfolio_id, metric)
);

create table ops.portfolio_risk_exposures (
    decision_id  text not null references ops.decisions,
    session      date not null,
    origin       text not null check (origin in ('live', 'replay')),
    portfolio_id text not null,
    kind         text not null check (kind in ('name', 'sector')),
    label        text not null,
    share        double precision not null,
    primary key (decision_id, portfolio_id, kind, label)
);
