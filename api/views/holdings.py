"""The page of the portfolios: what each holds against what it aims at, and the sectors behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from api import models, queries
from api.store import Reader
from api.views import charts
from api.views.charts import Chart
from api.views.frame import Frame, Panel, frame, panel

#: Rows of the table; the API has all of them.
MOST = 400


@dataclass(frozen=True)
class Holding:
    """A symbol that a portfolio holds or aims at; weights are fractions of the portfolio's book, cash included."""

    portfolio_id: str
    symbol: str
    qty: float | None
    avg_cost: float | None
    close: float | None
    market_value: float | None
    unrealized_pnl: float | None
    weight: float | None
    target: float | None

    @property
    def off(self) -> float | None:
        """Weight less target; None where one of them is not known."""
        return None if self.weight is None or self.target is None else self.weight - self.target


@dataclass(frozen=True)
class Holdings:
    """Everything on the page."""

    frame: Frame
    portfolios: models.PortfolioList
    chosen: str
    held: models.PositionList
    rows: list[Holding]
    total: int
    targets_session: date | None
    sectors: Panel[Chart | None]

    @property
    def charts(self) -> list[Chart]:
        """The charts that can be drawn."""
        return [self.sectors.content] if self.sectors.content else []


_TARGETS = f"""
select w.portfolio_id, w.symbol, w.weight, w.session
from ops.weight_history w
join {queries.LAST_TRADED} t on t.portfolio_id = w.portfolio_id and t.session = w.session
where w.origin = 'live'
"""  # noqa: S608 - a part of that module


def build(reader: Reader, chosen: str) -> Holdings:
    """Return the page's content for one portfolio, or for ``ALL`` of them.

    Raises
    ------
    NotFound
        If there is no such portfolio.
    NotReady
        If the warehouse has not been created.
    """
    portfolios = queries.portfolios(reader)
    held = queries.positions(reader, chosen)
    targets = [row for row in reader.records(_TARGETS) if chosen in (queries.ALL, row["portfolio_id"])]
    rows = _merged(held, targets, {one.portfolio_id: one for one in portfolios.records})
    return Holdings(
        frame=frame(reader),
        portfolios=portfolios,
        chosen=chosen,
        held=held,
        rows=rows[:MOST],
        total=len(rows),
        targets_session=max((row["session"] for row in targets), default=None),
        sectors=panel(reader, lambda r: _sectors(r, chosen)),
    )


def _sectors(reader: Reader, chosen: str) -> Chart | None:
    found = queries.sector_exposure(reader, chosen)
    return charts.sectors(found) if found.records else None


def _merged(
    held: models.PositionList, targets: list[dict[str, object]], portfolios: dict[str, models.Portfolio]
) -> list[Holding]:
    """Return what is held or aimed at, by portfolio, the largest first."""
    aims = {(str(row["portfolio_id"]), str(row["symbol"])): row["weight"] for row in targets}
    worth = {
        one.portfolio_id: (one.market_value or 0.0) + (one.cash or 0.0)
        for one in portfolios.values()
        if one.market_value is not None
    }
    rows = []
    for one in held.records:
        target = aims.pop((one.portfolio_id, one.symbol), None)
        book = worth.get(one.portfolio_id)
        # A book that people trade by hand, or cash, has no targets to be compared with.
        aim = (0.0 if target is None else float(str(target))) if one.portfolio_id in portfolios else None
        rows.append(
            Holding(
                portfolio_id=one.portfolio_id,
                symbol=one.symbol,
                qty=one.qty,
                avg_cost=one.avg_cost,
                close=one.close,
                market_value=one.market_value,
                unrealized_pnl=one.unrealized_pnl,
                weight=one.market_value / book if one.market_value is not None and book else None,
                target=aim,
            )
        )
    rows += [
        Holding(portfolio_id, symbol, None, None, None, None, None, 0.0, float(str(weight)))
        for (portfolio_id, symbol), weight in aims.items()
        if weight and symbol != "CASH"
    ]
    return sorted(rows, key=lambda r: (r.portfolio_id, -(r.market_value or 0.0), -(r.target or 0.0), r.symbol))
