"""Figures in Yahoo's answers: snapshots of quoteSummary modules, and statements.

Numbers come plain, as ``{"raw": ..., "fmt": ...}``, as ``{}``, as null, or not at all. A raw 0 whose ``fmt`` is null is
a field the site no longer fills, not a zero.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from pas_lib.clock import NY
from pas_lib.sources.base import UNKNOWN_TIME, Batch, Payload, Reject

#: Unit of a field: the currency of the statements, the same per share, that of the price, a number of shares, or none.
_STATEMENT, _SHARE, _MARKET, _SHARES, _PURE = "statement", "per share", "market", "shares", "pure"

#: Fields kept per module, by unit. Prices of the day are not among them.
FIELDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "financialData": {
        _STATEMENT: (
            "totalCash",
            "totalDebt",
            "ebitda",
            "totalRevenue",
            "grossProfits",
            "freeCashflow",
            "operatingCashflow",
        ),
        _PURE: (
            "debtToEquity",
            "currentRatio",
            "quickRatio",
            "returnOnAssets",
            "returnOnEquity",
            "grossMargins",
            "operatingMargins",
            "profitMargins",
            "ebitdaMargins",
            "revenueGrowth",
            "earningsGrowth",
            "recommendationMean",
            "numberOfAnalystOpinions",
        ),
    },
    "defaultKeyStatistics": {
        _SHARES: (
            "sharesOutstanding",
            "impliedSharesOutstanding",
            "floatShares",
            "sharesShort",
            "sharesShortPriorMonth",
        ),
        _STATEMENT: ("netIncomeToCommon",),
        _SHARE: ("bookValue", "trailingEps", "forwardEps"),
        _MARKET: ("enterpriseValue",),
        _PURE: (
            "shortRatio",
            "shortPercentOfFloat",
            "sharesPercentSharesOut",
            "heldPercentInsiders",
            "heldPercentInstitutions",
            "beta",
            "priceToBook",
            "enterpriseToEbitda",
            "enterpriseToRevenue",
        ),
    },
    "summaryDetail": {
        _MARKET: ("marketCap", "dividendRate"),
        _SHARES: ("averageVolume",),
        _PURE: ("trailingPE", "forwardPE", "dividendYield", "payoutRatio", "priceToSalesTrailing12Months"),
    },
    "price": {_MARKET: ("marketCap",)},
}
#: What a collection asks for.
SNAPSHOT: Final = tuple(FIELDS)
#: Nonsense where statements and price are in different currencies.
_MIXED: Final = frozenset({"priceToBook", "enterpriseToEbitda", "enterpriseToRevenue", "enterpriseValue"})
#: Module -> the list of statements in it.
STATEMENTS: Final = {
    "incomeStatementHistory": "incomeStatementHistory",
    "balanceSheetHistory": "balanceSheetStatements",
    "cashflowStatementHistory": "cashflowStatements",
}
_MONTHS: Final = {"3M": "quarter", "12M": "year", "TTM": "trailing"}
_TYPE: Final = re.compile(r"(annual|quarterly|trailing)([A-Z]\w*)")


def number(field: Any) -> float | None:
    """Return a field's number, or None where the site states none.

    Raises
    ------
    ValueError
        If there is something that is no number.
    """
    if isinstance(field, dict):
        raw = field.get("raw")
        if raw == 0 and "fmt" in field and field["fmt"] is None:
            return None
        field = raw
    if field is None:
        return None
    if isinstance(field, bool) or not isinstance(field, int | float):
        raise ValueError(f"{field!r} is not a number")
    return float(field)


def snapshot(payload: Payload, symbol: str | None, result: dict[str, Any]) -> Batch:
    """Return what the modules of a quoteSummary show, dated by the day of fetching."""
    known = [name for name in result if name in FIELDS or name in STATEMENTS]
    others = [name for name in result if name not in known and name != "maxAge"]
    if others and ("modules" in payload.context or not known):
        raise payload.error(f"came with {', '.join(others)}", field_name=" or ".join(SNAPSHOT))
    if not known:
        return Batch(payload.dataset, note=f"nothing about {symbol}")
    statements = _text(result, "financialData", "financialCurrency")
    market = _text(result, "price", "currency") or _text(result, "summaryDetail", "currency") or "USD"
    # A file alone may not state the currency of the statements: then it is taken to be the price's.
    statements = statements or market
    seen = None if payload.fetched_at == UNKNOWN_TIME else payload.fetched_at.astimezone(NY).date()
    records: dict[tuple[str, str], dict[str, Any]] = {}
    rejects: list[Reject] = []
    units = {_STATEMENT: statements, _SHARE: f"{statements}/shares", _MARKET: market, _SHARES: "shares", _PURE: "pure"}
    for module in known:
        for kind, names in FIELDS.get(module, {}).items():
            for name in names:
                try:
                    value = number((result[module] or {}).get(name))
                except ValueError as error:
                    rejects.append(Reject({"symbol": symbol, "concept": name}, str(error)))
                    continue
                if value is None or (name in _MIXED and statements != market):
                    continue
                records[name, units[kind]] = _record(symbol, name, units[kind], "snapshot", seen, value)
    rows = list(records.values())
    modules = [name for name in known if name in FIELDS and set(result[name] or ()) - {"maxAge"}]
    wanted = {name: {field for names in FIELDS[name].values() for field in names} for name in modules}
    if modules and not any(wanted[name] & result[name].keys() for name in modules):
        raise payload.error(f"not found among {', '.join(list(result[modules[0]])[:6])}", field_name=modules[0])
    for module in known:
        if module in STATEMENTS:
            rows += _statements(payload, symbol, result[module] or {}, STATEMENTS[module], statements, rejects)
    return Batch(payload.dataset, records=rows, rejects=rejects)


def timeseries(payload: Payload, symbol: str | None, results: list[Any]) -> Batch:
    """Return the values of a fundamentals time series; types without data hold nothing but ``meta``."""
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for series in results:
        meta = series.get("meta") if isinstance(series, dict) else None
        if not isinstance(meta, dict) or not meta.get("type"):
            raise payload.error("missing", field_name="timeseries.result.meta.type")
        name = meta["type"][0]
        matched = _TYPE.fullmatch(name)
        if matched is None:
            raise payload.error(f"{name!r} is no annual, quarterly or trailing figure", field_name="meta.type")
        stated = (meta.get("symbol") or [None])[0]
        about = symbol or (stated.replace("-", ".") if stated else None)
        if symbol is not None and stated is not None and stated.replace("-", ".") != symbol:
            raise payload.error(f"these are the figures of {stated}, not of {symbol}", field_name="meta.symbol")
        if name not in series and set(series) - {"meta", "timestamp"}:
            raise payload.error(f"not found among {', '.join(series)}", field_name=name)
        concept = matched[2]
        for point in series.get(name, ()):
            if point is None:
                continue
            missing = next((f for f in ("asOfDate", "periodType", "reportedValue") if f not in point), None)
            if missing:
                raise payload.error(f"not found among {', '.join(point)}", field_name=f"{name}.{missing}")
            try:
                value = number(point["reportedValue"])
                if value is None:
                    continue
                day = date.fromisoformat(point["asOfDate"])
                frequency = _MONTHS[point["periodType"]]
            except (ValueError, TypeError, KeyError) as error:
                rejects.append(Reject({"symbol": about, "concept": name, **point}, f"cannot be read: {error}"))
                continue
            unit = point.get("currencyCode") or "USD"
            if concept.endswith(("SharesNumber", "AverageShares", "ShareIssued")):
                unit = "shares"
            elif concept.endswith("EPS"):
                unit += "/shares"
            records.append(_record(about, concept, unit, frequency, day, value))
    note = "" if records else f"nothing about {symbol or 'the symbol'}"
    return Batch(payload.dataset, records=records, rejects=rejects, note=note)


def _statements(
    payload: Payload, symbol: str | None, module: dict[str, Any], name: str, currency: str, rejects: list[Reject]
) -> list[dict[str, Any]]:
    statements = module.get(name)
    if not isinstance(statements, list):
        raise payload.error("missing", field_name=name)
    rows = []
    for statement in statements:
        try:
            end = number(statement.get("endDate"))
            if end is None:
                raise ValueError("the end of the period is missing")
            day = datetime.fromtimestamp(end, UTC).date()
            for concept, field in statement.items():
                value = None if concept in ("endDate", "maxAge") else number(field)
                if value is not None:
                    rows.append(_record(symbol, concept, currency, "year", day, value))
        except ValueError as error:
            rejects.append(Reject({"symbol": symbol, **statement}, str(error)))
    return rows


def _record(
    symbol: str | None, concept: str, unit: str, frequency: str, day: date | None, value: float
) -> dict[str, Any]:
    return {
        "event_date": day,
        "entity": symbol,
        "symbol": symbol,
        "taxonomy": "yahoo",
        "concept": concept,
        "unit": unit,
        "frequency": frequency,
        "period_days": 0,
        "value": value,
        "accession": "",
    }


def _text(result: dict[str, Any], module: str, name: str) -> str | None:
    value = (result.get(module) or {}).get(name)
    return value if isinstance(value, str) and value else None
