"""Log-outs: found by other processes, stored later when they cannot be stored at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api import sessions
from api.errors import NotReady
from api.sessions import EndedSessions
from pas_lib.errors import WarehouseUnavailable

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=12)


class Table:
    """What PostgreSQL would hold."""

    def __init__(self) -> None:
        self.rows: set[bytes] = set()
        self.is_away = False
        self.asked = 0

    def find(self, digest: bytes) -> bool:
        self.asked += 1
        if self.is_away:
            raise NotReady("away")
        return digest in self.rows

    def keep(self, digest: bytes, ended_at: datetime, cookie_ends: datetime) -> None:
        assert (ended_at, cookie_ends) == (NOON, LATER)
        if self.is_away:
            raise WarehouseUnavailable("away")
        self.rows.add(digest)


def test_another_process_learns_of_a_log_out_within_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table()
    here, there = EndedSessions(table.find, table.keep), EndedSessions(table.find, table.keep)
    here.opened("s")
    assert not there.has("s")
    here.end("s", NOON, LATER)
    assert here.has("s")
    assert not there.has("s")  # for as long as it is remembered
    assert table.asked == 1
    monkeypatch.setattr(sessions, "REMEMBERED", 0.0)
    assert there.has("s")
    assert not there.has("t")


def test_a_log_out_that_cannot_be_stored_is_stored_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED", 0.0)
    table = Table()
    here = EndedSessions(table.find, table.keep)
    for name in ("a", "b", "c"):
        here.opened(name)
    table.is_away = True
    here.end("a", NOON, LATER)
    here.end("b", NOON, LATER)
    assert [here.has(name) for name in "abc"] == [True, True, False]
    assert EndedSessions(table.find, table.keep).has("c")  # a new process cannot tell
    assert table.rows == set()
    table.is_away = False
    assert not here.has("c")
    assert len(table.rows) == 2
    after = EndedSessions(table.find, table.keep)
    assert [after.has(name) for name in "abc"] == [True, True, False]


def test_old_ends_are_forgotten_when_their_cookies_are_over() -> None:
    here = EndedSessions()
    here.end("a", NOON, LATER)
    here.end("b", LATER, LATER + timedelta(hours=12))
    assert (here.has("a"), here.has("b")) == (False, True)
