"""Why a portfolio holds a symbol: from the share of equity down to the raw rows behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from pas_lib import clock as calendar
from pas_lib.errors import PasError, UnknownName
from pas_lib.pipeline import marts
from pas_lib.pipeline.model import stored_weights
from pas_lib.strategies import Strategy, StrategyWeights, strategy
from pas_lib.warehouse import Warehouse

#: Columns of every raw row that say where it comes from.
_PROVENANCE = ("source", "source_url", "event_date", "known_at", "ingested_at", "content_hash", "run_id")


@dataclass(frozen=True)
class RawRow:
    """One raw row: where it comes from, when it was known, and what it says."""

    dataset: str
    source: str
    source_url: str
    event_date: date
    known_at: datetime
    ingested_at: datetime
    content_hash: str
    run_id: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """Why a portfolio holds a symbol at a session.

    Attributes
    ----------
    portfolio_id, symbol, security_id, session
        What is explained.
    rule
        The strategy's rule in words.
    decided
        Rebalance session whose weights hold at `session`.
    weight
        Weight inside the portfolio decided then.
    share
        Share of equity of the last decision that traded the portfolio; None when there was none.
    allocation, scale
        The portfolio's share before exposure scale, and S, in the last decision up to `session`; None without one.
    score, rank, names
        The signal, and how many names had one.
    cuts
        The limits that cut the symbol, its sector or the whole book in that decision, one line each.
    note
        What the strategy said.
    rows
        The raw rows the signal was made from, as known at the decision time: by dataset, oldest first.
    """

    portfolio_id: str
    symbol: str
    security_id: str
    session: date
    rule: str
    decided: date
    weight: float
    share: float | None
    allocation: float | None
    scale: float | None
    score: float | None
    rank: int | None
    names: int
    note: str
    rows: tuple[RawRow, ...]
    cuts: tuple[str, ...] = ()


def explain(warehouse: Warehouse, portfolio_id: str, symbol: str, as_of: date) -> Explanation:
    """Return the raw rows behind a weight.

    Parameters
    ----------
    warehouse
        The store of record.
    portfolio_id
        A strategy's portfolio.
    symbol
        As traded at the decision.
    as_of
        A session; the weights of the last rebalance session up to it are explained.

    Returns
    -------
    Explanation

    Raises
    ------
    UnknownName
        When there is no such portfolio, or it does not hold the symbol.
    PasError
        When nothing was decided for the portfolio up to the session.
    """
    one = strategy(portfolio_id)
    items = stored_weights(warehouse, as_of).get(portfolio_id, [])
    if not items:
        raise PasError(f"nothing was decided for {portfolio_id} up to {as_of}", hint="run `pas decide` first")
    newest = items[-1]
    by_symbol = {text: key for key, text in newest.symbols.items()}
    if symbol not in by_symbol:
        raise UnknownName(f"symbol in {portfolio_id} decided at {newest.session}", symbol, by_symbol)
    security_id = by_symbol[symbol]
    basis = _basis(newest, items)
    signal = marts.read(
        warehouse,
        "select score, rank, (select count(*) from marts.signals where strategy = {strategy} and session = {session})"
        " as names from marts.signals where strategy = {strategy} and session = {session} and security_id = {id}",
        strategy=portfolio_id,
        session=basis,
        id=security_id,
    )
    found = signal.to_dict("records")[0] if len(signal) else {}
    decision = _decision(warehouse, portfolio_id, symbol, as_of)
    return Explanation(
        portfolio_id=portfolio_id,
        symbol=symbol,
        security_id=security_id,
        session=as_of,
        rule=one.rule,
        decided=newest.session,
        weight=float(newest.weights[security_id]),
        share=decision.get("share"),
        allocation=decision.get("allocation"),
        scale=decision.get("scale"),
        score=float(found["score"]) if found else None,
        rank=int(found["rank"]) if found else None,
        names=int(found["names"]) if found else 0,
        note=newest.note,
        rows=raw_rows(warehouse, one, security_id, symbol, basis),
        cuts=_cuts(warehouse, security_id, symbol, as_of),
    )


def _basis(newest: StrategyWeights, items: list[StrategyWeights]) -> date:
    """Return the session whose signal made the weights: an earlier one where old data let them stay."""
    fresh = [item.session for item in items if not item.is_stale]
    return max(fresh) if newest.is_stale and fresh else newest.session


def _decision(warehouse: Warehouse, portfolio_id: str, symbol: str, as_of: date) -> dict[str, float | None]:
    rows = warehouse.rows(
        "select l.allocation, l.scale, (select h.share from ops.weight_history h where h.portfolio_id = %(p)s"
        " and h.symbol = %(s)s and h.session <= %(d)s order by h.session desc limit 1) as share"
        " from ops.alloc_log l join ops.decisions d using (decision_id)"
        " where l.event = 'allocation' and l.portfolio_id = %(p)s and d.origin = 'live' and l.session <= %(d)s"
        " order by l.session desc, l.log_id desc limit 1",
        {"p": portfolio_id, "s": symbol, "d": as_of},
    )
    return dict(rows[0]) if rows else {}


def _cuts(warehouse: Warehouse, security_id: str, symbol: str, as_of: date) -> tuple[str, ...]:
    """Return what the last decision cut of the symbol, its sector and the whole book."""
    rows = warehouse.rows(
        "select l.details from ops.alloc_log l join ops.decisions d using (decision_id)"
        " where l.event = 'cap' and d.origin = 'live' and d.session ="
        " (select max(session) from ops.decisions where origin = 'live' and session <= %s) order by l.log_id",
        (as_of,),
    )
    if not rows:
        return ()
    sectors = {
        str(row["sector"])
        for row in warehouse.rows(
            "select distinct on (security_id) sector from raw.securities"
            " where security_id = %s and known_at <= %s order by security_id, known_at desc, row_id desc",
            (security_id, calendar.decision_time(as_of)),
        )
    }
    about = {symbol, *sectors}
    found = [row["details"] for row in rows]
    return tuple(
        f"{one['code']} {one['name']}: wanted {one['before']:.4f}, allowed {one['after']:.4f}"
        for one in found
        if one["name"] in about or str(one["name"]).startswith(("book", "leveraged"))
    )


def raw_rows(warehouse: Warehouse, one: Strategy, security_id: str, symbol: str, session: date) -> tuple[RawRow, ...]:
    """Return the rows of a strategy's datasets about a security that its signal of a session looked at.

    A row counts as it was known at the decision time; later corrections and tombstones do not show, nor does what an
    amendment had replaced by then. Dataset by dataset in the strategy's order, each oldest first.
    """
    at = calendar.decision_time(session)
    names = sorted(_names(warehouse, security_id, symbol, at))
    out: list[RawRow] = []
    for dataset in one.datasets:
        for name in _TABLES.get(dataset, (dataset,)):
            known_as = names if lookup(name)[0] != "entity" else sorted({*names, *_entities(warehouse, security_id)})
            found = _rows_of(warehouse, name, known_as, one.windows(session), at, one.counts.get(dataset))
            out.extend(sorted(found, key=lambda row: (row.event_date, row.known_at)))
    return tuple(out)


#: Prices are explained together with the actions that adjust them.
_TABLES = {"prices": ("prices", "corporate_actions")}

#: dataset -> (column that names the security, time that the window is about, columns shown)
_LOOKUP = {
    "politician_trades": (
        "symbol",
        "since",
        (
            "politician",
            "chamber",
            "party",
            "transaction",
            "amount_range",
            "amount_low",
            "amount_high",
            "transaction_date",
            "report_date",
            "owner",
        ),
    ),
    "wiki_views": ("article", "event_date", ("project", "article", "views")),
    "prices": ("symbol", "event_date", ("symbol", "open", "close", "volume")),
    "corporate_actions": ("symbol", "event_date", ("symbol", "action", "ratio", "amount")),
    "gov_contracts": (
        "symbol",
        "since",
        ("recipient", "matched_by", "contract_id", "modification", "amount", "agency", "action_date"),
    ),
    "lobbying": (
        "symbol",
        "reported_at",
        (
            "client",
            "matched_by",
            "registrant",
            "amount",
            "amount_kind",
            "filing_id",
            "filing_type",
            "filing_year",
            "filing_period",
        ),
    ),
    "insider_buying": (
        "symbol",
        "reported_at",
        ("insider", "officer_title", "code", "shares", "price", "value", "transaction_date", "filed_at"),
    ),
    "fundamentals": (
        "entity",
        "first_known_at",
        ("taxonomy", "concept", "unit", "frequency", "value", "filed", "form"),
    ),
    "filings": (
        "entity",
        "since",
        ("kind", "form", "filed", "report_date", "expected_from", "is_estimate"),
    ),
    "dc_insider_scores": ("symbol", "capture_date", ("symbol", "capture_date", "score")),
    "app_reviews": ("symbol", "event_date", ("symbol", "app", "publisher", "rating", "ratings", "hype")),
    "reddit_mentions": ("symbol", "event_date", ("symbol", "forum", "capture_date", "mentions", "rank")),
    "google_trends": ("symbol", "first_known_at", ("symbol", "capture_date", "score")),
    "news_headlines": (
        "symbol",
        "first_known_at",
        ("symbol", "headline", "publisher", "published_at", "sentiment", "sentiment_library", "sentiment_version"),
    ),
    "analyst_ratings": (
        "symbol",
        "first_known_at",
        ("symbol", "firm", "analyst", "action", "rating_prior", "rating_current", "rated_at"),
    ),
}

#: dataset -> what its rows are reported by
_REPORTS = {
    "lobbying": (
        "case when coalesce(filing_type, '') not like 'R%%' then coalesce(registrant_id || '/' || client_id || '/' ||"
        " filing_year || '/' || filing_period, filing_id) else filing_id end"
    ),
    "insider_buying": "symbol || '/' || insider || '/' || transaction_date || '/' || code || '/' || security_title",
}

#: Datasets whose rows may be replaced by other rows: staging says which, and since when a subject has been known.
_REPLACED = frozenset({"politician_trades", "gov_contracts", "lobbying", "insider_buying", "filings"})

#: dataset -> days for which its rows hold at least, whatever a strategy's window is
_HOLDS = {"fundamentals": 400, "filings": 400}

#: Rows of a dataset that no signal counts are no reason: exchanges, options, bonds, trades without an amount.
_COUNTS = {
    "politician_trades": (
        "transaction in ('purchase', 'sale', 'sale_partial', 'sale_full') and amount_low is not null and"
        " coalesce(lower(asset_type), '') in ('', 'st', 'stock', 'common stock', 'ef', 'etf', 'exchange traded fund',"
        " 'exchange traded funds')"
    ),
}


def _names(warehouse: Warehouse, security_id: str, symbol: str, at: datetime) -> set[str]:
    """Return what a security is called in the datasets: its symbols, its article and its number at the SEC."""
    rows = warehouse.rows(
        "select distinct symbol, wiki_title, cik from raw.securities where security_id = %s and known_at <= %s",
        (security_id, at),
    )
    names = {symbol}
    for row in rows:
        names.add(str(row["symbol"]))
        if row["cik"]:
            names.add(f"cik{row['cik']}")
        if row["wiki_title"]:
            title = str(row["wiki_title"])
            names |= {title, title.replace(" ", "_"), title.replace("_", " ")}
    return names


def _entities(warehouse: Warehouse, security_id: str) -> set[str]:
    """Return the filers that the models take for a security's company: the register need not know its number."""
    rows = warehouse.rows(
        "select entity from intermediate.int_fundamental_entities where security_id = %s", (security_id,)
    )
    return {str(row["entity"]) for row in rows}


