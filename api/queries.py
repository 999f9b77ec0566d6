"""What the answers ask of the warehouse; the addresses and the dashboard share these, so that their numbers agree.

Every function takes a :class:`~api.store.Reader` and returns a model of :mod:`api.models`. The statements are written
for PostgreSQL and DuckDB alike: no engine's own functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from api import models
from api.errors import NotFound, NotReady
from api.listing import Window
from api.store import Reader
from pas_lib.errors import UnknownName

#: Stands for all portfolios together where an address takes a portfolio's id.
ALL = "ALL"
#: A list's newest records.
FIRST_PAGE = Window()


def as_json(value: Any) -> Any:
    """Return a JSON column's value: PostgreSQL gives it decoded, the mirror as text."""
    return json.loads(value) if isinstance(value, str) else value


def number(value: Any) -> float | None:
    """Return a database number as a float, or None."""
    return None if value is None else float(value)


def total(values: list[float | None]) -> float | None:
    """Return the sum, or None if a summand is not known."""
    known = [v for v in values if v is not None]
    return sum(known) if len(known) == len(values) else None


# --------------------------------------------------------------------------------------------------------- book


def require_portfolio(reader: Reader, portfolio_id: str) -> None:
    """Refuse an id that no portfolio has.

    Raises
    ------
    NotFound
        With the nearest ids.
    """
    known = [str(row[0]) for row in reader.fetch("select portfolio_id from ops.portfolios").rows]
    if portfolio_id not in known:
        if not known:
            raise NotFound("there are no portfolios yet: the first decision creates them")
        raise NotFound(str(UnknownName("portfolio", portfolio_id[:80], known)))


_PORTFOLIOS = """
select p.portfolio_id, p.name, p.strategy, p.kind, p.cadence, p.status, p.created_at,
       a.session, a.allocation, a.scale, a.share, cast(c.cash as double precision) as cash
from ops.portfolios p
left join (
    select l.portfolio_id, d.session, max(l.allocation) as allocation, max(l.scale) as scale, max(l.share) as share
    from ops.alloc_log l
    join ops.decisions d on d.decision_id = l.decision_id
    where d.origin = 'live' and d.session = (select max(session) from ops.decisions where origin = 'live')
      and l.event = 'allocation'
    group by l.portfolio_id, d.session
) a on a.portfolio_id = p.portfolio_id
left join ops.book_cash c on c.book = p.portfolio_id
order by p.portfolio_id
"""


def portfolios(reader: Reader) -> models.PortfolioList:
    """Return every portfolio with its share in the latest decision and what it holds."""
    held = _valued(_held(reader, None))
    records = []
    for row in reader.records(_PORTFOLIOS):
        own = [p for p in held if p.portfolio_id == row["portfolio_id"]]
        value = total([p.market_value for p in own])
        records.append(models.Portfolio(**row, positions=len(own), market_value=value))
    return models.PortfolioList(records=records)


def portfolio(reader: Reader, portfolio_id: str) -> models.PortfolioDetail:
    """Return one portfolio with its target weights: those of the latest decision that made it trade."""
    require_portfolio(reader, portfolio_id)
    found = next(p for p in portfolios(reader).records if p.portfolio_id == portfolio_id)
    # A portfolio that drifts has no targets of that session; one that went to cash has a session without rows.
    session = reader.scalar(
        "select max(l.session) as session from ops.alloc_log l join ops.decisions d on d.decision_id = l.decision_id"
        " where l.portfolio_id = %(id)s and l.event = 'allocation' and l.trades and d.origin = 'live'",
        {"id": portfolio_id},
    )
    targets = reader.records(
        "select symbol, security_id, weight, share from ops.weight_history"
        " where portfolio_id = %(id)s and origin = 'live' and session = %(session)s order by weight desc, symbol",
        {"id": portfolio_id, "session": session},
    )
    return models.PortfolioDetail(
        **found.model_dump(),
        targets_session=session,
        targets=[models.Target.model_validate(row) for row in targets],
    )


