"""Ready-made lists of index members as CSV: snapshots, spells, changes. Read from files, not collected."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date
from typing import Any

from pas_lib.sources import members
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, excerpt, looks_like_html

_SYMBOL = ("symbol", "ticker symbol", "ticker")
_NAME = ("security", "company")
_FIRST_SPELL = date(1996, 1, 2)


class UniverseCsv(Source):
    """Snapshots of the list pages, spells of membership, dated changes."""

    name = "universe_csv"
    site = "universe-csv"
    host = ""
    profiles: frozenset[str] = frozenset()

    def requests(self, ask: Ask) -> Iterable[Request]:  # noqa: ARG002 - part of the contract
        """Yield nothing: these files are not collected."""
        return ()

    def recognises(self, body: bytes) -> bool:
        """Return whether a body begins with the header of one of these files."""
        head = _heads(body)
        return bool(head) and _kind(head) is not None

    def check(self, payload: Payload) -> None:
        """Refuse unknown headers."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return membership rows and securities."""
        if looks_like_html(payload.body):
            raise payload.error("an HTML page came instead of CSV")
        head = _heads(payload.body)
        kind = _kind(head)
        if kind is None:
            raise payload.error(f"column 'Symbol' not found ({excerpt(payload.body)!r})")
        lines = list(csv.reader(io.StringIO(payload.body.decode("utf-8-sig", "replace"))))[1:]
        if kind == "changes_rendered":
            lines = lines[1:]
        index_name = payload.context.get("index_name", "sp500")
        listed: list[members.Member] = []
        changes: list[members.Change] = []
        rejects: list[Reject] = []
        as_of: date | None = None
        at = {name: position for position, name in reversed(list(enumerate(head)))}
        for line in lines:
            if not any(line) or set(line) == {"..."}:
                continue
            try:
                if kind == "list":
                    member, stated = _member(line, at)
                    listed.append(member)
                    as_of = stated or as_of
                elif kind == "spells":
                    changes.extend(_spell(line))
                elif kind == "changes":
                    changes.extend(_changed(line))
                else:
                    changes.extend(_rendered(line))
            except (ValueError, IndexError) as error:
                rejects.append(Reject({"row": line}, str(error)))
        return members.batches(index_name, listed, changes, payload.fetched_at, rejects, complete=False, as_of=as_of)


def _heads(body: bytes) -> list[str]:
    text = body[:2000].decode("utf-8-sig", "replace")
    first: list[str] = next(csv.reader(io.StringIO(text)), [])
    return [cell.strip().lower() for cell in first]


def _kind(head: list[str]) -> str | None:
    if head[:3] == ["ticker", "start_date", "end_date"]:
        return "spells"
    if head[:3] == ["date", "add", "remove"]:
        return "changes"
    if {"date", "added", "removed"} <= set(head):
        return "changes_rendered"
    if any(name in head for name in _SYMBOL) and any(name in head for name in _NAME):
        return "list"
    return None


def _member(line: list[str], at: dict[str, int]) -> tuple[members.Member, date | None]:
    def cell(*names: str) -> str:
        return next((line[at[name]].strip() for name in names if name in at), "")

    cik = cell("cik")
    stated = cell("date")
    member = members.Member(
        symbol=members.canonical(cell(*_SYMBOL)),
        name=cell(*_NAME),
        sector=cell("gics sector") or None,
        industry=cell("gics sub-industry") or None,
        cik=cik.zfill(10) if cik.isdigit() else None,
        listed=members.read_date(cell("date added", "date first added")),
    )
    return member, date.fromisoformat(stated) if stated else None


def _spell(line: list[str]) -> list[members.Change]:
    symbol, start = members.canonical(line[0]), date.fromisoformat(line[1])
    # The table begins on this day: who was a member then joined earlier.
    found = [members.Change(start, "added", symbol, is_assumed=start <= _FIRST_SPELL)]
    if line[2]:
        found.append(members.Change(date.fromisoformat(line[2]), "removed", symbol))
    return found


def _changed(line: list[str]) -> list[members.Change]:
    day = date.fromisoformat(line[0])
    found = []
    for event, cell in (("added", line[1]), ("removed", line[2])):
        found += [members.Change(day, event, members.canonical(part)) for part in cell.split(",") if part.strip()]
    return found


def _rendered(line: list[str]) -> list[members.Change]:
    """Read a row of a printed table: number, date, added symbol and name, removed symbol and name, reason."""
    day = members.read_date(line[1])
    if day is None:
        raise ValueError("no date")
    found = []
    for event, position in (("added", 2), ("removed", 4)):
        cell: Any = line[position].strip()
        if cell and cell.lower() != "nan":
            found.append(members.Change(day, event, members.canonical(cell), line[position + 1] or None))
    return found


SOURCE = UniverseCsv()
