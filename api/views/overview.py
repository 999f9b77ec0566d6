"""The first page: where the book stands, what needs a person, and how it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from api import freshness, models, performance, plans, queries
from api.store import Reader
from api.views import charts
from api.views.charts import Chart
from api.views.frame import Frame, Panel, frame, panel


@dataclass(frozen=True)
class AccountPoint:
    """The account at the end of a session, in US dollars."""

    session: date
    equity: float
    cash: float
    managed_equity: float


@dataclass(frozen=True)
class Notice:
    """Something that waits for a person.

    ``kind`` is ``bad`` where money is at stake now, else ``warn``.
    """

    kind: str
    text: str
    href: str
    link: str


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    frame: Frame
    account: list[AccountPoint]
    portfolios: models.PortfolioList
    allocation: models.AllocationList
    regime: models.RegimeAnswer
    positions: models.PositionList
    notices: list[Notice]
    performance: Panel[Chart | None]
    history: Chart | None

    @property
    def equity_change(self) -> float | None:
        """Change of equity since the session before, as a fraction; includes deposits and withdrawals."""
        if len(self.account) < 2 or not self.account[-2].equity:
            return None
        return self.account[-1].equity / self.account[-2].equity - 1.0

    @property
    def charts(self) -> list[Chart]:
        """The charts that can be drawn."""
        return [one for one in (self.performance.content, self.history) if one is not None]


def build(reader: Reader, now: datetime, benchmark: str, *, needs_approval: bool) -> Overview:
    """Return the page's content.

    Parameters
    ----------
    now : datetime
        For the age of what was collected.
    benchmark : str
        Symbol the account is compared with.
    needs_approval : bool
        Whether this broker's plans wait for a person.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    top = frame(reader)
    portfolios = queries.portfolios(reader)
    history = performance.allocation_history(reader)
    names = {one.portfolio_id: one.name for one in portfolios.records}
    return Overview(
        frame=top,
        account=_account(reader),
        portfolios=portfolios,
        allocation=queries.allocations(reader),
        regime=queries.regime(reader, 1),
        positions=queries.positions(reader, queries.ALL),
        notices=_notices(reader, top, now, needs_approval=needs_approval),
        performance=panel(reader, lambda r: _performance(r, benchmark)),
        history=charts.allocation(history, names) if history.records else None,
    )


def _performance(reader: Reader, benchmark: str) -> Chart | None:
    found = performance.performance(reader, queries.ALL, benchmark)
    return charts.performance(found) if len(found.records) > 1 else None


def _account(reader: Reader) -> list[AccountPoint]:
    rows = reader.records(
        "select m.session, m.equity, m.cash, m.managed_equity from ops.account_metrics m"
        " join ops.ledger_bindings b on b.broker = m.broker and b.account_number = m.account_number and b.is_active"
        " order by m.session desc limit 2"
    )
    return [AccountPoint(**row) for row in reversed(rows)]


def _notices(reader: Reader, top: Frame, now: datetime, *, needs_approval: bool) -> list[Notice]:
    found = []
    trading = "/dashboard/trading"
    if top.state.state != "ACTIVE":
        kind = "bad" if top.state.state == "HALTED" else "warn"
        found.append(Notice(kind, f"Trading is {top.state.state}: {top.state.reason}", trading, "Trading state"))
    plan = plans.plan(reader, needs_approval=needs_approval).plan
    if plan and needs_approval and not plan.words and plan.finished_at is None:
        found.append(Notice("bad", f"The plan of {plan.session} waits for approval", trading, "Plan"))
    unclean = reader.first(
        "select is_clean from ops.reconciliations order by reconciliation_id desc limit 1",
    )
    if unclean and not unclean["is_clean"]:
        found.append(Notice("bad", "The books differ from the broker's account", trading, "Reconciliation"))
    if top.open_alerts:
        found.append(
            Notice("warn", f"{_count(top.open_alerts, 'risk alert')} nobody has seen yet", "/dashboard/risk", "Alerts")
        )
    ages = panel(reader, lambda r: freshness.datasets(r, now))
    stale = [one.dataset for one in ages.content or [] if one.is_stale]
    if ages.content is None:
        found.append(Notice("warn", f"How old the data is cannot be told: {ages.missing}", "/dashboard/data", "Data"))
    elif stale:
        shown = ", ".join(stale[:4]) + (f" and {len(stale) - 4} more" if len(stale) > 4 else "")
        text = f"{_count(len(stale), 'dataset')} older than tolerated: {shown}"
        found.append(Notice("warn", text, "/dashboard/data", "Data freshness"))
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
