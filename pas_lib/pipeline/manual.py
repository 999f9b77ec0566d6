"""What persons asked of portfolios since the last decision, as the decision takes it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import pandas as pd

from pas_lib import clock as calendar
from pas_lib.pipeline.books import Book
from pas_lib.pipeline.portfolios import CASH
from pas_lib.pipeline.sizing import TINY, Sleeve
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse


@dataclass(frozen=True)
class Requests:
    """What was asked for.

    Attributes
    ----------
    sleeves
        One for each manual portfolio that has something, or is to get it.
    rebalance
        Portfolios of any kind that a person wants brought to their weights.
    """

    sleeves: tuple[Sleeve, ...] = ()
    rebalance: frozenset[str] = field(default_factory=frozenset)

    @property
    def names(self) -> frozenset[str]:
        """The manual portfolios."""
        return frozenset(one.portfolio_id for one in self.sleeves)

    @property
    def share(self) -> float:
        """What the manual portfolios take of sizing equity."""
        return sum(one.target for one in self.sleeves)

    def leave_room(self, settings: Settings, strategies: int) -> Settings:
        """Return settings under which the strategies together get what is left."""
        if not self.sleeves:
            return settings
        least = max(settings.min_allocation * strategies, TINY)
        return settings.model_copy(update={"gross_cap": max(settings.gross_cap - self.share, least)})

    def without(self, book: Book) -> Book:
        """Return the book without the manual portfolios, for the allocation of the others."""
        if not self.sleeves:
            return book
        kept = book.current[[name not in self.names for name in book.current.index]]
        return Book(book.managed_equity, kept, book.held, book.closes)

    def told(self) -> dict[str, list[str]]:
        """Return what of it the decision was made from, for its hash."""
        return {
            one.portfolio_id: [str(one.due), f"{one.target:.10g}"]
            + [f"{key} {value:.10g}" for key, value in one.model.items()]
            for one in self.sleeves
        }


def read_requests(
    warehouse: Warehouse, session: date, book: Book, settings: Settings, *, scale: float, now: datetime
) -> Requests:
    """Return what persons asked for up to a decision.

    Parameters
    ----------
    session, book, scale
        The session decided, its book, and S: what a manual portfolio holds is shrunk in a crisis like all else.
    now
        Time of the decision; later wishes wait for the next one. A replay sees those up to its decision time.

    Returns
    -------
    Requests
        A manual portfolio is due when its weights were put, its share was given or a rebalance was asked for since the
        last decision, when that one's orders did not go out, or when it holds more than S allows. Otherwise it drifts.
    """
    until = min(now, calendar.decision_time(session))
    rows = warehouse.rows(
        # AT is a word of DuckDB's own
        "select portfolio_id, event, \"at\", (details ->> 'share')::double precision as share"
        ' from ops.portfolio_events where "at" <= %s order by event_id',
        (until,),
    )
    manual = warehouse.rows("select portfolio_id, status, created_at from ops.portfolios where kind = 'manual'")
    if not rows and not manual:
        return Requests()
    last = warehouse.rows(
        "select max(decided_at) as newest from ops.decisions where origin = 'live' and session < %s", (session,)
    )[0]["newest"]
    fresh = [row for row in rows if last is None or row["at"] > last]
    asked = frozenset(str(row["portfolio_id"]) for row in fresh if row["event"] == "rebalance")
    sleeves = []
    for one in sorted(manual, key=lambda row: str(row["portfolio_id"])):
        name = str(one["portfolio_id"])
        own = [row for row in rows if row["portfolio_id"] == name]
        new = {str(row["event"]) for row in fresh if row["portfolio_id"] == name}
        sleeve = _sleeve(warehouse, session, name, own, new, one["status"] == "closed", book, settings, scale, until)
        if sleeve is not None:
            sleeves.append(sleeve)
    return Requests(tuple(sleeves), asked)


def _sleeve(
    warehouse: Warehouse,
    session: date,
    name: str,
    own: list[dict[str, object]],
    new: set[str],
    is_closed: bool,
    book: Book,
    settings: Settings,
    scale: float,
    until: datetime,
) -> Sleeve | None:
    current = float(book.current.get(name, 0.0))
    held = book.held.get(name, pd.Series(dtype=float))
    given = [float(row["share"]) for row in own if row["event"] == "funded" and row["share"] is not None]  # type: ignore[arg-type]
    # Reopened: what was given before it was closed counts no more.
    closings = [i for i, row in enumerate(own) if row["event"] == "closed"]
    if closings:
        given = [
            float(row["share"])  # type: ignore[arg-type]
            for row in own[closings[-1] :]
            if row["event"] == "funded" and row["share"] is not None
        ]
    share = given[-1] if given else 0.0
    target = share if "funded" in new or current <= TINY else current
    if is_closed or (share <= TINY and "funded" in new):
        target = 0.0
    if target <= TINY and current <= TINY:
        return None
    weights = _weights(warehouse, name, until)
    invested = float(held.sum())
    why = ""
    if new & {"weights", "funded", "rebalance"}:
        why = "a person asked: " + ", ".join(sorted(new & {"weights", "funded", "rebalance"}))
    elif not _went_out(warehouse, session, name):
        why = "the orders decided last did not go out"
    model = weights * scale
    if not why and current > TINY and invested / current > scale + settings.band:
        why = f"holds more than S {scale:.2f} allows"
        model = held / invested * scale
    return Sleeve(name, session if why else None, target, current, model, held, why)


def _weights(warehouse: Warehouse, name: str, until: datetime) -> pd.Series:
    rows = warehouse.rows(
        "select symbol, weight from ops.manual_weights where portfolio_id = %s and event_id ="
        " (select max(event_id) from ops.manual_weights where portfolio_id = %s and set_at <= %s) order by symbol",
        (name, name, until),
    )
    return pd.Series({str(row["symbol"]): float(row["weight"]) for row in rows if row["symbol"] != CASH}, dtype=float)


def _went_out(warehouse: Warehouse, session: date, name: str) -> bool:
    """Whether the last decision that made the portfolio trade had its orders sent (true when there was none)."""
    from pas_lib.pipeline.records import untraded_sessions

    return name not in untraded_sessions(warehouse, session)