def lookup(dataset: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the column that names the security, the time a window is about, and the columns shown.

    A dataset with a column ``symbol`` needs no word here: its key and what no row may lack is shown.

    Raises
    ------
    PasError
        If nothing says which column names the security.
    """
    from pas_lib.datasets import dataset as dataset_of

    if dataset in _LOOKUP:
        return _LOOKUP[dataset]
    entry = dataset_of(dataset)
    if "symbol" not in {column.name for column in entry.columns}:
        raise PasError(
            f"nothing says which column of raw.{dataset} names the company", hint="pas_lib/pipeline/explain.py"
        )
    shown = tuple(column.name for column in entry.columns if column.name in entry.key or column.required)
    return "symbol", "event_date", shown


def _rows_of(
    warehouse: Warehouse,
    dataset: str,
    names: list[str],
    windows: tuple[tuple[datetime, datetime], ...],
    at: datetime,
    counts: str | None,
) -> list[RawRow]:
    from pas_lib.datasets import dataset as dataset_of

    column, about, shown = lookup(dataset)
    key = ", ".join(dataset_of(dataset).key)
    report = _REPORTS.get(dataset, "null::text")
    settled, still = "versions", "true"
    if dataset in _REPLACED:
        settled = f"staging.stg_raw__{dataset}"
        still = f"{column} = any(%(names)s) and known_at <= %(at)s and coalesce(superseded_at > %(at)s, true)"
    within: list[str] = []
    values: dict[str, Any] = {}
    for number, (start, end) in enumerate(windows):
        if dataset in _HOLDS:
            start = min(start, at - timedelta(days=_HOLDS[dataset]))
        within.append(f"({about} > %(start{number})s and {about} <= %(end{number})s)")
        is_day = about in ("event_date", "capture_date")
        values |= {f"start{number}": start.date() if is_day else start, f"end{number}": end.date() if is_day else end}
    where = " and ".join(
        ["not is_deleted", "(" + " or ".join(within) + ")", _COUNTS.get(dataset, "true"), counts or "true"]
    )
    # The newest version of each source, unless another row has replaced it; what two sources state is one row.
    rows = warehouse.rows(
        "with versions as ("  # noqa: S608 - names of this catalogue
        f" select *, {report} as report,"
        f" min(known_at) over (partition by {key}) as first_known_at"
        f" from raw.{dataset} where {column} = any(%(names)s) and known_at <= %(at)s"
        "), reported as ("
        " select *, min(first_known_at) over (partition by source, coalesce(report, row_id::text)) as reported_at"
        " from versions"
        "), known as ("
        f" select distinct on ({key}, source) * from reported order by {key}, source, known_at desc, row_id desc"
        f"), settled as (select row_id as settled_id, first_known_at as since from {settled} where {still})"
        f" select distinct on ({key}) {', '.join((*_PROVENANCE, *shown))} from known"
        f" join settled on settled_id = row_id where {where} order by {key}, known_at desc, row_id desc",
        {"names": names, "at": at, **values},
    )
    return [
        RawRow(
            dataset=dataset,
            **{name: row[name] for name in _PROVENANCE},
            values={name: row[name] for name in shown},
        )
        for row in rows
    ]
