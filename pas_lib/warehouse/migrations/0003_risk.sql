-- Risk: what the book of a decision was exposed to, the rules on those figures, and the alerts they raised.

-- One figure of a decision's book after all caps. Shares of sizing equity, losses as positive fractions per day; NULL
-- where a figure is not known.
create table ops.risk_figures (
    decision_id text not null references ops.decisions,
    session     date not null,
    origin      text not null check (origin in ('live', 'replay')),
    metric      text not null,
    value       double precision,
    primary key (decision_id, metric)
);
create index on ops.risk_figures (session, metric);

-- The same book by name, sector and portfolio, looked through over all portfolios.
create table ops.risk_exposures (
    decision_id text not null references ops.decisions,
    session     date not null,
    origin      text not null check (origin in ('live', 'replay')),
    kind        text not null check (kind in ('name', 'sector', 'portfolio')),
    label       text not null,
    share       double precision not null,
    primary key (decision_id, kind, label)
);

-- Raise an alert when a figure stands in a relation to a threshold. A rule that is over keeps its row.
create table ops.risk_rules (
    rule_id    bigint generated always as identity primary key,
    metric     text not null,
    op         text not null check (op in ('>', '>=', '<', '<=')),
    threshold  double precision not null,
    created_at timestamptz not null,
    created_by text not null,
    note       text not null default '',
    ended_at   timestamptz,
    ended_by   text
);

-- rule is 'setting' or 'rule N'. An alert stays open until a person acknowledges it.
create table ops.risk_alerts (
    alert_id        bigint generated always as identity primary key,
    raised_at       timestamptz not null,
    session         date not null,
    decision_id     text not null references ops.decisions,
    rule            text not null,
    metric          text not null,
    op              text not null,
    threshold       double precision not null,
    value           double precision,
    message         text not null,
    acknowledged_at timestamptz,
    acknowledged_by text,
    note            text not null default '',
    unique (decision_id, rule, metric, op, threshold)
);
