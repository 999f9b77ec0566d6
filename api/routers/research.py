"""How it did and what the models say."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from api import models, queries, risk
from api.dependencies import Read
from api.listing import Paged, Whole
from api.routers.book import PortfolioOrAll

router = APIRouter(tags=["research"])


@router.get("/metrics/{portfolio_id}")
def metrics(read: Read, portfolio_id: PortfolioOrAll, window: Whole) -> models.MetricsList:
    """Return a portfolio's latest statistics: of its model and of what it made; `all` is the managed account."""
    return window.cut(read.point(lambda reader: queries.metrics(reader, portfolio_id)))


@router.get("/correlations")
def correlations(read: Read, window: Whole) -> models.CorrelationList:
    """Return the correlations of the portfolios' model returns."""
    return window.cut(read(queries.correlations))


@router.get("/sector_exposure/{portfolio_id}")
def sector_exposure(read: Read, portfolio_id: PortfolioOrAll, window: Whole) -> models.SectorExposure:
    """Return the exposure by sector that the latest decisions aim at, as shares of managed equity."""
    return window.cut(read(lambda reader: queries.sector_exposure(reader, portfolio_id)))


@router.get("/scores/top")
def top_scores(
    read: Read,
    window: Whole,
    date: Annotated[date | None, Query(description="latest scores not after this date")] = None,
) -> models.TopScores:
    """Return the best securities by overall score."""
    return window.cut(read.point(lambda reader: queries.top_scores(reader, date)))


@router.get("/regime")
def regime(
    read: Read, window: Whole, sessions: Annotated[int, Query(ge=1, le=10_000, description="how many back")] = 252
) -> models.RegimeAnswer:
    """Return the crisis indicator and the exposure scale, now and before."""
    return window.cut(read(lambda reader: queries.regime(reader, sessions)))


@router.get("/strategies")
def strategies(read: Read, window: Whole) -> models.StrategyList:
    """Return the strategies of the catalogue with their latest model weights."""
    return window.cut(read(queries.strategies))


@router.get("/risk/alerts")
def risk_alerts(
    read: Read,
    window: Paged,
    is_open: Annotated[bool | None, Query(alias="open", description="only those nobody has acknowledged")] = None,
) -> models.Listing[models.Alert]:
    """Return the alerts that risk rules raised, newest first."""
    return window.pick(read(lambda reader: risk.alerts(reader, is_open=is_open, window=window)))


@router.get("/risk/rules")
def risk_rules(read: Read, window: Whole) -> models.RiskRuleList:
    """Return the risk rules of the table, those that are over too."""
    return window.cut(read(risk.rules))


@router.get("/risk/breaker")
def trading_state(read: Read) -> models.TradingState:
    """Return the trading state: ACTIVE, REDUCING (only what lowers exposure) or HALTED (only cancels)."""
    return read(queries.trading_state)


@router.get("/risk/{portfolio_id}")
def portfolio_risk(read: Read, portfolio_id: PortfolioOrAll) -> models.RiskAnswer:
    """Return the risk of the holdings as they are now, had they been held over the last 504 sessions.

    Beside it: losses of the realised returns, exposures and limits of the latest decision, open alerts, trading state.
    """
    return read(lambda reader: risk.holdings_risk(reader, portfolio_id))