# Sums of a view have no stated precision, and the mirror keeps such decimals as text. A book may hold cash alone, or
# (what people trade by hand) symbols alone.
_HELD = """
with p as (select book, symbol, qty, avg_cost, cost_basis from ops.positions{where})
select coalesce(c.book, p.book) as book, cast(c.cash as double precision) as cash, p.symbol,
       cast(p.qty as double precision) as qty, cast(p.avg_cost as double precision) as avg_cost,
       cast(p.cost_basis as double precision) as cost_basis, {close} as close, {session} as close_session
from (select book, sum(cash) as cash from ops.book_cash{where} group by book) c
full join p on p.book = c.book
{closes}
order by 1, p.symbol
"""
_ONE_BOOK = " where book = %(book)s"
#: Closes of the newest session come by its index, at once; only what did not trade then is looked for in all sessions.
_NEWEST_CLOSES = """
left join (
    select symbol, session, close, row_number() over (partition by symbol order by security_id) as place
    from marts.daily_returns
    where session = (select max(session) from marts.daily_returns) and symbol in (select symbol from p)
) d on d.symbol = p.symbol and d.place = 1
"""
_OLDER_CLOSES = """
select symbol, session, close
from (
    select symbol, session, close, row_number() over (partition by symbol order by session desc, security_id) as age
    from marts.daily_returns where symbol in ({symbols})
) d
where age = 1
"""


def _held(reader: Reader, book: str | None) -> list[dict[str, Any]]:
    """Return cash, holdings and closes (of one book) with a single statement, unless something has no newest close."""
    where, parameters = (_ONE_BOOK, {"book": book}) if book else ("", None)
    priced = _HELD.format(where=where, close="d.close", session="d.session", closes=_NEWEST_CLOSES)
    found = reader.attempt(lambda r: r.records(priced, parameters))
    if isinstance(found, NotReady):  # without closes the values are not known
        bare = _HELD.format(where=where, close="null", session="null", closes="")
        return reader.records(bare, parameters)
    old = sorted({row["symbol"] for row in found if row["symbol"] is not None and row["close_session"] is None})
    if old:
        wanted = {f"symbol_{n}": symbol for n, symbol in enumerate(old)}
        names = ", ".join(f"%({name})s" for name in wanted)
        closes = {row["symbol"]: row for row in reader.records(_OLDER_CLOSES.format(symbols=names), wanted)}
        for row in found:
            if close := closes.get(row["symbol"]):
                row |= {"close": close["close"], "close_session": close["session"]}
    return found


def _valued(rows: list[dict[str, Any]]) -> list[models.Position]:
    """Return the holdings among the rows at their closes; without a close a value is not known."""
    held = [row for row in rows if row["symbol"] is not None]
    by_book: dict[str, list[float | None]] = {}
    for row in held:
        row["value"] = None if row["close"] is None else row["qty"] * row["close"]
        by_book.setdefault(row["book"], []).append(row["value"])
    whole = {book: total(values) for book, values in by_book.items()}
    return [
        models.Position(
            portfolio_id=row["book"],
            symbol=row["symbol"],
            qty=row["qty"],
            avg_cost=row["avg_cost"],
            cost_basis=row["cost_basis"],
            close=row["close"],
            close_session=row["close_session"],
            market_value=row["value"],
            unrealized_pnl=None
            if row["value"] is None or row["cost_basis"] is None
            else row["value"] - row["cost_basis"],
            weight=None if row["value"] is None or not (whole[row["book"]]) else row["value"] / whole[row["book"]],
        )
        for row in held
    ]


def positions(reader: Reader, portfolio_id: str) -> models.PositionList:
    """Return the holdings of one portfolio (or of all), the largest first."""
    rows = _held(reader, None if portfolio_id == ALL else portfolio_id)
    if not rows and portfolio_id != ALL:
        require_portfolio(reader, portfolio_id)
    own = _valued(rows)
    cash = {row["book"]: row["cash"] for row in rows if row["cash"] is not None}
    return models.PositionList(
        portfolio_id=portfolio_id,
        market_value=total([p.market_value for p in own]),
        cash=total(list(cash.values())) if cash else None,
        records=sorted(own, key=lambda p: (-(p.market_value or 0.0), p.symbol, p.portfolio_id)),
    )


