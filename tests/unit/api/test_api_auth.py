"""Tokens, browser sessions, and which addresses may be served."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from api.auth import COOKIE, CSRF_HEADER, Guard, Identity, check_address
from api.errors import Forbidden
from pas_lib.access import NamedToken, digest
from pas_lib.clock import FixedClock
from pas_lib.errors import SettingsError
from pas_lib.settings import Settings, load_settings

ADMIN = "a" * 40
READ = "r" * 40
READER, ADMINISTRATOR = Identity("read", "read"), Identity("admin", "admin")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def settings_with(admin: str | None = ADMIN, read: str | None = READ, host: str = "127.0.0.1") -> Settings:
    env = {"PAS_API_HOST": host}
    one = load_settings(env)
    update = {
        "api_token": SecretStr(admin) if admin else None,
        "api_read_token": SecretStr(read) if read else None,
    }
    return one.model_copy(update=update)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def guard(clock: FixedClock) -> Guard:
    return Guard(settings_with(), clock)


def request(method: str = "GET", query: str = "", **headers: str) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/db", "query_string": query.encode(), "headers": raw})


def level_of(guard: Guard, one: Request) -> str | None:
    who = guard.who_asks(one)
    return who.level if who else None


@pytest.mark.parametrize(
    ("header", "level"),
    [
        (ADMIN, "admin"),
        (READ, "read"),
        (f"Bearer {ADMIN}", "admin"),
        (f"bearer  {READ} ", "read"),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        (f"Basic {ADMIN}", None),
        (ADMIN[:-1], None),
        (ADMIN + "a", None),
        (ADMIN.upper(), None),
        ("\u00e9" * 40, None),
    ],
)
def test_header(guard: Guard, header: str, level: str | None) -> None:
    who = guard.who_asks(request(authorization=header))
    assert (who.level if who else None) == level


def test_query_carries_the_read_token_of_a_get_only(guard: Guard) -> None:
    assert level_of(guard, request(query=f"token={READ}")) == "read"
    assert level_of(guard, request("HEAD", query=f"token={READ}")) == "read"
    assert level_of(guard, request(query=f"token={ADMIN}")) is None
    assert level_of(guard, request("POST", query=f"token={READ}")) is None
    assert level_of(guard, request(query=f"token=x&token={READ}")) is None


def test_a_wrong_header_is_not_saved_by_query_or_cookie(guard: Guard) -> None:
    cookie = f"{COOKIE}={guard.open_session(READER)}"
    assert level_of(guard, request(cookie=cookie)) == "read"
    assert level_of(guard, request(cookie=cookie, authorization="wrong")) is None
    assert level_of(guard, request(query=f"token={READ}", authorization="wrong")) is None


def test_a_session_writes_with_its_own_csrf_token_only(guard: Guard) -> None:
    mine, other = guard.open_session(ADMINISTRATOR), guard.open_session(ADMINISTRATOR)
    session = guard.session_of(mine)
    elsewhere = guard.session_of(other)
    assert session
    assert elsewhere
    headers = {"cookie": f"{COOKIE}={mine}", "host": "here"}
    good = headers | {CSRF_HEADER: guard.csrf(session.session)}
    assert level_of(guard, request("POST", **good)) == "admin"
    assert level_of(guard, request("POST", **good, origin="http://here")) == "admin"
    for wrong in (
        headers,
        headers | {CSRF_HEADER: ""},
        headers | {CSRF_HEADER: "\u00e9"},
        headers | {CSRF_HEADER: guard.csrf(elsewhere.session)},
        good | {"origin": "http://evil.example"},
        good | {"origin": "null"},
        good | {"sec-fetch-site": "cross-site"},
        good | {"sec-fetch-site": "same-site"},
    ):
        with pytest.raises(Forbidden):
            guard.who_asks(request("POST", **wrong))
    # A header token needs none, and a session that does not hold is nobody's.
    assert level_of(guard, request("POST", authorization=ADMIN)) == "admin"
    assert level_of(guard, request("POST", cookie=f"{COOKIE}=x.y.z.s")) is None


def test_session_ends_with_time_and_logout(guard: Guard, clock: FixedClock) -> None:
    first, second = guard.open_session(READER), guard.open_session(READER)
    assert first != second
    opened = guard.session_of(first)
    assert opened
    guard.close_session(opened.session)
    assert guard.session_of(first) is None
    assert guard.session_of(second)
    clock.at = NOON + timedelta(hours=11, minutes=59)
    assert guard.session_of(second)
    clock.at = NOON + timedelta(hours=12, seconds=1)
    assert guard.session_of(second) is None


@pytest.mark.parametrize(
    "cookie", ["", ".", "..", "99999999999.x.-admin.abc", "x.y.z.s", "\u00e9.\u00e9.\u00e9.\u00e9"]
)
def test_forged_session(guard: Guard, cookie: str) -> None:
    assert guard.session_of(cookie) is None


def test_session_cannot_be_prolonged_nor_raised(guard: Guard) -> None:
    ends, name, holder, signature = guard.open_session(READER).split(".")
    assert holder == "-read"
    assert guard.session_of(f"{int(ends) + 1}.{name}.{holder}.{signature}") is None
    assert guard.session_of(f"{ends}.{name}.-admin.{signature}") is None


def test_session_of_other_tokens_is_refused(guard: Guard, clock: FixedClock) -> None:
    other = Guard(settings_with(admin="b" * 40), clock)
    assert other.session_of(guard.open_session(READER)) is None


def named(**change: object) -> NamedToken:
    """Return a named token of scope trade that holds for a day."""
    one = NamedToken("abcdefghijkl", "desk", "trade", NOON, "Ada", NOON + timedelta(days=1), None, None, "")
    return dataclasses.replace(one, **change)  # type: ignore[arg-type]


def test_a_named_token_and_its_session_hold_while_its_row_does(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.auth.REMEMBERED", 0.0)
    token = "pas_abcdefghijkl_" + "S" * 43
    rows = {"abcdefghijkl": (named(), digest(token))}
    guard = Guard(settings_with(), clock, rows.get)
    who = guard.identify(token)
    assert who == Identity("desk", "trade", "abcdefghijkl")
    assert who
    assert guard.identify(token[:-1] + "T") is None
    assert guard.identify("pas_zzzzzzzzzzzz_" + "S" * 43) is None
    assert [who.may(level) for level in ("read", "trade", "admin")] == [True, True, False]
    cookie = guard.open_session(who)
    assert (guard.session_of(cookie) or who).name == "desk"
    rows["abcdefghijkl"] = (named(scope="read"), digest(token))
    lowered = guard.session_of(cookie)
    assert lowered
    assert lowered.level == "read"
    rows["abcdefghijkl"] = (named(revoked_at=NOON), digest(token))
    assert guard.identify(token) is None
    assert guard.session_of(cookie) is None
    rows["abcdefghijkl"] = (named(), digest(token))
    assert guard.session_of(cookie)
    clock.at = NOON + timedelta(days=1)
    assert guard.identify(token) is None
    assert guard.session_of(guard.open_session(who)) is None


def test_what_was_looked_up_is_remembered_for_moments_and_forgotten_on_demand(clock: FixedClock) -> None:
    token = "pas_abcdefghijkl_" + "S" * 43
    asked: list[str] = []

    def lookup(token_id: str) -> tuple[NamedToken, bytes]:
        asked.append(token_id)
        return named(), digest(token)

    guard = Guard(settings_with(), clock, lookup)
    assert [guard.identify(token), guard.identify(token)]
    assert len(asked) == 1
    guard.forget()
    guard.identify(token)
    assert len(asked) == 2
    # What has not the form of a named token is never looked up.
    for text in (ADMIN, READ, "x", "pas_abc_def", token.upper(), token + "x", f"{token}\n"):
        guard.identify(text)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("admin", "read", "named"),
    [
        (None, READ, "API_TOKEN not set"),
        (ADMIN, None, "API_READ_TOKEN not set"),
        (None, None, "API_TOKEN and API_READ_TOKEN not set"),
        (ADMIN, ADMIN, "are equal"),
    ],
)
def test_refuses_to_start(clock: FixedClock, admin: str | None, read: str | None, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Guard(settings_with(admin, read), clock)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ADMIN not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_weak_token_on_a_public_address(host: str) -> None:
    check_address(host, settings_with(host=host))
    with pytest.raises(SettingsError, match="fewer than 32 characters") as caught:
        check_address(host, settings_with(read="short"))
    assert "short" not in str(caught.value).replace("shorter", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_weak_token_on_loopback(host: str) -> None:
    check_address(host, settings_with(read="short"))


def test_weak_token_is_not_served_on_a_public_address_however_it_was_bound(clock: FixedClock) -> None:
    weak, strong = Guard(settings_with(read="short"), clock), Guard(settings_with(), clock)
    assert weak.may_serve({"server": ("127.0.0.1", 8001)})
    assert not weak.may_serve({"server": ("192.168.1.5", 8001)})
    assert not weak.may_serve({"server": None})
    assert strong.may_serve({"server": ("192.168.1.5", 8001)})
