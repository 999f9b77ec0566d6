"""Who is behind a symbol."""

from __future__ import annotations

import re
from datetime import timedelta

import pyarrow as pa

from pas_lib import clock
from pas_lib.datasets.base import Column, Dataset, per_date


def _first_word(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]", "", (name or "").lower().removeprefix("the ").split(" ")[0])


def _prefer_registered(parsed: pa.Table, current: pa.Table) -> pa.Table:
    """Drop a row that knows a company by its name only when the same company is known by its CIK.

    Lists without CIK (tables of changes, fund holdings) name companies that other lists identify properly. Same symbol
    and same first word of the name make it the same company.
    """
    registered = {
        (row["symbol"], _first_word(row["name"]))
        for table in (parsed, current)
        for row in table.select(["symbol", "name", "security_id"]).to_pylist()
        if not str(row["security_id"]).startswith("sym:")
    }
    keep = [
        not str(row["security_id"]).startswith("sym:") or (row["symbol"], _first_word(row["name"])) not in registered
        for row in parsed.select(["symbol", "name", "security_id"]).to_pylist()
    ]
    return _date_renames(parsed.filter(pa.array(keep, pa.bool_())), current)


def _date_renames(parsed: pa.Table, current: pa.Table) -> pa.Table:
    """Leave the first listing of a new symbol open: the list states the company's, which came before the symbol.

    Its ``known_at`` is then the time of fetching, and nothing knows a symbol before the company took it.
    """
    names = ["security_id", "symbol", "first_listed"]
    stated = {(row["security_id"], row["symbol"]): row["first_listed"] for row in current.select(names).to_pylist()}
    companies = {security_id for security_id, _ in stated}
    dates = []
    for row in parsed.select(names).to_pylist():
        slot = (row["security_id"], row["symbol"])
        renamed = slot not in stated and row["security_id"] in companies
        open_before = (
            slot in stated
            and stated[slot] is None
            and any(security_id == row["security_id"] and day is not None for (security_id, _), day in stated.items())
        )
        dates.append(None if renamed or open_before else row["first_listed"])
    position = parsed.schema.get_field_index("first_listed")
    return parsed.set_column(position, "first_listed", pa.array(dates, pa.date32()))


DATASET = Dataset(
    name="securities",
    doc="Securities with the symbols they traded under, sector and Wikipedia article.",
    columns=(
        Column("security_id", "text", "`cik...` (with a class), `etf:SYMBOL`, or `sym:SYMBOL:name`."),
        Column("symbol", "text", "Canonical symbol."),
        Column("name", "text", "Name as listed."),
        Column("sector", "text", "GICS sector."),
        Column("industry", "text", "GICS sub-industry."),
        Column("cik", "text", "Ten digits."),
        Column("wiki_title", "text", "Title of the company's English Wikipedia article, with underscores."),
        Column("exchange", "text", "Listing exchange where stated."),
        Column("asset_class", "text", "`stock` or `etf`."),
        Column("leverage", "double precision", "Daily leverage of an ETF, 1 for everything else."),
        Column("first_listed", "date", "Day from which a list states it; NULL where no list does."),
    ),
    key=("security_id", "symbol"),
    known_at=per_date("first_listed", clock.ny_midnight),
    known_at_doc="00:00 New York of the first stated listing, else the fetch time",
    cadence="weekly",
    tolerance=timedelta(days=15),
    min_count_share=0.5,
    sources=("wikipedia", "ishares", "package"),
    parse_only=("universe_csv",),
    all_sources=True,
    critical=True,
    leader="universe",
    resolve=_prefer_registered,
)
