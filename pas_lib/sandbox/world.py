"""The sandbox world: generated once from a seed, kept on disk, read by every site and by the broker.

Prices are kept UNADJUSTED, as they were traded. What a site shows of them at a given time is the site's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pas_lib.clock import NY
from pas_lib.sandbox.congress import Trade, build_trades, trades_from_json, trades_to_json
from pas_lib.sandbox.macro import Series, build_series, series_from_arrays, series_to_arrays
from pas_lib.sandbox.prices import Market, build_market
from pas_lib.sandbox.roster import (
    CALENDAR_START,
    DELISTINGS,
    FIRST_DECISION,
    INDEX_SYMBOL,
    Listing,
    Roster,
    build_roster,
    roster_from_json,
    roster_to_json,
)
from pas_lib.sandbox.sessions import SessionGrid, load_grid
from pas_lib.sandbox.vol import MACRO_START, vix_path
from pas_lib.sandbox.wiki import Views, build_views

SIZES: Final = {"full": (300, 100, 100), "small": (24, 8, 8)}
SPANS: Final = {
    "full": (CALENDAR_START, date(2027, 12, 31), date(2024, 6, 1)),
    "small": (date(2025, 1, 2), date(2026, 6, 30), date(2025, 6, 1)),
}


@dataclass(frozen=True)
class Bar:
    """One session of one symbol, unadjusted, in USD; `volume` in shares."""

    symbol: str
    session: date
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True)
class CorporateAction:
    """Something that changes what a share is.

    Attributes
    ----------
    symbol : str
        The symbol before the event.
    kind : str
        ``split``, ``dividend``, ``capital_gain``, ``rename`` or ``delisting``.
    ex_date : date
        First session on which it holds.
    ratio : float
        New shares per old share (splits), else 1.
    amount : float
        Cash per share in USD, unadjusted at the ex-date (dividends, gains, price paid at a delisting), else 0.
    new_symbol : str
        The symbol after a rename, else empty.
    numerator, denominator : int
        The ratio of a split as stated.
    """

    symbol: str
    kind: str
    ex_date: date
    ratio: float = 1.0
    amount: float = 0.0
    new_symbol: str = ""
    numerator: int = 1
    denominator: int = 1


@dataclass(frozen=True)
class Asset:
    """What a broker lists: one tradable line at a time."""

    symbol: str
    name: str
    exchange: str
    asset_class: str
    status: str
    tradable: bool
    fractionable: bool
    row: int


class World:
    """Everything that happens in the sandbox, past and future.

    Nothing in here knows the time: callers ask for a session or pass `now`.
    """

    def __init__(
        self,
        seed: int,
        size: str,
        grid: SessionGrid,
        roster: Roster,
        market: Market,
        views: Views,
        trades: tuple[Trade, ...],
        series: dict[str, Series],
    ) -> None:
        self.seed = seed
        self.size = size
        self.grid = grid
        self.roster = roster
        self.market = market
        self.views = views
        self.trades = trades
        self.series = series

    # ---- symbols -------------------------------------------------------------------------------------------------

    @cached_property
    def _spells(self) -> dict[str, list[tuple[date, date, Listing]]]:
        table: dict[str, list[tuple[date, date, Listing]]] = {}
        for item in self.roster.listings:
            for spell in item.spells:
                start = spell.start or item.listed or date.min
                table.setdefault(spell.symbol, []).append((start, spell.end or date.max, item))
        return table

    def listing(self, symbol: str, day: date) -> Listing | None:
        """Return the listing that carries `symbol` on `day`, or None. Class symbols are written with a dot."""
        for start, end, item in self._spells.get(symbol, ()):
            if start <= day <= end:
                return item
        return None

    def symbols_on(self, day: date) -> dict[str, Listing]:
        """All symbols in use on `day`."""
        return {symbol: item for symbol in self._spells if (item := self.listing(symbol, day)) is not None}

    # ---- bars ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Do nothing: a made-up world is complete from the start."""

    def knows(self, session: date) -> bool:
        """Return True: a made-up world knows all its prices."""
        del session
        return True

    def bar(self, symbol: str, session: date) -> Bar | None:
        """Return the bar of `symbol` on `session`; None without one (no session, not listed, halted all day)."""
        item, at = self.listing(symbol, session), self.grid.index_of(session)
        if item is None or at is None or np.isnan(self.market.close[item.row, at]):
            return None
        m, r = self.market, item.row
        return Bar(
            symbol,
            session,
            float(m.open[r, at]),
            float(m.high[r, at]),
            float(m.low[r, at]),
            float(m.close[r, at]),
            int(m.volume[r, at]),
        )

    def previous_bar(self, symbol: str, session: date) -> Bar | None:
        """Return the last bar before `session`, unadjusted, under the symbol of `session`; None without one."""
        item = self.listing(symbol, session)
        if item is None:
            return None
        before = self.market.close[item.row, : self.grid.first_at_or_after(session)]
        found = np.flatnonzero(~np.isnan(before))
        if not found.size:
            return None
        at, m, r = int(found[-1]), self.market, item.row
        return Bar(
            symbol,
            self.grid.day(at),
            float(m.open[r, at]),
            float(m.high[r, at]),
            float(m.low[r, at]),
            float(m.close[r, at]),
            int(m.volume[r, at]),
        )

    def is_halted(self, symbol: str, session: date) -> bool:
        """Tell whether the symbol is listed but does not trade in `session`."""
        item, at = self.listing(symbol, session), self.grid.index_of(session)
        return item is not None and at is not None and bool(self.market.halted[item.row, at])

    def tradable(self, symbol: str, session: date) -> bool:
        """Tell whether orders for the symbol can be filled in `session`."""
        return self.bar(symbol, session) is not None

    # ---- events --------------------------------------------------------------------------------------------------

    @cached_property
    def _actions(self) -> dict[int, tuple[CorporateAction, ...]]:
        found: dict[int, list[CorporateAction]] = {item.row: [] for item in self.roster.listings}
        for slot, day, new, old in self.roster.splits:
            for item in self.roster.by_slot(slot):
                found[item.row].append(
                    CorporateAction(item.symbol_on(day), "split", day, ratio=new / old, numerator=new, denominator=old)
                )
        for kind, values in (("dividend", self.market.dividends), ("capital_gain", self.market.gains)):
            for row, at in zip(*np.nonzero(values), strict=True):
                day = self.grid.day(int(at))
                item = self.roster.listings[int(row)]
                found[item.row].append(CorporateAction(item.symbol_on(day), kind, day, amount=float(values[row, at])))
        paid = {slot: share for slot, _, share in DELISTINGS}
        for item in self.roster.listings:
            for before, after in zip(item.spells, item.spells[1:], strict=False):
                if after.start:
                    found[item.row].append(
                        CorporateAction(before.symbol, "rename", after.start, new_symbol=after.symbol)
                    )
            if item.delisted:
                closes = self.market.close[item.row]
                closes = closes[~np.isnan(closes)]
                amount = float(closes[-1]) * paid.get(item.slot, 1.0) if closes.size else 0.0
                found[item.row].append(
                    CorporateAction(item.spells[-1].symbol, "delisting", item.delisted, amount=round(amount, 2))
                )
        return {row: tuple(sorted(actions, key=lambda a: (a.ex_date, a.kind))) for row, actions in found.items()}

    def actions_of(self, row: int) -> tuple[CorporateAction, ...]:
        """All events of a listing, by ex-date."""
        return self._actions[row]

    def corporate_actions(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> list[CorporateAction]:
        """Events of every listing that ever carried `symbol`, by ex-date, within `start` and `end` (both included)."""
        rows = sorted({item.row for _, _, item in self._spells.get(symbol, ())})
        found = [
            a
            for row in rows
            for a in self._actions[row]
            if (start is None or a.ex_date >= start) and (end is None or a.ex_date <= end)
        ]
        return sorted(found, key=lambda a: (a.ex_date, a.kind))

    def assets(self, day: date | None = None) -> list[Asset]:
        """Return the lines a broker knows on `day` (default: the first decision session), delisted ones as inactive."""
        day = day or FIRST_DECISION
        found = []
        for item in self.roster.listings:
            if item.listed and item.listed > day:
                continue
            gone = item.delisted is not None and item.delisted <= day
            symbol = item.symbol_on(day)
            if gone and self.listing(symbol, day) is not None:
                continue  # the symbol has a new owner
            found.append(
                Asset(
                    symbol,
                    _asset_name(item, day),
                    item.exchange,
                    item.asset_class,
                    "inactive" if gone else "active",
                    not gone,
                    item.fractionable,
                    item.row,
                )
            )
        return found

    # ---- what has closed -----------------------------------------------------------------------------------------

    def bars_at(self, now: datetime) -> int:
        """How many sessions of the grid are complete at `now`."""
        return self.grid.closed_count(now)

    @property
    def start_time(self) -> datetime:
        """Where the clock of a fresh sandbox stands: 20:00 New York of the first decision session, in UTC."""
        return datetime.combine(FIRST_DECISION, time(20), tzinfo=NY).astimezone(UTC)

    def summary(self) -> dict[str, Any]:
        """Figures for people: size, spans, awkward cases by symbol."""
        day = FIRST_DECISION
        members = {name: len(self.roster.members(name, day)) for name in ("sp500", "sp400", "russell2000")}
        return {
            "seed": self.seed,
            "size": self.size,
            "first_decision_session": day.isoformat(),
            "sessions": [self.grid.day(0).isoformat(), self.grid.day(len(self.grid) - 1).isoformat(), len(self.grid)],
            "listings": len(self.roster.listings),
            "companies": len({x.cik for x in self.roster.listings if x.cik}),
            "members": members,
            "trades": len(self.trades),
            "articles": len(self.views.titles),
            "series": sorted(self.series),
            "awkward": {
                "renames": [
                    [a.symbol, a.new_symbol, a.ex_date.isoformat()]
                    for acts in self._actions.values()
                    for a in acts
                    if a.kind == "rename"
                ],
                "delistings": [
                    [a.symbol, a.ex_date.isoformat()]
                    for acts in self._actions.values()
                    for a in acts
                    if a.kind == "delisting"
                ],
                "splits": [
                    [a.symbol, a.ex_date.isoformat(), a.ratio]
                    for acts in self._actions.values()
                    for a in acts
                    if a.kind == "split"
                ],
                "reused": [s for s, spells in self._spells.items() if len({x.row for _, _, x in spells}) > 1],
                "halts": [
                    [x.symbol_on(a), a.isoformat(), b.isoformat()]
                    for slot, a, b in self.roster.halts
                    for x in self.roster.by_slot(slot)
                ],
                "gaps": [
                    [x.symbol_on(d), d.isoformat()] for slot, d in self.roster.gaps for x in self.roster.by_slot(slot)
                ],
                "classes": [x.symbol_on(day) for x in self.roster.listings if x.label or "." in x.symbol_on(day)],
            },
        }


def _asset_name(item: Listing, day: date) -> str:
    kind = "" if item.tier == "F" else " Common Stock"
    return f"{item.name_on(day)} {item.label}".strip() + kind


def generate(seed: int = 7, size: str = "full") -> World:
    """Build a world from nothing but `seed` and `size` (``full`` or ``small``)."""
    start, end, views_from = SPANS[size]
    grid = load_grid(start, end)
    roster = build_roster(seed, SIZES[size])
    vix = vix_path(seed)
    events = np.zeros((len(roster.listings), len(grid)))
    views = build_views(seed, roster, grid, views_from, end, events)
    trades = build_trades(seed, roster, grid, events, small=size == "small")
    series = build_series(seed, grid, vix)
    market = build_market(seed, roster, grid, vix[grid.days - MACRO_START.toordinal()] / 100 * 0.93, events)
    return World(seed, size, grid, roster, market, views, trades, series)


def generator_version() -> str:
    """Return the version of the generator: a digest of its code. Another version makes another world."""
    digest = hashlib.blake2b(digest_size=6)
    for name in ("congress", "macro", "names", "prices", "roster", "sessions", "vol", "wiki", "world"):
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def _cache_file(home: Path, seed: int, size: str) -> Path:
    """Return the file of a world."""
    return home / "world" / f"{size}-seed{seed}-{generator_version()}.npz"


def _save(world: World, path: Path) -> None:
    meta = json.dumps(
        {
            "roster": roster_to_json(world.roster),
            "trades": trades_to_json(world.trades),
            "titles": world.views.titles,
            "start": world.views.start.isoformat(),
            "rows": world.views.rows,
            "dead": world.views.dead,
        },
        default=str,
    )
    arrays: dict[str, NDArray[Any]] = {"meta": np.frombuffer(meta.encode(), dtype=np.uint8)}
    arrays |= {f"grid_{f.name}": getattr(world.grid, f.name) for f in fields(SessionGrid)}
    arrays |= {f"market_{f.name}": getattr(world.market, f.name) for f in fields(Market)}
    arrays["views"] = world.views.views
    arrays |= series_to_arrays(world.series)
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(path.name.rsplit("-", 1)[0] + "-*.npz"):
        old.unlink(missing_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    draft.replace(path)


def _load(seed: int, size: str, path: Path) -> World:
    with np.load(path, allow_pickle=False) as stored:
        data = {name: stored[name] for name in stored.files}
    meta = json.loads(data["meta"].tobytes())
    grid = SessionGrid(**{f.name: data[f"grid_{f.name}"] for f in fields(SessionGrid)})
    market = Market(**{f.name: data[f"market_{f.name}"] for f in fields(Market)})
    views = Views(meta["titles"], date.fromisoformat(meta["start"]), data["views"], meta["rows"], meta["dead"])
    return World(
        seed,
        size,
        grid,
        roster_from_json(meta["roster"]),
        market,
        views,
        trades_from_json(meta["trades"]),
        series_from_arrays(data),
    )


def load_world(home: Path | None, seed: int = 7, size: str = "full") -> World:
    """Return the world of `seed`: from `home` when it was kept there (unless damaged), else generated and kept."""
    if home is None:
        return generate(seed, size)
    path = _cache_file(home, seed, size)
    if path.exists():
        try:
            return _load(seed, size, path)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
    world = generate(seed, size)
    _save(world, path)
    return world


__all__ = ["INDEX_SYMBOL", "Asset", "Bar", "CorporateAction", "World", "generate", "generator_version", "load_world"]
