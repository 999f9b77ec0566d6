"""What a collection asks for: items, and from when on, by what is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pas_lib import clock
from pas_lib.datasets.base import Dataset
from pas_lib.errors import PasError, SourceError
from pas_lib.sources.base import NOT_THERE, Ask, document_name
from pas_lib.sources.registry import usable_sources

if TYPE_CHECKING:
    from datetime import datetime

    from pas_lib.landing import Landing
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

#: First event date where a dataset names none.
_BEGINNING = date(1900, 1, 1)

#: A symbol that left its list is asked for this long after its last bar.
_FOLLOW_UP = timedelta(days=45)

_SYMBOLS = """
    select symbol,
           bool_or(event = 'listed' and not is_deleted) as listed,
           max(effective_date) filter (where event = 'removed' and not is_deleted) as removed
    from (
        select distinct on (source, index_name, symbol, event, effective_date)
               symbol, event, effective_date, is_deleted
        from raw.universe
        order by source, index_name, symbol, event, effective_date, known_at desc, row_id desc
    ) versions
    group by symbol
"""
_TITLES = """
    select distinct s.wiki_title as title
    from raw.securities s
    join (
        select distinct on (source, index_name, symbol, event, effective_date) symbol, event, is_deleted
        from raw.universe
        order by source, index_name, symbol, event, effective_date, known_at desc, row_id desc
    ) u on u.symbol = s.symbol and u.event = 'listed' and not u.is_deleted
    where s.wiki_title is not null and not s.is_deleted
"""

_LISTED = """
    select symbol from (
        select distinct on (source, index_name, symbol, event, effective_date)
               index_name, symbol, event, is_deleted
        from raw.universe
        order by source, index_name, symbol, event, effective_date, known_at desc, row_id desc
    ) versions
    where event = 'listed' and not is_deleted and index_name <> 'etf'
    group by symbol order by symbol
"""

#: Datasets asked for as a whole, from the last good collection on (the watermark under the item "").
_BY_WATERMARK = frozenset({"analyst_ratings", "filings", "insider_buying"})
_COVERAGE = """
    with runs as (
        select watermark, asked_from, load_number from ops.ingest_runs
        where dataset = %s and status in ('loaded', 'unchanged') and string_to_array(source, '+') @> %s::text[]
    )
    select min(asked_from) as begin, max(watermark) as reached,
           coalesce(max(load_number) filter (where watermark is null) > max(load_number)
                    filter (where watermark = (select max(watermark) from runs)), false) as has_more
    from runs
"""

#: For companies' figures: who is listed, and who was while its CIK was told.
_COMPANIES = """
    select members.symbol, members.listed, (
        select min(s.cik) from raw.securities s
        where s.symbol = members.symbol and s.cik is not null and not s.is_deleted and s.known_at = (
            select max(n.known_at) from raw.securities n where n.symbol = s.symbol and n.cik is not null
            and not n.is_deleted
        )
    ) as cik
    from (
        select symbol, bool_or(event = 'listed' and not is_deleted) as listed from (
            select distinct on (source, index_name, symbol, event, effective_date) symbol, event, is_deleted
            from raw.universe where index_name <> 'etf'
            order by source, index_name, symbol, event, effective_date, known_at desc, row_id desc
        ) versions
        group by symbol
    ) members
    order by members.symbol
"""
#: What was listed and was not there is asked for again for a while.
_DOCUMENTS = """
    select f.url from ops.landing_files f
    left join ops.quarantine q on q.payload_path = f.path and q.reason = %s
    where f.dataset = %s and f.source = any(%s)
    group by f.url
    having bool_or(q.quarantine_id is null) or min(f.fetched_at) <= %s
"""
_ASKED_AGAIN_FOR = timedelta(days=30)

#: Companies whose filings are loaded, each with the day of its last one.
_FILED = """
    select symbol, max(filed) as day from raw.filings where source = 'sec_submissions' and filed <= %s group by symbol
