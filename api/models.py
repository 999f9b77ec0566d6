"""The shape of every answer.

Shares and weights are fractions (0.25 is a quarter), money is in US dollars, returns are fractions per day unless a
name says otherwise, times are UTC, ``null`` means not known or not defined.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Item = TypeVar("Item", bound=BaseModel)


#: A JSON column's value: PostgreSQL gives it decoded, the mirror as text.
Decoded = Annotated[dict[str, Any], BeforeValidator(lambda v: json.loads(v) if isinstance(v, str) else v)]


class Answer(BaseModel):
    """Base of all answers: unknown columns of a newer warehouse are left out."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="null")


def finite(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return figures with what is not a number as None."""
    return {key: value if value is not None and math.isfinite(value) else None for key, value in figures.items()}


class Listed(Answer):
    """Base of all answers with records."""

    next_page: int | None = Field(None, description="the page that follows, or null on the last")


class Listing(Listed, Generic[Item]):
    """One page of records."""

    records: list[Item]
    page: int = Field(1, description="this page, from 1")
    limit: int = Field(description="most records on a page")


class Selected(Listed):
    """A list of which only some columns were asked for with `fields`; what else it tells is as in the whole one."""

    model_config = ConfigDict(extra="allow")

    records: list[dict[str, Any]]


# ------------------------------------------------------------------------------------------------------- system


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Readiness(Answer):
    """What can be read."""

    status: Literal["ready", "degraded", "unavailable"]
    postgres: str = Field(description="ok, or why it cannot be read")
    mirror: str = Field(description="ok, or why it cannot be read")
    detail: str


# ------------------------------------------------------------------------------------------------------- tables


class TableInfo(Answer):
    """One table of ``/db``."""

    table: str
    schema_name: str = Field(serialization_alias="schema")
    description: str
    key: list[str] = Field(description="columns that tell rows apart")
    columns: list[str]
    is_there: bool = Field(description="false until the step that writes it has run")


class TableList(Answer):
    """All tables that can be read."""

    records: list[TableInfo]


class Page(Answer):
    """One page of a table."""

    table: str
    schema_name: str = Field(serialization_alias="schema")
    page: int
    limit: int
    total: int | None = Field(description="rows in the table; null above a million")
    pages: int | None
    next_page: int | None
    columns: list[str]
    records: list[dict[str, Any]]


# --------------------------------------------------------------------------------------------------------- book


class Portfolio(Answer):
    """One portfolio and where it stands."""

    portfolio_id: str
    name: str
    strategy: str | None
    kind: str
    cadence: str
    status: str
    created_at: datetime
    session: date | None = Field(None, description="session of the latest decision")
    allocation: float | None = Field(None, description="share of equity before the exposure scale")
    scale: float | None = Field(None, description="exposure scale S of that decision")
    share: float | None = Field(None, description="share of equity aimed at: allocation x S, after caps")
    positions: int = Field(description="symbols held")
    market_value: float | None = Field(description="at the latest closes; null when a price is missing")
    cash: float | None = Field(description="cash in the portfolio's book; null before the first funding")


class PortfolioList(Listed):
    """All portfolios."""

    records: list[Portfolio]


class Target(Answer):
    """One target weight."""

    symbol: str
    security_id: str | None
    weight: float = Field(description="within the portfolio")
    share: float = Field(description="of managed equity")


class PortfolioDetail(Portfolio):
    """One portfolio with its latest target weights."""

    targets_session: date | None = Field(description="decision session of the targets; none before the first one")
    targets: list[Target]


class Position(Answer):
    """A holding of one portfolio."""

    portfolio_id: str
    symbol: str
    qty: float
    avg_cost: float | None
    cost_basis: float | None
    close: float | None = Field(description="latest close, unadjusted")
    close_session: date | None
    market_value: float | None
    unrealized_pnl: float | None
    weight: float | None = Field(description="share of the portfolio's market value")


class PositionList(Listed):
    """Holdings of a portfolio."""

    portfolio_id: str
    market_value: float | None
    cash: float | None
    records: list[Position]


class Trade(Answer):
    """A fill, an internal cross, a trade made by hand, or a removal (cash merger, delisting)."""

    trade_id: str
    kind: str
    portfolio_id: str
    symbol: str
    side: str
    qty: float
    price: float
    notional: float
    executed_at: datetime
    execution_session: date
    session: date | None
    client_order_id: str | None
    decision_close: float | None
    open_price: float | None
    realized_pnl: float | None
    shortfall: float | None
    shortfall_bp: float | None


class Order(Answer):
    """An order as last known."""

    client_order_id: str
    portfolio_id: str
    session: date
    execution_session: date
    symbol: str
    side: str
    attempt: int
    qty: float
    state: str
    reason: str
    filled_qty: float
    filled_avg_price: float | None
    decision_close: float | None
    open_price: float | None
    limit_price: float | None
    shortfall: float | None
    shortfall_bp: float | None
    broker: str
    broker_order_id: str | None
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime
    expires_at: datetime


class StoredWeight(Answer):
    """One target weight of one decision."""

    session: date
    portfolio_id: str
    symbol: str
    security_id: str | None
    weight: float
    share: float
    decided_at: datetime
    decision_id: str


class Decision(Answer):
    """What was decided for the whole book at a session."""

    decision_id: str
    session: date
    decided_at: datetime
    origin: str
    method: str
    cci: float | None
    scale: float
    gross: float
    expected_vol: float | None
    reason: str
    managed_equity: float | None


class Allocation(Answer):
    """One portfolio's share in a decision."""

    portfolio_id: str
    allocation: float | None
    scale: float | None
    share: float | None
    trades: bool | None
    reason: str | None


class AllocationList(Listed):
    """A decision and the shares it gave."""

    decision: Decision | None
    cash: float | None = Field(description="share of equity not given to a portfolio")
    records: list[Allocation]


# ----------------------------------------------------------------------------------------------------- research


class Metrics(Answer):
    """Statistics of one portfolio: daily input, 252 days a year."""

    portfolio_id: str
    basis: str = Field(
        description="model: what its strategy alone would have made; realised: what it made; posted: from outside"
    )
    as_of: date
    n_obs: int
    sharpe: float | None
    sortino: float | None
    alpha: float | None
    beta: float | None
    tracking_error: float | None
    information_ratio: float | None
    max_drawdown: float | None
    cagr: float | None
    annual_volatility: float | None
    calmar: float | None
    win_rate: float | None
    var_95: float | None
    cvar_95: float | None
    sharpe_se: float | None = Field(description="standard error of the annual Sharpe ratio")
    probabilistic_sharpe: float | None = Field(description="probability that the true Sharpe ratio is above 0")


class PostedReturns(Answer):
    """What came of posted returns."""

    portfolio_id: str
    written: int = Field(description="rows appended; equal ones are left out")
    corrected: int = Field(description="how many of them replace an earlier return of their session")
    is_trailing: bool = Field(description="whether they are the portfolio's trailing statistics (manual ones only)")
    statistics: Metrics


class MetricsList(Listed):
    """Latest statistics of a portfolio, one record per basis."""

    portfolio_id: str
    records: list[Metrics]


class Correlation(Answer):
    """Correlation of the daily model returns of two portfolios."""

    portfolio_a: str
    portfolio_b: str
    correlation: float | None
    n_obs: int


class CorrelationList(Listed):
    """All ordered pairs at the latest date, each portfolio with itself included."""

    as_of: date | None
    portfolios: list[str]
    records: list[Correlation]


class SectorWeight(Answer):
    """Exposure to one sector."""

    sector: str
    weight: float = Field(description="share of managed equity aimed at")
    symbols: int


class SectorExposure(Listed):
    """Exposure by sector at one session."""

    portfolio_id: str
    session: date | None
    gross: float | None
    records: list[SectorWeight]


class Score(Answer):
    """One of the best securities of a month."""

    rank: int
    security_id: str
    symbol: str
    overall: float | None
    momentum: float | None
    risk_adjusted: float | None
    previous_rank: int | None = Field(None, description="rank at the month-end before; null if it had no score then")


class TopScores(Listed):
    """The best securities of one date."""

    score_date: date | None
    is_frozen: bool | None = Field(description="false while the month lasts: the scores are provisional")
    previous_date: date | None = Field(None, description="month-end whose ranks are compared")
    records: list[Score]


class RegimePoint(Answer):
    """Crisis indicator and exposure scale of one session."""

    session: date
    cci: float | None
    scale: float


class Regime(RegimePoint):
    """The latest one, with its parts."""

    parts: dict[str, float | None] = Field(description="contribution of each series")
    note: str
    computed_at: datetime


class RegimeAnswer(Listed):
    """Crisis indicator now and before."""

    latest: Regime | None
    records: list[RegimePoint] = Field(description="oldest first")


class StrategyInfo(Answer):
    """One strategy of the catalogue."""

    strategy: str
    title: str
    cadence: str
    rule: str
    portfolio_status: str | None = Field(description="status of its portfolio; null before the first decision")
    last_session: date | None = Field(description="latest rebalance session with weights")
    names: int | None = Field(description="symbols in those weights")
    note: str | None = Field(description="why those weights are not the plain rule")


class StrategyList(Listed):
    """All strategies."""

    records: list[StrategyInfo]


class RiskFigures(Answer):
    """Losses by history: positive fractions per day."""

    n_obs: int
    var_95: float | None
    var_99: float | None
    cvar_95: float | None
    cvar_99: float | None


class Exposure(Answer):
    """One exposure of a decision's book, looked through over all portfolios."""

    label: str
    share: float = Field(description="share of sizing equity")


class Cut(Answer):
    """One limit that cut something, or a stock that may not be held."""

    session: date
    code: str = Field(description="reason code, e.g. NAME_CAP")
    subject: str = Field(description="symbol, sector, or the book")
    wanted: float | None
    allowed: float | None


class Alert(Answer):
    """A risk rule that fired."""

    alert_id: int
    raised_at: datetime
    session: date
    rule: str = Field(description="setting (PAS_RISK_RULES) or rule N")
    metric: str
    op: str
    threshold: float
    value: float | None
    message: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str


class RiskRule(Answer):
    """A rule that raises an alert when a figure stands in a relation to a threshold."""

    rule_id: int
    metric: str
    op: str
    threshold: float
    created_at: datetime
    created_by: str
    note: str
    ended_at: datetime | None
    ended_by: str | None


class RiskRuleList(Listed):
    """All rules of the table; those of PAS_RISK_RULES are not in it."""

    records: list[RiskRule]


class DecisionRisk(Answer):
    """What the latest decision's book is exposed to, after all limits."""

    session: date
    figures: dict[str, float | None] = Field(
        description="gross, net, leveraged, beta, largest_name, largest_sector, var_95, var_99, cvar_95, cvar_99,"
        " volatility; of the whole book, or of what this portfolio holds in it, as shares of the same equity. For the"
        " whole book daily_loss, drawdown, cci and scale, too"
    )
    share: float | None = Field(description="share of sizing equity in securities: of the book, or of this portfolio")
    names: list[Exposure]
    sectors: list[Exposure]
    portfolios: list[Exposure]
    cuts: list[Cut] = Field(description="limits that cut something in that decision")


class RiskAnswer(Answer):
    """Risk of the holdings as they are, by history; losses are positive fractions of the holdings' value."""

    portfolio_id: str
    session: date | None
    market_value: float | None
    n_obs: int
    n_symbols: int
    uncovered: list[str] = Field(description="holdings without enough history, left out of the figures")
    var_95: float | None
    var_99: float | None
    cvar_95: float | None
    cvar_99: float | None
    annual_volatility: float | None
    largest: str | None
    largest_weight: float | None
    realised: RiskFigures | None = Field(None, description="of the realised daily returns; null before two of them")
    decision: DecisionRisk | None = Field(None, description="of the latest decision; null before the first one")
    alerts: list[Alert] = Field(default_factory=list, description="those that nobody has acknowledged, newest first")
    trading_state: str = "ACTIVE"
    trading_reason: str = ""


# ------------------------------------------------------------------------------------------------------ control


class ApprovalAnswer(Answer):
    """The approval or refusal that was stored."""

    session: date
    plan_hash: str
    decision: str
    by: str


class RuleAnswer(Answer):
    """The rule that was stored."""

    rule_id: int
    metric: str
    op: str
    threshold: float
    by: str


class Done(Answer):
    """What was done, in a sentence."""

    result: str


class TradingState(Answer):
    """The trading state, with who set it, when and why."""

    state: Literal["ACTIVE", "REDUCING", "HALTED"]
    by: str | None = Field(description="null while it was never set")
    reason: str
    set_at: datetime | None


class StoredApproval(Answer):
    """A person's word on one plan, as it was stored."""

    approval_id: int
    session: date = Field(description="session that decided the plan")
    plan_hash: str
    decision: str = Field(description="approved or refused; the newest word on a plan counts")
    decided_by: str
    decided_at: datetime
    expires_at: datetime = Field(description="an approval holds until the close of the execution session")
    broker: str
    account_number: str
    note: str


class LogEntry(Answer):
    """One event of a program."""

    log_id: int
    logged_at: datetime
    level: Literal["debug", "info", "warning", "error", "critical"]
    program: str = Field(description="DAG and task, or the program that wrote it")
    event: str
    session: date | None
    run_id: str | None
    fields: Decoded = Field(description="what the event carries; never a credential")


# ---------------------------------------------------------------------------------------------------- collection


class Refused(Answer):
    """A record that was refused."""

    quarantine_id: int
    dataset: str
    source: str
    run_id: str
    source_url: str = Field(description="where it came from, without credentials")
    payload_path: str = Field(description="its payload in the landing; empty where it came out of several")
    reason: str
    record: Decoded
    quarantined_at: datetime
    state: Literal["open", "resolved", "superseded"]
    decided_at: datetime | None = None
    decided_by: str | None = Field(None, description="run that resolved it")


class RefusedDetail(Refused):
    """A refused record and the part of the payload it stood in."""

    excerpt: str | None = Field(description="part of the payload, without credentials; null where it cannot be shown")
    note: str = ""


class DatasetAge(Answer):
    """How old a dataset is."""

    dataset: str
    status: str | None = Field(description="outcome of the latest run; null before the first")
    finished_at: datetime | None
    loaded_at: datetime | None
    watermark: date | None
    rows_new: int
    rows_quarantined: int
    behind_days: float | None = Field(description="days since the last good collection")
    tolerance_days: float = Field(description="how many the catalogue allows")
    is_stale: bool = Field(description="collected too long ago, or nothing new for too long")
    note: str | None
    newest_at: datetime | None = Field(description="time of the newest thing its site said")
    why: str = Field(description="why it is stale; empty where it is not")


class FreshnessList(Listed):
    """The age of every dataset."""

    records: list[DatasetAge]


class QuarantineGroup(Answer):
    """Open records of one dataset with one reason."""

    dataset: str
    reason: str
    count: int
    newest: datetime
