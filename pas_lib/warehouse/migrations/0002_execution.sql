-- Execution: plans and intents, orders, fills, the ledger, and who allowed what.
-- Every table is kept per (broker, account_number): books of two accounts never mix.

-- ----------------------------------------------------------------------------------------- plans and intents

-- One plan per account and decision session. What is stored here is executed, never recomputed.
create table ops.order_plans (
    broker            text not null,
    account_number    text not null,
    session           date not null,
    execution_session date not null,
    plan_hash         text not null,
    inputs_hash       text not null,
    managed_equity    numeric(24,9) not null,
    sizing_equity     numeric(24,9) not null,
    refusals          jsonb not null,
    created_at        timestamptz not null,
    finished_at       timestamptz,
    primary key (broker, account_number, session)
);

-- kind 'order' is sent to the broker, 'cross' is settled between books, 'funding' moves cash between the
-- CASH book and a portfolio's book (qty is then an amount in USD, positive into the portfolio).
create table ops.intents (
    intent_id         text primary key,
    broker            text not null,
    account_number    text not null,
    session           date not null,
    execution_session date not null,
    plan_hash         text not null,
    seq               integer not null,
    kind              text not null check (kind in ('order', 'cross', 'funding')),
    portfolio_id      text not null,
    symbol            text not null,
    side              text check (side in ('buy', 'sell')),
    qty               numeric(24,9) not null,
    decision_close    numeric(24,9),
    created_at        timestamptz not null,
    foreign key (broker, account_number, session) references ops.order_plans,
    check (kind = 'funding' or (side is not null and qty > 0 and decision_close > 0))
);
create index on ops.intents (session, portfolio_id);

-- ---------------------------------------------------------------------------------------- orders and fills

-- planned: stored, not sent · submitting: about to be sent · unknown: sent, answer lost · denied: a guard refused it
create table ops.orders (
    client_order_id   text primary key,
    intent_id         text not null references ops.intents,
    broker            text not null,
    account_number    text not null,
    portfolio_id      text not null,
    session           date not null,
    execution_session date not null,
    symbol            text not null,
    side              text not null check (side in ('buy', 'sell')),
    attempt           integer not null check (attempt >= 1),
    qty               numeric(24,9) not null,
    state             text not null check (state in ('planned', 'submitting', 'unknown', 'accepted', 'partially_filled',
                                                     'filled', 'canceled', 'expired', 'rejected', 'denied')),
    reason            text not null default '',
    broker_order_id   text,
    broker_status     text,
    filled_qty        numeric(24,9) not null default 0,
    filled_avg_price  numeric(24,9),
    decision_close    numeric(24,9) not null,
    open_price        numeric(24,9),
    created_at        timestamptz not null,
    sent_at           timestamptz,
    updated_at        timestamptz not null,
    expires_at        timestamptz not null,
    unique (intent_id, attempt)
);
create index on ops.orders (session, state);
create index on ops.orders (broker, account_number, broker_order_id);

create table ops.order_events (
    event_id        bigint generated always as identity primary key,
    client_order_id text not null references ops.orders,
    at              timestamptz not null,
    state           text not null,
    detail          text not null default ''
);
create index on ops.order_events (client_order_id, event_id);

-- Everything the account's activity feed showed, each applied once by its id.
create table ops.broker_activities (
    broker         text not null,
    account_number text not null,
    activity_id    text not null,
    activity_type  text not null,
    occurred_at    timestamptz not null,
    outcome        text not null,
    payload        jsonb not null,
    applied_at     timestamptz not null,
    primary key (broker, account_number, activity_id)
);

-- kind: fill (at the broker), cross (between two portfolios), external (traded by hand)
create table ops.trades (
    trade_id          text primary key,
    broker            text not null,
    account_number    text not null,
    kind              text not null check (kind in ('fill', 'cross', 'external')),
    portfolio_id      text not null,
    symbol            text not null,
    side              text not null check (side in ('buy', 'sell')),
    qty               numeric(24,9) not null check (qty > 0),
    price             numeric(24,9) not null check (price > 0),
    notional          numeric(24,9) not null,
    executed_at       timestamptz not null,
    execution_session date not null,
    session           date,
    client_order_id   text references ops.orders,
    activity_id       text,
    decision_close    numeric(24,9),
    open_price        numeric(24,9),
    realized_pnl      numeric(24,9),
    recorded_at       timestamptz not null
);
create index on ops.trades (portfolio_id, executed_at);
create index on ops.trades (symbol, executed_at);

-- ---------------------------------------------------------------------------------------------------- ledger