"""

#: Datasets asked for item by item: the column that names the item.
_ITEM_COLUMN = {"prices": "symbol", "wiki_views": "article", "sp500_index": "symbol", "macro_series": "series_id"}


def plan(
    dataset: Dataset,
    settings: Settings,
    now: datetime,
    warehouse: Warehouse,
    *,
    start: date | None = None,
    end: date | None = None,
    session: date | None = None,
) -> Ask:
    """Return what to ask, by what the warehouse holds.

    The first load takes everything from the dataset's history start; later ones go back a little before what is loaded,
    per symbol, article or series.

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached.
    SourceError
        If there is nothing to ask for yet.
    """
    first = start or dataset.history_start or _BEGINNING
    starts: dict[str, date] = {}
    items: list[str] = []
    ids: dict[str, str] = {}
    loaded: dict[str, date] = {}
    column = _ITEM_COLUMN.get(dataset.name)
    # Another source than before begins with its own history. Rows beyond what was collected completely came from a
    # window or for some items only: what lies before them may be missing, so they do not count.
    names = [site.name for site in usable_sources(dataset, settings)]
    reached = coverage(dataset, settings, warehouse).reached
    if column:
        statement = (
            f"select {column} as item, max(event_date) as day from {dataset.table}"  # noqa: S608
            " where source = any(%s) and event_date <= %s group by 1"
        )
        found = warehouse.rows(statement, (names, reached)) if reached is not None else []
        loaded = {row["item"]: row["day"] for row in found}
        latest = max(loaded.values(), default=None)
    elif dataset.windowed:
        statement = (
            f"select max(event_date) as day from {dataset.table}"  # noqa: S608
            " where source = any(%s) and event_date <= %s"
        )
        latest = warehouse.rows(statement, (names, reached))[0]["day"] if reached is not None else None
    else:
        latest = warehouse.rows(f"select max(event_date) as day from {dataset.table}")[0]["day"]  # noqa: S608
    if dataset.name in _BY_WATERMARK and latest is not None:
        loaded = {"": reached} if reached else {}
    if dataset.windowed and start is None and latest is not None:
        first = max(first, min(latest, now.date()) - dataset.overlap)
    if dataset.name == "prices":
        items = _symbols(warehouse, first, loaded, now, settings.benchmark)
    elif dataset.name == "analyst_ratings" and "yahoo_summary" in {s.name for s in usable_sources(dataset, settings)}:
        # Asked symbol by symbol; the other source gives all at once.
        items = [row["symbol"] for row in warehouse.rows(_LISTED)]
    elif dataset.name == "fundamentals":
        found = warehouse.rows(_COMPANIES)
        items = [row["symbol"] for row in found if row["listed"] or row["cik"]]
        ids = {row["symbol"]: row["cik"] for row in found if row["cik"]}
        found = warehouse.rows(
            "select symbol, max(filed) as day from raw.fundamentals where filed is not null group by 1"
        )
        loaded = {row["symbol"]: row["day"] for row in found if row["symbol"] is not None}
    elif dataset.name == "filings":
        found = warehouse.rows(_COMPANIES)
        items = [row["symbol"] for row in found if row["listed"] or row["cik"]]
        ids = {row["symbol"]: row["cik"] for row in found if row["cik"]}
        rows = warehouse.rows(_FILED, (reached,)) if reached is not None else []
        loaded |= {row["symbol"]: row["day"] for row in rows if row["symbol"] is not None}
    elif dataset.name == "wiki_views":
        items = sorted(row["title"] for row in warehouse.rows(_TITLES))
    if dataset.name in ("prices", "wiki_views", "fundamentals", "filings") and not items:
        raise SourceError(f"{dataset.name}: nothing to ask for", hint="collect the dataset universe first")
    if start is None:
        starts = {item: max(first, day - dataset.overlap) for item, day in loaded.items()}
    full = latest is None or start is not None or (session is not None and clock.is_week_end(session))
    if any(site.names_companies for site in usable_sources(dataset, settings)):
        known = warehouse.rows("select exists (select 1 from raw.securities) as found")[0]["found"]
        if not known:
            raise SourceError(f"{dataset.name}: no names to look up yet", hint="collect the dataset universe first")
    following = latest is not None and start is None
    documents = _documents(dataset, settings, warehouse, now)
    return Ask(dataset.name, settings, now, first, tuple(items), starts, end, full, following, ids, documents)


@dataclass(frozen=True)
class Coverage:
    """What was collected from all sources in use without a gap.

    Parameters
    ----------
    begin, reached : date or None
        First and last day; None where that is not known.
    has_more : bool
        There are rows beyond it, with a gap before them.
    """

    begin: date | None
    reached: date | None
    has_more: bool = False


def coverage(dataset: Dataset, settings: Settings, warehouse: Warehouse) -> Coverage:
    """Return what was collected of a dataset from all sources in use without a gap."""
    names = [site.name for site in usable_sources(dataset, settings)]
    return Coverage(**warehouse.rows(_COVERAGE, (dataset.name, names))[0])


def refuse_gap_before(dataset: Dataset, covered: Coverage, end: date | None) -> None:
    """Refuse a window that ends before what is loaded begins.

    Raises
    ------
    PasError
        The days between would be missing, and nothing would ever ask for them.
    """
    if end is None or covered.begin is None or covered.begin == _BEGINNING:
        return
    if end < covered.begin - timedelta(days=1):
        last = covered.begin - timedelta(days=1)
        raise PasError(
            f"{dataset.name} is collected from {covered.begin} on: a window that ends {end} would leave a gap",
            hint=f"let it end {last} or later, or leave --end out",
        )


@dataclass(frozen=True)
class Reach:
    """How far everything is collected once a collection is loaded.

    Parameters
    ----------
    joins : bool
        It begins within what is loaded.
    is_stated : bool
        It asks for a stated window.
    held : date or None
        Up to where everything is collected before it, where rows with a gap before them wait beyond that.
    note : str
        For people: what it leaves open.
    """

    joins: bool
    is_stated: bool
    held: date | None = None
    note: str = ""

    @classmethod
    def of(cls, covered: Coverage | None, start: date | None, *, parts: bool) -> Reach:
        """Return the reach of a collection from a day on; ``parts`` asks for some items only."""
        if parts:
            return cls(joins=False, is_stated=start is not None)
        if start is None:
            return cls(True, False, covered.reached if covered is not None and covered.has_more else None)
        if covered is None:
            return cls(joins=False, is_stated=True)
        if covered.reached is None or start <= covered.reached:
            return cls(joins=True, is_stated=True)
        note = f"all is collected up to {covered.reached} only: the next collection closes the gap before {start}"
        return cls(False, True, note=note)

    def watermark(self, day: date, *, complete: bool) -> date | None:
        """Return up to where everything is collected after asking up to a day; ``complete`` tells if all answered."""
        if not self.joins:
            return None
        # An item that gave no answer may have rows beyond its gap: it would be taken for complete.
        return day if complete or self.held is None else min(day, self.held)


def _documents(dataset: Dataset, settings: Settings, warehouse: Warehouse, now: datetime) -> frozenset[str]:
    """Return the names of the documents that are loaded, from sources that give them one by one."""
    names = [site.name for site in usable_sources(dataset, settings) if site.has_documents]
    if not names:
        return frozenset()
    found = warehouse.rows(_DOCUMENTS, (NOT_THERE, dataset.name, names, now - _ASKED_AGAIN_FOR))
    known = frozenset(document_name(row["url"]) for row in found)
    if dataset.document is None:
        return known
    # What has vanished from its list and comes back is read again.
    gone = warehouse.rows(
        f"select source_url as url from (select distinct on (source, {', '.join(dataset.key)}) source_url, is_deleted"  # noqa: S608
        f" from {dataset.table} where source = any(%s)"
        f" order by source, {', '.join(dataset.key)}, known_at desc, row_id desc) latest"
        " group by source_url having bool_and(is_deleted)",
        (names,),
    )
    return known - {document_name(row["url"]) for row in gone}


def _symbols(warehouse: Warehouse, first: date, loaded: dict[str, date], now: datetime, benchmark: str) -> list[str]:
    found = {benchmark}
    for row in warehouse.rows(_SYMBOLS):
        symbol, last = row["symbol"], loaded.get(row["symbol"])
        left = row["removed"]
        if row["listed"] or (last is not None and last >= now.date() - _FOLLOW_UP):
            found.add(symbol)
        elif last is None and left is not None and left >= first:
            # A company that left since the beginning: without it, history would know survivors only.
            found.add(symbol)
    return sorted(found)


def remember(landing: Landing, ask: Ask, *, stated: bool = False) -> None:
    """Keep what was asked: with the warehouse away the next collection asks the same again.

    A stated window says nothing about what the next collection needs: it is kept only where there is nothing else.
    """
    if stated and landing.load_state(f"ask-{ask.dataset}") is not None:
        return
    state: dict[str, Any] = {
        "start": ask.start.isoformat(),
        "items": list(ask.items),
        "starts": {item: day.isoformat() for item, day in ask.starts.items()},
        "loaded": bool(ask.starts) or not ask.full,
        "asked": ask.now.date().isoformat(),
        "ids": dict(ask.ids),
        "known": sorted(ask.known),
    }
    landing.save_state(f"ask-{ask.dataset}", state)


def recall(
    landing: Landing,
    dataset: Dataset,
    settings: Settings,
    now: datetime,
    *,
    start: date | None = None,
    end: date | None = None,
) -> Ask | None:
    """Return a request from what was asked last, or None if there was nothing yet.

    Items go back as far as they did then: what was fetched since may not be loaded yet. A stated window is kept.
    """
    state = landing.load_state(f"ask-{dataset.name}")
    if state is None:
        if dataset.name in ("prices", "wiki_views", "fundamentals", "filings"):
            return None
        return Ask(dataset.name, settings, now, start or dataset.history_start or _BEGINNING, end=end)
    if start is not None:
        return Ask(dataset.name, settings, now, start, tuple(state["items"]), end=end)
    return Ask(
        dataset.name,
        settings,
        now,
        date.fromisoformat(state["start"]),
        tuple(state["items"]),
        {item: date.fromisoformat(day) for item, day in state["starts"].items()},
        following=True,
        ids=state.get("ids", {}),
        known=frozenset(state.get("known", ())),
    )