#: What was filled, against the decision close: USD and basis points of it, positive is a cost. Fees and what was not
#: filled are in the mart `implementation_shortfall`.
_SIGN = "case when side = 'buy' then 1 else -1 end"


def _shortfall(qty: str, price: str) -> dict[str, str]:
    """Return the two columns; in binary numbers, so that the mirror computes the very same."""
    filled, paid, decided = (f"cast({c} as double precision)" for c in (qty, price, "decision_close"))
    return {
        "shortfall": f"{_SIGN} * {filled} * ({paid} - {decided}) as shortfall",
        "shortfall_bp": f"10000.0 * {_SIGN} * ({paid} / {decided} - 1) as shortfall_bp",
    }


_SHORTFALL = {"orders": _shortfall("filled_qty", "filled_avg_price"), "trades": _shortfall("qty", "price")}
_ORDER_COLUMNS = ", ".join(_SHORTFALL["orders"].get(name, name) for name in models.Order.model_fields)
_TRADE_COLUMNS = ", ".join(_SHORTFALL["trades"].get(name, name) for name in models.Trade.model_fields)
_WEIGHT_COLUMNS = ", ".join(models.StoredWeight.model_fields)


def _where(conditions: Mapping[str, tuple[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return a where clause of the conditions whose value is set, and its parameters."""
    wanted = {name: pair for name, pair in conditions.items() if pair[1] is not None}
    clause = " and ".join(condition for condition, _ in wanted.values())
    return (f" where {clause}" if clause else ""), {name: value for name, (_, value) in wanted.items()}


def trades(
    reader: Reader,
    portfolio_id: str,
    *,
    start: date | None = None,
    end: date | None = None,
    window: Window = FIRST_PAGE,
) -> models.Listing[models.Trade]:
    """Return the trades of one portfolio (or of all), newest first."""
    one = None if portfolio_id == ALL else portfolio_id
    clause, parameters = _where(
        {
            "id": ("portfolio_id = %(id)s", one),
            "start": ("execution_session >= %(start)s", start),
            "end": ("execution_session <= %(end)s", end),
        }
    )
    found = window.page_of(
        reader,
        models.Trade,
        f"select {_TRADE_COLUMNS} from ops.trades{clause}",  # noqa: S608 - columns of the model
        parameters,
        own="executed_at desc, trade_id",
    )
    if not found.records and one is not None:
        _known_book(reader, one)
    return found


def _known_book(reader: Reader, portfolio_id: str) -> None:
    """Refuse an id that is neither a portfolio nor a book that was ever used (money and hand-made trades)."""
    if reader.scalar("select count(*) from ops.ledger_entries where book = %(id)s", {"id": portfolio_id}):
        return
    require_portfolio(reader, portfolio_id)


def orders(
    reader: Reader,
    *,
    portfolio_id: str | None = None,
    state: str | None = None,
    session: date | None = None,
    symbol: str | None = None,
    window: Window = FIRST_PAGE,
) -> models.Listing[models.Order]:
    """Return orders, newest session first."""
    clause, parameters = _where(
        {
            "portfolio": ("portfolio_id = %(portfolio)s", portfolio_id),
            "state": ("state = %(state)s", state),
            "session": ("session = %(session)s", session),
            "symbol": ("symbol = %(symbol)s", symbol),
        }
    )
    return window.page_of(
        reader,
        models.Order,
        f"select {_ORDER_COLUMNS} from ops.orders{clause}",  # noqa: S608 - columns of the model
        parameters,
        own="session desc, portfolio_id, symbol, side, attempt, client_order_id",
    )


def weight_history(
    reader: Reader,
    portfolio_id: str,
    *,
    start: date | None = None,
    end: date | None = None,
    window: Window = FIRST_PAGE,
) -> models.Listing[models.StoredWeight]:
    """Return the stored target weights of a portfolio, newest session first, then by weight."""
    require_portfolio(reader, portfolio_id)
    clause, parameters = _where(
        {
            "id": ("portfolio_id = %(id)s", portfolio_id),
            "origin": ("origin = %(origin)s", "live"),
            "start": ("session >= %(start)s", start),
            "end": ("session <= %(end)s", end),
        }
    )
    return window.page_of(
        reader,
        models.StoredWeight,
        f"select {_WEIGHT_COLUMNS} from ops.weight_history{clause}",  # noqa: S608 - columns of the model
        parameters,
        own="session desc, weight desc, symbol, decision_id",
    )


_APPROVAL_COLUMNS = ", ".join(models.StoredApproval.model_fields)


def approvals(
    reader: Reader, *, session: date | None = None, window: Window = FIRST_PAGE
) -> models.Listing[models.StoredApproval]:
    """Return what people said to plans, the newest first."""
    clause, parameters = _where({"session": ("session = %(session)s", session)})
    return window.page_of(
        reader,
        models.StoredApproval,
        f"select {_APPROVAL_COLUMNS} from ops.approvals{clause}",  # noqa: S608 - columns of the model
        parameters,
        own="approval_id desc",
    )


_LOG_COLUMNS = ", ".join(models.LogEntry.model_fields)


def logs(
    reader: Reader,
    *,
    levels: tuple[str, ...] = (),
    program: str | None = None,
    event: str | None = None,
    session: date | None = None,
    run_id: str | None = None,
    window: Window = FIRST_PAGE,
) -> models.Listing[models.LogEntry]:
    """Return events of the programs, the newest first."""
    clause, parameters = _where(
        {
            "program": ("program = %(program)s", program),
            "event": ("event = %(event)s", event),
            "session": ("session = %(session)s", session),
            "run_id": ("run_id = %(run_id)s", run_id),
        }
    )
    if levels:
        names = ", ".join(f"%(level_{n})s" for n in range(len(levels)))
        clause += f"{' and' if clause else ' where'} level in ({names})"
        parameters |= {f"level_{n}": level for n, level in enumerate(levels)}
    return window.page_of(
        reader,
        models.LogEntry,
        f"select {_LOG_COLUMNS} from ops.system_logs{clause}",  # noqa: S608 - columns of the model
        parameters,
        own="log_id desc",
    )


_DECISION_COLUMNS = ", ".join(models.Decision.model_fields)


def allocations(reader: Reader, session: date | None = None) -> models.AllocationList:
    """Return a session's decision (the latest by default) and the shares it gave.

    Raises
    ------
    NotFound
        If the session named has no decision.
    """
    clause, parameters = _where(
        {"origin": ("origin = %(origin)s", "live"), "session": ("session = %(session)s", session)}
    )
    decision = reader.first(
        f"select {_DECISION_COLUMNS} from ops.decisions{clause} order by session desc limit 1",  # noqa: S608
        parameters,
    )
    if decision is None:
        if session is not None:
            raise NotFound(f"nothing was decided at {session}")
        return models.AllocationList(decision=None, cash=None, records=[])
    rows = reader.records(
        "select portfolio_id, max(allocation) as allocation, max(scale) as scale, max(share) as share,"
        " max(case when trades then 1 else 0 end) as trades, max(reason) as reason from ops.alloc_log"
        " where decision_id = %(id)s and event = 'allocation'"
        " group by portfolio_id order by portfolio_id",
        {"id": decision["decision_id"]},
    )
    shares = total([row["share"] for row in rows]) if rows else None
    return models.AllocationList(
        decision=models.Decision.model_validate(decision),
        cash=None if shares is None else 1.0 - shares,
        records=[models.Allocation.model_validate({**row, "trades": bool(row["trades"])}) for row in rows],
    )


def trading_state(reader: Reader) -> models.TradingState:
    """Return the trading state; while nothing was ever set everything is allowed."""
    row = reader.first("select state, set_by, reason, set_at from ops.trading_state order by state_id desc limit 1")
    if row is None:
        return models.TradingState(state="ACTIVE", by=None, reason="never lowered", set_at=None)
    return models.TradingState(state=row["state"], by=row["set_by"], reason=row["reason"], set_at=row["set_at"])


# ----------------------------------------------------------------------------------------------------- research

_METRIC_COLUMNS = ", ".join(models.Metrics.model_fields)
#: The latest row of each basis, and beside each what was posted last: that is answered with at once, while the mart has
#: it after the next build.
_METRICS = f"""
select (select count(*) from ops.portfolios where portfolio_id = %(id)s) as is_known,
       posted_as_of, posted_n_obs, posted_figures, {_METRIC_COLUMNS}
from (select 1 as one) o
left join (
    select {_METRIC_COLUMNS}, row_number() over (partition by basis order by as_of desc) as age
    from marts.metrics where portfolio_id = %(id)s and basis <> 'posted'
) m on m.age = 1
left join (
    select as_of as posted_as_of, n_obs as posted_n_obs, figures as posted_figures
    from ops.posted_metrics where portfolio_id = %(id)s order by metrics_id desc limit 1
) p on true
order by basis
"""  # noqa: S608 - columns of the model


def metrics(reader: Reader, portfolio_id: str) -> models.MetricsList:
    """Return the latest statistics of a portfolio (or of the managed account), one record per basis."""
    rows = reader.attempt(lambda r: r.records(_METRICS, {"id": portfolio_id}))
    if portfolio_id != ALL and (isinstance(rows, NotReady) or not rows[0]["is_known"]):
        require_portfolio(reader, portfolio_id)
    if isinstance(rows, NotReady):
        raise rows
    records = [models.Metrics.model_validate(row) for row in rows if row["basis"] is not None]
    posted = rows[0]
    if posted["posted_as_of"] is not None:
        figures = {**dict.fromkeys(models.Metrics.model_fields), **as_json(posted["posted_figures"])}
        head = {"as_of": posted["posted_as_of"], "n_obs": posted["posted_n_obs"]}
        records.append(
            models.Metrics.model_validate({**figures, "portfolio_id": portfolio_id, "basis": "posted", **head})
        )
    return models.MetricsList(portfolio_id=portfolio_id, records=records)


def correlations(reader: Reader) -> models.CorrelationList:
    """Return the correlations of all ordered pairs at the latest date."""
    rows = reader.records(
        "select portfolio_a, portfolio_b, as_of, n_obs, correlation from marts.correlations"
        " where as_of = (select max(as_of) from marts.correlations) order by portfolio_a, portfolio_b"
    )
    return models.CorrelationList(
        as_of=rows[0]["as_of"] if rows else None,
        portfolios=sorted({row[name] for row in rows for name in ("portfolio_a", "portfolio_b")}),
        records=[models.Correlation.model_validate(row) for row in rows],
    )


#: The session of each portfolio's last decision that made it trade: one that drifts has no weights of the latest.
LAST_TRADED = """(
    select l.portfolio_id, max(l.session) as session
    from ops.alloc_log l join ops.decisions d on d.decision_id = l.decision_id
    where l.event = 'allocation' and l.trades and d.origin = 'live'
    group by l.portfolio_id
)"""
_SECTORS = f"""
select max(e.session) as session, coalesce(e.sector, 'Unknown') as sector, sum(e.weight) as weight,
       count(distinct e.symbol) as symbols
from marts.exposures e
join {LAST_TRADED} t on t.portfolio_id = e.portfolio_id and t.session = e.session
where cast(%(id)s as text) = 'ALL' or e.portfolio_id = %(id)s
group by coalesce(e.sector, 'Unknown')
order by weight desc, sector
"""  # noqa: S608 - a part of this module


def sector_exposure(reader: Reader, portfolio_id: str) -> models.SectorExposure:
    """Return the exposure by sector that one portfolio (or all) aims at now, the largest first."""
    if portfolio_id != ALL:
        require_portfolio(reader, portfolio_id)
    rows = reader.records(_SECTORS, {"id": portfolio_id})
    return models.SectorExposure(
        portfolio_id=portfolio_id,
        session=max((row["session"] for row in rows), default=None),
        gross=sum(abs(row["weight"]) for row in rows) if rows else None,
        records=[models.SectorWeight.model_validate(row) for row in rows],
    )


#: Scores are frozen at a month's last session; those of the newest session in between are provisional. Their rank of
#: the month before is that among all securities.
_TOP_SCORES = """
with latest as (
    select max(score_date) as score_date from marts.top_scores where score_date <= %(on)s
),
month_before as (
    select max(score_date) as score_date from marts.top_scores
    where score_date < (select cast(date_trunc('month', score_date) as date) from latest)
)
select s.rank, s.security_id, s.symbol, s.overall, s.momentum, s.risk_adjusted, p.place as previous_rank,
       s.score_date, n.is_month_end as is_frozen, b.score_date as previous_date
from marts.top_scores s
join latest l on l.score_date = s.score_date
cross join month_before b
left join ops.sessions n on n.session = s.score_date
left join ({places}) p on p.security_id = s.security_id
order by s.rank, s.symbol
"""
_PLACES = """
select security_id, row_number() over (order by overall desc, symbol) as place from marts.ticker_scores
where score_date = (select score_date from month_before) and overall is not null
"""
#: Where the scores of all are not there.
_PLACES_AMONG_THE_BEST = """
select security_id, rank as place from marts.top_scores where score_date = (select score_date from month_before)
"""


def top_scores(reader: Reader, on: date | None = None) -> models.TopScores:
    """Return the best securities of the latest date that is not after ``on``, the best first."""
    when = {"on": on or date.max}
    rows = reader.attempt(lambda r: r.records(_TOP_SCORES.format(places=_PLACES), when))
    if isinstance(rows, NotReady):
        rows = reader.records(_TOP_SCORES.format(places=_PLACES_AMONG_THE_BEST), when)
    if not rows:
        return models.TopScores(score_date=None, is_frozen=None, records=[])
    head = {name: rows[0][name] for name in ("score_date", "is_frozen", "previous_date")}
    return models.TopScores(**head, records=[models.Score.model_validate(row) for row in rows])


def regime(reader: Reader, sessions: int = 252) -> models.RegimeAnswer:
    """Return the crisis indicator of the latest sessions, oldest first."""
    rows = reader.records(
        "select session, cci, scale, parts, note, computed_at from ops.regime_history"
        " order by session desc limit %(n)s",
        {"n": sessions},
    )
    latest = models.Regime.model_validate({**rows[0], "parts": as_json(rows[0]["parts"])}) if rows else None
    return models.RegimeAnswer(
        latest=latest, records=[models.RegimePoint.model_validate(row) for row in reversed(rows)]
    )


def strategies(reader: Reader) -> models.StrategyList:
    """Return every strategy of the catalogue with its latest model weights."""
    from pas_lib.strategies.registry import all_strategies

    status = {
        row["portfolio_id"]: row["status"] for row in reader.records("select portfolio_id, status from ops.portfolios")
    }
    latest = {
        row["portfolio_id"]: row
        for row in reader.records(
            "select w.portfolio_id, w.session, max(w.note) as note,"
            " sum(case when w.security_id = 'cash' then 0 else 1 end) as names"
            " from ops.model_weights w"
            " join (select portfolio_id, max(session) as session from ops.model_weights group by portfolio_id) l"
            " on l.portfolio_id = w.portfolio_id and l.session = w.session group by w.portfolio_id, w.session"
        )
    }
    return models.StrategyList(
        records=[
            models.StrategyInfo(
                strategy=one.id,
                title=one.name,
                cadence=str(one.cadence),
                rule=one.rule,
                portfolio_status=status.get(one.id),
                last_session=latest.get(one.id, {}).get("session"),
                names=latest.get(one.id, {}).get("names"),
                note=latest.get(one.id, {}).get("note") or None,
            )
            for one in all_strategies()
        ]
    )
