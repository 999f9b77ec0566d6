"""What the dashboard shows: the answers of the API, put side by side, from one state of the data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from api import freshness, models, queries, risk
from api.errors import NotReady
from api.store import Reader

T = TypeVar("T")

#: Sessions shown in the charts.
HISTORY = 504


@dataclass(frozen=True)
class AccountPoint:
    """The account at the end of a session, in US dollars."""

    session: date
    equity: float
    cash: float
    managed_equity: float


@dataclass(frozen=True)
class Panel(Generic[T]):
    """A part of the page: its content, or why there is none yet."""

    content: T | None
    missing: str | None


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    session: date | None
    origin: str | None
    trading_state: str
    trading_reason: str
    account: list[AccountPoint]
    portfolios: models.PortfolioList
    allocation: models.AllocationList
    regime: models.RegimeAnswer
    positions: models.PositionList
    scores: Panel[models.TopScores]
    metrics: Panel[list[models.Metrics]]
    sectors: Panel[models.SectorExposure]
    risk: Panel[models.RiskAnswer]
    orders: list[models.Order]
    order_states: dict[str, int]
    trades: list[models.Trade]
    freshness: list[freshness.Freshness]
    quarantine: list[models.QuarantineGroup]
    charts: dict[str, Any]

    @property
    def equity_change(self) -> float | None:
        """Change of equity since the session before, as a fraction; includes deposits and withdrawals."""
        if len(self.account) < 2 or not self.account[-2].equity:
            return None
        return self.account[-1].equity / self.account[-2].equity - 1.0


def build(reader: Reader, now: datetime) -> Overview:
    """Return the page's content.

    Parameters
    ----------
    reader : Reader
    now : datetime
        For the age of what was collected.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    allocation = queries.allocations(reader)
    regime = queries.regime(reader, HISTORY)
    account = _account(reader)
    portfolios = queries.portfolios(reader)
    orders, states = _latest_orders(reader)
    state = reader.first("select state, reason from ops.trading_state order by state_id desc limit 1") or {}
    model = _panel(reader, _model_growth)
    return Overview(
        session=allocation.decision.session if allocation.decision else None,
        origin=reader.scalar("select origin from ops.warehouse_identity"),
        trading_state=state.get("state", "ACTIVE"),
        trading_reason=state.get("reason", "never lowered"),
        account=account,
        portfolios=portfolios,
        allocation=allocation,
        regime=regime,
        positions=queries.positions(reader, queries.ALL),
        scores=_panel(reader, queries.top_scores),
        metrics=_panel(reader, _metrics),
        sectors=_panel(reader, lambda r: queries.sector_exposure(r, queries.ALL)),
        risk=_panel(reader, lambda r: risk.holdings_risk(r, queries.ALL)),
        orders=orders,
        order_states=states,
        trades=queries.trades(reader, queries.ALL, limit=25).records,
        freshness=freshness.datasets(reader, now),
        quarantine=_quarantine(reader),
        charts={
            "equity": {
                "x": [p.session.isoformat() for p in account],
                "equity": [p.equity for p in account],
                "cash": [p.cash for p in account],
            },
            "model": model.content or {"x": [], "series": []},
            "allocation": _shares(allocation, portfolios),
            "regime": {
                "x": [p.session.isoformat() for p in regime.records],
                "cci": [p.cci for p in regime.records],
                "scale": [p.scale for p in regime.records],
            },
        },
    )


def _panel(reader: Reader, answer: Any) -> Panel[Any]:
    found = reader.attempt(answer)
    return Panel(None, str(found)) if isinstance(found, NotReady) else Panel(found, None)


def _account(reader: Reader) -> list[AccountPoint]:
    rows = reader.records(
        "select m.session, m.equity, m.cash, m.managed_equity from ops.account_metrics m"
        " join ops.ledger_bindings b on b.broker = m.broker and b.account_number = m.account_number and b.is_active"
        " order by m.session desc limit %(n)s",
        {"n": HISTORY},
    )
    return [AccountPoint(**row) for row in reversed(rows)]


def _latest_orders(reader: Reader) -> tuple[list[models.Order], dict[str, int]]:
    latest = reader.scalar("select max(session) from ops.orders")
    if latest is None:
        return [], {}
    found = queries.orders(reader, session=latest, limit=500).records
    return found, dict(sorted(Counter(order.state for order in found).items()))


def _metrics(reader: Reader) -> list[models.Metrics]:
    ids = [str(row[0]) for row in reader.fetch("select portfolio_id from ops.portfolios order by portfolio_id").rows]
    return [record for one in (*ids, queries.ALL) for record in queries.metrics(reader, one).records]


def _model_growth(reader: Reader) -> dict[str, Any]:
    """Return the growth of 1 in each portfolio's model, on a common axis of sessions."""
    rows = reader.fetch(
        "select portfolio_id, session, model_return from marts.model_returns"
        " where session >= (select min(session) from ("
        "   select distinct session from marts.model_returns order by session desc limit %(n)s) w)"
        " order by portfolio_id, session",
        {"n": HISTORY},
    ).rows
    series: dict[str, tuple[list[str], list[float]]] = {}
    for portfolio_id, session, value in rows:
        x, y = series.setdefault(str(portfolio_id), ([], []))
        x.append(session.isoformat())
        y.append((y[-1] if y else 1.0) * (1.0 + (value or 0.0)))
    return {"series": [{"name": name, "x": x, "y": [round(v, 6) for v in y]} for name, (x, y) in series.items()]}


def _shares(allocation: models.AllocationList, portfolios: models.PortfolioList) -> dict[str, Any]:
    names = {p.portfolio_id: p.name for p in portfolios.records}
    rows = sorted(allocation.records, key=lambda a: (a.share or 0.0, a.portfolio_id))
    labels = [names.get(row.portfolio_id, row.portfolio_id) for row in rows]
    shares = [row.share for row in rows]
    if allocation.cash is not None:
        labels, shares = ["Cash", *labels], [allocation.cash, *shares]
    return {"labels": labels, "shares": shares}


def _quarantine(reader: Reader) -> list[models.QuarantineGroup]:
    """Return the open records of the quarantine by dataset and reason, the most frequent first."""
    rows = reader.records(
        "select q.dataset, q.reason, count(*) as count, max(q.quarantined_at) as newest from ops.quarantine q"
        " where not exists (select 1 from ops.quarantine_states s where s.quarantine_id = q.quarantine_id)"
        " group by q.dataset, q.reason order by count(*) desc, q.dataset, q.reason limit 50"
    )
    return [models.QuarantineGroup(**row) for row in rows]