create table ops.ledger_bindings (
    binding_id     bigint generated always as identity primary key,
    broker         text not null,
    account_number text not null,
    warehouse_id   text not null,
    bound_at       timestamptz not null,
    bound_by       text not null,
    reason         text not null,
    is_active      boolean not null,
    unique (broker, account_number)
);
create unique index ledger_bindings_one_active on ops.ledger_bindings (is_active) where is_active;

-- Double entry. Each transaction's lines add up to zero for every asset; the counterpart of whatever crosses the
-- account's border is the book OUTSIDE, which is no part of what is held. asset is 'USD' or a symbol.
create table ops.ledger_entries (
    entry_id       bigint generated always as identity primary key,
    broker         text not null,
    account_number text not null,
    txn_id         text not null,
    line           integer not null,
    kind           text not null check (kind in ('opening', 'fill', 'cross', 'external', 'funding', 'dividend', 'fee',
                                                 'transfer', 'split', 'rounding', 'adjustment')),
    book           text not null,
    asset          text not null,
    amount         numeric(24,9) not null,
    cost           numeric(24,9) not null default 0,
    session        date not null,
    occurred_at    timestamptz not null,
    recorded_at    timestamptz not null,
    memo           text not null default '',
    unique (broker, account_number, txn_id, line)
);
create index on ops.ledger_entries (broker, account_number, book, asset);

create function ops.check_ledger_balance() returns trigger language plpgsql as $$
begin
    if exists (
        select 1 from ops.ledger_entries
        where broker = new.broker and account_number = new.account_number and txn_id = new.txn_id
        group by asset having sum(amount) <> 0
    ) then
        raise exception 'ledger transaction % does not balance', new.txn_id using errcode = 'check_violation';
    end if;
    return null;
end $$;

create constraint trigger ledger_balanced after insert on ops.ledger_entries
    deferrable initially deferred for each row execute function ops.check_ledger_balance();

create function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'check_violation';
end $$;

create trigger ledger_append_only before update or delete on ops.ledger_entries
    for each statement execute function ops.refuse_change();

-- What each book holds at the account the warehouse is bound to. portfolio_id is the book's other name.
create view ops.positions as
select l.book, l.book as portfolio_id, l.asset as symbol, sum(l.amount) as qty,
       case when sum(l.amount) <> 0 then round(sum(l.cost) / sum(l.amount), 9) end as avg_cost,
       sum(l.cost) as cost_basis, l.broker, l.account_number
from ops.ledger_entries l
join ops.ledger_bindings b on b.broker = l.broker and b.account_number = l.account_number and b.is_active
where l.asset <> 'USD' and l.book <> 'OUTSIDE'
group by l.broker, l.account_number, l.book, l.asset
having sum(l.amount) <> 0;

create view ops.book_cash as
select l.book, sum(l.amount) as cash, l.broker, l.account_number
from ops.ledger_entries l
join ops.ledger_bindings b on b.broker = l.broker and b.account_number = l.account_number and b.is_active
where l.asset = 'USD' and l.book <> 'OUTSIDE'
group by l.broker, l.account_number, l.book;

create table ops.reconciliations (
    reconciliation_id bigint generated always as identity primary key,
    broker            text not null,
    account_number    text not null,
    at                timestamptz not null,
    is_clean          boolean not null,
    cash_ledger       numeric(24,9) not null,
    cash_broker       numeric(24,9) not null,
    differences       jsonb not null
);

-- --------------------------------------------------------------------------------- permission and condition

create table ops.approvals (
    approval_id    bigint generated always as identity primary key,
    broker         text not null,
    account_number text not null,
    session        date not null,
    plan_hash      text not null,
    decision       text not null check (decision in ('approved', 'refused')),
    decided_by     text not null,
    decided_at     timestamptz not null,
    expires_at     timestamptz not null,
    note           text not null default ''
);
create index on ops.approvals (plan_hash, decided_at);

-- Newest row counts.
create table ops.trading_state (
    state_id       bigint generated always as identity primary key,
    state          text not null check (state in ('ACTIVE', 'REDUCING', 'HALTED')),
    set_at         timestamptz not null,
    set_by         text not null,
    reason         text not null check (reason <> '')
);

create table ops.account_metrics (
    broker            text not null,
    account_number    text not null,
    session           date not null,
    taken_at          timestamptz not null,
    equity            numeric(24,9) not null,
    cash              numeric(24,9) not null,
    long_market_value numeric(24,9) not null,
    buying_power      numeric(24,9) not null,
    managed_equity    numeric(24,9) not null,
    external_value    numeric(24,9) not null,
    primary key (broker, account_number, session)
);

create view ops.account_metrics_paper as select * from ops.account_metrics where broker <> 'live';
create view ops.account_metrics_live as select * from ops.account_metrics where broker = 'live';
