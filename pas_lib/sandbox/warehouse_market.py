"""The market that a paper broker trades in when the data are real: the warehouse's own unadjusted prices.

A session's prices arrive after its close, with the evening's collection. Until then the session is not *known*: orders
are taken and stay open, and the broker's books stand still. Once its bars are there, everything of the session happens
at the times at which it would have happened: share changes at midnight, fills at the official open, expiry at the
close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pas_lib import clock as calendar

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

#: A session is known when it has bars of this share of the symbols that the session before had.
COMPLETE = 0.9
#: How many sessions a symbol may be without a bar and still be listed.
LISTED = 5
_KEPT = 40

_BARS = """
select distinct on (symbol) symbol, open, high, low, close, is_deleted
from raw.prices where event_date = %s and known_at >= %s and close > 0
order by symbol, known_at desc, row_id desc
"""
_ACTIONS = """
select symbol, action, event_date, ratio, amount from (
    select distinct on (symbol, action, event_date, ordinal) symbol, action, event_date, ratio, amount, is_deleted
    from raw.corporate_actions where event_date between %s and %s
    order by symbol, action, event_date, ordinal, known_at desc, row_id desc) versions
where not is_deleted order by event_date, symbol, action
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One session of one symbol, unadjusted."""

    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Line:
    """A symbol the paper broker lists: what had a bar lately."""

    symbol: str
    name: str
    exchange: str = ""
    tradable: bool = True
    fractionable: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """A split or a distribution of the warehouse."""

    symbol: str
    kind: str
    ex_date: date
    ratio: float = 1.0
    amount: float = 0.0
    new_symbol: str = ""


class WarehouseMarket:
    """Prices, lines and corporate actions as the warehouse has them.

    Parameters
    ----------
    warehouse : Warehouse
        Where the raw tables are.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._bars: dict[date, dict[str, Bar]] = {}
        self._actions: dict[tuple[date, date, int], list[Action]] = {}
        self._unknown: dict[date, int] = {}
        self._newest = -1

    def refresh(self) -> None:
        """Look whether anything has arrived; between two looks the market stands still."""
        row = self._warehouse.rows("select coalesce(max(row_id), 0) as n from raw.prices")
        self._newest = int(row[0]["n"])

    def knows(self, session: date) -> bool:
        """Return whether a session's prices have arrived."""
        if session in self._bars:
            return True
        if self._newest < 0:
            self.refresh()
        if self._unknown.get(session) == self._newest:
            return False
        found = self._read(session)
        before = self._read(calendar.previous_session(session)) if found else {}
        if not found or len(found) < COMPLETE * len(before):
            self._unknown[session] = self._newest
            return False
        self._keep(session, found)
        return True

    def _read(self, session: date) -> dict[str, Bar]:
        if session in self._bars:
            return self._bars[session]
        rows = self._warehouse.rows(_BARS, (session, calendar.session_open(session)))
        return {
            r["symbol"]: Bar(
                float(r["open"] or r["close"]), float(r["high"] or r["close"]), float(r["low"] or r["close"]),
                float(r["close"]),
            )
            for r in rows
            if not r["is_deleted"]
        }  # fmt: skip

    def _keep(self, session: date, bars: dict[str, Bar]) -> None:
        self._bars[session] = bars
        for old in sorted(self._bars)[:-_KEPT]:
            del self._bars[old]

    def bar(self, symbol: str, session: date) -> Bar | None:
        """Return the bar of a session, or None when it is not known or the symbol did not trade."""
        return self._bars[session].get(symbol) if self.knows(session) else None

    def previous_bar(self, symbol: str, session: date) -> Bar | None:
        """Return the last bar before a session, at most a few sessions old."""
        for _ in range(LISTED):
            session = calendar.previous_session(session)
            found = self.bar(symbol, session)
            if found is not None:
                return found
        return None

    def is_halted(self, symbol: str, session: date) -> bool:
        """Return whether a symbol has no bar in a session that is known."""
        return self.knows(session) and symbol not in self._bars[session]

    def assets(self, day: date | None = None) -> Sequence[Line]:
        """Return every symbol with a bar in the last known sessions up to a day."""
        session = calendar.session_on_or_before(day or date.max)
        names: set[str] = set()
        seen = 0
        for _ in range(2 * LISTED):
            if self.knows(session):
                names |= set(self._bars[session])
                seen += 1
            if seen == LISTED:
                break
            session = calendar.previous_session(session)
        return [Line(symbol, symbol) for symbol in sorted(names)]

    def corporate_actions(self, symbol: str, start: date | None = None, end: date | None = None) -> Sequence[Action]:
        """Return the events of a symbol between two days, both included; all symbols for an empty one."""
        first, last = start or date(1990, 1, 1), end or date.max - timedelta(days=1)
        key = (first, last, self._newest)
        if key not in self._actions:
            self._actions = {
                key: [
                    Action(r["symbol"], r["action"], r["event_date"], float(r["ratio"] or 1), float(r["amount"] or 0))
                    for r in self._warehouse.rows(_ACTIONS, (first, last))
                ]
            }
        return [a for a in self._actions[key] if symbol in ("", a.symbol)]
