"""Risk of what is held, from the history of returns of the securities held."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from api import models, queries
from api.errors import NotReady
from api.listing import Window
from api.store import Reader

#: Sessions of history.
WINDOW = 504
#: Sessions in which what is held must have had a price at least once.
RECENT = 20
#: A holding with fewer returns than this share of the window is left out and named.
COVERAGE = 0.5

# The securities behind the symbols are found in the last sessions, and their histories come by index: what is not held
# costs nothing. The sums are made where the rows are: a book of five hundred names has a quarter of a million of them.
_SINCE = """(
    select min(session) from (
        select session from ops.sessions where session <= (select max(session) from marts.daily_returns)
        order by session desc limit %(n)s
    ) w)"""
_SECURITIES = f"""
select distinct security_id from marts.daily_returns
where session >= {_SINCE} and symbol in (select symbol from ops.positions)
"""  # noqa: S608 - a part of this module
_MOVES = f"""
with held as (
    select unnest(cast(%(symbols)s as text[])) as symbol, unnest(cast(%(amounts)s as double precision[])) as amount
)
select r.session, held.symbol, count(r.ret), sum(held.amount * r.ret),
    sum(case when r.ret is not null then abs(held.amount) end)
from marts.daily_returns as r left join held on held.symbol = r.symbol
where r.security_id = any(%(ids)s) and r.session >= {_SINCE}
group by grouping sets ((r.session), (held.symbol))
"""  # noqa: S608 - a part of this module


@dataclass(frozen=True)
class _Past:
    """What holdings would have returned.

    Attributes
    ----------
    session : date
        Last session of the history.
    returns : ndarray
        By session; those with too little covered are left out.
    values : dict
        Symbol -> market value of what has enough history.
    """

    session: date
    returns: np.ndarray
    values: dict[str, float]


def holdings_risk(reader: Reader, portfolio_id: str) -> models.RiskAnswer:
    """Return value at risk, expected shortfall and volatility of the holdings as they are.

    Losses are positive fractions of the market value of the holdings that have a price. What has no return in a session
    is taken to have moved like the rest; a session in which less than half of the value has one does not count. A
    holding with too little history is left out and named.

    Raises
    ------
    NotFound
        If there is no such portfolio.
    NotReady
        If there are no returns yet.
    """
    from pas_lib.risk import cvar, historical_var

    held = queries.positions(reader, portfolio_id)
    values: dict[str, float] = defaultdict(float)
    uncovered: set[str] = set()
    for position in held.records:
        if position.market_value is None:
            uncovered.add(position.symbol)
        else:
            values[position.symbol] += position.market_value
    empty = models.RiskAnswer(
        portfolio_id=portfolio_id,
        session=None,
        market_value=held.market_value,
        n_obs=0,
        n_symbols=0,
        uncovered=sorted(uncovered),
        var_95=None,
        var_99=None,
        cvar_95=None,
        cvar_99=None,
        annual_volatility=None,
        largest=None,
        largest_weight=None,
        **_around(reader, portfolio_id),
    )
    if not values:
        return empty
    past = _past(reader, values)
    if past is None:
        return empty.model_copy(update={"uncovered": sorted(uncovered | set(values))})
    returns, covered = past.returns, past.values
    largest = max(covered, key=lambda symbol: (covered[symbol], symbol))
    return empty.model_copy(
        update={
            "session": past.session,
            "n_obs": len(returns),
            "n_symbols": len(covered),
            "uncovered": sorted(uncovered | (set(values) - set(covered))),
            "var_95": float(historical_var(returns, 0.95)),
            "var_99": float(historical_var(returns, 0.99)),
            "cvar_95": float(cvar(returns, 0.95)),
            "cvar_99": float(cvar(returns, 0.99)),
            "annual_volatility": float(np.std(returns, ddof=1) * np.sqrt(252)) if len(returns) > 1 else None,
            "largest": largest,
            "largest_weight": covered[largest] / sum(covered.values()),
        }
    )


def _past(reader: Reader, values: dict[str, float]) -> _Past | None:
    """Return the history of what is held, without what has too little of it; None where nothing has enough."""
    from pas_lib.risk import returns_of_the_whole

    ids = [row[0] for row in reader.fetch(_SECURITIES, {"n": RECENT}).rows]
    while ids and values:
        held = {"symbols": list(values), "amounts": list(values.values())}
        rows = reader.fetch(_MOVES, {"n": WINDOW, "ids": ids, **held}).rows
        by_session = sorted((session, moved, known) for session, _, _, moved, known in rows if session is not None)
        counts = {symbol: count for _, symbol, count, _, _ in rows if symbol is not None}
        covered = {one: value for one, value in values.items() if counts.get(one, 0) >= COVERAGE * len(by_session) > 0}
        if len(covered) == len(values):
            moved, known = (np.array([row[n] or 0.0 for row in by_session]) for n in (1, 2))
            gross = sum(map(abs, values.values()))
            moved = returns_of_the_whole(moved, known, gross, min_coverage=COVERAGE)
            returns = moved[~np.isnan(moved)] / sum(values.values())
            return _Past(by_session[-1][0], returns, values)
        values = covered
    return None


_ALERTS = ", ".join(models.Alert.model_fields)
_RULES = ", ".join(models.RiskRule.model_fields)


def alerts(
    reader: Reader, *, is_open: bool | None = None, window: Window = queries.FIRST_PAGE
) -> models.Listing[models.Alert]:
    """Return alerts, newest first; only those that nobody has acknowledged, or only the others."""
    clause = "" if is_open is None else f" where acknowledged_at is {'' if is_open else 'not '}null"
    statement = f"select {_ALERTS} from ops.risk_alerts{clause}"  # noqa: S608 - columns of the model
    return window.page_of(reader, models.Alert, statement, {}, own="alert_id desc")


def rules(reader: Reader) -> models.RiskRuleList:
    """Return the rules of the table, those that are over too."""
    rows = reader.records(f"select {_RULES} from ops.risk_rules order by rule_id")  # noqa: S608 - columns of the model
    return models.RiskRuleList(records=[models.RiskRule.model_validate(row) for row in rows])


def _around(reader: Reader, portfolio_id: str) -> dict[str, Any]:
    """Return what does not come from the holdings: realised losses, the decision, alerts, the trading state."""
    state = reader.first("select state, reason from ops.trading_state order by state_id desc limit 1") or {}
    realised = reader.attempt(lambda r: _realised(r, portfolio_id))
    return {
        "realised": None if isinstance(realised, NotReady) else realised,
        "decision": _decision(reader, portfolio_id),
        "alerts": alerts(reader, is_open=True).records,
        "trading_state": state.get("state", "ACTIVE"),
        "trading_reason": state.get("reason", ""),
    }


def _realised(reader: Reader, portfolio_id: str) -> models.RiskFigures | None:
    from pas_lib.risk import cvar, historical_var

    rows = reader.fetch(
        "select ret from marts.portfolio_returns where portfolio_id = %(id)s and ret is not null order by session",
        {"id": portfolio_id},
    ).rows
    returns = np.array([row[0] for row in rows], dtype=float)
    if len(returns) < 2:
        return None
    return models.RiskFigures(
        n_obs=len(returns),
        var_95=historical_var(returns, 0.95),
        var_99=historical_var(returns, 0.99),
        cvar_95=cvar(returns, 0.95),
        cvar_99=cvar(returns, 0.99),
    )


def _decision(reader: Reader, portfolio_id: str) -> models.DecisionRisk | None:
    """Return the latest live decision's exposures: of the book, or of one portfolio's targets in it."""
    newest = reader.first(
        "select decision_id, session from ops.decisions where origin = 'live' order by session desc limit 1"
    )
    if newest is None:
        return None
    one = {"id": newest["decision_id"]}
    figures = _figures(reader, "ops.risk_figures where decision_id = %(id)s", one)
    kinds = _exposures(reader, "ops.risk_exposures where decision_id = %(id)s", one)
    cuts = _cuts(reader, newest["decision_id"], newest["session"])
    share = figures.get("gross")
    if portfolio_id != queries.ALL:
        kinds["portfolio"] = [each for each in kinds["portfolio"] if each.label == portfolio_id]
        share = kinds["portfolio"][0].share if kinds["portfolio"] else 0.0
        known = {one.label for one in kinds["name"]}
        figures, part = _part(reader, {**one, "portfolio": portfolio_id})
        kinds |= part
        held = {position.symbol for position in queries.positions(reader, portfolio_id).records}
        held |= {each.label for each in part["name"]}
        cuts = [cut for cut in cuts if cut.subject in held or cut.subject not in known]
    return models.DecisionRisk(
        session=newest["session"],
        figures=figures,
        share=share,
        names=kinds["name"],
        sectors=kinds["sector"],
        portfolios=kinds["portfolio"],
        cuts=cuts,
    )


def _part(reader: Reader, where: dict[str, Any]) -> tuple[dict[str, float | None], dict[str, list[models.Exposure]]]:
    """Return figures, and exposures by kind, of one portfolio's part in a decision's book."""
    one = "where decision_id = %(id)s and portfolio_id = %(portfolio)s"
    figures = _figures(reader, f"ops.portfolio_risk_figures {one}", where)
    kinds = _exposures(reader, f"ops.portfolio_risk_exposures {one}", where)
    return figures, {"name": kinds["name"], "sector": kinds["sector"]}


def _figures(reader: Reader, source: str, where: dict[str, Any]) -> dict[str, float | None]:
    rows = reader.records(f"select metric, value from {source}", where)  # noqa: S608 - a part of this module
    return {str(row["metric"]): row["value"] for row in rows}


def _exposures(reader: Reader, source: str, where: dict[str, Any]) -> dict[str, list[models.Exposure]]:
    """Return exposures by kind, the largest of each first."""
    kinds: dict[str, list[models.Exposure]] = {"name": [], "sector": [], "portfolio": []}
    for row in reader.records(
        f"select kind, label, share from {source} order by kind, abs(share) desc, label",  # noqa: S608 - a part of this
        where,
    ):
        kinds[row["kind"]].append(models.Exposure(label=row["label"], share=row["share"]))
    return kinds


def _cuts(reader: Reader, decision_id: str, session: date) -> list[models.Cut]:
    rows = reader.records(
        "select details from ops.alloc_log where decision_id = %(id)s and event = 'cap' order by log_id",
        {"id": decision_id},
    )
    found = [queries.as_json(row["details"]) for row in rows]
    return [
        models.Cut(
            session=session,
            code=str(one["code"]),
            subject=str(one["name"]),
            wanted=_finite(one["before"]),
            allowed=_finite(one["after"]),
        )
        for one in found
    ]


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(float(value)) else None
