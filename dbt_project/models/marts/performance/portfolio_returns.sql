-- Equity of each book at the close of each session: what the ledger holds, at the newest close of at most 30 days ago.
-- Money that comes or goes (also for trades made by hand) counts at the start of the session: ret = equity / (equity before + cash flow) - 1.
with entries as (
    select
        portfolio_id,
        asset,
        session,
        sum(amount) as amount,
        sum(case when asset = 'USD' and kind in ('opening', 'funding', 'transfer', 'adjustment', 'external') then amount else 0 end) as flow
    from {{ ref('stg_ops__ledger_entries') }}
    where portfolio_id not in ('EXTERNAL', 'CASH')
    group by portfolio_id, asset, session
    union all
    -- ALL is the managed account: every book but the one of trades made by hand
    select
        'ALL' as portfolio_id,
        asset,
        session,
        sum(amount) as amount,
        sum(case when asset = 'USD' and kind in ('opening', 'funding', 'transfer', 'adjustment', 'external') then amount else 0 end) as flow
    from {{ ref('stg_ops__ledger_entries') }}
    where portfolio_id <> 'EXTERNAL'
    group by asset, session
),

sessions as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    where session >= (select min(session) from entries)
),

opened as (
    select
        portfolio_id,
        asset,
        min(session) as first_session
    from entries
    group by portfolio_id, asset
),

held as (
    select
        opened.portfolio_id,
        opened.asset,
        sessions.session,
        sum(coalesce(entries.amount, 0)) over (
            partition by opened.portfolio_id, opened.asset order by sessions.session rows unbounded preceding
        ) as amount,
        coalesce(entries.flow, 0) as flow
    from opened
    inner join sessions on sessions.session >= opened.first_session
    left join entries
        on opened.portfolio_id = entries.portfolio_id
        and opened.asset = entries.asset
        and sessions.session = entries.session
),

closes as (
    select
        symbol,
        session,
        close,
        coalesce(
            lead(session) over (partition by symbol order by session), cast('9999-12-31' as date)
        ) as next_session
    from {{ ref('daily_returns') }}
    where symbol in (select asset from opened)
        and session >= (select min(session) from entries) - 30
),

valued as (
    select
        held.portfolio_id,
        held.session,
        sum(held.amount * case when held.asset = 'USD' then 1 else coalesce(closes.close, 0) end) as equity,
        sum(held.flow) as cash_flow
    from held
    left join closes
        on held.asset = closes.symbol
        and held.session >= closes.session
        and held.session < closes.next_session
        and held.session <= closes.session + 30
    group by held.portfolio_id, held.session
),

chained as (
    select
        *,
        lag(equity) over (partition by portfolio_id order by session) as equity_before
    from valued
)

select
    portfolio_id,
    session,
    cast(equity as double precision) as equity,
    cast(
        case when coalesce(equity_before, 0) + cash_flow > 0.01 then equity / (coalesce(equity_before, 0) + cash_flow) - 1 end
        as double precision
    ) as ret,
    cast(cash_flow as double precision) as cash_flow
from chained
